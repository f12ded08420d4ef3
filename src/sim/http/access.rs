//! Who may do what: tested before existence is, so that what is hidden looks like what is gone (databricks-api.md 3.14).

use super::answer::Refusal;
use super::call::Call;
use crate::domain::workspace::Environment;
use crate::sim::world::principal::{Level, Object, Principal};
use crate::sim::world::{World, principal, refusal};

/// What one principal sees in one workspace.
pub(super) struct Sight<'a> {
    world: &'a World,
    workspace: Environment,
    principal: &'a Principal,
}

impl<'a> Sight<'a> {
    pub(super) fn of(call: &'a Call<'_>) -> Self {
        Self { world: call.world, workspace: call.workspace(), principal: call.principal }
    }

    pub(super) fn job(&self, job_id: u64) -> bool {
        self.sees(&Object::Job(job_id))
    }

    pub(super) fn pipeline(&self, id: &str) -> bool {
        self.sees(&Object::Pipeline(id.to_owned()))
    }

    pub(super) fn warehouse(&self, id: &str) -> bool {
        self.sees(&Object::Warehouse(id.to_owned()))
    }

    fn sees(&self, object: &Object) -> bool {
        self.world.level(self.workspace, object, self.principal).is_some()
    }
}

/// Refuses who may not do this with a job.
pub(super) fn job(call: &Call<'_>, job_id: u64, level: Level) -> Result<(), Refusal> {
    need(call, &Object::Job(job_id), level, || {
        let wanted = match level {
            Level::View => "View or Admin or Manage Run or Owner",
            Level::Run => "Admin or Manage Run or Owner",
            Level::Edit | Level::Manage | Level::Owner => "Manage",
        };
        format!("User {} does not have {wanted} permissions on job {job_id}", call.principal.user_name)
    })
}

/// Refuses who may not do this with the job of a run, be it a job's or a task's.
pub(super) fn run(call: &Call<'_>, run_id: u64, level: Level) -> Result<(), Refusal> {
    let of_task = || call.world.task_run(call.workspace(), run_id).map(|(run, _)| run.job_id);
    match call.world.run(call.workspace(), run_id).map(|run| run.job_id).or_else(|_| of_task()).ok() {
        Some(job_id) => job(call, job_id, level),
        None if knows_all(call.principal) => Err(refusal::Refusal::NoSuchRun(run_id).into()),
        None => Err(Refusal::denied(format!(
            "User {} does not have View or Admin or Manage Run or Owner permissions on run {run_id}",
            call.principal.user_name
        ))),
    }
}

/// Refuses who may not do this with a pipeline.
pub(super) fn pipeline(call: &Call<'_>, id: &str, level: Level) -> Result<(), Refusal> {
    need(call, &Object::Pipeline(id.to_owned()), level, || {
        let wanted = match level {
            Level::View => "View",
            Level::Run => "Run",
            Level::Edit | Level::Manage | Level::Owner => "Manage",
        };
        format!("User {} does not have {wanted} permissions on pipeline {id}", call.principal.user_name)
    })
}

/// Refuses who may not do this with a warehouse.
pub(super) fn warehouse(call: &Call<'_>, id: &str, level: Level) -> Result<(), Refusal> {
    need(call, &Object::Warehouse(id.to_owned()), level, || {
        format!("{} is not authorized to use or monitor this SQL Endpoint {id}.", call.principal.user_name)
    })
}

/// Refuses who may not do this with an object.
pub(super) fn need(
    call: &Call<'_>,
    object: &Object,
    level: Level,
    text: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    match call.world.level(call.workspace(), object, call.principal) {
        Some(held) if held >= level => Ok(()),
        // The world says that it does not exist, in each API's own words.
        None if knows_all(call.principal) && !call.world.has(call.workspace(), object) => Ok(()),
        Some(_) | None => Err(Refusal::denied(text())),
    }
}

/// Whether what this principal does not see does not exist: admins, and the engineers who see every object.
pub(super) fn knows_all(caller: &Principal) -> bool {
    caller.is_admin() || caller.groups.contains(&principal::ENGINEERS)
}

impl From<refusal::Refusal> for Refusal {
    fn from(refusal: refusal::Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            refusal::Refusal::NoSuchJob(_) | refusal::Refusal::NoSuchRun(_) | refusal::Refusal::Invalid(_) => {
                Self::invalid(message)
            }
            refusal::Refusal::NoSuchPipeline(_)
            | refusal::Refusal::NoSuchUpdate(_)
            | refusal::Refusal::NoSuchWarehouse(_) => Self::missing(message),
            refusal::Refusal::NotNow(_) => Self::state(message),
            refusal::Refusal::UpdateActive { .. } | refusal::Refusal::Conflict(_) => Self::conflict(message),
        }
    }
}
