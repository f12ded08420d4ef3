//! The format of the file, as steps. A step that was released is never changed: a new need is a new step.

/// Marks the file as ours (`application_id`): "lksh".
pub(super) const OWNER: i64 = 0x6c6b_7368;

/// Each step brings the file from the format of its index to the next one.
///
/// Instants are milliseconds since 1970, UTC: of the workspace's clock for what happened there, of ours for `observed_at`.
pub(super) const STEPS: &[&str] = &[
    "
CREATE TABLE workspaces (
    workspace TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    clock_offset_ms INTEGER NOT NULL,
    jobs_observed_at INTEGER,
    pipelines_observed_at INTEGER
) STRICT;

CREATE TABLE jobs (
    workspace TEXT NOT NULL,
    job INTEGER NOT NULL,
    definition TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    workspace TEXT NOT NULL,
    run INTEGER NOT NULL,
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    message TEXT NOT NULL,
    cause TEXT NOT NULL,
    creator TEXT,
    started_at INTEGER,
    ended_at INTEGER,
    queued_ms INTEGER NOT NULL,
    setup_ms INTEGER NOT NULL,
    execution_ms INTEGER NOT NULL,
    cleanup_ms INTEGER NOT NULL,
    run_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    page_url TEXT,
    parameters TEXT,
    repairs TEXT,
    PRIMARY KEY (workspace, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_of_job ON runs (workspace, job, started_at DESC, run DESC);

CREATE TABLE tasks (
    workspace TEXT NOT NULL,
    task_run INTEGER NOT NULL,
    run INTEGER NOT NULL,
    task TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    message TEXT NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    queued_ms INTEGER NOT NULL,
    setup_ms INTEGER NOT NULL,
    execution_ms INTEGER NOT NULL,
    cleanup_ms INTEGER NOT NULL,
    PRIMARY KEY (workspace, task_run)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_of_run ON tasks (workspace, run);

CREATE TABLE failures (
    workspace TEXT NOT NULL,
    run INTEGER NOT NULL,
    task TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (workspace, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipelines (
    workspace TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    definition TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, pipeline)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    workspace TEXT NOT NULL,
    object TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (workspace, object, observed_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
    workspace TEXT NOT NULL,
    object TEXT NOT NULL,
    series TEXT NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (workspace, object, series, at)
) STRICT, WITHOUT ROWID;
",
    "
-- Whether older runs of the job were asked for: a single run that is known says nothing of those before it.
ALTER TABLE jobs ADD COLUMN history_read INTEGER NOT NULL DEFAULT 0;
",
];
