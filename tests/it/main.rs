//! All integration tests in one binary: one link instead of many.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says what it expected by panicking, and drives the real process"
)]

#[cfg(unix)]
mod acting;
mod cli;
mod client;
mod doctor;
mod fleet_commands;
mod keys;
mod ledger;
#[cfg(unix)]
mod operations;
mod proof;
#[cfg(unix)]
mod pty;
mod reference;
mod sim;
mod sql_concurrency;
mod sql_corpus;
mod statements;
mod tidy;
mod tls;
mod wire;
