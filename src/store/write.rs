//! Writing: only what changed since the last snapshot that was written, in one short transaction.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::codec::{ms, signed, state_words};
use super::{Error, Store, failed};
use crate::domain::Instant;
use crate::domain::ids::{JobId, PipelineId, WorkspaceName};
use crate::domain::pipeline::{Pipeline, PipelineState};
use crate::domain::run::{Run, TaskRun};
use crate::domain::snapshot::{JobWatch, LagSample, PipelineWatch, RunDetail, WorkspaceSnapshot};

/// How long samples are kept.
const SAMPLES_KEPT: TimeDelta = TimeDelta::days(14);

/// How long runs are kept beyond the newest ones of each job.
const RUNS_KEPT: TimeDelta = TimeDelta::days(60);

/// How many of each job's runs are kept however old they are.
const RUNS_OF_EACH_JOB: i64 = 30;

/// How many settings of each object are kept.
const SETTINGS_OF_EACH: i64 = 50;

/// What a write came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows inserted, changed or deleted.
    pub rows: usize,
}

impl Store {
    /// Writes what changed from `before`, the last snapshot of the same workspace that was written or loaded.
    ///
    /// # Errors
    /// The database's; then nothing was written.
    pub fn record(&mut self, now: &WorkspaceSnapshot, before: Option<&WorkspaceSnapshot>) -> Result<Written, Error> {
        self.write("write a snapshot", |transaction| snapshot(transaction, now, before))
    }

    /// Writes the tasks of a run and of its job's recent runs.
    ///
    /// # Errors
    /// The database's; then nothing was written.
    pub fn record_detail(&mut self, workspace: &WorkspaceName, detail: &RunDetail) -> Result<Written, Error> {
        self.write("write tasks", |transaction| {
            let mut rows = 0;
            for run in detail.recent.iter().map(Arc::as_ref).chain([&detail.run]) {
                for task in &run.tasks {
                    rows += write_task(transaction, workspace, run, task)?;
                }
            }
            Ok(rows)
        })
    }

    /// Drops what is too old to be of use, measured from `now`: the store is bounded.
    ///
    /// # Errors
    /// The database's; then nothing was dropped.
    pub fn prune(&mut self, now: Instant) -> Result<Written, Error> {
        self.write("prune", |transaction| {
            let mut rows = transaction.execute("DELETE FROM samples WHERE at < ?1", [ms(now - SAMPLES_KEPT)])?;
            rows += transaction.execute(
                "DELETE FROM runs WHERE ended_at < ?1 AND (workspace, run) NOT IN (
                    SELECT workspace, run FROM (
                        SELECT workspace, run, row_number() OVER
                            (PARTITION BY workspace, job ORDER BY started_at DESC, run DESC) AS place FROM runs)
                    WHERE place <= ?2)",
                [ms(now - RUNS_KEPT), RUNS_OF_EACH_JOB],
            )?;
            for orphans in ["tasks", "failures"] {
                rows += transaction.execute(
                    &format!("DELETE FROM {orphans} WHERE (workspace, run) NOT IN (SELECT workspace, run FROM runs)"),
                    [],
                )?;
            }
            rows += transaction.execute(
                "DELETE FROM settings WHERE (workspace, object, observed_at) IN (
                    SELECT workspace, object, observed_at FROM (
                        SELECT workspace, object, observed_at, row_number() OVER
                            (PARTITION BY workspace, object ORDER BY observed_at DESC) AS place FROM settings)
                    WHERE place > ?1)",
                [SETTINGS_OF_EACH],
            )?;
            Ok(rows)
        })
    }

    fn write(
        &mut self,
        what: &'static str,
        rows: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize>,
    ) -> Result<Written, Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(what))?;
        let rows = rows(&transaction).map_err(failed(what))?;
        transaction.commit().map_err(failed(what))?;
        Ok(Written { rows })
    }
}

