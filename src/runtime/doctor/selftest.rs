//! The checks that make objects of their own: leases, time travel, procedures, routes. Views stand in `views.rs`.

use futures::future::join;

use crate::domain::sql::{Fault, Rows};
use crate::domain::unity::Grant;
use crate::ledger::init::CREATE_PROCEDURE;
use crate::ledger::lease;
use crate::ledger::statements::{ADD_PRODUCTS, CREATE_LEASE, HELLO, LEASE_ACQUIRE, LEASE_RELEASE};
use crate::ledger::{Ledger, Place, Sql, SqlTrouble};

use super::Finding;
use super::ledger::of_trouble;
use super::scratch::Scratch;
use super::statements::{
    CALL, CALLERS, COUNT_PIN, CREATE_CALLERS, CREATE_PIN, CREATE_ROUTE, CREATE_ROUTED, CREATE_TABLE, EXPLAIN_ROUTED,
    FIRST_VERSION, INSERT,
};

/// How often two sessions take the same lease.
const CONTESTS: u32 = 3;

/// The product whose lease is contested.
const PRODUCT: &str = "selftest";

/// What came of one session's attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Won,
    Nothing,
    Conflict,
}

/// Two sessions take one lease at once, by the ledger's own statements: one has it.
pub async fn lease_conflict<S: Sql + Clone>(scratch: &Scratch<'_, S>) -> Finding {
    contests(scratch).await.unwrap_or_else(|trouble| undecided(&trouble))
}

async fn contests<S: Sql + Clone>(scratch: &Scratch<'_, S>) -> Result<Finding, SqlTrouble> {
    let levels = scratch.schema().levels();
    let level = |at: usize| levels.get(at).map(String::as_str).unwrap_or_default();
    let Ok(place) = Place::new(level(0), level(1), false) else {
        return Ok(Finding::undecided("the self-test's schema has no usable name"));
    };
    let ledger = Ledger::new(scratch.sql().clone(), place);
    let (sql, place) = (ledger.sql(), ledger.place());
    sql.execute(&place.ask(&CREATE_LEASE)).await?;
    let products = serde_json::Value::from(vec![PRODUCT]);
    sql.execute(&place.ask(&ADD_PRODUCTS).with("products", &products)).await?;
    let (mut conflicts, mut nothings) = (0, 0);
    for contest in 1..=CONTESTS {
        let before = lease::look(&ledger, PRODUCT).await?;
        let attempt = |nonce: &'static str| {
            let ask = place.ask(&LEASE_ACQUIRE).with("product", PRODUCT).with("seen", &before.fence);
            let ask = ask.with("nonce", nonce).with("op_id", "doctor");
            async move { attempted(sql.execute(&ask).await) }
        };
        let (one, other) = join(attempt("one"), attempt("other")).await;
        let attempts = [one?, other?];
        let count = |wanted: Attempt| attempts.iter().filter(|attempt| **attempt == wanted).count();
        let winners = count(Attempt::Won);
        let after: Vec<_> = lease::all(&ledger).await?.into_iter().filter(|row| row.product == PRODUCT).collect();
        let holder = match after.as_slice() {
            [row] if row.fence == before.fence + 1 => row.nonce.as_deref(),
            _ => None,
        };
        let wanted = if attempts[0] == Attempt::Won { "one" } else { "other" };
        match winners {
            1 if holder == Some(wanted) => {}
            0 => return Ok(Finding::undecided(format!("in contest {contest} neither session got the lease"))),
            1 => return Ok(Finding::failed("the lease does not name the session that was told that it has it")),
            _ => {
                let says =
                    format!("in contest {contest} of {CONTESTS} both sessions were told that they have the lease");
                return Ok(Finding::failed(says).figure("rows", i64::try_from(after.len()).unwrap_or(i64::MAX)));
            }
        }
        conflicts += count(Attempt::Conflict);
        nothings += count(Attempt::Nothing);
        let release = place.ask(&LEASE_RELEASE).with("product", PRODUCT).with("nonce", wanted);
        sql.execute(&release.with("fence", &(before.fence + 1))).await?;
    }
    let says =
        format!("{CONTESTS} contests: one session each; the other had a conflict {conflicts}x, no row {nothings}x");
    let figure = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Finding::proven(says).figure("conflicts", figure(conflicts)).figure("without_row", figure(nothings)))
}

fn attempted(result: Result<Rows, SqlTrouble>) -> Result<Attempt, SqlTrouble> {
    match result {
        Ok(rows) if rows.affected()? == 0 => Ok(Attempt::Nothing),
        Ok(_) => Ok(Attempt::Won),
        Err(trouble) if trouble.fault == Fault::Conflict => Ok(Attempt::Conflict),
        Err(trouble) => Err(trouble),
    }
}

