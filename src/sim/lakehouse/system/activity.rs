//! What people and programs did: statements, the audit of acts, and which tables fed which.

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::{TableName, Value};
use crate::sim::world::World;
use crate::sim::world::run::Trigger;
use crate::sim::world::state::{Ending, Phase};

use super::cell::{ACCOUNT, at, date, id, map, maybe, text};
use super::facts::Facts;
use super::lakeflow::workspace_id;
use super::{Rows, Window};

/// How late query history is.
const QUERIES_LATE: TimeDelta = TimeDelta::minutes(5);
/// How late the audit is.
const AUDIT_LATE: TimeDelta = TimeDelta::minutes(12);
/// How late lineage is.
const LINEAGE_LATE: TimeDelta = TimeDelta::minutes(30);

/// A statement that is over.
#[derive(Clone, Debug)]
pub(in crate::sim::lakehouse) struct Query {
    pub(in crate::sim::lakehouse) environment: Environment,
    pub(in crate::sim::lakehouse) statement_id: String,
    pub(in crate::sim::lakehouse) session_id: Option<String>,
    pub(in crate::sim::lakehouse) warehouse_id: String,
    pub(in crate::sim::lakehouse) user: String,
    pub(in crate::sim::lakehouse) text: String,
    pub(in crate::sim::lakehouse) verb: String,
    pub(in crate::sim::lakehouse) status: &'static str,
    pub(in crate::sim::lakehouse) error: Option<String>,
    pub(in crate::sim::lakehouse) submitted_at: Instant,
    pub(in crate::sim::lakehouse) begun_at: Option<Instant>,
    pub(in crate::sim::lakehouse) ended_at: Instant,
    pub(in crate::sim::lakehouse) produced_rows: usize,
    pub(in crate::sim::lakehouse) tags: Vec<(String, Option<String>)>,
    /// Tables that it read, and the one that it wrote.
    pub(in crate::sim::lakehouse) sources: Vec<TableName>,
    pub(in crate::sim::lakehouse) target: Option<TableName>,
}

/// A change of an object or of rights.
#[derive(Clone, Debug)]
pub(in crate::sim::lakehouse) struct Act {
    pub(in crate::sim::lakehouse) user: String,
    pub(in crate::sim::lakehouse) action: &'static str,
    pub(in crate::sim::lakehouse) subject: String,
    pub(in crate::sim::lakehouse) detail: String,
    pub(in crate::sim::lakehouse) at: Instant,
}

/// Everything that was done, in order.
#[derive(Debug, Default)]
pub(in crate::sim) struct Log {
    pub(in crate::sim::lakehouse) queries: Vec<Query>,
    pub(in crate::sim::lakehouse) acts: Vec<Act>,
}

