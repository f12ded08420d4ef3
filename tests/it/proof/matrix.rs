//! What can happen in a run, and what has happened over all of them: deed x fault x crash point.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What an operation does to the platform: a kind of step, done or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    RunNow,
    Cancel,
    Repair,
    Start,
    Stop,
    /// A started run is canceled again after an abort.
    UndoRun,
    /// A repaired run is canceled again after an abort.
    UndoRepair,
    /// A started update is stopped again after an abort.
    UndoStart,
    /// One of several steps that go at once.
    Together,
    /// A step that waits for others before it.
    Next,
    /// One of several steps is taken back after an abort.
    UndoOne,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// No connection comes up.
    Refused,
    /// It leaves, and never arrives.
    Lost,
    /// It happens, and the answer is lost.
    LostReply,
    /// It happens, and no answer comes.
    Hung,
    /// It happens, and the answer is a 500.
    ErrorBehind,
    /// The answer is lost, and it happens later.
    Late,
    /// It arrives twice, and is answered twice.
    Duplicate,
    /// 429.
    TooMany,
    /// 503.
    Unavailable,
    /// 401: the token is over.
    Expired,
    /// A read is answered from a copy that lacks the newest act.
    Stale,
    /// A listing comes in many small pages, and one of them may be lost.
    PartialPage,
    /// A colleague works on the same object by other means.
    Foreign,
    /// Another process of the same home wants the operation, and gets it while its owner stands still.
    SecondCaptain,
    /// A person pauses it.
    Pause,
    /// A person wants it taken back.
    Abort,
    /// The machine's clock is set ahead.
    ClockAhead,
    /// The machine's clock is set back.
    ClockBack,
    /// The ledger's warehouse does not answer, loses its answers, or commits late.
    Ledger,
    /// The machine is lost, and another engineer goes on from the ledger on another one.
    OtherHome,
    /// The machine stands still or loses its network until another engineer has taken over, and then goes on.
    LivesOn,
    /// The machine is lost, and another engineer goes on with what needs no lease, though the ledger was told afterwards.
    Unled,
    /// The same, and the other engineer is refused, since the ledger may lack what could happen twice.
    Blind,
}

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Crash {
    Never,
    BeforeIntent,
    AfterIntent,
    BeforeRequest,
    AfterRequest,
    BeforeOutcome,
    AfterOutcome,
    /// The ledger has rows, and the journal does not know it yet.
    BeforeAcknowledged,
}

impl Deed {
    pub(super) const ALL: [Self; 11] = [
        Self::RunNow,
        Self::Cancel,
        Self::Repair,
        Self::Start,
        Self::Stop,
        Self::UndoRun,
        Self::UndoRepair,
        Self::UndoStart,
        Self::Together,
        Self::Next,
        Self::UndoOne,
    ];

    /// Whether it is the way back of another deed.
    pub(super) fn is_undo(self) -> bool {
        matches!(self, Self::UndoRun | Self::UndoRepair | Self::UndoStart | Self::UndoOne)
    }

    /// Whether an operation that does it has several steps.
    pub(super) fn is_of_several(self) -> bool {
        matches!(self, Self::Together | Self::Next | Self::UndoOne)
    }

    /// Whether an operation that does it reads lists.
    fn lists(self) -> bool {
        !matches!(self, Self::Cancel | Self::Repair | Self::Stop | Self::UndoRepair)
    }

    /// Whether an operation that does it has a step that could happen twice.
    pub(super) fn may_double(self) -> bool {
        matches!(self, Self::Start | Self::UndoStart) || self.is_of_several()
    }
}

impl Fault {
    pub(super) const ALL: [Self; 23] = [
        Self::Refused,
        Self::Lost,
        Self::LostReply,
        Self::Hung,
        Self::ErrorBehind,
        Self::Late,
        Self::Duplicate,
        Self::TooMany,
        Self::Unavailable,
        Self::Expired,
        Self::Stale,
        Self::PartialPage,
        Self::Foreign,
        Self::SecondCaptain,
        Self::Pause,
        Self::Abort,
        Self::ClockAhead,
        Self::ClockBack,
        Self::Ledger,
        Self::OtherHome,
        Self::LivesOn,
        Self::Unled,
        Self::Blind,
    ];

    /// Those that can strike any request.
    pub(super) const OF_ANY: [Self; 9] = [
        Self::Refused,
        Self::Lost,
        Self::LostReply,
        Self::Hung,
        Self::ErrorBehind,
        Self::TooMany,
        Self::Unavailable,
        Self::Expired,
        Self::Duplicate,
    ];

