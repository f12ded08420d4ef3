//! What a person should know before they confirm: what an act does and leaves alone, what they should stop at, and the next
//! planned start (screens.md 12). The dialog of the console and the command line say the same. Costs and deadlines are not
//! computed yet, so nothing is said of them.

use serde::{Deserialize, Serialize};

use crate::domain::Instant;
use crate::domain::inventory::Sla;
use crate::domain::job::{Cadence, Job};
use crate::domain::pipeline::Pipeline;
use crate::domain::run::{Outcome, Run, RunState};
use crate::domain::schedule::next_start;
use crate::domain::status::Status;
use crate::domain::units::{duration, lag};
use crate::operations::repair::to_repair;

/// Task keys that a line names before it counts the rest.
const NAMED: usize = 6;

/// What is told of an act beside its plan, a line each. From outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// What will happen: tasks, what follows.
    pub effects: Vec<String>,
    /// What a person should stop at.
    pub warnings: Vec<String>,
    /// The next start by schedule, if one is planned.
    pub upcoming: Option<Upcoming>,
}

impl Outlook {
    /// The same with what the fleet promises of the object, which the act may keep or break.
    #[must_use]
    pub fn promising(mut self, sla: Option<&Sla>) -> Self {
        self.effects.extend(sla.map(promised));
        self
    }
}

/// The next start by schedule, seen from a run that begins now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// When, in the workspace's time.
    pub at: Instant,
    /// The schedule's zone: an IANA name.
    pub zone: String,
    /// What becomes of it if the run that begins now still runs then.
    pub meets: Meets,
    /// Whether the run that begins now waits for another one first, so that nobody can tell when it ends.
    pub waits: bool,
}

/// What becomes of a planned run that finds another one running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meets {
    /// It runs beside it.
    Beside,
    /// It waits in the queue.
    Queued,
    /// It is skipped: `max_concurrent_runs` is reached and the job does not queue.
    Skipped,
}

impl Upcoming {
    /// The next planned start of a job that has so many active runs besides the one that begins now. None where nothing is
    /// planned, or the schedule cannot be read.
    pub fn of(job: &Job, active_runs: usize, now: Instant) -> Option<Self> {
        let Cadence::Cron { zone, .. } = &job.cadence else { return None };
        let at = next_start(&job.cadence, now)?;
        let fits = |runs: usize| u32::try_from(runs).is_ok_and(|runs| runs < job.max_concurrent_runs);
        let meets = match (fits(active_runs + 1), job.queues) {
            (true, _) => Meets::Beside,
            (false, true) => Meets::Queued,
            (false, false) => Meets::Skipped,
        };
        Some(Self { at, zone: zone.clone(), meets, waits: !fits(active_runs) })
    }

    /// Whether a run that ends then is over before it; none if that cannot be told.
    pub fn is_after(&self, ends_at: Option<Instant>) -> Option<bool> {
        ends_at.filter(|_| !self.waits).map(|ends_at| ends_at < self.at)
    }

    /// Whether the planned run may be lost.
    pub fn is_in_danger(&self, ends_at: Option<Instant>) -> bool {
        self.meets == Meets::Skipped && self.is_after(ends_at) != Some(true)
    }

    /// One sentence: when, and what a run that ends then means for it.
    pub fn words(&self, now: Instant, ends_at: Option<Instant>) -> String {
        let zone: chrono_tz::Tz = self.zone.parse().unwrap_or(chrono_tz::UTC);
        let (at, today) = (self.at.with_timezone(&zone), now.with_timezone(&zone));
        let form = if at.date_naive() == today.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        let left_ms = self.at.signed_duration_since(now).num_milliseconds();
        let within = duration(u64::try_from(left_ms).unwrap_or(0));
        let fate = match self.meets {
            Meets::Beside => "runs beside it",
            Meets::Queued => "waits in the queue",
            Meets::Skipped => "is skipped",
        };
        let then = match self.is_after(ends_at) {
            Some(true) => "this one is usually over before that".to_owned(),
            Some(false) => format!("this one usually still runs then, and that one {fate}"),
            None => format!("if this one still runs then, that one {fate}"),
        };
        format!("The schedule starts the next run at {} {} (in {within}): {then}.", at.format(form), self.zone)
    }
}

