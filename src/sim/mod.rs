//! Simulated Databricks workspaces: a pure world in virtual time, and its faces.
//!
//! Nothing here may import `databricks`: if client and simulator shared a type, one wrong field name would pass every test.

pub mod scenario;
pub mod sql;
pub mod world;
