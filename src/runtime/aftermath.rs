//! What a person is told when the console ends by a defect: where the journal is, and which operations were under way.

use std::path::Path;

use crate::domain::Instant;
use crate::domain::text;
use crate::domain::ulid::Ulid;
use crate::operations::plan::Stored;
use crate::store;

/// A line for the journal and one for each operation that is not over. None where nothing was ever begun.
///
/// It opens the journal anew: the console's own may be in the middle of something.
pub fn left_behind(state_dir: &Path, session: Ulid, now: Instant) -> Vec<String> {
    let file = store::journal::file(state_dir);
    if !file.is_file() {
        return Vec::new();
    }
    let mut lines = vec![format!("The journal of operations is {}", file.display())];
    let unfinished =
        store::Journal::open(state_dir, session, "after a crash").and_then(|journal| journal.unfinished(now));
    match unfinished {
        Ok(records) => lines.extend(records.iter().map(|record| {
            let what = match &record.plan {
                Stored::Known(plan) => {
                    let (name, workspace) = (text::line(&plan.subject.name), &plan.subject.workspace);
                    format!("{}, {name} in {workspace}", plan.kind.words())
                }
                Stored::Foreign { .. } => "of another version".to_owned(),
            };
            let id = record.id;
            format!("In flight: {what}. `lakeshift operations resume {id}` goes on with it")
        })),
        Err(error) => lines.push(format!("What was in flight cannot be read: {error}")),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::now;
    use crate::operations::cancel;
    use crate::operations::fixture::{active_run, planning};

    #[test]
    fn what_was_in_flight_is_named_and_how_to_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(left_behind(folder.path(), Ulid::new(1, 1), now()), Vec::<String>::new(), "nothing was begun");
        assert!(!store::journal::file(folder.path()).exists(), "and nothing is made");
        let plan = cancel::plan(&planning(), &active_run()).expect("planned");
        let mut journal = store::Journal::open(folder.path(), Ulid::new(1, 2), "ana").expect("opens");
        journal.begin(&plan, &[], &[], now()).expect("begins");
        let lines = left_behind(folder.path(), Ulid::new(1, 3), now());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("operations.db"), "{lines:?}");
        let how = format!("`lakeshift operations resume {}` goes on with it", plan.id);
        assert!(lines[1].starts_with("In flight: cancel run, ") && lines[1].ends_with(&how), "{lines:?}");
    }
}
