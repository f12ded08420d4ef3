//! Jobs API 2.2 (databricks-api.md 3).

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::client::Client;
use super::error::Error;
use super::page::pages;
use super::request::Request;
use super::wire::Int;
use super::wire::jobs as jobs_wire;
use super::wire::runs as runs_wire;
use crate::domain::Instant;
use crate::domain::ids::{JobId, RepairId, RunId};
use crate::domain::job::Job;
use crate::domain::run::{Output, Run};

/// Most jobs of a page.
const JOBS_PER_PAGE: usize = 100;

/// Most runs of a page: the limit must stay below 25.
const RUNS_PER_PAGE: usize = 24;

/// Most pages of one object: 1,000 tasks are 10 pages, and a run repeated without end has more attempts than that.
const MAX_INNER_PAGES: usize = 1_000;

pages! {
    jobs_wire::JobList { jobs: jobs_wire::Job }
    runs_wire::RunList { runs: runs_wire::Run }
}

/// Which runs to list. All filters must hold; the newest come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsQuery {
    /// Only runs that are not over. Excludes `completed_only`.
    pub active_only: bool,
    /// Only runs that are over.
    pub completed_only: bool,
    /// Only runs of this job.
    pub job: Option<JobId>,
    /// Only runs launched at or after this instant (workspace time).
    pub started_from: Option<Instant>,
    /// Only runs launched at or before this instant (workspace time).
    pub started_to: Option<Instant>,
    /// With their tasks: complete, even if there are more than the listing shows.
    pub expand_tasks: bool,
    /// The newest so many; none is all.
    pub at_most: Option<usize>,
}

/// Names an act, so that the platform does it once however often it is asked (databricks-api.md 3.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyToken(String);

/// The token is longer than the platform takes, or empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency token has 1 to 64 characters, this one has {0}")]
pub struct TokenTooLong(pub usize);

impl IdempotencyToken {
    /// A token of 1 to 64 characters.
    ///
    /// # Errors
    /// When it is empty or longer.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenTooLong> {
        let text = text.into();
        match text.chars().count() {
            1..=64 => Ok(Self(text)),
            other => Err(TokenTooLong(other)),
        }
    }
}

impl fmt::Display for IdempotencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An order to run a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNow {
    /// The job.
    pub job: JobId,
    /// With a token the order may be repeated: a repeat gives the first run. Without one a lost answer stays unknown.
    pub idempotency_token: Option<IdempotencyToken>,
    /// Job parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Task keys to run, with `+` before or after for what is upstream or downstream; empty is all.
    pub only: Vec<String>,
    /// Whether pipeline tasks rebuild everything.
    pub full_refresh: bool,
}

impl RunNow {
    /// Runs all of a job with its defaults.
    pub fn of(job: JobId) -> Self {
        Self { job, idempotency_token: None, parameters: BTreeMap::new(), only: Vec::new(), full_refresh: false }
    }
}

/// An order to repair a run. The run must be over; the job's present settings count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairRun {
    /// The run.
    pub run: RunId,
    /// What is run again.
    pub rerun: Rerun,
    /// With all that depends on it.
    pub dependents: bool,
    /// The run's newest repair, once it has one: the platform refuses a repair that does not know it.
    pub latest_repair: Option<RepairId>,
    /// Job parameters that differ from those of the run.
    pub parameters: BTreeMap<String, String>,
}

/// What a repair runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// All tasks that failed or did not run.
    AllFailed,
    /// These tasks.
    Tasks(Vec<String>),
}

