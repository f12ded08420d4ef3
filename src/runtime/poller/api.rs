//! What the poller asks of a workspace, as narrow as it can be: the client answers it, and so does a fake in memory.

use std::time::Duration;

use crate::domain::Instant;
use crate::domain::ids::{JobId, PipelineId, RunId};
use crate::domain::job::Job;
use crate::domain::pipeline::{Pipeline, PipelineEvent, Update};
use crate::domain::run::{Output, Run};
use crate::domain::snapshot::{FailureKind, FeedFailure};

/// Runs that one page of `runs/list` holds at most (databricks-api.md 3.2). The schedule counts pages with it.
pub const RUNS_PER_PAGE: usize = 24;

/// Events that one page of a pipeline's log holds at most in practice (databricks-api.md 4.5).
pub const EVENTS_PER_PAGE: usize = 250;

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// Who can mend it.
    pub kind: FailureKind,
    /// A few words for the header: `401 token expired`.
    pub brief: String,
    /// What happened, to what, and what to do.
    pub message: String,
    /// The vendor's request id, if an answer came.
    pub request_id: Option<String>,
    /// Whether the object does not exist (any more): asking again is no use.
    pub absent: bool,
    /// How long the workspace asked us to wait before the next question of this kind.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// The same as the newest of a streak of failures; `before` is the one before it, if any.
    pub fn since(&self, before: Option<&FeedFailure>, now: Instant) -> FeedFailure {
        FeedFailure {
            kind: self.kind,
            since: before.map_or(now, |before| before.since),
            brief: self.brief.clone(),
            message: self.message.clone(),
            request_id: self.request_id.clone(),
        }
    }
}

/// What came of a question.
pub type Answer<T> = Result<T, ApiError>;

/// A workspace as the poller sees it. Listings are complete or they fail: a half-read listing is never an answer.
pub trait WorkspaceApi: Clone + Send + Sync + 'static {
    /// The same workspace, asked for a person who waits rather than in the background.
    fn for_person(&self) -> Self;
    /// The workspace's clock minus ours, in milliseconds, as learned so far.
    fn clock_offset_ms(&self) -> i64;
    /// Requests that the last minute took.
    fn requests_last_minute(&self) -> u32;
    /// All jobs, with their task graphs.
    fn jobs(&self) -> impl Future<Output = Answer<Vec<Job>>> + Send;
    /// One job.
    fn job(&self, id: JobId) -> impl Future<Output = Answer<Job>> + Send;
    /// All active runs of all jobs.
    fn active_runs(&self) -> impl Future<Output = Answer<Vec<Run>>> + Send;
    /// All ended runs of all jobs that were launched at or after an instant of workspace time, newest first.
    fn ended_runs(&self, started_from: Instant) -> impl Future<Output = Answer<Vec<Run>>> + Send;
    /// The newest runs of one job, newest first; with their tasks if asked.
    fn job_runs(&self, job: JobId, at_most: usize, tasks: bool) -> impl Future<Output = Answer<Vec<Run>>> + Send;
    /// One run, complete with tasks and repairs.
    fn run(&self, id: RunId) -> impl Future<Output = Answer<Run>> + Send;
    /// What one task's run left behind.
    fn run_output(&self, task_run: RunId) -> impl Future<Output = Answer<Output>> + Send;
    /// All pipelines, as the listing tells them (without specification).
    fn pipelines(&self) -> impl Future<Output = Answer<Vec<Pipeline>>> + Send;
    /// One pipeline with its specification.
    fn pipeline(&self, id: &PipelineId) -> impl Future<Output = Answer<Pipeline>> + Send;
    /// A pipeline's newest updates, newest first.
    fn pipeline_updates(&self, id: &PipelineId, at_most: usize) -> impl Future<Output = Answer<Vec<Update>>> + Send;
    /// A pipeline's newest events, newest first, written after an instant of workspace time if one is given.
    fn pipeline_events(
        &self,
        id: &PipelineId,
        newer_than: Option<Instant>,
        at_most: usize,
    ) -> impl Future<Output = Answer<Vec<PipelineEvent>>> + Send;
}
