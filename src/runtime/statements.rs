//! The one list of the SQL that lakeshift sends, whichever room wrote it.

use crate::domain::sql::NamedStatement;

/// Every statement that lakeshift may send, in the order of its rooms.
pub fn all() -> Vec<&'static NamedStatement> {
    [crate::ledger::statements::all()].concat()
}
