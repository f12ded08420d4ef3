//! From a snapshot to rows.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::judge::{self, behind_since, is_rising, reading, unusual, usual_ms, whole_s};
use super::{FleetRow, Object, ObjectId, PAST_CELLS, Past, Source, Timing, Urgency};
use crate::domain::Instant;
use crate::domain::ids::PipelineId;
use crate::domain::inventory::{Classification, Inventory, ObjectFacts, ObjectKind, Sla};
use crate::domain::run::Run;
use crate::domain::snapshot::{FlowWatch, JobWatch, PipelineWatch, WorkspaceSnapshot};
use crate::domain::status::Status;
use crate::domain::text;
use crate::domain::workspace::Workspace;

/// How many jobs and pipelines are known of a workspace. There are fewer [`rows`] where jobs update pipelines.
pub fn objects(snapshot: &WorkspaceSnapshot) -> usize {
    let jobs = snapshot.jobs.value.as_ref().map_or(0, |jobs| jobs.len());
    jobs + snapshot.pipelines.value.as_ref().map_or(0, |pipelines| pipelines.len())
}

/// The rows of one workspace at `now` (local time), in no particular order.
///
/// A triggered pipeline that a job's task updates is part of that job's row: one thing that runs, one row.
pub fn rows(snapshot: &WorkspaceSnapshot, inventory: &Inventory, now: Instant) -> Vec<FleetRow> {
    let maker = Maker { workspace: &snapshot.workspace, inventory, now: snapshot.world_now(now) };
    let jobs = snapshot.jobs.value.as_deref().map_or(&[][..], Vec::as_slice);
    let pipelines = snapshot.pipelines.value.as_deref().map_or(&[][..], Vec::as_slice);
    let driven: HashSet<&PipelineId> =
        jobs.iter().flat_map(|watch| &watch.job.tasks).filter_map(|task| task.pipeline.as_ref()).collect();
    let stand_alone = pipelines
        .iter()
        .filter(|watch| watch.pipeline.continuous == Some(true) || !driven.contains(&watch.pipeline.id));
    jobs.iter().map(|watch| maker.job(watch)).chain(stand_alone.map(|watch| maker.pipeline(watch))).collect()
}

/// A row for each pipeline of one workspace at `now` (local time), those that a job updates too, in the order in which
/// the workspace lists them.
pub fn pipelines(snapshot: &WorkspaceSnapshot, inventory: &Inventory, now: Instant) -> Vec<FleetRow> {
    let maker = Maker { workspace: &snapshot.workspace, inventory, now: snapshot.world_now(now) };
    let pipelines = snapshot.pipelines.value.as_deref().map_or(&[][..], Vec::as_slice);
    pipelines.iter().map(|watch| maker.pipeline(watch)).collect()
}

struct Maker<'a> {
    workspace: &'a Workspace,
    inventory: &'a Inventory,
    /// The workspace's time.
    now: Instant,
}

