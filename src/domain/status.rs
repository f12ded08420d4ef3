//! Where anything stands, in one vocabulary for all screens and outputs (screens.md 1).

use serde::{Deserialize, Serialize};

use super::pipeline::{PipelineState, UpdateState};
use super::run::{Outcome, RunState};

/// Where a job, a run, a task, a pipeline or an update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Ended badly.
    Failed,
    /// Ran into its time limit.
    TimedOut,
    /// Never ran because something before it failed.
    UpstreamFailed,
    /// A stream that is behind what was promised or usual.
    Lagging,
    /// Waits for a retry, or recovers by itself.
    Retrying,
    /// Runs.
    Running,
    /// Compute is coming up.
    Starting,
    /// Being stopped or cleaning up.
    Stopping,
    /// Waits for a slot.
    Queued,
    /// A task that waits for its upstream.
    Blocked,
    /// A state that this version does not know.
    Unknown,
    /// The job worked although tolerated tasks failed.
    OkWithFailures,
    /// Ended well.
    Ok,
    /// Somebody stopped it.
    Canceled,
    /// Was not run: concurrency limit, condition false, disabled.
    Skipped,
    /// Its schedule is paused.
    Paused,
    /// Nothing of it has ever run.
    NeverStarted,
    /// Its runs were not asked for yet.
    Unread,
}

/// What a status asks of the person who reads it: the role by which it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Somebody must look.
    Danger,
    /// Somebody should look when there is time.
    Warning,
    /// Something is going on.
    Active,
    /// Nothing is going on yet.
    Waiting,
    /// All is well.
    Good,
    /// Nothing to see.
    Quiet,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 18] = [
        Self::Failed,
        Self::TimedOut,
        Self::UpstreamFailed,
        Self::Lagging,
        Self::Retrying,
        Self::Running,
        Self::Starting,
        Self::Stopping,
        Self::Queued,
        Self::Blocked,
        Self::Unknown,
        Self::OkWithFailures,
        Self::Ok,
        Self::Canceled,
        Self::Skipped,
        Self::Paused,
        Self::NeverStarted,
        Self::Unread,
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::UpstreamFailed => "upstream failed",
            Self::Lagging => "lagging",
            Self::Retrying => "retrying",
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Queued => "queued",
            Self::Blocked => "waiting",
            Self::Unknown => "unknown",
            Self::OkWithFailures => "ok in part",
            Self::Ok => "ok",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Paused => "paused",
            Self::NeverStarted => "never started",
            Self::Unread => "not read yet",
        }
    }

    /// What it asks of the person who reads it.
    pub fn tone(self) -> Tone {
        match self {
            Self::Failed | Self::TimedOut => Tone::Danger,
            Self::Lagging | Self::Retrying | Self::Unknown | Self::OkWithFailures | Self::UpstreamFailed => {
                Tone::Warning
            }
            Self::Running | Self::Stopping => Tone::Active,
            Self::Queued | Self::Blocked | Self::Starting => Tone::Waiting,
            Self::Ok => Tone::Good,
            Self::Canceled | Self::Skipped | Self::Paused | Self::NeverStarted | Self::Unread => Tone::Quiet,
        }
    }

    /// Whether a person must look at it.
    pub fn is_failure(self) -> bool {
        self.tone() == Tone::Danger
    }

    /// Whether something of it is going on.
    pub fn is_active(self) -> bool {
        matches!(self.tone(), Tone::Active | Tone::Waiting) || matches!(self, Self::Lagging | Self::Retrying)
    }
}

impl From<&RunState> for Status {
    fn from(state: &RunState) -> Self {
        match state {
            RunState::Queued => Self::Queued,
            RunState::Blocked => Self::Blocked,
            RunState::Pending => Self::Starting,
            RunState::Running => Self::Running,
            RunState::Retrying => Self::Retrying,
            RunState::Terminating => Self::Stopping,
            RunState::Ended(Outcome::Succeeded) => Self::Ok,
            RunState::Ended(Outcome::SucceededWithFailures) => Self::OkWithFailures,
            RunState::Ended(Outcome::Failed) => Self::Failed,
            RunState::Ended(Outcome::TimedOut) => Self::TimedOut,
            RunState::Ended(Outcome::Canceled) => Self::Canceled,
            RunState::Ended(Outcome::Skipped) => Self::Skipped,
            RunState::Ended(Outcome::UpstreamFailed) => Self::UpstreamFailed,
            RunState::Ended(Outcome::Unknown(_)) | RunState::Unknown(_) => Self::Unknown,
        }
    }
}

impl From<&UpdateState> for Status {
    fn from(state: &UpdateState) -> Self {
        match state {
            UpdateState::Queued | UpdateState::Created => Self::Queued,
            UpdateState::WaitingForResources
            | UpdateState::Initializing
            | UpdateState::Resetting
            | UpdateState::SettingUpTables => Self::Starting,
            UpdateState::Running => Self::Running,
            UpdateState::Stopping => Self::Stopping,
            UpdateState::Completed => Self::Ok,
            UpdateState::Failed => Self::Failed,
            UpdateState::Canceled => Self::Canceled,
            UpdateState::Unknown(_) => Self::Unknown,
        }
    }
}

impl Status {
    /// Where a pipeline stands. An idle one stands where its newest update ended: `IDLE` itself says nothing about success
    /// (databricks-api.md 4.2).
    pub fn of_pipeline(state: &PipelineState, newest_update: Option<&UpdateState>) -> Self {
        match state {
            PipelineState::Failed => Self::Failed,
            PipelineState::Recovering => Self::Retrying,
            PipelineState::Running => Self::Running,
            PipelineState::Deploying | PipelineState::Starting | PipelineState::Resetting => Self::Starting,
            PipelineState::Stopping => Self::Stopping,
            PipelineState::Idle => newest_update.map_or(Self::NeverStarted, Self::from),
            PipelineState::Deleted | PipelineState::Unknown(_) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_statuses_share_a_word() {
        for (index, one) in Status::ALL.iter().enumerate() {
            for other in &Status::ALL[index + 1..] {
                assert_ne!(one.word(), other.word());
            }
        }
    }

    #[test]
    fn an_idle_pipeline_stands_where_its_newest_update_ended() {
        let status = |update| Status::of_pipeline(&PipelineState::Idle, update);
        assert_eq!(status(Some(&UpdateState::Failed)), Status::Failed);
        assert_eq!(status(Some(&UpdateState::Completed)), Status::Ok);
        assert_eq!(status(None), Status::NeverStarted);
    }
}
