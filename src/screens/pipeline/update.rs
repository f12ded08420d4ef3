//! How the Pipeline screen answers.

use super::{Action as Here, Pane, SPEC, State};
use crate::app::act::Wish;
use crate::app::command::{Act, Action, Danger, Motion};
use crate::app::copy::Copyable;
use crate::app::list::moved;
use crate::app::message::{Feed, Observed};
use crate::app::model::Shared;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::ids::WorkspaceName;
use crate::domain::pipeline::Level;
use crate::domain::snapshot::FeedFailure;
use crate::screens::{Page, Spec, Step};

impl Page for State {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn feeds(&self, _shared: &Shared) -> Vec<Feed> {
        vec![Feed::Pipeline(self.workspace.clone(), self.id.clone())]
    }

    fn observed(&mut self, _feed: &Feed, result: Result<Observed, FeedFailure>, shared: &Shared) {
        match result {
            Ok(Observed::Pipeline(detail)) => self.take(detail, shared),
            Ok(_) => {}
            Err(failure) => self.detail.failure = Some(failure),
        }
    }

    fn settle(&mut self, shared: &Shared, frozen: bool) {
        if !frozen {
            self.rank(shared);
        }
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) => self.go(motion, shared),
            Action::Open => self.open(),
            Action::Pipeline(Here::Zoom) => self.zoomed = !self.zoomed && self.event().is_some(),
            Action::Pipeline(Here::Follow) => self.select_event(0),
            Action::Act(act) => return self.act(act),
            Action::Pipeline(Here::Level) => {
                self.level = match self.level {
                    Level::Info => Level::Warn,
                    Level::Warn => Level::Error,
                    Level::Error | Level::Metrics => Level::Info,
                };
                self.arrange();
            }
            _ => {}
        }
        Vec::new()
    }

    fn back(&mut self, _shared: &Shared) -> bool {
        if self.zoomed {
            self.zoomed = false;
            return true;
        }
        let narrowed = self.only_flow.take().is_some();
        if narrowed {
            self.arrange();
            self.pane = Pane::Flows;
        }
        narrowed
    }

    fn filter(&self) -> Option<&str> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, text: &str, _shared: &Shared) {
        text.clone_into(&mut self.filter);
        self.pane = Pane::Events;
        self.arrange();
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let mut copies = vec![Copyable::id(&self.id)];
        copies.extend(self.watch(shared).map(|watch| Copyable::name(&watch.pipeline.name)));
        copies.extend(self.url(shared).map(Copyable::url));
        match (self.pane, self.event()) {
            (Pane::Events, Some(event)) => copies.extend(Copyable::json(event)),
            _ => copies.extend(self.watch(shared).and_then(Copyable::json)),
        }
        if let Some(watched) = shared.fleet.workspace(&self.workspace) {
            let call = format!("/api/2.0/pipelines/{}", self.id);
            copies.push(Copyable::call(&watched.snapshot.workspace.host, &call));
        }
        if let Some(error) = self.event().and_then(|event| event.error.clone()) {
            copies.push(Copyable { letter: 'e', label: "error", text: error });
        }
        copies
    }

    fn url(&self, shared: &Shared) -> Option<String> {
        let host = &shared.fleet.workspace(&self.workspace)?.snapshot.workspace.host;
        Some(format!("{host}/pipelines/{}", self.id))
    }

    fn workspace(&self) -> Option<WorkspaceName> {
        Some(self.workspace.clone())
    }
}

/// Why a full refresh is not begun from here (console.md 4 and 6).
const NO_FULL_REFRESH: &str = "A full refresh truncates every streaming table of the pipeline and drops its checkpoints: \
    rows that the source no longer holds are lost. It needs a plan that a second person has approved, and there is no such \
    plan yet. A start without it keeps all tables and checkpoints.";

impl State {
    fn act(&self, act: Act) -> Vec<Step> {
        let object = ObjectId { workspace: self.workspace.clone(), object: Object::Pipeline(self.id.clone()) };
        let pipeline = self.id.clone();
        match act {
            Act::Start => vec![Step::Wish(object, Wish::Start { pipeline })],
            Act::Stop => vec![Step::Wish(object, Wish::Stop { pipeline })],
            Act::FullRefresh => {
                let why = NO_FULL_REFRESH.to_owned();
                vec![Step::Never { object, verb: "full refresh", danger: Danger::Loss, why }]
            }
            Act::Repair => Vec::new(),
        }
    }

    /// On a flow: only its events. On an event: all of its text.
    fn open(&mut self) {
        match self.pane {
            Pane::Events => self.zoomed = !self.zoomed && self.event().is_some(),
            Pane::Flows => {
                if let Some(flow) = self.flows.get(self.flow).map(|flow| flow.watch.name.clone()) {
                    self.only_flow = Some(flow);
                    self.pane = Pane::Events;
                    self.held = None;
                    self.arrange();
                }
            }
            Pane::Expectations => {}
        }
        self.scroll = 0;
    }

    fn go(&mut self, motion: Motion, shared: &Shared) {
        if self.zoomed {
            let (furthest, page) = self.reach(shared);
            match motion {
                Motion::Left => self.select_event(moved(self.event, self.events.len(), Motion::Up, 1)),
                Motion::Right => self.select_event(moved(self.event, self.events.len(), Motion::Down, 1)),
                _ => self.scroll = moved(self.scroll, furthest + 1, motion, page.saturating_sub(1)),
            }
            return;
        }
        let page = shared.page_rows() / 2;
        match (motion, self.pane) {
            (Motion::NextPane | Motion::Right, _) => self.pane = self.neighbor(true),
            (Motion::PreviousPane | Motion::Left, _) => self.pane = self.neighbor(false),
            (_, Pane::Flows) => self.select_flow(moved(self.flow, self.flows.len(), motion, page)),
            (_, Pane::Expectations) => self.guard = moved(self.guard, self.guards.len(), motion, page),
            (_, Pane::Events) => self.select_event(moved(self.event, self.events.len(), motion, page)),
        }
    }

    /// The pane after or before this one; a pipeline without expectations has no pane for them.
    fn neighbor(&self, after: bool) -> Pane {
        match (self.pane, after, self.guards.is_empty()) {
            (Pane::Flows, true, false) | (Pane::Events, false, false) => Pane::Expectations,
            (Pane::Flows, true, true) | (Pane::Expectations, true, _) | (Pane::Flows, false, _) => Pane::Events,
            (Pane::Events, ..) | (Pane::Expectations, false, _) => Pane::Flows,
        }
    }
}
