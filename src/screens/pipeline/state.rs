//! What the Pipeline screen remembers: which flow, which events, how grave.

use std::sync::Arc;

use super::flows::{Flow, ranked, shared_path, short};
use super::{layout, prose};
use crate::app::model::Shared;
use crate::app::place;
use crate::app::prose::{Prose, furthest};
use crate::domain::Instant;
use crate::domain::fleet::{FleetRow, Object, ObjectId, Source};
use crate::domain::ids::{PipelineId, WorkspaceName};
use crate::domain::pipeline::{Expectation, Level, PipelineEvent};
use crate::domain::snapshot::{Freshness, PipelineDetail, PipelineWatch, Section};

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// The flows.
    Flows,
    /// The expectations.
    Expectations,
    /// The events.
    Events,
}

/// An expectation with its past, made once of what was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its counts over the present update.
    pub expectation: Expectation,
    /// Records that all expectations of its flow dropped over the present update.
    pub dropped: u64,
    /// The share of failed records, event by event, oldest first.
    pub failing: Vec<Option<f64>>,
}

/// The Pipeline screen.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) workspace: WorkspaceName,
    pub(super) id: PipelineId,
    pub(super) detail: Section<Arc<PipelineDetail>>,
    /// The flows, what wants a person first.
    pub(super) flows: Vec<Flow>,
    /// The path that the names of all flows share.
    pub(super) path: String,
    pub(super) guards: Vec<Guard>,
    /// The events that fit, newest first, as positions in those that were observed.
    pub(super) events: Vec<usize>,
    /// Events below this level are left out.
    pub(super) level: Level,
    /// Only events of this flow.
    pub(super) only_flow: Option<String>,
    pub(super) filter: String,
    pub(super) pane: Pane,
    /// The flow that the cursor holds on to; none while it stays with the first.
    pub(super) held_flow: Option<String>,
    pub(super) flow: usize,
    pub(super) guard: usize,
    /// The event that the cursor holds on to; none while it stays with the newest.
    pub(super) held: Option<String>,
    pub(super) event: usize,
    /// Whether the event's text has the whole screen.
    pub(super) zoomed: bool,
    pub(super) scroll: usize,
}

impl State {
    /// A screen about a pipeline of which nothing but the fleet's listing is known yet.
    pub fn new(workspace: WorkspaceName, id: PipelineId, shared: &Shared) -> Self {
        let mut state = Self {
            workspace,
            id,
            detail: Section::default(),
            flows: Vec::new(),
            path: String::new(),
            guards: Vec::new(),
            events: Vec::new(),
            level: Level::Info,
            only_flow: None,
            filter: String::new(),
            pane: Pane::Flows,
            held_flow: None,
            flow: 0,
            guard: 0,
            held: None,
            event: 0,
            zoomed: false,
            scroll: 0,
        };
        state.rank(shared);
        state
    }

    /// How far what is shown can be trusted at `now` (local time).
    pub fn freshness(&self, now: Instant) -> Freshness {
        self.detail.freshness(now)
    }

    /// How far what the event log tells can be trusted at `now` (local time); none if nothing was read yet.
    pub fn events_freshness(&self, now: Instant) -> Option<Freshness> {
        self.detail().map(|detail| detail.watch.events.freshness(now))
    }

    /// How far flows, expectations and events can be trusted: as far as the page and the event log both can.
    pub fn freshness_of_figures(&self, now: Instant) -> Freshness {
        match self.freshness(now) {
            Freshness::Fresh { age_s } => self.events_freshness(now).unwrap_or(Freshness::Fresh { age_s }),
            freshness => freshness,
        }
    }

    /// The pipeline's own page, if it was read.
    pub fn detail(&self) -> Option<&PipelineDetail> {
        self.detail.value.as_deref()
    }

    /// The pipeline: from its own page, else as the fleet knows it.
    pub fn watch<'s>(&'s self, shared: &'s Shared) -> Option<&'s PipelineWatch> {
        let listed = || {
            let pipelines = shared.fleet.workspace(&self.workspace)?.snapshot.pipelines.value.as_ref()?;
            pipelines.iter().find(|watch| watch.pipeline.id == self.id)
        };
        self.detail().map(|detail| &detail.watch).or_else(listed)
    }