impl Log {
    pub(super) fn queries(&self, window: Window, world: &World) -> Rows {
        let ms = |from: Instant, to: Instant| Value::Integer((to - from).num_milliseconds());
        let new = self.queries.iter().filter(|query| window.takes(query.ended_at + QUERIES_LATE));
        new.map(|query| {
            let begun_at = query.begun_at.unwrap_or(query.ended_at);
            let person = world.principals().iter().find(|person| person.user_name == query.user);
            let user_id = text(person.map(|person| person.id.clone()).unwrap_or_default());
            vec![
                text(ACCOUNT),
                text(workspace_id(world, query.environment)),
                text(query.statement_id.clone()),
                query.session_id.clone().into(),
                text(query.status),
                Value::List(vec![text("WAREHOUSE"), Value::Null, text(query.warehouse_id.clone())]),
                user_id.clone(),
                text(query.user.clone()),
                text(query.text.clone()),
                text(query.verb.clone()),
                query.error.clone().into(),
                Value::Null,
                Value::Null,
                ms(query.submitted_at, query.ended_at),
                ms(query.submitted_at, begun_at),
                Value::Integer(0),
                ms(begun_at, query.ended_at),
                Value::Integer(0),
                Value::Integer(0),
                at(query.submitted_at),
                at(query.ended_at),
                at(query.ended_at + QUERIES_LATE),
                Value::Null,
                Value::Integer(i64::try_from(query.produced_rows).unwrap_or(i64::MAX)),
                Value::Null,
                false.into(),
                text(query.user.clone()),
                user_id,
                map(query.tags.iter().map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or_default()))),
            ]
        })
        .collect()
    }

    pub(super) fn audit(&self, facts: &Facts, window: Window, world: &World) -> Rows {
        let mut rows = Rows::new();
        let mut add =
            |workspace: String, user: &str, service: &str, action: &str, parameters: &[(&str, &str)], when: Instant| {
                if !window.takes(when + AUDIT_LATE) {
                    return;
                }
                let request = id(&[
                    "audit",
                    service,
                    action,
                    user,
                    &when.timestamp_micros().to_string(),
                    parameters.first().map_or("", |p| p.1),
                ]);
                rows.push(vec![
                    text(ACCOUNT),
                    text(workspace),
                    text("2.0"),
                    at(when),
                    date(when),
                    text("127.0.0.1"),
                    Value::Null,
                    Value::Null,
                    Value::List(vec![text(user), Value::Null]),
                    text(service),
                    text(action),
                    text(request.clone()),
                    map(parameters.iter().copied()),
                    Value::List(vec![Value::Integer(200), Value::Null, Value::Null]),
                    text("WORKSPACE_LEVEL"),
                    text(id(&["event", &request])),
                    Value::List(vec![text(user), text(user)]),
                ]);
            };
        for act in &self.acts {
            let parameters = [("securable_full_name", act.subject.as_str()), ("changes", act.detail.as_str())];
            add("0".to_owned(), &act.user, "unityCatalog", act.action, &parameters, act.at);
        }
        for query in &self.queries {
            let parameters =
                [("statementId", query.statement_id.as_str()), ("warehouseId", query.warehouse_id.as_str())];
            let workspace = workspace_id(world, query.environment);
            add(workspace, &query.user, "databrickssql", "commandFinish", &parameters, query.ended_at);
        }
        for fact in facts.within(window, AUDIT_LATE) {
            let (job, run) = (fact.job_id.to_string(), fact.run_id.to_string());
            let parameters = [("jobId", job.as_str()), ("runId", run.as_str())];
            let workspace = workspace_id(world, fact.environment);
            if fact.trigger == Trigger::OneTime {
                add(workspace.clone(), &fact.creator, "jobs", "runNow", &parameters, fact.launched_at);
            }
            add(workspace.clone(), &fact.creator, "jobs", "runStart", &parameters, fact.launched_at);
            if let Some(ended_at) = fact.ended_at {
                let well = matches!(fact.phase, Phase::Ended(Ending::Success | Ending::SuccessWithFailures));
                let action = if well { "runSucceeded" } else { "runFailed" };
                add(workspace, &fact.creator, "jobs", action, &parameters, ended_at);
            }
        }
        rows
    }

    pub(super) fn lineage(&self, facts: &Facts, window: Window, world: &World, columns: bool) -> Rows {
        let mut rows = Rows::new();
        for query in self.queries.iter().filter(|query| window.takes(query.ended_at + LINEAGE_LATE)) {
            for source in &query.sources {
                let entity = ("DBSQL_QUERY", query.statement_id.as_str(), "");
                let workspace = workspace_id(world, query.environment);
                let target = query.target.as_ref();
                if !columns {
                    let key = (workspace, entity, query.user.as_str(), query.ended_at);
                    rows.push(edge(&key, Some(source), target, Some(&query.statement_id)));
                }
            }
        }
        let lineage: Vec<_> = world
            .workspaces()
            .iter()
            .flat_map(|workspace| {
                world.lineage(workspace.environment).into_iter().map(|job| (workspace.environment, job))
            })
            .collect();
        let well = |phase| matches!(phase, Phase::Ended(Ending::Success | Ending::SuccessWithFailures));
        for fact in facts.within(window, LINEAGE_LATE).filter(|fact| well(fact.phase)) {
            let Some(ended_at) = fact.ended_at.filter(|at| window.takes(*at + LINEAGE_LATE)) else { continue };
            let (job, run) = (fact.job_id.to_string(), fact.run_id.to_string());
            for (_, known) in
                lineage.iter().filter(|(of, known)| *of == fact.environment && known.job_id == fact.job_id)
            {
                for (read, write) in
                    known.reads.iter().flat_map(|read| known.writes.iter().map(move |write| (read, write)))
                {
                    let (source, target) = (TableName::parse(read), TableName::parse(write));
                    let entity = ("JOB", job.as_str(), run.as_str());
                    let key = (workspace_id(world, fact.environment), entity, fact.creator.as_str(), ended_at);
                    let row = edge(&key, source.as_ref(), target.as_ref(), None);
                    if columns {
                        for column in ["id", "business_date", "amount"] {
                            rows.push(row.iter().cloned().chain([text(column), text(column)]).collect());
                        }
                    } else {
                        rows.push(row);
                    }
                }
            }
        }
        rows
    }
}

/// One edge of lineage: where, by what (kind, id, run), by whom and when.
type Key<'a> = (String, (&'a str, &'a str, &'a str), &'a str, Instant);

fn edge(key: &Key<'_>, source: Option<&TableName>, target: Option<&TableName>, statement: Option<&str>) -> Vec<Value> {
    let (workspace, (kind, entity, run), user, when) = key;
    let levels = |name: Option<&TableName>| match name {
        Some(name) => {
            [text(name.to_string()), text(&*name.catalog), text(&*name.schema), text(&*name.table), text("TABLE")]
        }
        None => [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
    };
    let full = |name: Option<&TableName>| name.map(ToString::to_string).unwrap_or_default();
    let record =
        id(&["lineage", workspace, entity, run, &full(source), &full(target), &when.timestamp_micros().to_string()]);
    let mut row = vec![text(ACCOUNT), Value::Null, text(workspace.clone()), text(*kind), text(*entity), maybe(run)];
    row.extend(levels(source));
    row.extend(levels(target));
    row.extend([
        text(*user),
        at(*when),
        date(*when),
        text(record.clone()),
        text(id(&["event", &record])),
        statement.map(str::to_owned).into(),
    ]);
    row
}
