//! The checks on changed views: what stays of them, how long a change takes, and when others see it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::databricks::Client;
use crate::domain::proof::Check;
use crate::domain::unity::{Grant, Securable, Table};
use crate::ledger::init::GRANT;
use crate::ledger::{Sql, SqlTrouble};

use super::Finding;
use super::ledger::of_trouble;
use super::scratch::Scratch;
use super::selftest::{own, undecided};
use super::statements::{ALTER_VIEW, CREATE_VIEW, READ_VIEW};

/// How often a view is changed to see how long that takes.
const CHANGES: usize = 20;

/// What stands in the text of a changed view.
const MARKER: &str = "/* lakeshift doctor */";

/// How often it is looked whether a second warehouse sees a change.
const LOOK: Duration = Duration::from_millis(100);

/// A view as the catalog tells it.
struct Seen {
    table: Table,
    grants: Vec<Grant>,
}

/// Makes a view with a grant and a comment, changes it twice, and looks at what stayed. Gives what was found of identity,
/// comments and marker.
pub(super) async fn kept<S: Sql>(scratch: &Scratch<'_, S>, client: &Client) -> [(Check, Finding); 3] {
    let checks = [Check::ViewIdentity, Check::ViewComments, Check::ViewMarker];
    let made = async {
        scratch.run(&CREATE_VIEW, &[]).await?;
        let view = scratch.name("view").sql();
        let given =
            [("privileges", "SELECT"), ("kind", "VIEW"), ("object", view.as_str()), ("principal", "`account users`")];
        scratch.run(&GRANT, &given).await
    };
    if let Err(trouble) = made.await {
        return checks.map(|check| (check, undecided(&trouble)));
    }
    let before = match look(scratch, client).await {
        Ok(seen) => seen,
        Err(finding) => return checks.map(|check| (check, finding.clone())),
    };
    for number in ["1", "2"] {
        if let Err(trouble) = scratch.run(&ALTER_VIEW, &[("number", number)]).await {
            let [identity, comments, marker] = checks;
            let not_tried = || Finding::undecided("not tried: the view cannot be changed");
            return [(identity, of_trouble(&trouble)), (comments, not_tried()), (marker, not_tried())];
        }
    }
    match look(scratch, client).await {
        Ok(after) => {
            let found = [identity(&before, &after), comments(&after), marker(&after)];
            let [a, b, c] = found;
            [(checks[0], a), (checks[1], b), (checks[2], c)]
        }
        Err(finding) => checks.map(|check| (check, finding.clone())),
    }
}

async fn look<S: Sql>(scratch: &Scratch<'_, S>, client: &Client) -> Result<Seen, Finding> {
    let name = scratch.name("view");
    let unreadable = |error: &crate::databricks::Error| {
        Finding::undecided(format!("the view cannot be looked at: {}", error.brief())).fix_if(error.hint())
    };
    let table = client.table(&name).await.map_err(|error| unreadable(&error))?;
    let grants = client.grants(Securable::Table, &name, None).await.map_err(|error| unreadable(&error))?;
    Ok(Seen { table, grants: own(grants) })
}

fn identity(before: &Seen, after: &Seen) -> Finding {
    let same_id = before.table.id.is_some() && before.table.id == after.table.id;
    match (same_id, before.grants == after.grants) {
        (true, true) if before.grants.is_empty() => Finding::undecided("the grant on the view is not told"),
        (true, true) => Finding::proven("object id and grants stay when a view is changed"),
        (false, true) => Finding::failed("a changed view is another object: its id differs"),
        (true, false) => Finding::failed("a changed view has lost its grants"),
        (false, false) => Finding::failed("a changed view is another object, and has lost its grants"),
    }
}

fn comments(after: &Seen) -> Finding {
    let lost = after.table.columns.iter().all(|column| column.comment.is_none());
    let says = if lost {
        "comments of columns are lost, and have to be put back"
    } else {
        "comments of columns stay: nothing has to be put back"
    };
    Finding::proven(says).figure("comments_lost", i64::from(lost))
}

fn marker(after: &Seen) -> Finding {
    match &after.table.definition {
        None => Finding::undecided("the view's text is not told"),
        Some(text) if text.contains(MARKER) => Finding::proven("a comment in the view's text is given back"),
        Some(_) => Finding::failed("a comment in the view's text is not given back"),
    }
}

