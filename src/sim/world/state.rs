//! Where a run or a task stands, and the two ways in which the wire says it (databricks-api.md 3.10 and 3.11).

use serde::Serialize;

/// Where a run or a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Phase {
    /// Waits for a slot.
    Queued,
    /// A task that waits for its upstream.
    Blocked,
    /// Compute is starting.
    Pending,
    /// User code runs.
    Running,
    /// A task whose last attempt failed and whose next has not begun.
    WaitingForRetry,
    /// Being stopped, or cleaning up.
    Terminating,
    /// Over, until somebody repairs it.
    Ended(Ending),
}

/// How a run or a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Ending {
    /// All of it worked.
    Success,
    /// The run worked although tolerated tasks failed.
    SuccessWithFailures,
    /// A task's own code failed.
    TaskFailed,
    /// A run in which a task failed.
    RunFailed,
    /// A task that never ran because one before it failed.
    UpstreamFailed,
    /// A task that never ran because one before it was canceled.
    UpstreamCanceled,
    /// A task that never ran because its condition was not met.
    Excluded,
    /// Somebody stopped it.
    Canceled,
    /// It ran into its time limit.
    TimedOut,
    /// It never ran: the limit of runs at once was reached and it may not queue.
    MaxConcurrentRuns,
    /// The task is disabled.
    Disabled,
}

/// Code and type of `status.termination_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Termination {
    /// One of the documented codes.
    pub code: &'static str,
    /// `SUCCESS`, `CLIENT_ERROR`, `INTERNAL_ERROR` or `CLOUD_FAILURE`.
    pub kind: &'static str,
}

impl Phase {
    /// Whether it holds a slot or waits for one.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Ended(_))
    }

    /// The ending, once it ended.
    pub fn ending(self) -> Option<Ending> {
        if let Self::Ended(ending) = self { Some(ending) } else { None }
    }

    /// `state.life_cycle_state`.
    pub fn life_cycle_state(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Blocked => "BLOCKED",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::WaitingForRetry => "WAITING_FOR_RETRY",
            Self::Terminating => "TERMINATING",
            Self::Ended(Ending::RunFailed) => "INTERNAL_ERROR",
            Self::Ended(Ending::MaxConcurrentRuns) => "SKIPPED",
            Self::Ended(_) => "TERMINATED",
        }
    }

    /// `state.result_state`; absent until it ended.
    pub fn result_state(self) -> Option<&'static str> {
        Some(match self.ending()? {
            Ending::Success => "SUCCESS",
            Ending::SuccessWithFailures => "SUCCESS_WITH_FAILURES",
            Ending::TaskFailed | Ending::RunFailed => "FAILED",
            Ending::UpstreamFailed => "UPSTREAM_FAILED",
            Ending::UpstreamCanceled => "UPSTREAM_CANCELED",
            Ending::Excluded => "EXCLUDED",
            Ending::Canceled => "CANCELED",
            Ending::TimedOut => "TIMEDOUT",
            Ending::MaxConcurrentRuns => "MAXIMUM_CONCURRENT_RUNS_REACHED",
            Ending::Disabled => "DISABLED",
        })
    }

    /// `state.user_cancelled_or_timedout`.
    pub fn user_cancelled_or_timedout(self) -> bool {
        matches!(self, Self::Ended(Ending::Canceled | Ending::TimedOut))
    }

    /// `status.state`, which knows neither `SKIPPED` nor `INTERNAL_ERROR`.
    pub fn status_state(self) -> &'static str {
        match self {
            Self::WaitingForRetry => "WAITING",
            Self::Ended(_) => "TERMINATED",
            other => other.life_cycle_state(),
        }
    }

    /// `status.termination_details`; absent until it ended.
    pub fn termination(self) -> Option<Termination> {
        let (code, kind) = match self.ending()? {
            Ending::Success => ("SUCCESS", "SUCCESS"),
            Ending::SuccessWithFailures => ("SUCCESS_WITH_FAILURES", "SUCCESS"),
            Ending::TaskFailed | Ending::RunFailed => ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
            Ending::UpstreamFailed | Ending::UpstreamCanceled => ("SKIPPED", "CLIENT_ERROR"),
            Ending::Excluded => ("SKIPPED", "SUCCESS"),
            Ending::Canceled => ("USER_CANCELED", "CLIENT_ERROR"),
            Ending::TimedOut => ("CANCELED", "CLIENT_ERROR"),
            Ending::MaxConcurrentRuns => ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
            Ending::Disabled => ("DISABLED", "CLIENT_ERROR"),
        };
        Some(Termination { code, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of databricks-api.md 3.11, row by row.
    #[test]
    fn the_documented_pairs_are_emitted() {
        let table = [
            (Phase::Queued, "QUEUED", None, "QUEUED", None),
            (Phase::Pending, "PENDING", None, "PENDING", None),
            (Phase::Running, "RUNNING", None, "RUNNING", None),
            (Phase::Blocked, "BLOCKED", None, "BLOCKED", None),
            (Phase::WaitingForRetry, "WAITING_FOR_RETRY", None, "WAITING", None),
            (Phase::Terminating, "TERMINATING", None, "TERMINATING", None),
            (Phase::Ended(Ending::Success), "TERMINATED", Some("SUCCESS"), "TERMINATED", Some("SUCCESS")),
            (Phase::Ended(Ending::TaskFailed), "TERMINATED", Some("FAILED"), "TERMINATED", Some("RUN_EXECUTION_ERROR")),
            (
                Phase::Ended(Ending::RunFailed),
                "INTERNAL_ERROR",
                Some("FAILED"),
                "TERMINATED",
                Some("RUN_EXECUTION_ERROR"),
            ),
            (
                Phase::Ended(Ending::UpstreamFailed),
                "TERMINATED",
                Some("UPSTREAM_FAILED"),
                "TERMINATED",
                Some("SKIPPED"),
            ),
            (Phase::Ended(Ending::Excluded), "TERMINATED", Some("EXCLUDED"), "TERMINATED", Some("SKIPPED")),
            (Phase::Ended(Ending::Canceled), "TERMINATED", Some("CANCELED"), "TERMINATED", Some("USER_CANCELED")),
            (Phase::Ended(Ending::TimedOut), "TERMINATED", Some("TIMEDOUT"), "TERMINATED", Some("CANCELED")),
            (
                Phase::Ended(Ending::MaxConcurrentRuns),
                "SKIPPED",
                Some("MAXIMUM_CONCURRENT_RUNS_REACHED"),
                "TERMINATED",
                Some("MAX_CONCURRENT_RUNS_EXCEEDED"),
            ),
        ];
        for (phase, life_cycle, result, status, code) in table {
            assert_eq!(
                (
                    phase.life_cycle_state(),
                    phase.result_state(),
                    phase.status_state(),
                    phase.termination().map(|details| details.code)
                ),
                (life_cycle, result, status, code),
                "{phase:?}"
            );
            assert_eq!(phase.is_active(), result.is_none());
        }
    }
}
