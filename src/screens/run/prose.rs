//! The text of each tab. What comes from outside is made harmless here.

use super::{State, Tab};
use crate::app::model::Shared;
use crate::app::prose::Prose;
use crate::domain::job::Cadence;
use crate::domain::measure::pad_end;
use crate::domain::run::{Output, Run, RunState, TaskRun};
use crate::domain::status::Status;
use crate::domain::text::{line, lines};
use crate::domain::units::{duration, instant};
use crate::domain::{Instant, snapshot::FeedFailure};

/// What the text needs besides the state.
struct Context {
    now: Instant,
    zone: chrono_tz::Tz,
}

impl Context {
    fn instant(&self, at: Instant) -> String {
        instant(at, self.now, self.zone)
    }
}

/// The text of the tab that is shown.
pub(super) fn of(state: &State, shared: &Shared) -> Vec<Prose> {
    let context = Context { now: shared.fleet.world_now(&state.workspace, shared.now), zone: shared.zone };
    let Some(run) = state.run() else { return Vec::new() };
    let Some(task) = state.task() else { return without_task(state, run, &context) };
    match state.tab() {
        Tab::Error => error(state, run, task, &context),
        Tab::Trace => trace(state, task),
        Tab::Output => output(state, task),
        Tab::Details => details(state, run, Some(task), &context),
    }
}

fn without_task(state: &State, run: &Run, context: &Context) -> Vec<Prose> {
    match (state.tab(), state.grid.rows.get(state.row)) {
        (Tab::Details, _) => details(state, run, None, context),
        (_, Some(row)) => vec![Prose::muted(format!("this run had no task {}", line(&row.key)))],
        (_, None) => {
            let mut prose: Vec<Prose> = lines(&run.message).into_iter().map(Prose::plain).collect();
            prose.push(Prose::muted("the run has no tasks"));
            prose
        }
    }
}

/// The task, its attempt and how it stands, in one line.
fn heading(state: &State, task: &TaskRun, context: &Context) -> Prose {
    let mut text = line(&task.key);
    if state.attempts() > 1 {
        let number = state.run().map_or(0, |run| {
            run.tasks.iter().filter(|other| other.key == task.key && other.attempt <= task.attempt).count()
        });
        text.push_str(&format!("  attempt {number} of {}", state.attempts()));
    }
    text.push_str(&format!("  {}", word(&task.state)));
    if let Some(at) = task.ended_at {
        text.push_str(&format!(" {}", context.instant(at)));
    }
    if let Some(took_ms) = task.took_ms(context.now) {
        let joint = if task.state.is_active() { "for" } else { "after" };
        text.push_str(&format!(" {joint} {}", duration(took_ms)));
    }
    Prose::heading(text)
}

/// The word of a state; a state that this version does not know is told as the wire spells it.
fn word(state: &RunState) -> String {
    match state {
        RunState::Unknown(spelled) | RunState::Ended(crate::domain::run::Outcome::Unknown(spelled)) => line(spelled),
        known => Status::from(known).word().to_owned(),
    }
}

fn error(state: &State, run: &Run, task: &TaskRun, context: &Context) -> Vec<Prose> {
    let status = Status::from(&task.state);
    let mut prose = vec![heading(state, task, context), Prose::blank()];
    if status == Status::UpstreamFailed {
        let failed = task.depends_on.iter().filter(|key| {
            run.latest_tasks()
                .iter()
                .any(|other| other.key == **key && !other.state.is_success() && !other.state.is_active())
        });
        let failed: Vec<String> = failed.map(|key| line(key)).collect();
        prose.push(Prose::plain(format!("it did not run, because of its upstream: {}", failed.join(", "))));
        return prose;
    }
    if !status.is_failure() {
        prose.push(Prose::muted("this task has no error"));
        if let Some(failed) = run.failed_task() {
            prose.push(Prose::plain(format!("the task that failed first is {}", line(&failed.key))));
        }
        return prose;
    }
    let mut told = false;
    match state.output() {
        Some(Ok(Output { error: Some(error), .. })) => {
            told = true;
            let mut rows = lines(error).into_iter();
            prose.extend(rows.next().map(Prose::danger));
            prose.extend(rows.map(Prose::plain));
        }
        Some(Ok(_)) => {}
        Some(Err(failure)) => prose.extend(unread(failure)),
        None => prose.push(Prose::muted("reading what the task left behind")),
    }
    if !task.message.is_empty() {
        if told {
            prose.push(Prose::blank());
            prose.extend(lines(&task.message).into_iter().map(Prose::muted));
        } else {
            prose.extend(lines(&task.message).into_iter().map(Prose::danger));
        }
    }
    prose
}

fn trace(state: &State, task: &TaskRun) -> Vec<Prose> {
    match state.output() {
        Some(Ok(Output { trace: Some(trace), .. })) => {
            let mut prose: Vec<Prose> = lines(trace).into_iter().map(Prose::plain).collect();
            while prose.last().is_some_and(|last| last.text.trim().is_empty()) {
                prose.pop();
            }
            prose
        }
        Some(Ok(_)) => vec![Prose::muted("the task left no stack trace")],
        Some(Err(failure)) => unread(failure),
        None => vec![unknown(task)],
    }
}