/// A promise in words.
fn promised(sla: &Sla) -> String {
    match sla {
        Sla::Finish { within_s, by } => {
            let within = within_s.map(|s| format!("within {} of its planned start", duration(s.saturating_mul(1_000))));
            let by = by.map(|by| format!("by {} {}", by.time.format("%H:%M"), by.zone));
            let bounds: Vec<String> = within.into_iter().chain(by).collect();
            format!("Promised: it ends {}.", bounds.join(" and "))
        }
        Sla::Freshness { max_age_s } => {
            let whole_minutes = max_age_s.is_multiple_of(60);
            let age = if whole_minutes { duration(max_age_s.saturating_mul(1_000)) } else { lag(*max_age_s) };
            format!("Promised: its data is never older than {age}.")
        }
    }
}

fn list<'t>(keys: impl IntoIterator<Item = &'t str>) -> String {
    let keys: Vec<&str> = keys.into_iter().collect();
    match keys.len().checked_sub(NAMED) {
        None | Some(0) => keys.join(", "),
        Some(rest) => format!("{} and {rest} more", keys[..NAMED].join(", ")),
    }
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// What a run of a job does that has so many active runs.
pub fn of_run_now(job: &Job, active_runs: usize, now: Instant) -> Outlook {
    let keys = list(job.tasks.iter().map(|task| task.key.as_str()));
    let mut effects = vec![format!("{}: {keys}", counted(job.tasks.len(), "task"))];
    let mut warnings = Vec::new();
    if active_runs > 0 {
        let full = u32::try_from(active_runs).is_ok_and(|active| active >= job.max_concurrent_runs);
        warnings.push(if full {
            format!(
                "It waits in the queue: {} active, and the job takes {}",
                counted(active_runs, "run"),
                job.max_concurrent_runs
            )
        } else {
            format!("It runs beside {} of the same job", counted(active_runs, "active run"))
        });
    }
    if job.cadence != Cadence::Manual {
        effects.push("What starts the job by itself goes on as before.".to_owned());
    }
    Outlook { effects, warnings, upcoming: Upcoming::of(job, active_runs, now) }
}

/// What a cancellation ends and leaves.
pub fn of_cancel(run: &Run) -> Outlook {
    let tasks = run.latest_tasks();
    let open: Vec<&str> = tasks.iter().filter(|task| task.state.is_active()).map(|task| task.key.as_str()).collect();
    let effects = vec![
        format!("Of {} these have not ended: {}", counted(tasks.len(), "task"), list(open.iter().copied())),
        "What they have written stays. A canceled run can be repaired.".to_owned(),
    ];
    Outlook { effects, ..Outlook::default() }
}

/// What a repair runs again: all that failed or did not run, or these tasks, perhaps with all that depends on them. The job
/// is as it is now; none if it is gone.
pub fn of_repair(run: &Run, job: Option<&Job>, only: &[String], dependents: bool, now: Instant) -> Outlook {
    let tasks = run.latest_tasks();
    let again: Vec<&str> = match (only, dependents) {
        ([], _) => to_repair(run).map(|task| task.key.as_str()).collect(),
        (only, true) => downstream(run, only),
        (only, false) => {
            tasks.iter().map(|task| task.key.as_str()).filter(|key| only.iter().any(|o| o == key)).collect()
        }
    };
    let mut effects = Vec::new();
    for (words, wanted) in [("failed", true), ("did not run, or follow", false)] {
        let is_failed = |key: &&str| {
            tasks.iter().any(|task| {
                task.key == **key
                    && matches!(task.state, RunState::Ended(Outcome::Failed | Outcome::TimedOut | Outcome::Canceled))
            })
        };
        let keys: Vec<&str> = again.iter().copied().filter(|key| is_failed(key) == wanted).collect();
        if !keys.is_empty() {
            effects.push(format!("{} that {words}: {}", counted(keys.len(), "task"), list(keys)));
        }
    }
    let kept = tasks.len().saturating_sub(again.len());
    match kept {
        0 => {}
        1 => effects.push("1 other task is kept as it is".to_owned()),
        kept => effects.push(format!("{kept} other tasks are kept as they are")),
    }
    let mut warnings = changes(run, job);
    if !warnings.is_empty() {
        warnings.push("A repair uses the job's settings as they are now, not those of the run.".to_owned());
    }
    Outlook { effects, warnings, upcoming: job.and_then(|job| Upcoming::of(job, 0, now)) }
}

/// Tasks and all that depends on them, in the run's order of finding.
fn downstream<'r>(run: &'r Run, keys: &[String]) -> Vec<&'r str> {
    let tasks = run.latest_tasks();
    let mut found: Vec<&str> =
        tasks.iter().filter(|task| keys.contains(&task.key)).map(|task| task.key.as_str()).collect();
    loop {
        let next = tasks.iter().find(|task| {
            !found.contains(&task.key.as_str()) && task.depends_on.iter().any(|on| found.contains(&on.as_str()))
        });
        match next {
            Some(task) => found.push(&task.key),
            None => return found,
        }
    }
}

