//! The `fairway` binary.

use clap::Parser;
use server::commands::Command;
use std::process::ExitCode;

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