/// An older version is read, and by a view too.
pub async fn time_travel<S: Sql>(scratch: &Scratch<'_, S>) -> Finding {
    let prepared = async {
        scratch.run(&CREATE_TABLE, &[]).await?;
        scratch.run(&INSERT, &[]).await
    };
    if let Err(trouble) = prepared.await {
        return undecided(&trouble);
    }
    let read = async {
        let first = count(&scratch.run(&FIRST_VERSION, &[]).await?)?;
        scratch.run(&CREATE_PIN, &[]).await?;
        Ok::<_, SqlTrouble>((first, count(&scratch.run(&COUNT_PIN, &[]).await?)?))
    };
    match read.await {
        Ok((1, 1)) => Finding::proven("the first version of a table is read, and by a view too"),
        Ok((first, pinned)) => {
            Finding::failed(format!("the first version has 1 row; {first} were read, and {pinned} by a view"))
        }
        Err(trouble) => of_trouble(&trouble),
    }
}

fn count(rows: &Rows) -> Result<i64, SqlTrouble> {
    Ok(rows.first().map(|row| row.int("row_count")).transpose()?.unwrap_or_default())
}

/// A procedure is made and called, and knows its caller. That its owner's rights are used cannot be seen by one identity.
pub async fn procedures<S: Sql>(scratch: &Scratch<'_, S>) -> Finding {
    if let Err(trouble) = scratch.run(&CREATE_CALLERS, &[]).await {
        return undecided(&trouble);
    }
    let body = format!("INSERT INTO {} SELECT session_user()", scratch.name("callers").sql());
    let called = async {
        let hello = scratch.run(&HELLO, &[]).await?;
        let us = hello.first().map(|row| row.string("session_user").map(str::to_owned)).transpose()?;
        scratch.run(&CREATE_PROCEDURE, &[("parameters", ""), ("body", &body)]).await?;
        scratch.run(&CALL, &[]).await?;
        let callers = scratch.run(&CALLERS, &[]).await?;
        let who = callers.first().map(|row| row.string("who").map(str::to_owned)).transpose()?;
        Ok::<_, SqlTrouble>((us, who))
    };
    match called.await {
        Ok((Some(us), Some(who))) if us == who => Finding::proven(format!("a procedure knows its caller: {who}")),
        Ok((us, who)) => {
            let name = |name: Option<String>| name.unwrap_or_else(|| "nobody".to_owned());
            Finding::failed(format!("{} called, and the procedure says {}", name(us), name(who)))
        }
        Err(trouble) => of_trouble(&trouble),
    }
}

/// A view that chooses by a route reads one table.
pub async fn pinned_route<S: Sql>(scratch: &Scratch<'_, S>) -> Finding {
    let explained = async {
        for color in ["blue", "green"] {
            scratch.run(&CREATE_TABLE, &[("table", &scratch.name(color).sql())]).await?;
        }
        scratch.run(&CREATE_ROUTE, &[]).await?;
        scratch.run(&CREATE_ROUTED, &[]).await?;
        scratch.run(&EXPLAIN_ROUTED, &[]).await
    };
    match explained.await {
        Err(trouble) => undecided(&trouble),
        Ok(rows) => {
            let text: Vec<&str> = rows.iter().filter_map(|row| row.text("plan").ok().flatten()).collect();
            reads(&text.join("\n"), scratch.schema().leaf())
        }
    }
}

/// Which of the two tables a plan reads.
fn reads(plan: &str, schema: &str) -> Finding {
    let named = |color: &str| {
        plan.split(|letter: char| letter.is_whitespace() || matches!(letter, '[' | '(' | ','))
            .any(|word| word.replace('`', "").ends_with(&format!("{schema}.{color}")))
    };
    match (named("blue"), named("green")) {
        (true, false) => Finding::proven("the plan reads the chosen table alone"),
        (true, true) => Finding::failed("the plan reads both tables"),
        _ => Finding::undecided("the plan names neither table"),
    }
}

/// The grants that were given on an object itself, in order.
pub(super) fn own(grants: Vec<Grant>) -> Vec<Grant> {
    let mut own: Vec<Grant> = grants.into_iter().filter(|grant| grant.inherited_from.is_none()).collect();
    own.sort();
    own
}

/// What keeps a check from being made is no answer to it.
pub(super) fn undecided(trouble: &SqlTrouble) -> Finding {
    let found = of_trouble(trouble);
    Finding { verdict: crate::domain::proof::Verdict::Undecided, ..found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::proof::Verdict;

    #[test]
    fn a_plan_is_read_for_the_tables_that_it_scans() {
        let folded =
            "== Physical Plan ==\n*(1) ColumnarToRow\n+- PhotonScan parquet ops.lakeshift_selftest_1.blue[n#3]";
        assert_eq!(reads(folded, "lakeshift_selftest_1").verdict, Verdict::Proven);
        let both = "Union\n:- Scan ops.`lakeshift_selftest_1`.`blue`[n]\n+- Scan ops.lakeshift_selftest_1.green [n]";
        assert_eq!(reads(both, "lakeshift_selftest_1").verdict, Verdict::Failed);
        let neither = "Scan ops.lakeshift_selftest_1.bluebird[n]";
        assert_eq!(reads(neither, "lakeshift_selftest_1").verdict, Verdict::Undecided);
    }
}
