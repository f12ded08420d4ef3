//! The one list of the SQL that lakeshift sends, whichever room wrote it.

use crate::domain::sql::NamedStatement;

/// The lists of the rooms.
const LISTS: &[&[&NamedStatement]] = &[];

/// Every statement that lakeshift may send, in the order of its rooms.
pub fn all() -> Vec<&'static NamedStatement> {
    LISTS.iter().flat_map(|list| list.iter().copied()).collect()
}