fn output(state: &State, task: &TaskRun) -> Vec<Prose> {
    let read = match state.output() {
        Some(Ok(read)) => read,
        Some(Err(failure)) => return unread(failure),
        None => return vec![unknown(task)],
    };
    let mut prose = Vec::new();
    for (title, text) in [("result", &read.result), ("log", &read.logs)] {
        let Some(text) = text.as_ref().filter(|text| !text.is_empty()) else { continue };
        if !prose.is_empty() {
            prose.push(Prose::blank());
        }
        prose.push(Prose::heading(title));
        prose.extend(lines(text).into_iter().map(Prose::plain));
    }
    if prose.is_empty() {
        prose.push(Prose::muted("the task returned nothing and logged nothing that the API gives"));
    }
    if read.truncated {
        prose.push(Prose::muted("the platform cut this; all of it is on the run's page in the workspace"));
    }
    prose
}

/// Why there is nothing to read yet.
fn unknown(task: &TaskRun) -> Prose {
    Prose::muted(if task.state.is_active() {
        "the task has not ended: what it leaves behind can be read then"
    } else if task.started_at.is_none() {
        "the task never started, so it left nothing behind"
    } else {
        "reading what the task left behind"
    })
}

fn unread(failure: &FeedFailure) -> Vec<Prose> {
    let mut prose = vec![Prose::danger(format!("what the task left behind cannot be read: {}", line(&failure.brief)))];
    prose.extend(lines(&failure.message).into_iter().map(Prose::plain));
    prose.extend(failure.request_id.iter().map(|id| Prose::muted(format!("request {}", line(id)))));
    prose
}

fn details(state: &State, run: &Run, task: Option<&TaskRun>, context: &Context) -> Vec<Prose> {
    let mut prose = Vec::new();
    if let Some(task) = task {
        prose.push(heading(state, task, context));
        prose.push(fact("kind", &line(&task.kind)));
        prose.push(fact("task run", &task.id.to_string()));
        if !task.depends_on.is_empty() {
            prose.push(fact("after", &task.depends_on.iter().map(|key| line(key)).collect::<Vec<_>>().join(", ")));
        }
        prose.extend(times(task.started_at, task.ended_at, context));
        prose.extend(spent(task, context));
        prose.extend((!task.message.is_empty()).then(|| fact("says", &line(&task.message))));
        prose.push(Prose::blank());
    }
    prose.push(Prose::heading(format!("run {}  {}", run.id, word(&run.state))));
    prose.push(fact("job", &run.job.to_string()));
    prose.extend(times(run.started_at, run.ended_at, context));
    let trigger = trigger(state, run);
    prose.extend((!trigger.is_empty()).then(|| fact("trigger", &trigger)));
    prose.extend(run.creator.iter().map(|who| fact("started by", &line(who))));
    prose.extend((!run.message.is_empty()).then(|| fact("says", &line(&run.message))));
    prose.extend(run.page_url.iter().map(|url| fact("page", &line(url))));
    if !run.parameters.is_empty() {
        prose.extend([Prose::blank(), Prose::heading("parameters")]);
        prose.extend(run.parameters.iter().map(|(name, value)| fact(&line(name), &line(value))));
    }
    if !run.repairs.is_empty() {
        prose.extend([Prose::blank(), Prose::heading("repairs")]);
        prose.extend(run.repairs.iter().map(|repair| {
            let began = repair.started_at.map_or_else(String::new, |at| context.instant(at));
            fact(&repair.id.to_string(), &format!("{began}  {}", word(&repair.state)))
        }));
    }
    prose
}

/// What started the run, in words; a kind that this version does not know as the wire spells it.
pub(super) fn trigger(state: &State, run: &Run) -> String {
    let cadence = state.detail.value.as_ref().and_then(|detail| detail.job.as_ref()).map(|job| &job.cadence);
    match (run.trigger.as_str(), cadence) {
        ("PERIODIC", Some(Cadence::Cron { expression, zone, .. })) => {
            format!("cron {} {}", line(expression), line(zone))
        }
        ("PERIODIC", _) => "by schedule".to_owned(),
        ("ONE_TIME", _) => "by hand".to_owned(),
        ("RUN_JOB_TASK", _) => "by another job".to_owned(),
        ("FILE_ARRIVAL", _) => "by new files".to_owned(),
        ("TABLE", _) => "by a table's change".to_owned(),
        ("CONTINUOUS" | "CONTINUOUS_RESTART", _) => "continuous".to_owned(),
        ("RETRY", _) => "by retry".to_owned(),
        (other, _) => line(other).to_lowercase().replace('_', " "),
    }
}

fn times(from: Option<Instant>, to: Option<Instant>, context: &Context) -> Vec<Prose> {
    let mut prose: Vec<Prose> = from.map(|at| fact("started", &context.instant(at))).into_iter().collect();
    prose.extend(to.map(|at| fact("ended", &context.instant(at))));
    prose
}

/// How the task's time was spent, what took none left out.
fn spent(task: &TaskRun, context: &Context) -> Option<Prose> {
    let spent = &task.spent;
    let parts = [
        ("queued", spent.queued_ms),
        ("set-up", spent.setup_ms),
        ("running", spent.execution_ms),
        ("clean-up", spent.cleanup_ms),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(_, ms)| *ms > 0).map(|(name, ms)| format!("{name} {}", duration(*ms))).collect();
    let took = task.took_ms(context.now).map(duration)?;
    Some(fact("took", &if parts.is_empty() { took } else { format!("{took}: {}", parts.join(", ")) }))
}

fn fact(name: &str, value: &str) -> Prose {
    Prose::plain(format!("{} {value}", pad_end(name, 11)))
}
