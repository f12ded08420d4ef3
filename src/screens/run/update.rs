//! How the Run screen answers.

use std::sync::Arc;

use super::{Action as Here, Pane, SPEC, State, Tab};
use crate::app::act::Wish;
use crate::app::command::{Act, Action, Motion};
use crate::app::copy::Copyable;
use crate::app::list::moved;
use crate::app::message::{Feed, Observed};
use crate::app::model::Shared;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::ids::WorkspaceName;
use crate::domain::snapshot::FeedFailure;
use crate::screens::{Page, Spec, Step, Target};

impl Page for State {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn feeds(&self, _shared: &Shared) -> Vec<Feed> {
        self.wanted()
    }

    fn observed(&mut self, feed: &Feed, result: Result<Observed, FeedFailure>, shared: &Shared) {
        match (feed, result) {
            (_, Ok(Observed::Run(detail))) if *feed == self.asked_feed() => self.take(detail, shared.now),
            (Feed::Run(..), Ok(Observed::Run(detail))) => self.take_other(detail),
            (Feed::Output(_, task), Ok(Observed::Output(output))) => self.take_output(*task, Ok(output)),
            (Feed::Output(_, task), Err(failure)) => self.take_output(*task, Err(failure)),
            // The listing still tells about an older run whose own page could not be read.
            (_, Err(failure)) if *feed == self.asked_feed() => self.detail.failure = Some(failure),
            _ => {}
        }
        self.scroll = self.scroll.min(self.reach(shared).0);
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) => self.go(motion, shared),
            Action::Open if self.pane == Pane::Tasks && !self.zoomed => self.pane = Pane::Text,
            Action::Open => self.zoom(shared),
            Action::Run(here) => return self.here(here, shared),
            Action::Act(act) => return self.act(act),
            _ => {}
        }
        Vec::new()
    }

    fn back(&mut self, shared: &Shared) -> bool {
        let zoomed = self.zoomed;
        if zoomed {
            self.zoom(shared);
        }
        zoomed
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let Some(run) = self.run() else { return Vec::new() };
        let mut copies = vec![Copyable::id(run.id), Copyable::name(&run.name)];
        copies.extend(self.url(shared).map(Copyable::url));
        copies.extend(Copyable::json(run));
        if let Some(watched) = shared.fleet.workspace(&self.workspace) {
            let call = format!("/api/2.2/jobs/runs/get?run_id={}&include_history=true", run.id);
            copies.push(Copyable::call(&watched.snapshot.workspace.host, &call));
        }
        if let Some(Ok(output)) = self.output() {
            let error = [&output.error, &output.trace].into_iter().flatten().cloned().collect::<Vec<_>>().join("\n\n");
            if !error.is_empty() {
                copies.push(Copyable { letter: 'e', label: "error", text: error });
            }
        }
        copies
    }

    fn url(&self, shared: &Shared) -> Option<String> {
        let run = self.run()?;
        let host = &shared.fleet.workspace(&self.workspace)?.snapshot.workspace.host;
        // What the workspace calls the page of a run is trusted only as far as it stays on the workspace's own host.
        let own = run.page_url.as_ref().filter(|url| {
            url.strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with('/'))
                && !url.contains(char::is_whitespace)
        });
        Some(own.cloned().unwrap_or_else(|| format!("{host}/jobs/{}/runs/{}", run.job, run.id)))
    }

    fn workspace(&self) -> Option<WorkspaceName> {
        Some(self.workspace.clone())
    }
}

