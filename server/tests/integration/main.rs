//! The portal on real parts: a Postgres for each test, an API server with admission, identity providers, a mail server.
//! `make test` starts them. One executable, as each would link, and keep on the disk, half a gigabyte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authorization;
mod back_channel_logout;
mod cluster;
mod command_line;
mod connections;
mod database_check;
mod gatekeeper;
mod hostile_provider;
mod identity_provider;
mod lists;
mod membership;
mod notifications;
mod opt_ins;
mod parts;
mod preview;
mod provider_variants;
mod record;
mod rego_workers;
mod renewal;
mod requests;
mod session_pages;
mod sessions;
mod sign_in;
mod workloads;
