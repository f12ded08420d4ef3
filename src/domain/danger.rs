//! The danger tiers (console.md 4): the one table that dialogs, colors, audit, barriers and tests read.

use serde::{Deserialize, Serialize};

use super::status::Tone;

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

/// When the shared ledger must know of an act. The local journal always has it before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audit {
    /// Never: nothing is done.
    Never,
    /// As soon as it can be told; the act does not wait.
    Afterwards,
    /// Plan and intents are acknowledged before the first request leaves.
    Before,
}

impl Audit {
    /// What that means for the record, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Never => "not recorded",
            Self::Afterwards => "the ledger is told afterwards",
            Self::Before => "the ledger has it before it is asked for",
        }
    }
}

/// A tier: one line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// As people call it.
    pub letter: char,
    /// What it means.
    pub meaning: &'static str,
    /// What stands between a person and the act.
    pub interlock: Interlock,
    /// How it is drawn.
    pub tone: Tone,
    /// When the ledger must know of it.
    pub audit: Audit,
    /// Whether a script may do it, with `--yes` instead of a person at a terminal.
    pub unattended: bool,
    /// Whether exactly this plan must have been approved, by its hash, by somebody else.
    pub approval: bool,
    /// Whether the person must say why.
    pub reason: bool,
    /// Whether it may be done where everything that changes something is refused.
    pub in_read_only: bool,
}

impl Danger {
    /// All tiers, in order.
    pub const ALL: [Self; 6] = [Self::Read, Self::Undoable, Self::Costly, Self::Production, Self::Loss, Self::Rollback];

    /// The table: dialogs, colors, the command line, the audit, the ledger's barrier and the tests read it.
    pub const fn row(self) -> &'static Tier {
        match self {
            Self::Read => &Tier {
                letter: '0',
                meaning: "reads only",
                interlock: Interlock::Free,
                tone: Tone::Quiet,
                audit: Audit::Never,
                unattended: true,
                approval: false,
                reason: false,
                in_read_only: true,
            },
            Self::Undoable => &Tier {
                letter: '1',
                meaning: "can be undone, touches no data",
                interlock: Interlock::Notice,
                tone: Tone::Quiet,
                audit: Audit::Afterwards,
                unattended: true,
                approval: false,
                reason: false,
                in_read_only: false,
            },
            Self::Costly => &Tier {
                letter: '2',
                meaning: "costs time or money",
                interlock: Interlock::Sheet,
                tone: Tone::Warning,
                audit: Audit::Afterwards,
                unattended: true,
                approval: false,
                reason: false,
                in_read_only: false,
            },
            Self::Production => &Tier {
                letter: '3',
                meaning: "changes production state",
                interlock: Interlock::Letter,
                tone: Tone::Danger,
                audit: Audit::Before,
                unattended: false,
                approval: true,
                reason: true,
                in_read_only: false,
            },
            Self::Loss => &Tier {
                letter: '4',
                meaning: "data may be lost",
                interlock: Interlock::Name,
                tone: Tone::Danger,
                audit: Audit::Before,
                unattended: false,
                approval: true,
                reason: true,
                in_read_only: false,
            },
            // It restores what was approved, and must work when nothing else does.
            Self::Rollback => &Tier {
                letter: 'R',
                meaning: "goes back to the last verified state",
                interlock: Interlock::Rollback,
                tone: Tone::Danger,
                audit: Audit::Afterwards,
                unattended: true,
                approval: false,
                reason: false,
                in_read_only: true,
            },
        }
    }

    /// The tier as people call it.
    pub fn tier(self) -> char {
        self.row().letter
    }

    /// What the tier means.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// What stands between a person and the act.
    pub fn interlock(self) -> Interlock {
        self.row().interlock
    }

    /// Whether it may be done where acts are or are not allowed.
    pub fn is_permitted(self, read_only: bool) -> bool {
        !read_only || self.row().in_read_only
    }

    /// Whether the shared ledger must have plan and intents before the first request leaves. A rollback never waits.
    pub fn waits_for_ledger(self) -> bool {
        self.row().audit == Audit::Before
    }

    /// Whether the person must say why.
    pub fn wants_reason(self) -> bool {
        self.row().reason
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

    /// console.md 4, line by line.
    #[test]
    fn the_table_is_that_of_the_design() {
        let lines = Danger::ALL.map(|danger| {
            let row = danger.row();
            (row.letter, row.interlock, row.tone, row.audit, row.unattended, row.approval)
        });
        let expected = [
            ('0', Interlock::Free, Tone::Quiet, Audit::Never, true, false),
            ('1', Interlock::Notice, Tone::Quiet, Audit::Afterwards, true, false),
            ('2', Interlock::Sheet, Tone::Warning, Audit::Afterwards, true, false),
            ('3', Interlock::Letter, Tone::Danger, Audit::Before, false, true),
            ('4', Interlock::Name, Tone::Danger, Audit::Before, false, true),
            ('R', Interlock::Rollback, Tone::Danger, Audit::Afterwards, true, false),
        ];
        assert_eq!(lines, expected);
    }
}
