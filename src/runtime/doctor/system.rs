//! The checks on what the platform tells of itself in tables: system tables and published event logs.

use std::collections::BTreeSet;

use crate::databricks::{Client, Error};
use crate::domain::pipeline::PipelineState;
use crate::domain::sql::{NamedStatement, Part, QualifiedName};
use crate::ledger::sql::Ask;
use crate::ledger::{Sql, SqlTrouble};

use super::Finding;
use super::ledger::of_trouble;
use super::statements::{AUDIT_AGE, EVENT_LOG, RUNS_AGE, USAGE_AGE};

/// Older than this is no help to anybody who looks at yesterday, in seconds: two days. Nothing is promised.
const OLD_S: i64 = 172_800;

/// The tables that are looked at: what they tell, the marker of their statement, their name.
const TABLES: [(&str, &NamedStatement, &str, &str); 3] = [
    ("runs", &RUNS_AGE, "runs", "system.lakeflow.job_run_timeline"),
    ("audit", &AUDIT_AGE, "audit", "system.access.audit"),
    ("usage", &USAGE_AGE, "usage", "system.billing.usage"),
];

/// The schema in which pipelines publish their event logs, by convention (domain.md 0.1, F16).
const LOGS: &str = "ops_eventlog";

/// How many published logs are looked at.
const LOOKED_AT: usize = 2;

/// How old the newest rows of the system tables are.
pub(super) async fn tables<S: Sql>(sql: &S) -> Finding {
    let mut ages = Vec::new();
    for (what, named, marker, name) in TABLES {
        match age_s(sql, named, marker, name).await {
            Ok(age) => ages.push((what, age)),
            Err(trouble) => {
                let found = of_trouble(&trouble);
                return Finding { says: format!("{name}: {}", found.says), ..found };
            }
        }
    }
    of_ages(&ages)
}

async fn age_s<S: Sql>(
    sql: &S,
    named: &'static NamedStatement,
    marker: &'static str,
    name: &str,
) -> Result<Option<i64>, SqlTrouble> {
    let Ok(table) = name.parse::<QualifiedName>() else { return Ok(None) };
    let ask = Ask { named, parts: [(marker, Part::Name(table))].into(), parameters: Vec::new() };
    let rows = sql.execute(&ask).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    if row.is_null("newest_us")? {
        return Ok(None);
    }
    Ok(Some((row.int("now_us")? - row.int("newest_us")?) / 1_000_000))
}

fn of_ages(ages: &[(&str, Option<i64>)]) -> Finding {
    let told = |age_s: i64| match age_s {
        ..0 => "0 min".to_owned(),
        0..7_200 => format!("{} min", age_s / 60),
        _ => format!("{} h", age_s / 3_600),
    };
    let said: Vec<String> = ages
        .iter()
        .map(|(what, age)| match age {
            Some(age) => format!("{what} {} old", told(*age)),
            None => format!("no {what} of a week"),
        })
        .collect();
    let said = said.join(", ");
    let finding = if ages.iter().any(|(_, age)| age.is_some_and(|age| age > OLD_S)) {
        Finding::failed(format!("{said}; what is older than two days is of no use"))
            .fix("Nothing can be done here: wait for the platform, and do not trust figures of money until then.")
    } else if ages.iter().any(|(_, age)| age.is_none()) {
        Finding::undecided(said)
    } else {
        Finding::proven(said)
    };
    let figures = ages.iter().filter_map(|(what, age)| age.map(|age| (format!("{what}_age_s"), age)));
    figures.fold(finding, |finding, (name, age)| finding.figure(&name, age))
}

/// Some event logs that are published beside what their pipelines publish.
async fn published(client: &Client) -> Result<Vec<QualifiedName>, Error> {
    let mut catalogs = BTreeSet::new();
    let mut pipelines = client.pipelines().await?;
    // What runs has events; of the others nothing is learned.
    pipelines.sort_by_key(|pipeline| pipeline.state != PipelineState::Running);
    for pipeline in pipelines.iter().take(LOOKED_AT) {
        let target = client.pipeline(&pipeline.id).await?.target;
        let target = target.and_then(|target| target.parse::<QualifiedName>().ok());
        catalogs.extend(target.and_then(|target| target.levels().first().cloned()));
    }
    let mut logs = Vec::new();
    for catalog in catalogs {
        let Ok(schema) = QualifiedName::new([catalog.as_str(), LOGS]) else { continue };
        match client.tables(&schema).await {
            Ok(found) => logs.extend(found.into_iter().map(|table| table.name)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    logs.truncate(LOOKED_AT);
    Ok(logs)
}

/// Whether published event logs have what is looked for in them.
pub(super) async fn event_logs<S: Sql>(client: &Client, sql: &S) -> Finding {
    let logs = match published(client).await {
        Ok(logs) if logs.is_empty() => {
            return Finding::undecided(format!("no pipeline that was looked at publishes its log in {LOGS}"));
        }
        Ok(logs) => logs,
        Err(error) => return Finding::undecided(format!("event logs cannot be listed: {}", error.brief())),
    };
    let (mut events, mut with_figures, mut with_expectations) = (0, 0, 0);
    for log in logs {
        let ask = Ask { named: &EVENT_LOG, parts: [("event_log", Part::Name(log))].into(), parameters: Vec::new() };
        let counted = async {
            let rows = sql.execute(&ask).await?;
            let row = rows.first();
            let count = |column: &str| row.map(|row| row.int(column)).transpose().map(Option::unwrap_or_default);
            Ok::<_, SqlTrouble>((count("events")?, count("with_figures")?, count("with_expectations")?))
        };
        match counted.await {
            Ok((all, figures, expectations)) => {
                (events, with_figures) = (events + all, with_figures + figures);
                with_expectations += expectations;
            }
            Err(trouble) => return of_trouble(&trouble),
        }
    }
    match (events, with_figures) {
        (0, _) => Finding::undecided("the published logs have no event of a flow within a day"),
        (_, 0) => Finding::failed(format!("none of {events} events has rows or backlog where they should be")),
        _ => {
            Finding::proven(format!("{with_figures} of {events} events have figures, {with_expectations} expectations"))
        }
    }
    .figure("events", events)
    .figure("with_figures", with_figures)
    .figure("with_expectations", with_expectations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::proof::Verdict;

    #[test]
    fn what_is_older_than_two_days_fails_and_what_is_missing_is_open() {
        let fresh = of_ages(&[("runs", Some(900)), ("usage", Some(14_400))]);
        assert_eq!((fresh.verdict, fresh.says.as_str()), (Verdict::Proven, "runs 15 min old, usage 4 h old"));
        assert_eq!(fresh.figures["usage_age_s"], 14_400);
        assert_eq!(of_ages(&[("runs", Some(172_801)), ("usage", None)]).verdict, Verdict::Failed);
        let open = of_ages(&[("runs", Some(0)), ("usage", None)]);
        assert_eq!((open.verdict, open.says.as_str()), (Verdict::Undecided, "runs 0 min old, no usage of a week"));
    }
}
