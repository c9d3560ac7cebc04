//! The `fairway` binary.

use clap::Parser;
use mimalloc::MiMalloc;
use server::commands::Command;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Self-service portal for a security-hardened Kubernetes platform.
#[derive(Parser)]
#[command(name = "fairway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    Arguments::parse().command.run()
}
