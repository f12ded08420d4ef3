//! The simulated world: three workspaces in virtual time, a pure function of scenario, seed, start and orders.
//!
//! Time moves only by [`World::advance_to`]; questions are answered as of [`World::now`]. A run's course is planned
//! when it is launched (`plan`), so that a state is a view of a course at an instant (`course`); history needs no
//! storage, since the course of any past run can be planned again when somebody asks (`past`).

mod ask;
mod clockwork;
mod course;
mod deploy;
mod draw;
mod events;
pub mod failure;
pub mod files;
mod fleet;
mod ids;
pub mod job;
mod live;
pub mod notebook;
mod orders;
mod past;
pub mod pipeline;
mod plan;
pub mod principal;
mod quartz;
mod references;
pub mod refusal;
mod rights;
pub mod run;
pub mod secrets;
pub mod shelf;
mod site;
mod sources;
pub mod state;
mod streams;
mod tables;
mod temper;
#[cfg(test)]
mod tests;
mod time;
mod updates;
pub mod warehouse;

use std::sync::Arc;

use crate::domain::Instant;
use crate::domain::workspace::Environment;

use super::scenario::{Breaks, Scenario};
pub use ask::{RunCursor, RunsFilter, RunsPage};
pub use deploy::PipelineOrder;
pub use events::{EventCursor, EventsFilter, EventsPage};
pub use fleet::products;
use job::{Job, JobSettings};
pub use orders::{RepairRun, RunNow, SubmitRun};
use pipeline::{PipelineView, StartUpdate, Update};
use principal::Principal;
use refusal::Refusal;
use run::{Output, Run, RunTask};
use site::{Laws, Site};
pub use tables::{JobLineage, TableVersion};
use warehouse::Warehouse;

/// A workspace by name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// What it is for; also its key in every question and order.
    pub environment: Environment,
    /// Its name.
    pub name: String,
    /// The number that the wire calls workspace id or org id.
    pub workspace_id: u64,
}

/// Three workspaces and those who act in them.
#[derive(Clone, Debug)]
pub struct World {
    laws: Arc<Laws>,
    now: Instant,
    workspaces: Vec<Workspace>,
    sites: Vec<Site>,
    breaks: Breaks,
}

impl World {
    /// A world that begins at an instant, with three weeks of history.
    pub fn new(scenario: &Scenario, seed: u64, start: Instant) -> Self {
        let start = time::whole_ms(start);
        let laws = Arc::new(Laws {
            draw: draw::Draw::new(seed),
            started_at: start,
            scenario: scenario.clone(),
            people: scenario.people(principal::everybody()),
        });
        let catalog = fleet::Catalog::built_in().only(&scenario.only);
        let environments = [Environment::Prod, Environment::Staging, Environment::Dev];
        Self {
            now: start,
            workspaces: environments
                .iter()
                .map(|environment| Workspace {
                    environment: *environment,
                    name: environment.to_string(),
                    workspace_id: 1_000_000_000_000_000
                        + laws.draw.named("workspace").named(&environment.to_string()).below(8_000_000_000_000_000),
                })
                .collect(),
            sites: environments
                .iter()
                .map(|environment| Site::new(*environment, &catalog, Arc::clone(&laws)))
                .collect(),
            laws,
            breaks: scenario.breaks,
        }
    }

    /// The instant of all answers.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When the world began.
    pub fn started_at(&self) -> Instant {
        self.laws.started_at
    }

    /// Lets time pass up to an instant; an earlier one changes nothing.
    pub fn advance_to(&mut self, to: Instant) {
        self.now = self.now.max(time::whole_ms(to));
        for site in &mut self.sites {
            site.advance_to(self.now);
        }
    }

    /// The three workspaces.
    pub fn workspaces(&self) -> &[Workspace] {
        &self.workspaces
    }

    /// What the platform does otherwise than it promises, now.
    pub fn breaks(&self) -> Breaks {
        self.breaks
    }

    /// Breaks these promises from now on, and keeps all others.
    pub fn set_breaks(&mut self, breaks: Breaks) {
        self.breaks = breaks;
    }

    /// What happens in it.
    pub fn scenario(&self) -> &Scenario {
        &self.laws.scenario
    }

    /// Everybody who acts.
    pub fn principals(&self) -> &[Principal] {
        &self.laws.people
    }

    fn site(&self, environment: Environment) -> &Site {
        let found = self.sites.iter().find(|site| site.environment == environment);
        found.unwrap_or(&self.sites[0])
    }

    fn site_mut(&mut self, environment: Environment) -> &mut Site {
        let at = self.sites.iter().position(|site| site.environment == environment).unwrap_or(0);
        &mut self.sites[at]
    }

    /// All jobs, newest first.
    pub fn jobs(&self, environment: Environment) -> Vec<&Job> {
        self.site(environment).jobs_now()
    }