fn snapshot(db: &Connection, now: &WorkspaceSnapshot, before: Option<&WorkspaceSnapshot>) -> rusqlite::Result<usize> {
    let name = &now.workspace.name;
    let mut rows = 0;
    if let Some(jobs) = &now.jobs.value {
        let before = before.and_then(|before| before.jobs.value.as_deref());
        let observed_at = now.jobs.observed_at.map_or(0, ms);
        rows += write_jobs(db, name, jobs, before.map(Vec::as_slice), observed_at)?;
    }
    if let Some(pipelines) = &now.pipelines.value {
        let before = before.and_then(|before| before.pipelines.value.as_deref());
        let observed_at = now.pipelines.observed_at.map_or(0, ms);
        rows += write_pipelines(db, name, pipelines, before.map(Vec::as_slice), observed_at)?;
    }
    // Another process may have looked later than we did: its instant stands.
    db.prepare_cached(
        "INSERT INTO workspaces VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
            host = excluded.host, clock_offset_ms = excluded.clock_offset_ms,
            jobs_observed_at = max(coalesce(jobs_observed_at, 0), coalesce(excluded.jobs_observed_at, 0)),
            pipelines_observed_at = max(coalesce(pipelines_observed_at, 0), coalesce(excluded.pipelines_observed_at, 0))",
    )?
    .execute(params![
        name.as_str(),
        now.workspace.host,
        now.clock_offset_ms,
        now.jobs.observed_at.map(ms),
        now.pipelines.observed_at.map(ms),
    ])?;
    Ok(rows)
}

fn write_jobs(
    db: &Connection,
    name: &WorkspaceName,
    jobs: &[JobWatch],
    before: Option<&[JobWatch]>,
    observed_at: i64,
) -> rusqlite::Result<usize> {
    let mut known: HashMap<JobId, &JobWatch> = before.into_iter().flatten().map(|w| (w.job.id, w)).collect();
    let mut rows = 0;
    for watch in jobs {
        let old = known.remove(&watch.job.id);
        if old.is_none_or(|old| !same(&old.job, &watch.job) || old.history_read != watch.history_read) {
            let definition = json(&watch.job)?;
            rows += db
                .prepare_cached(
                    "INSERT INTO jobs (workspace, job, definition, gone, history_read) VALUES (?1, ?2, ?3, 0, ?4)
                        ON CONFLICT DO UPDATE SET definition = excluded.definition, gone = 0,
                            history_read = max(history_read, excluded.history_read)
                        WHERE definition <> excluded.definition OR gone <> 0 OR history_read < excluded.history_read",
                )?
                .execute(params![name.as_str(), signed(watch.job.id.0), definition, watch.history_read])?;
            rows += write_settings(db, name, &format!("job {}", watch.job.id), observed_at, &definition)?;
        }
        for run in &watch.runs {
            let known = old.is_some_and(|old| old.runs.iter().any(|before| same(before, run)));
            if !known {
                rows += write_run(db, name, run)?;
            }
        }
        if let Some(note) = &watch.failure
            && old.is_none_or(|old| old.failure.as_ref() != Some(note))
        {
            rows += db.prepare_cached("INSERT OR REPLACE INTO failures VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                name.as_str(),
                signed(note.run.0),
                note.task,
                note.error
            ])?;
        }
    }
    for gone in known.keys() {
        rows += db
            .prepare_cached("UPDATE jobs SET gone = 1 WHERE workspace = ?1 AND job = ?2")?
            .execute(params![name.as_str(), signed(gone.0)])?;
    }
    Ok(rows)
}

fn write_pipelines(
    db: &Connection,
    name: &WorkspaceName,
    pipelines: &[PipelineWatch],
    before: Option<&[PipelineWatch]>,
    observed_at: i64,
) -> rusqlite::Result<usize> {
    let mut known: HashMap<&PipelineId, &PipelineWatch> =
        before.into_iter().flatten().map(|watch| (&watch.pipeline.id, watch)).collect();
    let mut rows = 0;
    for watch in pipelines {
        let id = &watch.pipeline.id;
        let old = known.remove(id);
        if old.is_none_or(|old| !same(&old.pipeline, &watch.pipeline)) {
            rows += db
                .prepare_cached(
                    "INSERT INTO pipelines VALUES (?1, ?2, ?3, 0) ON CONFLICT DO UPDATE
                        SET definition = excluded.definition, gone = 0
                        WHERE definition <> excluded.definition OR gone <> 0",
                )?
                .execute(params![name.as_str(), id.as_str(), json(&watch.pipeline)?])?;
            if let Some(body) = settings_of(&watch.pipeline)? {
                rows += write_settings(db, name, &format!("pipeline {id}"), observed_at, &body)?;
            }
        }
        let newest = old.and_then(|old| old.lag.last()).map(|sample| sample.at);
        for sample in watch.lag.iter().filter(|sample| newest.is_none_or(|newest| sample.at > newest)) {
            rows += write_lag(db, name, id, sample)?;
        }
    }
    for gone in known.keys() {
        rows += db
            .prepare_cached("UPDATE pipelines SET gone = 1 WHERE workspace = ?1 AND pipeline = ?2")?
            .execute(params![name.as_str(), gone.as_str()])?;
    }
    Ok(rows)
}

