//! Reading: the last good picture of a workspace, marked as cached.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::codec::{instant, signed, state, unsigned};
use super::{Error, Store, failed};
use crate::domain::Instant;
use crate::domain::fleet::PAST_CELLS;
use crate::domain::ids::{JobId, RunId, WorkspaceName};
use crate::domain::job::Job;
use crate::domain::pipeline::{Backlog, Pipeline};
use crate::domain::run::{Run, Spent};
use crate::domain::snapshot::{
    EventsReading, FailureNote, JobWatch, LagSample, PipelineWatch, Section, WorkspaceSnapshot,
};
use crate::domain::workspace::Workspace;

/// Runs of each job that a picture holds: those that the fleet draws, and the one that is active. They are also enough to
/// judge what is usual. The first frame waits for every one of them.
const RUNS_OF_EACH_JOB: usize = PAST_CELLS + 1;

/// Lag samples of each pipeline that a picture holds.
const SAMPLES_OF_EACH: usize = 60;

impl Store {
    /// The last good picture of a workspace; none if it was never seen, or was another host by the same name.
    ///
    /// # Errors
    /// The database's. A row that does not read (another version's) is left out: the next poll brings it anew.
    pub fn load(&self, workspace: &Workspace) -> Result<Option<WorkspaceSnapshot>, Error> {
        load(&self.connection, workspace).map_err(failed("read the last snapshot"))
    }
}

fn load(db: &Connection, workspace: &Workspace) -> rusqlite::Result<Option<WorkspaceSnapshot>> {
    let name = &workspace.name;
    let seen = db
        .prepare_cached(
            "SELECT clock_offset_ms, nullif(jobs_observed_at, 0), nullif(pipelines_observed_at, 0) FROM workspaces
                WHERE workspace = ?1 AND host = ?2",
        )?
        .query_row(params![name.as_str(), workspace.host], |row| Ok((row.get::<_, i64>(0)?, at(row, 1)?, at(row, 2)?)))
        .optional()?;
    let Some((clock_offset_ms, jobs_at, pipelines_at)) = seen else { return Ok(None) };
    let jobs = if jobs_at.is_some() { Some(jobs(db, name)?) } else { None };
    let pipelines = if pipelines_at.is_some() { Some(pipelines(db, name)?) } else { None };
    Ok(Some(WorkspaceSnapshot {
        clock_offset_ms,
        jobs: cached(jobs, jobs_at),
        pipelines: cached(pipelines, pipelines_at),
        ..WorkspaceSnapshot::unknown(workspace.clone())
    }))
}

fn cached<T>(value: Option<T>, observed_at: Option<Instant>) -> Section<Arc<T>> {
    Section { cached: value.is_some(), value: value.map(Arc::new), observed_at, ..Section::default() }
}

