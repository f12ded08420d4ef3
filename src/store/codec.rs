//! How values of the domain stand in columns. Text that a later version wrote still reads.

use crate::domain::Instant;
use crate::domain::run::{Outcome, RunState};

/// Milliseconds since 1970.
pub(super) fn ms(at: Instant) -> i64 {
    at.timestamp_millis()
}

pub(super) fn instant(ms: i64) -> Option<Instant> {
    Instant::from_timestamp_millis(ms)
}

/// SQLite's integers are signed. Ids and durations of the vendor fit; what does not is held at the bound.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A state as two columns: a word, and the outcome's word once it ended. Unknown ones keep their spelling behind `?`.
pub(super) fn state_words(state: &RunState) -> (String, Option<String>) {
    let word = match state {
        RunState::Queued => "queued",
        RunState::Blocked => "blocked",
        RunState::Pending => "pending",
        RunState::Running => "running",
        RunState::Retrying => "retrying",
        RunState::Terminating => "terminating",
        RunState::Unknown(spelled) => return (format!("?{spelled}"), None),
        RunState::Ended(outcome) => {
            let outcome = match outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::SucceededWithFailures => "succeeded_with_failures",
                Outcome::Failed => "failed",
                Outcome::TimedOut => "timed_out",
                Outcome::Canceled => "canceled",
                Outcome::Skipped => "skipped",
                Outcome::UpstreamFailed => "upstream_failed",
                Outcome::Unknown(spelled) => return ("ended".into(), Some(format!("?{spelled}"))),
            };
            return ("ended".into(), Some(outcome.into()));
        }
    };
    (word.into(), None)
}

pub(super) fn state(word: &str, outcome: Option<&str>) -> RunState {
    match word {
        "queued" => RunState::Queued,
        "blocked" => RunState::Blocked,
        "pending" => RunState::Pending,
        "running" => RunState::Running,
        "retrying" => RunState::Retrying,
        "terminating" => RunState::Terminating,
        "ended" => RunState::Ended(match outcome.unwrap_or_default() {
            "succeeded" => Outcome::Succeeded,
            "succeeded_with_failures" => Outcome::SucceededWithFailures,
            "failed" => Outcome::Failed,
            "timed_out" => Outcome::TimedOut,
            "canceled" => Outcome::Canceled,
            "skipped" => Outcome::Skipped,
            "upstream_failed" => Outcome::UpstreamFailed,
            other => Outcome::Unknown(other.trim_start_matches('?').to_owned()),
        }),
        other => RunState::Unknown(other.trim_start_matches('?').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_as_it_was_written() {
        let outcomes = [
            Outcome::Succeeded,
            Outcome::SucceededWithFailures,
            Outcome::Failed,
            Outcome::TimedOut,
            Outcome::Canceled,
            Outcome::Skipped,
            Outcome::UpstreamFailed,
            Outcome::Unknown("MELTED".into()),
        ];
        let states = [
            RunState::Queued,
            RunState::Blocked,
            RunState::Pending,
            RunState::Running,
            RunState::Retrying,
            RunState::Terminating,
            RunState::Unknown("DREAMING".into()),
        ];
        for written in states.into_iter().chain(outcomes.map(RunState::Ended)) {
            let (word, outcome) = state_words(&written);
            assert_eq!(state(&word, outcome.as_deref()), written);
        }
    }
}
