//! What changed between two looks at a workspace: the difference of two lists of rows.

use std::collections::HashMap;

use super::{FleetRow, ObjectId, Source, Urgency};
use crate::domain::ids::RunId;
use crate::domain::status::Status;

/// What happened to an object between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not known before, or nothing of it was: seen for the first time, not necessarily new.
    Found,
    /// It stands elsewhere.
    Moved {
        /// Where it stood.
        from: Status,
    },
    /// It failed, and by now another run of it failed as well.
    FailedAgain,
    /// Why it failed is known now.
    Explained,
    /// It is listed no more.
    Gone,
}

/// A row with what happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The row as it is now; as it was, if it is gone.
    pub row: FleetRow,
    /// What happened.
    pub change: Change,
    /// Whether it wants a person, or did before.
    pub is_problem: bool,
}

/// What changed, in the order of the rows; what is gone comes last. Only what stands still is left out.
pub fn changes(before: &[FleetRow], after: &[FleetRow]) -> Vec<Changed> {
    let mut known: HashMap<&ObjectId, &FleetRow> = before.iter().map(|row| (&row.id, row)).collect();
    let mut changes = Vec::new();
    for row in after {
        let old = known.remove(&row.id);
        if let Some(change) = change(old, row) {
            let is_problem = row.urgency.is_problem() || old.is_some_and(|old| old.urgency.is_problem());
            changes.push(Changed { row: row.clone(), change, is_problem });
        }
    }
    let gone = before.iter().filter(|row| known.contains_key(&row.id));
    changes.extend(gone.map(|row| Changed {
        row: row.clone(),
        change: Change::Gone,
        is_problem: row.urgency.is_problem(),
    }));
    changes
}

fn change(old: Option<&FleetRow>, row: &FleetRow) -> Option<Change> {
    let long = |row: &FleetRow| row.urgency == Urgency::RunningLong;
    match old {
        None => Some(Change::Found),
        Some(old) if old.status == Status::Unread && row.status != old.status => Some(Change::Found),
        Some(old) if old.status != row.status || long(old) != long(row) => Some(Change::Moved { from: old.status }),
        Some(old) if row.status.is_failure() && newest(old) != newest(row) => Some(Change::FailedAgain),
        Some(old) if !is_explained(old) && is_explained(row) => Some(Change::Explained),
        Some(_) => None,
    }
}

fn newest(row: &FleetRow) -> Option<RunId> {
    match &row.source {
        Source::Job { latest, .. } => latest.as_ref().map(|run| run.id),
        Source::Pipeline { .. } => None,
    }
}

fn is_explained(row: &FleetRow) -> bool {
    matches!(&row.source, Source::Job { failure: Some(_), .. })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::fixture::{FAILED, OK, job, now, run, snapshot, stream, watch};
    use crate::domain::fleet::rows;
    use crate::domain::inventory::Inventory;
    use crate::domain::run::{Run, RunState};
    use crate::domain::snapshot::{EventsReading, FailureNote, JobWatch, PipelineWatch};

    fn seen(jobs: Vec<JobWatch>, pipelines: Vec<PipelineWatch>) -> Vec<FleetRow> {
        rows(&snapshot(jobs, pipelines), &Inventory::default(), now())
    }

    fn of_job(runs: Vec<Arc<Run>>) -> Vec<FleetRow> {
        seen(vec![watch(job(1, "hourly"), runs)], Vec::new())
    }

    fn told(before: &[FleetRow], after: &[FleetRow]) -> Vec<(Change, bool)> {
        changes(before, after).into_iter().map(|changed| (changed.change, changed.is_problem)).collect()
    }

    #[test]
    fn nothing_changes_where_nothing_does() {
        let rows = of_job(vec![run(1, FAILED, 90, 10)]);
        assert_eq!(told(&rows, &rows), []);
    }

    #[test]
    fn a_failure_and_its_end_concern_a_person_and_a_success_does_not() {
        let ok = of_job(vec![run(1, OK, 90, 10)]);
        let failed = of_job(vec![run(2, FAILED, 30, 10), run(1, OK, 90, 10)]);
        let running = of_job(vec![run(3, RunState::Running, 1, 0), run(1, OK, 90, 10)]);
        assert_eq!(told(&ok, &failed), [(Change::Moved { from: Status::Ok }, true)]);
        assert_eq!(told(&failed, &ok), [(Change::Moved { from: Status::Failed }, true)]);
        assert_eq!(told(&ok, &running), [(Change::Moved { from: Status::Ok }, false)]);
    }

    #[test]
    fn a_run_that_fails_after_one_that_failed_is_told_again() {
        let first = of_job(vec![run(1, FAILED, 90, 10)]);
        let second = of_job(vec![run(2, FAILED, 30, 10), run(1, FAILED, 90, 10)]);
        assert_eq!(told(&first, &second), [(Change::FailedAgain, true)]);
    }

    #[test]
    fn the_cause_is_told_when_it_becomes_known() {
        let failed = || watch(job(1, "hourly"), vec![run(1, FAILED, 90, 10)]);
        let (id, task, error) = (failed().runs[0].id, "load".to_owned(), "no such column".to_owned());
        let explained = JobWatch { failure: Some(FailureNote { run: id, task, error }), ..failed() };
        let (before, after) = (seen(vec![failed()], Vec::new()), seen(vec![explained], Vec::new()));
        assert_eq!(told(&before, &after), [(Change::Explained, true)]);
    }

    #[test]
    fn what_comes_goes_or_was_unread_did_not_move() {
        let unread = JobWatch { history_read: false, ..watch(job(1, "hourly"), Vec::new()) };
        let (unread, failed) = (seen(vec![unread], Vec::new()), of_job(vec![run(1, FAILED, 90, 10)]));
        assert_eq!(told(&unread, &failed), [(Change::Found, true)]);
        assert_eq!(told(&[], &failed), [(Change::Found, true)]);
        assert_eq!(told(&failed, &[]), [(Change::Gone, true)]);
        assert_eq!(told(&seen(Vec::new(), vec![stream(&[1.0])]), &[]), [(Change::Gone, false)]);
    }

    #[test]
    fn a_cached_stream_stays_behind_until_its_events_are_read() {
        let behind = stream(&[4_000.0]);
        let cached = PipelineWatch { flows: Vec::new(), events: EventsReading::default(), ..behind.clone() };
        assert_eq!(told(&seen(Vec::new(), vec![behind]), &seen(Vec::new(), vec![cached])), []);
    }
}
