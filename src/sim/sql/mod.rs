//! The SQL engine of a simulated metastore: Databricks SQL parsed, bound, rewritten and run on SQLite.
//!
//! A statement goes through [`parse`] (text to tree), [`bind`] (names, types and rights to SQLite text) and [`engine`] (rows, commits). Objects and
//! rights are in [`catalog`], rows and their versions in [`delta`]. Types are checked before anything runs, and what is not understood is an error
//! in Databricks' words, never a silent success. Time is the caller's; nothing here reads a clock.

mod alter;
mod bind;
mod cast;
pub mod catalog;
mod computed;
mod datetime;
mod ddl;
mod decimal;
mod delta;
mod dml;
mod engine;
mod error;
mod functions;
mod merge;
mod names;
mod parse;
mod runs;
mod show;
mod types;
mod values;

pub use decimal::Decimal;
pub use delta::{Commit, CommitJob};
pub(crate) use engine::PARTITIONS;
pub use engine::{Begun, Engine, Parameter, ResultColumn, Session, StatementResult, Transaction};
pub use error::{Result, SqlError};
pub(crate) use names::quote;
pub use names::{Securable, TableName};
pub use types::DataType;
pub use values::Value;
