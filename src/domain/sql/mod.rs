//! SQL as lakeshift speaks it: named statements, the names they stand on, the rows and the failures that come back.
//!
//! Every text that lakeshift sends is a [`NamedStatement`], so that one list shows them all (`docs/statements.md`), the
//! conformance suite can run each on Spark, and nothing from outside ever becomes part of a text. The types are those of
//! any engine: the client answers with them, and so can a simulation without a network.

mod decimal;
mod failure;
mod name;
mod rows;
mod statement;

pub use decimal::{Decimal, NotADecimal};
pub use failure::{Fault, SqlFailure};
pub use name::{BadName, QualifiedName};
pub use rows::{CellError, Column, Row, Rows};
pub use statement::{NamedStatement, Part, Parts, Repeats, TextError, render};