/// In what the job's tasks differ from those that the run has.
fn changes(run: &Run, job: Option<&Job>) -> Vec<String> {
    let Some(job) = job else {
        return vec!["The job does not exist any more: the platform may refuse to repair its run.".to_owned()];
    };
    let tasks = run.latest_tasks();
    let mut found = Vec::new();
    for spec in &job.tasks {
        match tasks.iter().find(|task| task.key == spec.key) {
            None => found.push(format!("Task {} is new since the run began", spec.key)),
            Some(task) if task.kind != spec.kind => {
                found.push(format!("Task {} was {} and is {} now", spec.key, task.kind, spec.kind));
            }
            Some(task) if sorted(&task.depends_on) != sorted(&spec.depends_on) => {
                found.push(format!("Task {} waits for other tasks than in the run", spec.key));
            }
            Some(_) => {}
        }
    }
    found.extend(
        tasks
            .iter()
            .filter(|task| !job.tasks.is_empty() && job.tasks.iter().all(|spec| spec.key != task.key))
            .map(|task| format!("Task {} was taken out of the job since", task.key)),
    );
    found
}

fn sorted(keys: &[String]) -> Vec<&String> {
    let mut keys: Vec<&String> = keys.iter().collect();
    keys.sort();
    keys
}

/// What a start of a pipeline does.
pub fn of_start(pipeline: &Pipeline) -> Outlook {
    let mut effects = vec!["Tables and checkpoints are kept: only what is new is read.".to_owned()];
    if pipeline.continuous == Some(true) {
        effects.push("It is continuous: it runs, and costs, until somebody stops it.".to_owned());
    }
    Outlook { effects, ..Outlook::default() }
}

