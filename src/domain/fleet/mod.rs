//! The fleet as one list: every job and pipeline of a workspace, judged against its own past and against what was promised.
//!
//! Pure functions of a snapshot, the inventory and the present; the Fleet screen, `status` and `watch` all show these rows.

mod changes;
mod judge;
mod order;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use changes::{Change, Changed, changes};
pub use judge::is_rising;
pub use order::{SortKey, Urgency};
pub use rows::{objects, pipelines, rows};

use super::Instant;
use super::ids::{JobId, PipelineId, WorkspaceName};
use super::job::Job;
use super::pipeline::Pipeline;
use super::run::Run;
use super::snapshot::{EventsReading, FailureNote, FeedFailure, FlowWatch, Freshness};
use super::status::{Status, Tone};
use super::workspace::Environment;

/// How many cells of the past a row shows.
pub const PAST_CELLS: usize = 12;

/// A job or a pipeline of one workspace: what a row is about and the cursor holds on to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// Where it is.
    pub workspace: WorkspaceName,
    /// Which one.
    pub object: Object,
}

/// What a row is about, within its workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A job.
    Job(JobId),
    /// A pipeline.
    Pipeline(PipelineId),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => id.fmt(f),
            Self::Pipeline(id) => id.fmt(f),
        }
    }
}

/// One job or pipeline. Instants are the workspace's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetRow {
    /// What the row is about.
    pub id: ObjectId,
    /// What its workspace is for.
    pub environment: Environment,
    /// Harmless to show, without the development prefix.
    pub name: String,
    /// Whether it is somebody's development copy, whose schedule is paused by design.
    pub development: bool,
    /// 1 is the most important.
    pub tier: Option<u8>,
    /// The product that it belongs to.
    pub product: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Whether it is in the scope of SOX.
    pub sox: bool,
    /// Where it stands.
    pub status: Status,
    /// Since when it stands there.
    pub since: Option<Instant>,
    /// The newest run's time.
    pub timing: Timing,
    /// The last runs or the last readings of the lag, oldest first, at most [`PAST_CELLS`].
    pub past: Past,
    /// What it asks for, and how loudly.
    pub urgency: Urgency,
    /// What the lines under the table tell.
    pub source: Source,
    /// Lower-case words by which a filter finds the row.
    pub words: String,
}

/// The newest run's time against its own past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// When the newest run began, while it is active.
    pub running_since: Option<Instant>,
    /// How long the newest ended run took, in milliseconds.
    pub took_ms: Option<u64>,
    /// The median of the successful runs before it, in milliseconds; none if too few are known.
    pub usual_ms: Option<u64>,
}

/// The past that a row draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// How the last runs or updates ended.
    Runs {
        /// One a run.
        cells: Vec<Status>,
        /// Whether older ones were not asked for yet: there may be more than are drawn.
        reading: bool,
    },
    /// How far behind a stream was: seconds where its source tells them, else records.
    Lag {
        /// The readings; none where the source did not tell.
        readings: Vec<Option<f64>>,
        /// Whether the newest are clearly above what is usual.
        rising: bool,
    },
}

/// What a row was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// A job.
    Job {
        /// Its definition.
        job: Arc<Job>,
        /// Its newest run.
        latest: Option<Arc<Run>>,
        /// Why the newest run failed, if it did and its output was read.
        failure: Option<FailureNote>,
    },
    /// A pipeline.
    Pipeline {
        /// As listed.
        pipeline: Arc<Pipeline>,
        /// The flow that is furthest behind. Backlogs of chained flows are never added.
        worst: Option<FlowWatch>,
        /// How far behind that flow is, in seconds.
        lag_s: Option<u64>,
        /// How far behind it may be, in seconds.
        allowed_s: Option<u64>,
        /// How the reading of its lag stands; none where nothing is claimed of the present, since it is no stream that runs.
        events: Option<Box<EventsReading>>,
    },
}

impl FleetRow {
    /// How long the newest run took, or has taken by `now`, in milliseconds.
    pub fn took_ms(&self, now: Instant) -> Option<u64> {
        match self.timing.running_since {
            Some(since) => u64::try_from(now.signed_duration_since(since).num_milliseconds()).ok(),
            None => self.timing.took_ms,
        }
    }

    /// How many times the usual the newest run took or has taken by `now`; none if that is nothing to speak of.
    pub fn unusual(&self, now: Instant) -> Option<f64> {
        judge::unusual(self.took_ms(now)?, self.timing.usual_ms?, self.status.tone() == Tone::Good)
    }

    /// Whether every word of a filter is found in the row; `text` in any case.
    pub fn matches(&self, text: &str) -> bool {
        text.split_whitespace().all(|word| self.words.contains(&word.to_lowercase()))
    }

    /// How far behind a stream is, in seconds.
    pub fn lag_s(&self) -> Option<u64> {
        match &self.source {
            Source::Pipeline { lag_s, .. } => *lag_s,
            Source::Job { .. } => None,
        }
    }

    /// How far a stream's lag can be trusted at `now` (local time); none of what is no stream that runs.
    pub fn lag_freshness(&self, now: Instant) -> Option<Freshness> {
        match &self.source {
            Source::Pipeline { events, .. } => events.as_ref().map(|events| events.freshness(now)),
            Source::Job { .. } => None,
        }
    }

    /// When a running stream's lag was read, in local time.
    pub fn lag_read_at(&self) -> Option<Instant> {
        match &self.source {
            Source::Pipeline { events, .. } => events.as_ref()?.read_at,
            Source::Job { .. } => None,
        }
    }

    /// Why a stream's lag cannot be read, if it cannot.
    pub fn lag_failure(&self) -> Option<&FeedFailure> {
        match &self.source {
            Source::Pipeline { events, .. } => events.as_ref()?.failure.as_ref(),
            Source::Job { .. } => None,
        }
    }
}

/// How many rows there are of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub total: usize,
    /// Failed, and not running again.
    pub failing: usize,
    /// Streams that are behind.
    pub lagging: usize,
    /// Running, well or too long.
    pub running: usize,
    /// Running for much longer than usual.
    pub long: usize,
    /// Jobs whose older runs were not asked for yet.
    pub reading: usize,
    /// Streams whose lag cannot be read: they may be behind without our knowing.
    pub unreadable: usize,
}

impl Counts {
    /// Counts rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.total += 1;
            counts.failing += usize::from(row.status.is_failure());
            counts.lagging += usize::from(row.status == Status::Lagging);
            counts.running += usize::from(row.status.is_active());
            counts.long += usize::from(row.urgency == Urgency::RunningLong);
            counts.reading += usize::from(matches!(row.past, Past::Runs { reading: true, .. }));
            counts.unreadable += usize::from(row.lag_failure().is_some());
        }
        counts
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            failing: self.failing + other.failing,
            lagging: self.lagging + other.lagging,
            running: self.running + other.running,
            long: self.long + other.long,
            reading: self.reading + other.reading,
            unreadable: self.unreadable + other.unreadable,
        }
    }
}