    /// A job.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn job(&self, environment: Environment, job_id: u64) -> Result<&Job, Refusal> {
        self.site(environment).job_entry(job_id).map(|(_, entry)| &entry.job)
    }

    /// A page of at most `limit` runs behind a cursor, newest launch first.
    pub fn runs(
        &self,
        environment: Environment,
        filter: &RunsFilter,
        behind: Option<RunCursor>,
        limit: usize,
    ) -> RunsPage {
        self.site(environment).runs(filter, behind, limit)
    }

    /// A job run.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn run(&self, environment: Environment, run_id: u64) -> Result<Run, Refusal> {
        self.site(environment).run(run_id)
    }

    /// A task's run with the job run that it is part of.
    ///
    /// # Errors
    /// When no task's run has that id.
    pub fn task_run(&self, environment: Environment, run_id: u64) -> Result<(Run, RunTask), Refusal> {
        self.site(environment).task_run(run_id)
    }

    /// The iterations of a for-each task's run that have begun; empty for any other run.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn iterations(&self, environment: Environment, run_id: u64) -> Result<Vec<RunTask>, Refusal> {
        self.site(environment).iterations(run_id)
    }

    /// What a task's run left behind; empty while it is active.
    ///
    /// # Errors
    /// When there is no such run, or it is a job run of several tasks.
    pub fn output(&self, environment: Environment, run_id: u64) -> Result<Output, Refusal> {
        self.site(environment).output(run_id)
    }

    /// Launches a run and gives its id; a known idempotency token gives the id of the run that it made before.
    ///
    /// # Errors
    /// When there is no such job, or the order names tasks or parameters that the job has not.
    pub fn run_now(&mut self, environment: Environment, who: &Principal, order: RunNow) -> Result<u64, Refusal> {
        self.site_mut(environment).run_now(&who.user_name, order)
    }

    /// Launches a run that no job has and gives its id; tokens as with [`World::run_now`].
    ///
    /// # Errors
    /// When the graph makes no sense.
    pub fn submit_run(&mut self, environment: Environment, who: &Principal, order: SubmitRun) -> Result<u64, Refusal> {
        self.site_mut(environment).submit_run(who, order)
    }

    /// Cancels a job run or a task's run. A run that is over stays as it is.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn cancel_run(&mut self, environment: Environment, run_id: u64) -> Result<(), Refusal> {
        self.site_mut(environment).cancel_run(run_id)
    }

    /// Cancels the active runs of a job, or all queued runs.
    ///
    /// # Errors
    /// When there is no such job, or nothing says what to cancel.
    pub fn cancel_all(
        &mut self,
        environment: Environment,
        job_id: Option<u64>,
        all_queued_runs: bool,
    ) -> Result<(), Refusal> {
        self.site_mut(environment).cancel_all(job_id, all_queued_runs)
    }

    /// Repairs a run that is over and gives the repair's id.
    ///
    /// # Errors
    /// When the run is active, `latest_repair_id` is not the latest, or the order selects nothing.
    pub fn repair_run(&mut self, environment: Environment, order: &RepairRun) -> Result<u64, Refusal> {
        self.site_mut(environment).repair_run(order)
    }

    /// Creates a job and gives its id.
    ///
    /// # Errors
    /// When the schedule or the graph makes no sense.
    pub fn create_job(
        &mut self,
        environment: Environment,
        who: &Principal,
        settings: JobSettings,
    ) -> Result<u64, Refusal> {
        self.site_mut(environment).create_job(who, settings)
    }

    /// Replaces a job's settings.
    ///
    /// # Errors
    /// As [`World::create_job`], and when there is no such job.
    pub fn reset_job(&mut self, environment: Environment, job_id: u64, settings: JobSettings) -> Result<(), Refusal> {
        self.site_mut(environment).reset_job(job_id, settings)
    }

    /// Deletes a job; its runs stay.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn delete_job(&mut self, environment: Environment, job_id: u64) -> Result<(), Refusal> {
        self.site_mut(environment).delete_job(job_id)
    }

    /// All pipelines, in the order of their ids.
    pub fn pipelines(&self, environment: Environment) -> Vec<PipelineView> {
        let site = self.site(environment);
        let mut views: Vec<PipelineView> = site.pipelines.iter().map(|entry| site.pipeline_view(entry)).collect();
        views.sort_by(|one, other| one.pipeline.pipeline_id.cmp(&other.pipeline.pipeline_id));
        views
    }

    /// A pipeline.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn pipeline(&self, environment: Environment, pipeline_id: &str) -> Result<PipelineView, Refusal> {
        let site = self.site(environment);
        site.pipeline_entry(pipeline_id).map(|entry| site.pipeline_view(entry))
    }

    /// Creates a pipeline and gives its id.
    ///
    /// # Errors
    /// When the specification makes no sense, or the name is taken.
    pub fn create_pipeline(
        &mut self,
        environment: Environment,
        who: &Principal,
        order: PipelineOrder,
    ) -> Result<String, Refusal> {
        self.site_mut(environment).create_pipeline(who, order)
    }

    /// Replaces a pipeline's specification.
    ///
    /// # Errors
    /// As [`World::create_pipeline`], and when there is no such pipeline or somebody changed it meanwhile.
    pub fn edit_pipeline(
        &mut self,
        environment: Environment,
        pipeline_id: &str,
        order: PipelineOrder,
    ) -> Result<(), Refusal> {
        self.site_mut(environment).edit_pipeline(pipeline_id, order)
    }

    /// Deletes a pipeline; what it does is stopped.
    ///
    /// # Errors
    /// When there is no such pipeline.
    pub fn delete_pipeline(&mut self, environment: Environment, pipeline_id: &str) -> Result<(), Refusal> {
        self.site_mut(environment).delete_pipeline(pipeline_id)
    }

    /// The newest updates of a pipeline, newest first.
    ///
    /// # Errors
    /// When there is no such pipeline.
    pub fn updates(&self, environment: Environment, pipeline_id: &str, at_most: usize) -> Result<Vec<Update>, Refusal> {
        self.site(environment).updates_now(pipeline_id, at_most)
    }

    /// An update of a pipeline.
    ///
    /// # Errors
    /// When there is no such pipeline or update.
    pub fn update(&self, environment: Environment, pipeline_id: &str, update_id: &str) -> Result<Update, Refusal> {
        let all = self.site(environment).updates_now(pipeline_id, usize::MAX)?;
        let found = all.into_iter().find(|update| update.update_id == update_id);
        found.ok_or_else(|| Refusal::NoSuchUpdate(update_id.to_owned()))
    }

    /// A page of at most `limit` events behind a cursor.
    ///
    /// # Errors
    /// When there is no such pipeline.
    pub fn events(
        &self,
        environment: Environment,
        pipeline_id: &str,
        filter: &EventsFilter,
        behind: Option<EventCursor>,
        limit: usize,
    ) -> Result<EventsPage, Refusal> {
        let mut page = self.site(environment).events(pipeline_id, filter, behind, limit)?;
        if self.breaks.event_details {
            for event in &mut page.events {
                if let Some(metrics) = event.details.as_object_mut().and_then(|details| details.remove("metrics")) {
                    event.details["figures"] = metrics;
                }
            }
        }
        Ok(page)
    }

    /// Starts an update and gives its id.
    ///
    /// # Errors
    /// When there is no such pipeline, or an update is active.
    pub fn start_update(
        &mut self,
        environment: Environment,
        who: &Principal,
        pipeline_id: &str,
        wish: StartUpdate,
    ) -> Result<String, Refusal> {
        self.site_mut(environment).start_update(&who.user_name, pipeline_id, wish)
    }

    /// Stops the active update of a pipeline, if there is one.
    ///
    /// # Errors
    /// When there is no such pipeline.
    pub fn stop_pipeline(&mut self, environment: Environment, pipeline_id: &str) -> Result<(), Refusal> {
        self.site_mut(environment).stop_pipeline(pipeline_id)
    }

    /// All SQL warehouses.
    pub fn warehouses(&self, environment: Environment) -> &[Warehouse] {
        &self.site(environment).warehouses
    }

    /// A SQL warehouse.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn warehouse(&self, environment: Environment, id: &str) -> Result<&Warehouse, Refusal> {
        let found = self.warehouses(environment).iter().find(|warehouse| warehouse.id == id);
        found.ok_or_else(|| Refusal::NoSuchWarehouse(id.to_owned()))
    }

    /// Starts a SQL warehouse, or counts as a use of one that runs.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn start_warehouse(&mut self, environment: Environment, id: &str) -> Result<(), Refusal> {
        let now = self.now;
        self.warehouse_mut(environment, id)?.start(now);
        Ok(())
    }

    /// Stops a SQL warehouse.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn stop_warehouse(&mut self, environment: Environment, id: &str) -> Result<(), Refusal> {
        let now = self.now;
        self.warehouse_mut(environment, id)?.stop(now);
        Ok(())
    }

    fn warehouse_mut(&mut self, environment: Environment, id: &str) -> Result<&mut Warehouse, Refusal> {
        let found = self.site_mut(environment).warehouses.iter_mut().find(|warehouse| warehouse.id == id);
        found.ok_or_else(|| Refusal::NoSuchWarehouse(id.to_owned()))
    }

    /// The full names of the tables that a workspace's jobs commit to.
    pub fn table_names(&self, environment: Environment) -> Vec<String> {
        self.site(environment).table_names()
    }

    /// The ids of the jobs that read a table, by its full name: they fail when it changes under them.
    pub fn table_readers(&self, environment: Environment, full_name: &str) -> Vec<u64> {
        self.site(environment).table_readers(full_name)
    }

    /// What every job reads and writes.
    pub fn lineage(&self, environment: Environment) -> Vec<JobLineage> {
        self.site(environment).lineage()
    }

    /// What runs committed to a table after an instant at which the world had begun, oldest first.
    pub fn commits_since(&self, environment: Environment, full_name: &str, since: Instant) -> Vec<TableVersion> {
        self.site(environment).living_commits(full_name, since)
    }

    /// The versions of a table within the last three weeks, oldest first.
    pub fn table_versions(&self, environment: Environment, full_name: &str) -> Vec<TableVersion> {
        self.site(environment).table_versions(full_name)
    }
}