fn jobs(db: &Connection, name: &WorkspaceName) -> rusqlite::Result<Vec<JobWatch>> {
    let mut read =
        db.prepare_cached("SELECT definition, history_read FROM jobs WHERE workspace = ?1 AND gone = 0 ORDER BY job")?;
    let listed = read.query_map([name.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut watches = Vec::new();
    for row in listed {
        let (definition, history_read) = row?;
        let Some(job) = parsed::<Job>(&definition) else { continue };
        let runs = runs(db, name, job.id)?;
        let failed = runs.iter().find(|run| !run.state.is_active()).filter(|run| run.state.is_failure());
        let failure = match failed {
            Some(run) => failure(db, name, run.id)?,
            None => None,
        };
        watches.push(JobWatch { job: Arc::new(job), history_read, runs, failure });
    }
    Ok(watches)
}

fn runs(db: &Connection, name: &WorkspaceName, job: JobId) -> rusqlite::Result<Vec<Arc<Run>>> {
    let mut read = db.prepare_cached(
        "SELECT run, name, state, outcome, message, cause, creator, started_at, ended_at, queued_ms, setup_ms,
            execution_ms, cleanup_ms, run_ms, attempt, page_url, parameters, repairs
            FROM runs WHERE workspace = ?1 AND job = ?2 ORDER BY started_at DESC, run DESC LIMIT ?3",
    )?;
    let limit = signed(RUNS_OF_EACH_JOB as u64);
    let runs = read.query_map(params![name.as_str(), signed(job.0), limit], |row| run(row, job))?;
    runs.map(|run| run.map(Arc::new)).collect()
}

fn run(row: &Row<'_>, job: JobId) -> rusqlite::Result<Run> {
    let number = |column: usize| row.get::<_, i64>(column).map(unsigned);
    let listed = |column: usize| row.get::<_, Option<String>>(column);
    Ok(Run {
        id: RunId(number(0)?),
        job,
        name: row.get(1)?,
        state: state(&row.get::<_, String>(2)?, row.get::<_, Option<String>>(3)?.as_deref()),
        message: row.get(4)?,
        trigger: row.get(5)?,
        creator: row.get(6)?,
        started_at: at(row, 7)?,
        ended_at: at(row, 8)?,
        spent: Spent {
            queued_ms: number(9)?,
            setup_ms: number(10)?,
            execution_ms: number(11)?,
            cleanup_ms: number(12)?,
        },
        run_ms: number(13)?,
        attempt: row.get(14)?,
        page_url: row.get(15)?,
        parameters: listed(16)?.and_then(|text| parsed(&text)).unwrap_or_default(),
        repairs: listed(17)?.and_then(|text| parsed(&text)).unwrap_or_default(),
        tasks: Vec::new(),
    })
}

fn failure(db: &Connection, name: &WorkspaceName, run: RunId) -> rusqlite::Result<Option<FailureNote>> {
    db.prepare_cached("SELECT task, error FROM failures WHERE workspace = ?1 AND run = ?2")?
        .query_row(params![name.as_str(), signed(run.0)], |row| {
            Ok(FailureNote { run, task: row.get(0)?, error: row.get(1)? })
        })
        .optional()
}

fn pipelines(db: &Connection, name: &WorkspaceName) -> rusqlite::Result<Vec<PipelineWatch>> {
    let mut read =
        db.prepare_cached("SELECT definition FROM pipelines WHERE workspace = ?1 AND gone = 0 ORDER BY pipeline")?;
    let definitions = read.query_map([name.as_str()], |row| row.get::<_, String>(0))?;
    let mut watches = Vec::new();
    for definition in definitions {
        let Some(pipeline) = parsed::<Pipeline>(&definition?) else { continue };
        let lag = lag(db, name, &pipeline)?;
        watches.push(PipelineWatch {
            pipeline: Arc::new(pipeline),
            flows: Vec::new(),
            lag,
            events: EventsReading::default(),
        });
    }
    Ok(watches)
}

fn lag(db: &Connection, name: &WorkspaceName, pipeline: &Pipeline) -> rusqlite::Result<Vec<LagSample>> {
    let mut samples: Vec<LagSample> = Vec::new();
    for series in ["backlog_records", "backlog_bytes", "backlog_s", "backlog_files"] {
        let mut read = db.prepare_cached(
            "SELECT at, value FROM samples WHERE workspace = ?1 AND object = ?2 AND series = ?3
                ORDER BY at DESC LIMIT ?4",
        )?;
        let limit = signed(SAMPLES_OF_EACH as u64);
        let object = format!("pipeline {}", pipeline.id);
        let rows = read
            .query_map(params![name.as_str(), object, series, limit], |row| Ok((at(row, 0)?, row.get::<_, f64>(1)?)))?;
        for row in rows {
            let (Some(at), value) = row? else { continue };
            let place = samples.iter().position(|sample| sample.at == at).unwrap_or_else(|| {
                samples.push(LagSample { at, backlog: Backlog::default() });
                samples.len() - 1
            });
            if let Some(sample) = samples.get_mut(place) {
                set(&mut sample.backlog, series, value);
            }
        }
    }
    samples.sort_by_key(|sample| sample.at);
    let surplus = samples.len().saturating_sub(SAMPLES_OF_EACH);
    samples.drain(..surplus);
    Ok(samples)
}

fn set(backlog: &mut Backlog, series: &str, value: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "written from an unsigned count; the cast holds at the bounds"
    )]
    let count = value as u64;
    match series {
        "backlog_records" => backlog.records = Some(count),
        "backlog_bytes" => backlog.bytes = Some(count),
        "backlog_files" => backlog.files = Some(count),
        _ => backlog.seconds = Some(value),
    }
}

fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Instant>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(instant))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
