//! The shared record in Unity Catalog: what was planned, done, approved and proven, by whom and when.
//!
//! Delta tables that are only ever appended to, reached by SQL through one workspace and warehouse. Who and when are the
//! server's words. Nothing here knows a network: statements go through the port [`sql::Sql`], so that the same code runs
//! against a warehouse and against an engine in memory.

pub mod book;
pub mod export;
pub mod init;
pub mod journal;
pub mod lease;
pub mod place;
pub mod rows;
pub mod seal;
pub mod sql;
pub mod statements;
pub mod tables;

pub use book::{Delivery, Follower, Ledger};
pub use place::Place;
pub use rows::{LedgerRow, Recorded, Value};
pub use sql::{Happened, Sql, SqlTrouble};
pub use tables::Table;
