//! The world as a whole: counts, determinism, rules that hold at every instant.

mod days;
mod interference;
mod scenes;
mod streaming;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::scenario::Scenario;

use super::principal::Principal;
use super::run::Run;
use super::{RunsFilter, World};

/// A Tuesday, mid-morning in Europe.
pub(super) fn start() -> Instant {
    "2026-11-24T09:17:23Z".parse().expect("an instant")
}

pub(super) fn world(scenario: &str) -> World {
    World::new(&Scenario::named(scenario).expect("built in"), 7, start())
}

pub(super) fn operator(world: &World) -> Principal {
    world.principals().iter().find(|who| who.role == "operator").cloned().expect("an operator")
}

pub(super) fn job_id(world: &World, name: &str) -> u64 {
    let jobs = world.jobs(Environment::Prod);
    jobs.iter().find(|job| job.settings.name == name).map(|job| job.job_id).expect("the job exists")
}

/// All runs that a filter gives, page by page.
pub(super) fn all_runs(world: &World, environment: Environment, filter: &RunsFilter) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut behind = None;
    loop {
        let mut page = world.runs(environment, filter, behind, 200);
        runs.append(&mut page.runs);
        match page.next {
            Some(next) => behind = Some(next),
            None => return runs,
        }
    }
}
