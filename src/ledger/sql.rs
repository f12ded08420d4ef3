//! The port to whatever runs the ledger's statements: the client over HTTPS, or an engine in memory under test.

use crate::domain::sql::{CellError, Fault, NamedStatement, Parts, Rows};

/// Whether a statement that failed may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It changed nothing.
    No,
    /// Nobody knows: the answer was lost. Only a look can tell.
    Unknown,
}

/// A statement that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlTrouble {
    /// What went wrong, with which statement, harmless to show.
    pub message: String,
    /// What it means.
    pub fault: Fault,
    /// Whether it may have changed something.
    pub happened: Happened,
}

impl From<CellError> for SqlTrouble {
    /// An answer that is not of the expected form.
    fn from(error: CellError) -> Self {
        Self {
            message: format!("the ledger's answer cannot be read: {error}"),
            fault: Fault::Other,
            happened: Happened::Unknown,
        }
    }
}

/// One statement to execute.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which one.
    pub named: &'static NamedStatement,
    /// The names that its text stands on.
    pub parts: Parts,
    /// Values by parameter; none is NULL.
    pub parameters: Vec<(&'static str, Option<String>)>,
}

/// Runs statements, each in a session of its own.
pub trait Sql: Send + Sync {
    /// Runs one statement to its end.
    ///
    /// # Errors
    /// What went wrong, and whether it may have changed something all the same.
    fn execute(&self, ask: &Ask) -> impl Future<Output = Result<Rows, SqlTrouble>> + Send;
}

impl<S: Sql> Sql for &S {
    fn execute(&self, ask: &Ask) -> impl Future<Output = Result<Rows, SqlTrouble>> + Send {
        (**self).execute(ask)
    }
}
