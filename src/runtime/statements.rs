//! The one list of the SQL that lakeshift sends, whichever room wrote it.

use crate::domain::sql::NamedStatement;
use crate::ledger;
use crate::runtime::doctor;

/// Every statement that lakeshift may send, in the order of its rooms.
pub fn all() -> Vec<&'static NamedStatement> {
    let calls = ledger::statements::pairs().into_iter().map(|(_, call)| call).collect();
    let of_setup = vec![&ledger::init::GRANT, &ledger::init::CREATE_PROCEDURE];
    [ledger::statements::all(), of_setup, calls, doctor::statements::all()].concat()
}