/// A pipeline without what moves by itself; none until its own page was read.
fn settings_of(pipeline: &Pipeline) -> rusqlite::Result<Option<String>> {
    if pipeline.continuous.is_none() {
        return Ok(None);
    }
    let still =
        Pipeline { state: PipelineState::Idle, healthy: true, cause: None, updates: Vec::new(), ..pipeline.clone() };
    json(&still).map(Some)
}

/// Settings are kept as they change, so that a later reader can tell what a run ran with.
fn write_settings(
    db: &Connection,
    name: &WorkspaceName,
    object: &str,
    observed_at: i64,
    body: &str,
) -> rusqlite::Result<usize> {
    let newest: Option<String> = db
        .prepare_cached(
            "SELECT body FROM settings WHERE workspace = ?1 AND object = ?2 ORDER BY observed_at DESC LIMIT 1",
        )?
        .query_row(params![name.as_str(), object], |row| row.get(0))
        .optional()?;
    if newest.as_deref() == Some(body) {
        return Ok(0);
    }
    db.prepare_cached("INSERT OR REPLACE INTO settings VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        name.as_str(),
        object,
        observed_at,
        body
    ])
}

fn write_lag(db: &Connection, name: &WorkspaceName, id: &PipelineId, sample: &LagSample) -> rusqlite::Result<usize> {
    #[expect(clippy::cast_precision_loss, reason = "a sample for a chart: 53 bits are plenty")]
    let real = |value: Option<u64>| value.map(|value| value as f64);
    let backlog = sample.backlog;
    let series = [
        ("backlog_records", real(backlog.records)),
        ("backlog_bytes", real(backlog.bytes)),
        ("backlog_s", backlog.seconds),
        ("backlog_files", real(backlog.files)),
    ];
    let mut rows = 0;
    for (series, value) in series {
        let Some(value) = value else { continue };
        rows += db.prepare_cached("INSERT OR REPLACE INTO samples VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            name.as_str(),
            format!("pipeline {id}"),
            series,
            ms(sample.at),
            value
        ])?;
    }
    Ok(rows)
}

fn write_run(db: &Connection, name: &WorkspaceName, run: &Run) -> rusqlite::Result<usize> {
    let (state, outcome) = state_words(&run.state);
    let parameters = if run.parameters.is_empty() { None } else { Some(json(&run.parameters)?) };
    let repairs = if run.repairs.is_empty() { None } else { Some(json(&run.repairs)?) };
    db.prepare_cached(
        "INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
            ?18, ?19, ?20)",
    )?
    .execute(params![
        name.as_str(),
        signed(run.id.0),
        signed(run.job.0),
        run.name,
        state,
        outcome,
        run.message,
        run.trigger,
        run.creator,
        run.started_at.map(ms),
        run.ended_at.map(ms),
        signed(run.spent.queued_ms),
        signed(run.spent.setup_ms),
        signed(run.spent.execution_ms),
        signed(run.spent.cleanup_ms),
        signed(run.run_ms),
        run.attempt,
        run.page_url,
        parameters,
        repairs,
    ])
}

fn write_task(db: &Connection, name: &WorkspaceName, run: &Run, task: &TaskRun) -> rusqlite::Result<usize> {
    let (state, outcome) = state_words(&task.state);
    db.prepare_cached(
        "INSERT OR REPLACE INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        name.as_str(),
        signed(task.id.0),
        signed(run.id.0),
        task.key,
        task.attempt,
        task.kind,
        state,
        outcome,
        task.message,
        task.started_at.map(ms),
        task.ended_at.map(ms),
        signed(task.spent.queued_ms),
        signed(task.spent.setup_ms),
        signed(task.spent.execution_ms),
        signed(task.spent.cleanup_ms),
    ])
}

/// Unchanged values are shared between snapshots, so most comparisons end at the pointer.
fn same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