/// How long a change of a view takes, and whether that fits the window of a switch.
pub(super) async fn latency<S: Sql>(scratch: &Scratch<'_, S>, window: Duration) -> Finding {
    let mut took_ms = Vec::new();
    for number in 0..CHANGES {
        let begun = Instant::now();
        if let Err(trouble) = scratch.run(&ALTER_VIEW, &[("number", &number.to_string())]).await {
            return undecided(&trouble);
        }
        took_ms.push(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
    }
    of_latency(took_ms, window)
}

fn of_latency(mut took_ms: Vec<i64>, window: Duration) -> Finding {
    took_ms.sort_unstable();
    let at = |percent: usize| took_ms.get((took_ms.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let (p50_ms, p95_ms) = (at(50).unwrap_or_default(), at(95).unwrap_or_default());
    let says = format!("half of {} changes took {p50_ms} ms at most, 19 of 20 {p95_ms} ms", took_ms.len());
    let is_over = u64::try_from(p95_ms).is_ok_and(|ms| Duration::from_millis(ms) > window);
    let finding = if is_over { Finding::failed(says) } else { Finding::proven(says) };
    finding.figure("p50_ms", p50_ms).figure("p95_ms", p95_ms)
}

/// How much later a second warehouse sees a change.
pub(super) async fn lag<S: Sql>(scratch: &Scratch<'_, S>, second: &S, patience: Duration) -> Finding {
    let elsewhere = Scratch::of(second, scratch.schema().clone());
    let changed = async {
        // Whatever the second warehouse keeps of the view, it has it before the change.
        elsewhere.run(&READ_VIEW, &[]).await?;
        scratch.run(&ALTER_VIEW, &[("number", "95")]).await?;
        let begun = Instant::now();
        loop {
            let seen = elsewhere.run(&READ_VIEW, &[]).await?;
            let number = seen.first().map(|row| row.int("n")).transpose()?;
            if number == Some(95) {
                return Ok::<_, SqlTrouble>(Some(begun.elapsed()));
            }
            if begun.elapsed() >= patience {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
    };
    match changed.await {
        Err(trouble) => undecided(&trouble),
        Ok(None) => {
            let after_ms = patience.as_millis();
            Finding::failed(format!("a second warehouse has not seen a change after {after_ms} ms"))
        }
        Ok(Some(lag)) => {
            let lag_ms = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
            Finding::proven(format!("a second warehouse sees a change within {lag_ms} ms")).figure("lag_ms", lag_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::StatementId;
    use crate::domain::proof::Verdict;
    use crate::domain::sql::{Column, Rows};
    use crate::domain::ulid::Ulid;
    use crate::ledger::sql::Ask;

    /// A warehouse that sees one number, whatever is changed.
    struct Sees(i64);

    impl Sql for Sees {
        async fn execute(&self, _: &Ask) -> Result<Rows, SqlTrouble> {
            let columns = vec![Column { name: "n".into(), type_text: "INT".into() }];
            Ok(Rows { statement: StatementId::new("s"), columns, cells: vec![vec![Some(self.0.to_string())]] })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_warehouse_that_does_not_see_a_change_fails() {
        let (first, stale, fresh) = (Sees(0), Sees(0), Sees(95));
        let scratch = Scratch::new(&first, "ops", Ulid::new(1, 1)).expect("a name");
        let patience = Duration::from_secs(30);
        let missed = lag(&scratch, &stale, patience).await;
        assert_eq!(missed.verdict, Verdict::Failed);
        assert_eq!(missed.says, "a second warehouse has not seen a change after 30000 ms");
        assert_eq!(lag(&scratch, &fresh, patience).await.verdict, Verdict::Proven);
    }

    #[test]
    fn latency_is_told_by_its_half_and_its_nineteen_of_twenty() {
        let window = Duration::from_secs(30);
        let finding = of_latency((1..=20).rev().map(|n| n * 100).collect(), window);
        assert_eq!((finding.figures["p50_ms"], finding.figures["p95_ms"]), (1_000, 1_900));
        assert_eq!(finding.verdict, Verdict::Proven);
        let mut slow = vec![100; 18];
        slow.extend([31_000, 31_000]);
        assert_eq!(of_latency(slow, window).verdict, Verdict::Failed);
    }
}
