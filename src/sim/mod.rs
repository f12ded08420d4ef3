//! Simulated Databricks workspaces: a pure world in virtual time, and its faces.
//!
//! Nothing here may import `databricks`: if client and simulator shared a type, one wrong field name would pass every
//! test. `docs/simulator.md` describes what outside programs may rely on.

mod config_out;
mod credentials;
mod embedded;
mod faults;
mod http;
mod lakehouse;
mod pace;
pub mod scenario;
mod simulator;
pub mod sql;
pub mod world;

pub use credentials::ROLES;
pub use embedded::Embedded;
pub use simulator::{Access, Error, Ledger, Options, Simulator};
pub use world::products;
