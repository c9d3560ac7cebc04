//! How the portal runs: settings, router, sessions, sign-in, the cluster, telemetry, commands.

pub mod client_address;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod connections;
pub mod database_check;
pub mod health;
pub mod identity_provider;
pub mod mailer;
pub mod rate_limits;
pub mod refusals;
pub mod rego_workers;
pub mod router;
pub mod serve;
pub mod sessions;
pub mod webhook;
