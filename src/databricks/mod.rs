//! The REST client: speaks to one workspace with one credential, and answers in domain types.
//!
//! A request goes through the workspace's budget ([`Budget`], by lane), gets a token ([`auth`]), leaves through a
//! [`transport::Transport`], is recorded for the Log screen, and is repeated only when that is safe. An [`Error`] tells
//! whether the act did not happen or is unknown. All waiting is tokio's, all randomness comes from the policy's seed: the
//! same client runs in a deterministic simulation. The vendor's JSON stays in [`wire`].

pub mod auth;
pub mod transport;
pub mod wire;

mod budget;
mod client;
mod error;
mod exchange;
#[cfg(test)]
pub(crate) mod fake;
mod host;
mod jobs;
mod me;
mod page;
mod permissions;
mod pipelines;
mod request;
mod retry;
mod sql;
mod unity;
mod warehouses;

pub use budget::Budget;
pub use client::{Client, ClientOptions};
pub use error::{Class, Error, Kind, Outcome};
pub use exchange::Observer;
pub use host::HostError;
pub use jobs::{IdempotencyToken, RepairRun, Rerun, RunNow, RunsQuery, TokenTooLong};
pub use pipelines::{EventsQuery, Refresh, StartUpdate};
pub use retry::RetryPolicy;
pub use sql::{Cause, Statement, StatementError};