    /// Whether it befalls the request of an act.
    pub(super) fn is_of_act(self) -> bool {
        Self::OF_ANY.contains(&self) || self == Self::Late
    }

    /// Whether it befalls a read.
    pub(super) fn is_of_read(self) -> bool {
        matches!(self, Self::Stale | Self::PartialPage)
    }
}

impl Crash {
    pub(super) const ALL: [Self; 8] = [
        Self::Never,
        Self::BeforeIntent,
        Self::AfterIntent,
        Self::BeforeRequest,
        Self::AfterRequest,
        Self::BeforeOutcome,
        Self::AfterOutcome,
        Self::BeforeAcknowledged,
    ];
}

/// One place of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) deed: Deed,
    pub(super) fault: Fault,
    pub(super) crash: Crash,
}

impl Cell {
    /// All cells that can happen.
    pub(super) fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for deed in Deed::ALL {
            for fault in Fault::ALL {
                cells.extend(Crash::ALL.into_iter().map(|crash| Self { deed, fault, crash }));
            }
        }
        cells.retain(|cell| cell.impossible().is_none());
        cells
    }

    /// Why it cannot happen; none if it can.
    pub(super) fn impossible(self) -> Option<&'static str> {
        match self.fault {
            Fault::PartialPage if !self.deed.lists() => Some("nothing that it reads comes in pages"),
            Fault::Blind if !self.deed.may_double() => Some("a second asking is harmless"),
            _ => None,
        }
    }

    /// Whether it takes a ledger.
    pub(super) fn has_ledger(self) -> bool {
        use Fault::{Blind, Ledger, LivesOn, OtherHome, Unled};
        matches!(self.fault, Ledger | OtherHome | LivesOn | Unled | Blind) || self.crash == Crash::BeforeAcknowledged
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} x {:?} x {:?}", self.deed, self.fault, self.crash)
    }
}

/// What happened in one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Happenings {
    /// Deeds that were asked of the platform.
    pub(super) deeds: BTreeSet<Deed>,
    /// Faults that befell the request of a deed.
    pub(super) of_deed: BTreeSet<(Deed, Fault)>,
    /// Faults that befell the whole operation.
    pub(super) of_all: BTreeSet<Fault>,
    /// Where processes died.
    pub(super) crashes: BTreeSet<Crash>,
}

/// What has happened over all runs, counted in runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrix {
    cells: BTreeMap<Cell, u64>,
}

impl Matrix {
    /// Adds a run.
    pub(super) fn add(&mut self, run: &Happenings) {
        let crashes: Vec<Crash> =
            if run.crashes.is_empty() { vec![Crash::Never] } else { run.crashes.iter().copied().collect() };
        let mut pairs = run.of_deed.clone();
        for deed in &run.deeds {
            pairs.extend(run.of_all.iter().map(|fault| (*deed, *fault)));
        }
        for (deed, fault) in pairs {
            for crash in &crashes {
                *self.cells.entry(Cell { deed, fault, crash: *crash }).or_default() += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
    }

    /// Cells that can happen and did not.
    pub(super) fn missing(&self) -> Vec<Cell> {
        Cell::all().into_iter().filter(|cell| !self.has(*cell)).collect()
    }

    /// Whether a cell has happened.
    pub(super) fn has(&self, cell: Cell) -> bool {
        self.cells.contains_key(&cell)
    }
}

/// Deeds across, faults down, each figure the runs of the rarest crash point and of all of them.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}", "rarest/all")?;
        for deed in Deed::ALL {
            write!(f, "{:>12}", format!("{deed:?}"))?;
        }
        for fault in Fault::ALL {
            write!(f, "\n{:<14}", format!("{fault:?}"))?;
            for deed in Deed::ALL {
                let counts = Crash::ALL.map(|crash| {
                    let cell = Cell { deed, fault, crash };
                    (cell.impossible().is_none(), self.cells.get(&cell).copied().unwrap_or_default())
                });
                let possible: Vec<u64> =
                    counts.iter().filter(|(possible, _)| *possible).map(|(_, count)| *count).collect();
                let figure = match possible.iter().min() {
                    Some(rarest) => format!("{rarest}/{}", possible.iter().sum::<u64>()),
                    None => "-".to_owned(),
                };
                write!(f, "{figure:>12}")?;
            }
        }
        for deed in Deed::ALL {
            for fault in Fault::ALL {
                let cell = Cell { deed, fault, crash: Crash::Never };
                if let Some(why) = cell.impossible() {
                    write!(f, "\n- {deed:?} x {fault:?}: {why}")?;
                }
            }
        }
        Ok(())
    }
}