    /// What the fleet says about the pipeline.
    pub fn fleet_row<'s>(&self, shared: &'s Shared) -> Option<&'s FleetRow> {
        let id = ObjectId { workspace: self.workspace.clone(), object: Object::Pipeline(self.id.clone()) };
        shared.fleet.row(&id).map(Arc::as_ref)
    }

    /// The flows, what wants a person first.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// The name of a flow or a dataset without the path that all flows share; harmless to show.
    pub fn short(&self, name: &str) -> String {
        short(name, &self.path)
    }

    /// How far behind a flow may be, in seconds, if the fleet knows the pipeline as a stream.
    pub fn allowed_s(&self, shared: &Shared) -> Option<u64> {
        match &self.fleet_row(shared)?.source {
            Source::Pipeline { allowed_s, .. } => *allowed_s,
            Source::Job { .. } => None,
        }
    }

    /// The expectations, the worst first.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// How many events fit.
    pub fn events_len(&self) -> usize {
        self.events.len()
    }

    /// One of the events that fit, newest first.
    pub fn event_at(&self, at: usize) -> Option<&PipelineEvent> {
        self.detail()?.events.get(*self.events.get(at)?)
    }

    /// The event under the cursor.
    pub fn event(&self) -> Option<&PipelineEvent> {
        self.event_at(self.event)
    }

    /// Which pane has the keys.
    pub fn pane(&self) -> Pane {
        self.pane
    }

    /// Where the cursors of flows, expectations and events stand.
    pub fn cursors(&self) -> (usize, usize, usize) {
        (self.flow, self.guard, self.event)
    }

    /// Whether the cursor stays with the newest event.
    pub fn follows(&self) -> bool {
        self.held.is_none()
    }

    /// Events below this level are left out.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Only events of this flow are shown.
    pub fn only_flow(&self) -> Option<&str> {
        self.only_flow.as_deref()
    }

    /// Whether an event's text has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.zoomed
    }

    /// The first row of the text that is seen.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// The whole text of the event under the cursor.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        prose::of(self, shared)
    }

    /// Takes the pipeline's own page.
    pub(super) fn take(&mut self, detail: Arc<PipelineDetail>, shared: &Shared) {
        let now = shared.now;
        let interval_s = detail.interval_s;
        self.guards = guards(&detail);
        self.guard = self.guard.min(self.guards.len().saturating_sub(1));
        self.detail = Section { value: Some(detail), observed_at: Some(now), failure: None, interval_s, cached: false };
        self.rank(shared);
        self.arrange();
    }

    /// Orders the flows anew. The cursor stays on its flow, or with the first.
    pub(super) fn rank(&mut self, shared: &Shared) {
        let Some(watch) = self.watch(shared) else { return };
        // Where no promise is known, none is broken.
        let flows = ranked(&watch.flows, self.allowed_s(shared).unwrap_or(u64::MAX));
        self.path = shared_path(watch.flows.iter().map(|flow| flow.name.as_str()));
        self.flows = flows;
        let held = self.held_flow.as_ref().and_then(|name| self.flows.iter().position(|flow| flow.watch.name == *name));
        self.flow = held.unwrap_or_else(|| self.flow.min(self.flows.len().saturating_sub(1)));
    }

    /// Puts the cursor on a flow and holds on to it.
    pub(super) fn select_flow(&mut self, at: usize) {
        self.flow = at;
        self.held_flow = self.flows.get(at).map(|flow| flow.watch.name.clone());
    }

    /// Chooses the events anew. The cursor stays on its event, or with the newest.
    pub(super) fn arrange(&mut self) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |event: &PipelineEvent| {
            event.level >= self.level
                && self.only_flow.as_ref().is_none_or(|flow| event.flow.as_ref() == Some(flow))
                && (words.is_empty() || {
                    let parts = [Some(&event.message), Some(&event.kind), event.flow.as_ref(), event.error.as_ref()];
                    let text =
                        parts.into_iter().flatten().map(|part| part.to_lowercase()).collect::<Vec<_>>().join(" ");
                    words.iter().all(|word| text.contains(word))
                })
        };
        let observed = self.detail.value.as_deref().map_or(&[][..], |detail| &detail.events);
        self.events = (0..observed.len()).filter(|at| fits(&observed[*at])).collect();
        let held = self.held.as_ref().and_then(|id| self.events.iter().position(|at| observed[*at].id == *id));
        let last = self.events.len().saturating_sub(1);
        self.event = match (&self.held, held) {
            (None, _) => 0,
            (_, Some(at)) => at,
            // It fell out of what is known, or of the filter: the cursor stays where it was.
            (Some(_), None) => self.event.min(last),
        };
    }

    /// Puts the cursor on an event and holds on to it; on the newest it stays with the newest.
    pub(super) fn select_event(&mut self, at: usize) {
        self.event = at;
        self.held = if at == 0 { None } else { self.event().map(|event| event.id.clone()) };
        self.scroll = 0;
    }

    /// The furthest that the event's text can be scrolled, and how much of it is seen, in rows.
    pub(super) fn reach(&self, shared: &Shared) -> (usize, usize) {
        let text = layout::text(place::screen(shared.columns, shared.rows));
        let (width, height) = (usize::from(place::text_width(text)), usize::from(text.height));
        (furthest(&self.prose(shared), width, height), height)
    }
}

/// The expectations of all flows, the one with the greatest share of failed records first.
fn guards(detail: &PipelineDetail) -> Vec<Guard> {
    let share = |expectation: &Expectation| {
        let all = expectation.passed + expectation.failed;
        #[expect(clippy::cast_precision_loss, reason = "a share is drawn in eight levels")]
        (all > 0).then(|| expectation.failed as f64 / all as f64)
    };
    let failing = |wanted: &Expectation| {
        let measured = detail.events.iter().rev().filter_map(|event| event.progress.as_ref());
        let counted = measured.flat_map(|progress| &progress.expectations);
        counted.filter(|one| one.name == wanted.name && one.dataset == wanted.dataset).map(share).collect()
    };
    let mut guards: Vec<Guard> = detail
        .watch
        .flows
        .iter()
        .flat_map(|flow| flow.expectations.iter().map(move |expectation| (flow, expectation)))
        .map(|(flow, expectation)| Guard {
            expectation: expectation.clone(),
            dropped: flow.dropped_records,
            failing: failing(expectation),
        })
        .collect();
    let key = |guard: &Guard| share(&guard.expectation).unwrap_or(0.0);
    guards.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.expectation.name.cmp(&b.expectation.name)));
    guards
}
