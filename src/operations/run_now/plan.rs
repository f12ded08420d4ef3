//! Plans a run of a job.

use std::collections::BTreeMap;

use super::steps::steps;
use crate::domain::job::{Cadence, Job};
use crate::operations::kind::Kind;
use crate::operations::plan::{Object, Plan};
use crate::operations::planning::Planning;
use crate::operations::refusal::Refusal;

/// What is wanted, and what was seen.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The job, as it was just read.
    pub job: &'a Job,
    /// Its active runs, as they were just listed.
    pub active_runs: usize,
    /// Job parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Task keys, with `+` before or after for what is upstream or downstream; empty is all.
    pub only: Vec<String>,
}

/// The plan of a run.
///
/// # Errors
/// All that forbids it.
pub fn plan(planning: &Planning<'_>, order: &Order<'_>) -> Result<Plan, Vec<Refusal>> {
    let job = order.job;
    let mut refusals = Vec::new();
    let known: Vec<String> = job.tasks.iter().map(|task| task.key.clone()).collect();
    for wish in &order.only {
        let key = wish.trim_start_matches('+').trim_end_matches('+');
        if !known.iter().any(|known| known == key) {
            refusals.push(Refusal::NoSuchTask { task: key.to_owned(), known: known.clone() });
        }
    }
    let declared: Vec<String> = job.parameters.iter().map(|parameter| parameter.name.clone()).collect();
    for name in order.parameters.keys().filter(|name| !declared.contains(name)) {
        refusals.push(Refusal::NoSuchParameter { parameter: name.clone(), known: declared.clone() });
    }
    if !job.takes_another(order.active_runs) {
        refusals.push(Refusal::WouldBeSkipped { active: order.active_runs, limit: job.max_concurrent_runs });
    }
    let paused = if job.cadence.is_paused() { " (paused)" } else { "" };
    let cadence = match &job.cadence {
        Cadence::Manual => "by hand",
        Cadence::Cron { .. } => "by schedule",
        Cadence::Continuous { .. } => "continuous",
        Cadence::Trigger { .. } => "by trigger",
    };
    let observed = BTreeMap::from([
        ("active runs".to_owned(), format!("{} of at most {}", order.active_runs, job.max_concurrent_runs)),
        ("runs".to_owned(), format!("{cadence}{paused}")),
        ("tasks".to_owned(), job.tasks.len().to_string()),
    ]);
    let subject = planning.subject(Object::Job(job.id), &job.name, None);
    planning.plan(Kind::RunNow, subject, observed, refusals, steps(planning.id, order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::fixture::{self, job, planning};

    fn order(job: &Job) -> Order<'_> {
        Order { job, active_runs: 0, parameters: BTreeMap::new(), only: Vec::new() }
    }

    #[test]
    fn the_steps_of_a_run() {
        let job = job();
        let order = Order {
            parameters: BTreeMap::from([("day".to_owned(), "2026-03-01".to_owned())]),
            only: vec!["load+".to_owned()],
            ..order(&job)
        };
        insta::assert_json_snapshot!(plan(&planning(), &order).expect("planned"));
    }

    #[test]
    fn a_run_that_would_be_skipped_is_refused_and_one_that_queues_is_not() {
        let (single, queueing) = (Job { queues: false, ..job() }, Job { queues: true, ..job() });
        let one_active = |job| plan(&planning(), &Order { active_runs: 1, ..order(job) });
        assert_eq!(one_active(&single), Err(vec![Refusal::WouldBeSkipped { active: 1, limit: 1 }]));
        assert!(one_active(&queueing).is_ok());
    }

    #[test]
    fn a_parameter_that_the_job_does_not_declare_is_refused_with_those_that_it_does() {
        let parameters = BTreeMap::from([("dya".to_owned(), "2026-03-01".to_owned())]);
        let (job, bare) = (job(), Job { parameters: Vec::new(), ..job() });
        let refused =
            |job| plan(&planning(), &Order { parameters: parameters.clone(), ..order(job) }).expect_err("refused");
        assert_eq!(refused(&job)[0].to_string(), "there is no parameter dya; there are day, region");
        assert_eq!(refused(&bare)[0].to_string(), "there is no parameter dya: the job declares none");
    }

    #[test]
    fn a_task_that_is_not_there_is_refused_with_those_that_are() {
        let job = job();
        let refused = plan(&planning(), &Order { only: vec!["+lod".to_owned()], ..order(&job) }).expect_err("refused");
        assert_eq!(
            refused,
            [Refusal::NoSuchTask { task: "lod".to_owned(), known: vec!["extract".to_owned(), "load".to_owned()] }]
        );
    }

    #[test]
    fn everything_that_forbids_it_is_told_at_once() {
        let job = Job { queues: false, ..job() };
        let refused = plan(&fixture::forbidden(), &Order { active_runs: 1, ..order(&job) }).expect_err("refused");
        assert_eq!(refused.len(), 3, "stale, read-only and skipped: {refused:?}");
    }
}
