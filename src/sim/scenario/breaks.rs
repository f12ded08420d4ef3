//! What the platform promises, or is assumed to do, and a world does otherwise: so that those who rely on it can be seen to
//! notice.

use serde::{Deserialize, Serialize};

/// The promises that a world breaks; none unless it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaks {
    /// ALTER VIEW ... AS makes a new object, and forgets the grants.
    pub view_identity: bool,
    /// ALTER VIEW ... AS keeps the comments of columns that stay.
    pub view_comments: bool,
    /// The catalog takes comments out of a view's text.
    pub view_marker: bool,
    /// Of two commits that conflict both succeed.
    pub write_conflicts: bool,
    /// No version but the newest can be read.
    pub time_travel: bool,
    /// Events of flows tell their figures under another name.
    pub event_details: bool,
    /// System tables are three days late.
    pub system_tables: bool,
    /// Other warehouses than the one through which a view was changed go on reading what it was.
    pub view_lag: bool,
    /// Whoever sees an object may read who holds what on it, not only whoever manages it.
    pub rights_told: bool,
}