impl State {
    /// What the act would be about: the run that is looked at, or its job.
    fn act(&self, act: Act) -> Vec<Step> {
        let Some(job) = self.job() else { return vec![Step::Tell("the run was not read yet".to_owned())] };
        let object = ObjectId { workspace: self.workspace.clone(), object: Object::Job(job) };
        let wish = match (act, self.run()) {
            (Act::Start, _) => Ok(Wish::RunNow { job, parameters: std::collections::BTreeMap::new() }),
            (Act::Stop, Some(run)) if run.state.is_active() => Ok(Wish::Cancel { job, run: run.id }),
            (Act::Stop, Some(_)) => Err("this run is over"),
            (Act::Repair, Some(run)) if run.state.is_active() => Err("this run is not over"),
            (Act::Repair, Some(run)) => Ok(Wish::Repair { job, run: run.id, task: None }),
            (Act::Stop | Act::Repair, None) => Err("the run was not read yet"),
            (Act::FullRefresh, _) => return Vec::new(),
        };
        match wish {
            Ok(wish) => vec![Step::Wish(object, wish)],
            Err(why) => vec![Step::Tell(why.to_owned())],
        }
    }

    fn here(&mut self, here: Here, shared: &Shared) -> Vec<Step> {
        match here {
            Here::Show(tab) => {
                self.tab = Some(tab);
                self.scroll = 0;
            }
            Here::FailedTask => {
                if !self.seek_failure() {
                    return vec![Step::Tell("no task of this run has failed".to_owned())];
                }
                self.tab = None;
            }
            Here::EarlierAttempt => self.next_attempt(false),
            Here::LaterAttempt => self.next_attempt(true),
            Here::Zoom => self.zoom(shared),
            Here::Pipeline => {
                let target = self.pipeline().map(|id| Target::Pipeline(self.workspace.clone(), id.clone()));
                return target.map(Step::Open).into_iter().collect();
            }
        }
        Vec::new()
    }

    fn zoom(&mut self, shared: &Shared) {
        self.zoomed = !self.zoomed;
        self.pane = Pane::Text;
        self.scroll = self.scroll.min(self.reach(shared).0);
    }

    fn go(&mut self, motion: Motion, shared: &Shared) {
        match (motion, self.pane) {
            (Motion::NextPane | Motion::PreviousPane, _) if self.zoomed => {}
            (Motion::NextPane | Motion::PreviousPane, Pane::Tasks) => self.pane = Pane::Text,
            (Motion::NextPane | Motion::PreviousPane, Pane::Text) => self.pane = Pane::Tasks,
            (Motion::Left, Pane::Tasks) => self.step_run(-1),
            (Motion::Right, Pane::Tasks) => self.step_run(1),
            (Motion::Left, Pane::Text) => self.step_tab(Tab::ALL.len() - 1),
            (Motion::Right, Pane::Text) => self.step_tab(1),
            (_, Pane::Tasks) => {
                let row = moved(self.row, self.grid.rows.len(), motion, shared.page_rows());
                if row != self.row {
                    self.select(row);
                }
            }
            (_, Pane::Text) => {
                let (furthest, page) = self.reach(shared);
                self.scroll = moved(self.scroll, furthest + 1, motion, page.saturating_sub(1));
            }
        }
    }

    fn step_tab(&mut self, by: usize) {
        self.tab = Some(Tab::ALL[(self.tab().position() + by) % Tab::ALL.len()]);
        self.scroll = 0;
    }

    fn step_run(&mut self, by: isize) {
        let runs = &self.grid.runs;
        let at = runs.iter().position(|run| Some(run.id) == self.shown);
        if let Some(run) = at.and_then(|at| at.checked_add_signed(by)).and_then(|at| runs.get(at)).map(Arc::clone) {
            self.look_at(run.id);
        }
    }

    fn next_attempt(&mut self, later: bool) {
        let (Some(run), Some(task)) = (self.run(), self.task()) else { return };
        let attempts = run.tasks.iter().filter(|other| other.key == task.key).map(|other| other.attempt);
        let next = if later {
            attempts.filter(|attempt| *attempt > task.attempt).min()
        } else {
            attempts.filter(|attempt| *attempt < task.attempt).max()
        };
        if next.is_some() {
            self.attempt = next;
            self.scroll = 0;
        }
    }
}