/// What a stop of a pipeline ends.
pub fn of_stop(pipeline: &Pipeline) -> Outlook {
    let active = pipeline.updates.iter().find(|update| update.state.is_active());
    let ends = active.map(|update| {
        format!("Update {} ({}) ends; what it has written stays.", update.id, Status::from(&update.state).word())
    });
    let mut warnings = Vec::new();
    if pipeline.continuous == Some(true) {
        warnings.push("It is continuous: its tables grow stale until somebody starts it again.".to_owned());
    }
    Outlook { effects: ends.into_iter().collect(), warnings, upcoming: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::now;
    use crate::operations::fixture::{failed_run, job};

    /// Daily at six in New York, which is 11:00 UTC; now is 05:42:10 UTC on 2026-11-22.
    fn daily(queues: bool, max_concurrent_runs: u32) -> Job {
        let cadence =
            Cadence::Cron { expression: "0 0 6 * * ?".into(), zone: "America/New_York".into(), paused: false };
        Job { cadence, queues, max_concurrent_runs, ..job() }
    }

    fn upcoming(job: &Job, active: usize) -> Upcoming {
        Upcoming::of(job, active, now()).expect("planned")
    }

    #[test]
    fn the_next_planned_start_is_told_in_its_zone_with_what_becomes_of_it() {
        let (soon, late) = (Some(now() + chrono::TimeDelta::hours(1)), Some(now() + chrono::TimeDelta::hours(9)));
        let skipping = upcoming(&daily(false, 1), 0);
        let words = skipping.words(now(), soon);
        assert!(words.starts_with("The schedule starts the next run at 06:00 America/New_York (in 5h"), "{words}");
        assert!(words.ends_with(": this one is usually over before that."), "{words}");
        assert!(skipping.words(now(), late).ends_with("usually still runs then, and that one is skipped."));
        assert!(skipping.words(now(), None).ends_with("if this one still runs then, that one is skipped."));
        let queueing = upcoming(&daily(true, 1), 0);
        assert!(queueing.words(now(), late).ends_with("that one waits in the queue."));
        assert!(upcoming(&daily(false, 2), 0).words(now(), late).ends_with("that one runs beside it."));
        assert_eq!(upcoming(&daily(false, 2), 1).meets, Meets::Skipped, "the active one and this one are two");
        let danger = |upcoming: &Upcoming, ends_at| upcoming.is_in_danger(ends_at);
        assert_eq!([soon, late, None].map(|at| danger(&skipping, at)), [false, true, true]);
        assert_eq!([soon, late, None].map(|at| danger(&queueing, at)), [false; 3]);
    }

    #[test]
    fn a_run_that_waits_itself_has_no_end_that_can_be_told() {
        let waiting = upcoming(&daily(true, 1), 1);
        let soon = Some(now() + chrono::TimeDelta::minutes(1));
        assert!(waiting.words(now(), soon).contains("if this one still runs then"), "{waiting:?}");
    }

    #[test]
    fn what_is_paused_or_has_no_schedule_plans_nothing() {
        let Job { cadence: Cadence::Cron { expression, zone, .. }, .. } = daily(true, 1) else { panic!("cron") };
        let paused = Job { cadence: Cadence::Cron { expression, zone, paused: true }, ..job() };
        assert_eq!(Upcoming::of(&paused, 0, now()), None);
        assert_eq!(Upcoming::of(&Job { cadence: Cadence::Manual, ..job() }, 0, now()), None);
    }

    #[test]
    fn what_was_promised_is_told_in_words() {
        let told = |sla: Sla| Outlook::default().promising(Some(&sla)).effects.remove(0);
        let by = crate::domain::inventory::WallTime {
            time: chrono::NaiveTime::from_hms_opt(6, 30, 0).expect("a time"),
            zone: chrono_tz::America::New_York,
        };
        assert_eq!(
            told(Sla::Finish { within_s: Some(5_400), by: Some(by) }),
            "Promised: it ends within 1h30 of its planned start and by 06:30 America/New_York."
        );
        assert_eq!(told(Sla::Freshness { max_age_s: 900 }), "Promised: its data is never older than 15m.");
        assert_eq!(told(Sla::Freshness { max_age_s: 90 }), "Promised: its data is never older than 1m30.");
        assert_eq!(Outlook::default().promising(None), Outlook::default());
    }

    #[test]
    fn what_differs_from_the_failed_run_is_warned_of() {
        let (run, mut now_job) = (failed_run(), job());
        let outlook = of_repair(&run, Some(&now_job), &[], false, now());
        assert_eq!(outlook.warnings.len(), 2, "the fixture's run does not wait as its job does: {outlook:?}");
        now_job.tasks[1].depends_on.clear();
        assert_eq!(of_repair(&run, Some(&now_job), &[], false, now()).warnings, Vec::<String>::new());
        now_job.tasks[1].kind = "sql".to_owned();
        let warnings = of_repair(&run, Some(&now_job), &[], false, now()).warnings;
        assert_eq!(warnings[0], "Task load was notebook and is sql now");
        assert!(of_repair(&run, None, &[], false, now()).warnings[0].contains("does not exist any more"));
    }

    #[test]
    fn a_task_of_unknown_outcome_is_among_those_that_a_repair_runs_again() {
        let mut run = failed_run();
        run.tasks[1].state = RunState::Ended(Outcome::Unknown("EXCLUDED".to_owned()));
        let outlook = of_repair(&run, None, &[], false, now());
        assert_eq!(outlook.effects[0], "1 task that did not run, or follow: load");
    }
}
