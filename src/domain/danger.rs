//! The danger tiers (console.md 4): the one table that dialogs, colors, audit, barriers and tests read.

use serde::{Deserialize, Serialize};

/// What harm a command or an operation may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Reads only.
    Read,
    /// Can be undone and touches no data.
    Undoable,
    /// Costs time or money.
    Costly,
    /// Changes production state.
    Production,
    /// Data may be lost.
    Loss,
    /// Goes back to the last verified state: exempt from read-only.
    Rollback,
}

/// What stands between a person and the act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interlock {
    /// Nothing.
    Free,
    /// It acts at once and can be taken back for a while.
    Notice,
    /// A sheet that says what will happen, and `y`.
    Sheet,
    /// An approved plan, and the environment's letter.
    Letter,
    /// The object's name typed by hand, and a second person.
    Name,
    /// `R`, and the environment's letter.
    Rollback,
}

impl Danger {
    /// All tiers, in order.
    pub const ALL: [Self; 6] = [Self::Read, Self::Undoable, Self::Costly, Self::Production, Self::Loss, Self::Rollback];

    /// The tier as people call it.
    pub fn tier(self) -> char {
        match self {
            Self::Read => '0',
            Self::Undoable => '1',
            Self::Costly => '2',
            Self::Production => '3',
            Self::Loss => '4',
            Self::Rollback => 'R',
        }
    }

    /// What the tier means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Read => "reads only",
            Self::Undoable => "can be undone, touches no data",
            Self::Costly => "costs time or money",
            Self::Production => "changes production state",
            Self::Loss => "data may be lost",
            Self::Rollback => "goes back to the last verified state",
        }
    }

    /// What stands between a person and the act.
    pub fn interlock(self) -> Interlock {
        match self {
            Self::Read => Interlock::Free,
            Self::Undoable => Interlock::Notice,
            Self::Costly => Interlock::Sheet,
            Self::Production => Interlock::Letter,
            Self::Loss => Interlock::Name,
            Self::Rollback => Interlock::Rollback,
        }
    }

    /// Whether it may be done where acts are or are not allowed.
    pub fn is_permitted(self, read_only: bool) -> bool {
        !read_only || matches!(self, Self::Read | Self::Rollback)
    }

    /// Whether the shared ledger must have plan and intents before the first request leaves. A rollback never waits.
    pub fn waits_for_ledger(self) -> bool {
        matches!(self, Self::Production | Self::Loss)
    }

    /// Whether the person must say why.
    pub fn wants_reason(self) -> bool {
        matches!(self, Self::Production | Self::Loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_leaves_reading_and_the_way_back() {
        let left: Vec<Danger> = Danger::ALL.into_iter().filter(|danger| danger.is_permitted(true)).collect();
        assert_eq!(left, [Danger::Read, Danger::Rollback]);
        assert!(Danger::ALL.into_iter().all(|danger| danger.is_permitted(false)));
    }

    #[test]
    fn production_waits_for_the_ledger_and_a_rollback_never_does() {
        let waiting: Vec<Danger> = Danger::ALL.into_iter().filter(|danger| danger.waits_for_ledger()).collect();
        assert_eq!(waiting, [Danger::Production, Danger::Loss]);
    }

    #[test]
    fn no_two_tiers_share_a_letter() {
        let letters: std::collections::BTreeSet<char> = Danger::ALL.into_iter().map(Danger::tier).collect();
        assert_eq!(letters.len(), Danger::ALL.len());
    }
}
