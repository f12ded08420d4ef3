//! The dialect of the configuration's files: one type a table, from which reading, checking, the JSON schema and the
//! reference page all follow.

pub mod fleet;
pub mod ledger;
pub mod personal;
pub mod scalar;