impl Maker<'_> {
    fn job(&self, watch: &JobWatch) -> FleetRow {
        let job = &watch.job;
        // An active run tells where the job stands even if a newer start was skipped because of it.
        let newest = watch.runs.iter().find(|run| run.state.is_active()).or_else(|| watch.runs.first());
        let status = match newest.map(|run| Status::from(&run.state)) {
            Some(status) if status.is_failure() || status.is_active() => status,
            _ if job.cadence.is_paused() => Status::Paused,
            Some(status) => status,
            None if watch.history_read => Status::NeverStarted,
            None => Status::Unread,
        };
        let timing = timing(&watch.runs, newest, self.now);
        let failure = watch.failure.clone().filter(|note| newest.is_some_and(|run| run.id == note.run));
        let since = match status {
            Status::Paused => None,
            _ => newest.and_then(|run| run.ended_at.or(run.started_at)),
        };
        let source = Source::Job { job: Arc::clone(job), latest: newest.map(Arc::clone), failure };
        let facts = ObjectFacts { kind: ObjectKind::Job, id: &job.id.to_string(), name: &job.name, tags: &job.tags };
        let classification = self.inventory.classify(self.workspace, facts);
        let past = Past::Runs {
            cells: cells(watch.runs.iter().map(|run| Status::from(&run.state))),
            reading: !watch.history_read,
        };
        self.row(Object::Job(job.id), classification, Judged { status, since, timing, past, source })
    }

    fn pipeline(&self, watch: &PipelineWatch) -> FleetRow {
        let pipeline = &watch.pipeline;
        let facts = ObjectFacts {
            kind: ObjectKind::Pipeline,
            id: pipeline.id.as_str(),
            name: &pipeline.name,
            tags: &pipeline.tags,
        };
        let classification = self.inventory.classify(self.workspace, facts);
        let allowed_s = match classification.sla {
            Some(Sla::Freshness { max_age_s }) => max_age_s,
            _ => judge::ALLOWED_LAG_S,
        };
        let newest = pipeline.updates.first();
        let standing = Status::of_pipeline(&pipeline.state, newest.map(|update| &update.state));
        let worst = worst_flow(&watch.flows).cloned();
        // The cache keeps the readings and not the flows: until events are read, the last reading is what is known. How
        // old it is, the reading of the events tells.
        let last = || watch.lag.last().filter(|_| watch.flows.is_empty()).map(|sample| sample.backlog);
        let lag_s =
            worst.as_ref().map(|flow| flow.backlog).or_else(last).and_then(|backlog| backlog.seconds).map(whole_s);
        let is_stream = pipeline.continuous == Some(true) || !watch.lag.is_empty();
        let is_behind = standing == Status::Running && lag_s.is_some_and(|lag_s| lag_s > allowed_s);
        let (status, since) = if is_behind {
            (Status::Lagging, behind_since(&watch.lag, allowed_s))
        } else {
            (standing, newest.and_then(|update| update.created_at))
        };
        let past = if is_stream {
            Past::Lag {
                readings: watch.lag[watch.lag.len().saturating_sub(PAST_CELLS)..].iter().map(reading).collect(),
                rising: is_rising(&watch.lag),
            }
        } else {
            let cells = cells(pipeline.updates.iter().map(|update| Status::from(&update.state)));
            Past::Runs { cells, reading: false }
        };
        let allowed_s = is_stream.then_some(allowed_s);
        let events = pipeline.is_streaming().then(|| Box::new(watch.events.clone()));
        let source = Source::Pipeline { pipeline: Arc::clone(pipeline), worst, lag_s, allowed_s, events };
        let judged = Judged { status, since, timing: Timing::default(), past, source };
        self.row(Object::Pipeline(pipeline.id.clone()), classification, judged)
    }

    fn row(&self, object: Object, facts: Classification, judged: Judged) -> FleetRow {
        let Judged { status, since, timing, past, source } = judged;
        let name = text::line(&facts.display_name);
        let running_ms = timing
            .running_since
            .and_then(|since| u64::try_from(self.now.signed_duration_since(since).num_milliseconds()).ok());
        let long = matches!((running_ms, timing.usual_ms),
            (Some(running_ms), Some(usual_ms)) if unusual(running_ms, usual_ms, false).is_some());
        let mut row = FleetRow {
            id: ObjectId { workspace: self.workspace.name.clone(), object },
            environment: self.workspace.environment,
            name,
            development: facts.dev_prefix.is_some(),
            tier: facts.tier,
            product: facts.product,
            owner: facts.owner.as_deref().map(text::line),
            sox: facts.sox,
            status,
            since,
            timing,
            past,
            urgency: Urgency::of(status, long),
            source,
            words: String::new(),
        };
        row.words = words(&row);
        row
    }
}

/// What was found out about an object.
struct Judged {
    status: Status,
    since: Option<Instant>,
    timing: Timing,
    past: Past,
    source: Source,
}

fn timing(runs: &[Arc<Run>], newest: Option<&Arc<Run>>, now: Instant) -> Timing {
    let Some(newest) = newest else { return Timing::default() };
    let others = runs.iter().filter(|run| run.id != newest.id).map(Arc::as_ref);
    Timing {
        running_since: newest.started_at.filter(|_| newest.state.is_active()),
        took_ms: newest.took_ms(now).filter(|_| !newest.state.is_active()),
        usual_ms: usual_ms(others, now),
    }
}

/// The newest cells, oldest first, from statuses that come newest first.
fn cells(newest_first: impl Iterator<Item = Status>) -> Vec<Status> {
    let mut cells: Vec<Status> = newest_first.take(PAST_CELLS).collect();
    cells.reverse();
    cells
}

/// The flow that is furthest behind, by seconds where they are told, else by records.
fn worst_flow(flows: &[FlowWatch]) -> Option<&FlowWatch> {
    flows.iter().max_by(|a, b| {
        let seconds = |flow: &FlowWatch| flow.backlog.seconds.unwrap_or(-1.0);
        seconds(a).total_cmp(&seconds(b)).then(a.backlog.records.cmp(&b.backlog.records))
    })
}

fn words(row: &FleetRow) -> String {
    let mut words =
        format!("{} {} {} {} {}", row.environment.label(), row.environment, row.name, row.id.workspace, row.id.object);
    for word in [Some(row.status.word()), row.owner.as_deref(), row.product.as_deref()].into_iter().flatten() {
        words.push(' ');
        words.push_str(word);
    }
    if let Some(tier) = row.tier {
        // Writing to a string cannot fail.
        let _ = write!(words, " t{tier} tier{tier}");
    }
    for (holds, word) in [
        (row.sox, " sox"),
        (matches!(row.past, Past::Lag { .. }), " stream"),
        (row.urgency == Urgency::RunningLong, " long"),
        (matches!(row.id.object, Object::Job(_)), " job"),
        (matches!(row.id.object, Object::Pipeline(_)), " pipeline"),
    ] {
        if holds {
            words.push_str(word);
        }
    }
    words.to_lowercase()
}