impl Client {
    /// All jobs, newest first; with their tasks if asked: complete, even if there are more than the listing shows.
    ///
    /// # Errors
    /// When any page fails: a half-read listing is no answer.
    pub async fn jobs(&self, expand_tasks: bool) -> Result<Vec<Job>, Error> {
        let base = Request::get("/api/2.2/jobs/list").query("limit", JOBS_PER_PAGE).query("expand_tasks", expand_tasks);
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<jobs_wire::JobList>(&base, next, None).await?;
        let mut jobs = Vec::with_capacity(listed.len());
        for job in listed {
            let is_cut = expand_tasks && job.has_more.unwrap_or(false);
            let Some(job) = job.into_domain() else { continue };
            if !is_cut {
                jobs.push(job);
                continue;
            }
            match self.job(job.id).await {
                Ok(whole) => jobs.push(whole),
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(jobs)
    }

    /// One job, with all its tasks.
    ///
    /// # Errors
    /// A missing job is [`Error::is_not_found`].
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        let base = Request::get("/api/2.2/jobs/get").query("job_id", id);
        let mut job: jobs_wire::Job = self.fetch(&base).await?;
        let mut seen = HashSet::new();
        while let Some(token) = job.next_page_token.take().filter(|token| !token.is_empty()) {
            let page: jobs_wire::Job = self.fetch(&base.clone().query("page_token", &token)).await?;
            self.check_inner_pages(&base, &mut seen, token)?;
            job.append(page);
        }
        job.into_domain().ok_or_else(|| self.incomplete(&base, "the job has no id"))
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When any page fails: a half-read listing is no answer.
    pub async fn runs(&self, query: &RunsQuery) -> Result<Vec<Run>, Error> {
        let limit = query.at_most.unwrap_or(RUNS_PER_PAGE).clamp(1, RUNS_PER_PAGE);
        let base = Request::get("/api/2.2/jobs/runs/list")
            .query("limit", limit)
            .query_if("active_only", query.active_only.then_some(true))
            .query_if("completed_only", query.completed_only.then_some(true))
            .query_if("job_id", query.job)
            .query_if("start_time_from", query.started_from.map(|at| at.timestamp_millis()))
            .query_if("start_time_to", query.started_to.map(|at| at.timestamp_millis()))
            .query_if("expand_tasks", query.expand_tasks.then_some(true));
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<runs_wire::RunList>(&base, next, query.at_most).await?;
        let mut runs = Vec::with_capacity(listed.len());
        for run in listed {
            let is_cut = query.expand_tasks && run.has_more.unwrap_or(false);
            let Some(run) = run.into_domain() else { continue };
            if !is_cut {
                runs.push(run);
                continue;
            }
            match self.run(run.id).await {
                Ok(whole) => runs.push(whole),
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(runs)
    }

    /// One run, with all its tasks and repairs.
    ///
    /// # Errors
    /// A missing run is [`Error::is_not_found`]; runs go after 60 days.
    pub async fn run(&self, id: RunId) -> Result<Run, Error> {
        let base = Request::get("/api/2.2/jobs/runs/get").query("run_id", id).query("include_history", true);
        let mut run: runs_wire::Run = self.fetch(&base).await?;
        let mut seen = HashSet::new();
        while let Some(token) = run.next_page_token.take().filter(|token| !token.is_empty()) {
            let page: runs_wire::Run = self.fetch(&base.clone().query("page_token", &token)).await?;
            self.check_inner_pages(&base, &mut seen, token)?;
            run.append(page);
        }
        run.into_domain().ok_or_else(|| self.incomplete(&base, "the run has no id"))
    }

    /// What a task's run left behind. Wants the *task's* run id: a run of several tasks has no output of its own.
    ///
    /// # Errors
    /// As any request.
    pub async fn run_output(&self, task_run: RunId) -> Result<Output, Error> {
        let request = Request::get("/api/2.2/jobs/runs/get-output").query("run_id", task_run);
        self.fetch::<runs_wire::RunOutput>(&request).await.map(runs_wire::RunOutput::into_domain)
    }

    /// Starts a run. It may be queued or skipped at once, which is no error.
    ///
    /// # Errors
    /// Without an idempotency token the act is sent once, and a lost answer leaves it unknown.
    pub async fn run_now(&self, order: &RunNow) -> Result<RunId, Error> {
        let body = jobs_wire::RunNowRequest {
            job_id: Some(int(order.job.0)),
            idempotency_token: order.idempotency_token.as_ref().map(ToString::to_string),
            job_parameters: (!order.parameters.is_empty()).then(|| order.parameters.clone()),
            only: (!order.only.is_empty()).then(|| order.only.clone()),
            pipeline_params: order
                .full_refresh
                .then(|| jobs_wire::PipelineParams { full_refresh: Some(true), ..Default::default() }),
            ..Default::default()
        };
        let request = Request::post("/api/2.2/jobs/run-now").json(&body);
        let request = if order.idempotency_token.is_some() { request.idempotent() } else { request };
        let answer: jobs_wire::RunNowResponse = self.fetch(&request).await?;
        let id = answer.run_id.and_then(Int::id).map(RunId);
        id.ok_or_else(|| self.incomplete(&request, "the answer names no run"))
    }

    /// Asks for a run or a task's run to be canceled. Done means accepted: the run ends later, and one that is over stays as it is.
    ///
    /// # Errors
    /// As any request.
    pub async fn cancel_run(&self, run: RunId) -> Result<(), Error> {
        let body = runs_wire::CancelRequest { run_id: Some(int(run.0)) };
        self.order(&Request::post("/api/2.2/jobs/runs/cancel").json(&body).idempotent()).await
    }

    /// Repairs a run. Sent once: a repeat would be a second repair, or be refused for not knowing the first.
    ///
    /// # Errors
    /// When the run is not over, or has a newer repair than the order knows.
    pub async fn repair_run(&self, order: &RepairRun) -> Result<RepairId, Error> {
        let tasks = match &order.rerun {
            Rerun::AllFailed => None,
            Rerun::Tasks(keys) => Some(keys.clone()),
        };
        let body = runs_wire::RepairRequest {
            run_id: Some(int(order.run.0)),
            rerun_all_failed_tasks: tasks.is_none().then_some(true),
            rerun_tasks: tasks,
            rerun_dependent_tasks: order.dependents.then_some(true),
            latest_repair_id: order.latest_repair.map(|repair| int(repair.0)),
            job_parameters: (!order.parameters.is_empty()).then(|| order.parameters.clone()),
            ..Default::default()
        };
        let request = Request::post("/api/2.2/jobs/runs/repair").json(&body);
        let answer: runs_wire::RepairResponse = self.fetch(&request).await?;
        let id = answer.repair_id.and_then(Int::id).map(RepairId);
        id.ok_or_else(|| self.incomplete(&request, "the answer names no repair"))
    }

    fn check_inner_pages(&self, request: &Request, seen: &mut HashSet<String>, token: String) -> Result<(), Error> {
        if seen.len() >= MAX_INNER_PAGES || !seen.insert(token) {
            return Err(self.endless(request, "the pages of one object do not come to an end".to_owned()));
        }
        Ok(())
    }
}

/// Ids come from the platform, which draws them from signed 64 bits.
fn int(id: u64) -> Int {
    Int(i64::try_from(id).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
