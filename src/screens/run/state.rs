//! What the Run screen remembers: which run, which task, which text.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::grid::{Grid, TaskRow};
use super::{layout, prose};
use crate::app::message::Feed;
use crate::app::model::Shared;
use crate::app::place;
use crate::app::prose::{Prose, furthest};
use crate::domain::Instant;
use crate::domain::fleet::{FleetRow, Object, ObjectId};
use crate::domain::ids::{JobId, PipelineId, RunId, WorkspaceName};
use crate::domain::run::{Output, Run, RunState, TaskRun};
use crate::domain::snapshot::{FeedFailure, Freshness, RunDetail, Section};
use crate::domain::status::Status;

/// Outputs that are kept at most: each may be some megabytes.
const OUTPUTS: usize = 8;

/// Which run the screen was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The newest of a job.
    Newest(JobId),
    /// This one.
    Run(RunId),
}

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// The tasks.
    Tasks,
    /// The text of the tab.
    Text,
}

/// What the text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// What the task failed with.
    Error,
    /// Where in the code.
    Trace,
    /// What the task returned and logged.
    Output,
    /// Times, parameters, attempts, repairs.
    Details,
}

impl Tab {
    /// All, in the order in which they stand.
    pub const ALL: [Self; 4] = [Self::Error, Self::Trace, Self::Output, Self::Details];

    /// The word on it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Trace => "Trace",
            Self::Output => "Output",
            Self::Details => "Details",
        }
    }

    /// Where it stands in [`Tab::ALL`].
    pub fn position(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

/// The Run screen.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) workspace: WorkspaceName,
    pub(super) asked: Asked,
    /// What the asked feed answered.
    pub(super) detail: Section<Arc<RunDetail>>,
    /// The run that is looked at. It stays when a newer one starts: nobody's error text is swapped while it is read.
    pub(super) shown: Option<RunId>,
    /// The run that is looked at, complete, if it is not the asked one.
    pub(super) other: Option<Arc<RunDetail>>,
    pub(super) grid: Grid,
    /// The row under the cursor.
    pub(super) row: usize,
    /// The attempt that is looked at; none for the newest.
    pub(super) attempt: Option<u32>,
    pub(super) outputs: BTreeMap<RunId, Result<Arc<Output>, FeedFailure>>,
    pub(super) pane: Pane,
    /// The tab that was chosen; none while the task decides.
    pub(super) tab: Option<Tab>,
    pub(super) zoomed: bool,
    pub(super) scroll: usize,
}

impl State {
    /// A screen about a run of which nothing is known yet.
    pub fn new(workspace: WorkspaceName, asked: Asked) -> Self {
        Self {
            workspace,
            asked,
            detail: Section::default(),
            shown: match asked {
                Asked::Newest(_) => None,
                Asked::Run(id) => Some(id),
            },
            other: None,
            grid: Grid::default(),
            row: 0,
            attempt: None,
            outputs: BTreeMap::new(),
            pane: Pane::Tasks,
            tab: None,
            zoomed: false,
            scroll: 0,
        }
    }

    /// Which run the screen was opened for.
    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// How far what is shown can be trusted at `now` (local time).
    pub fn freshness(&self, now: Instant) -> Freshness {
        self.detail.freshness(now)
    }

    /// The run that is looked at.
    pub fn run(&self) -> Option<&Run> {
        let id = self.shown?;
        let whole = [self.other.as_ref(), self.detail.value.as_ref()];
        let whole = whole.into_iter().flatten().map(|detail| &detail.run).find(|run| run.id == id);
        whole.or_else(|| self.grid.runs.iter().map(Arc::as_ref).find(|run| run.id == id))
    }

    /// The job whose run it is.
    pub fn job(&self) -> Option<JobId> {
        match self.asked {
            Asked::Newest(job) => Some(job),
            Asked::Run(_) => self.detail.value.as_ref().map(|detail| detail.run.job),
        }
    }

    /// What the fleet says about the job.
    pub fn fleet_row<'s>(&self, shared: &'s Shared) -> Option<&'s FleetRow> {
        let id = ObjectId { workspace: self.workspace.clone(), object: Object::Job(self.job()?) };
        shared.fleet.row(&id).map(Arc::as_ref)
    }

    /// The run that started after the one that is looked at, the newest if there are several.
    pub fn newer(&self) -> Option<&Run> {
        let newest = self.grid.runs.last()?;
        (Some(newest.id) != self.shown).then_some(newest)
    }

    /// The tasks against the last runs.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The row under the cursor.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Which pane has the keys.
    pub fn pane(&self) -> Pane {
        self.pane
    }

    /// Whether the text has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.zoomed
    }

    /// The first row of the text that is seen.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// The tab: the chosen one, else the error of a task that has one, else the details.
    pub fn tab(&self) -> Tab {
        let failed = self.task().is_some_and(|task| Status::from(&task.state).is_failure());
        self.tab.unwrap_or(if failed { Tab::Error } else { Tab::Details })
    }

    /// The attempt of the task that is looked at.
    pub fn task(&self) -> Option<&TaskRun> {
        let row = self.grid.rows.get(self.row)?;
        match self.attempt {
            Some(attempt) => self.run()?.tasks.iter().find(|task| task.key == row.key && task.attempt == attempt),
            None => row.task.as_ref(),
        }
    }

    /// How many attempts there are of the task under the cursor.
    pub fn attempts(&self) -> usize {
        self.grid.rows.get(self.row).map_or(0, |row| row.attempts)
    }

    /// The pipeline that the task under the cursor updates.
    pub fn pipeline(&self) -> Option<&PipelineId> {
        let key = &self.grid.rows.get(self.row)?.key;
        let job = self.detail.value.as_ref()?.job.as_ref()?;
        job.tasks.iter().find(|task| task.key == *key)?.pipeline.as_ref()
    }

    /// What the task that is looked at left behind, as far as it was read.
    pub fn output(&self) -> Option<Result<&Output, &FeedFailure>> {
        let id = self.task()?.id;
        let whole = [self.other.as_ref(), self.detail.value.as_ref()];
        let mut embedded = whole.into_iter().flatten().filter_map(|detail| detail.failure.as_ref());
        match embedded.find(|(task, _)| *task == id) {
            Some((_, output)) => Some(Ok(output)),
            None => self.outputs.get(&id).map(|read| read.as_ref().map(Arc::as_ref)),
        }
    }

    /// The text of the tab.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        prose::of(self, shared)
    }

    /// The feed that the screen is about.
    pub(super) fn asked_feed(&self) -> Feed {
        match self.asked {
            Asked::Newest(job) => Feed::LatestRun(self.workspace.clone(), job),
            Asked::Run(run) => Feed::Run(self.workspace.clone(), run),
        }
    }

    /// The feeds that answer what is looked at.
    pub(super) fn wanted(&self) -> Vec<Feed> {
        let mut feeds = vec![self.asked_feed()];
        let asked = self.detail.value.as_ref().map(|detail| detail.run.id);
        if let (Some(shown), Some(asked)) = (self.shown, asked)
            && shown != asked
            && self.asked != Asked::Run(shown)
        {
            feeds.push(Feed::Run(self.workspace.clone(), shown));
        }
        // What a task left behind changes no more once it has ended.
        if let Some(task) = self.task()
            && !task.state.is_active()
            && task.started_at.is_some()
            && self.tab() != Tab::Details
            && !matches!(self.output(), Some(Ok(_)))
        {
            feeds.push(Feed::Output(self.workspace.clone(), task.id));
        }
        feeds
    }

    /// Takes the asked run.
    pub(super) fn take(&mut self, detail: Arc<RunDetail>, now: Instant) {
        let first = self.detail.value.is_none();
        let interval_s = detail.interval_s;
        self.shown.get_or_insert(detail.run.id);
        self.detail = Section { value: Some(detail), observed_at: Some(now), failure: None, interval_s, cached: false };
        self.renew();
        if first && !self.seek_failure() {
            let active = |row: &TaskRow| row.task.as_ref().is_some_and(|task| task.state == RunState::Running);
            self.select(self.grid.rows.iter().position(active).unwrap_or(0));
        }
    }

    /// Takes the run that is looked at, if it is not the asked one.
    pub(super) fn take_other(&mut self, detail: Arc<RunDetail>) {
        if self.shown == Some(detail.run.id) {
            self.other = Some(detail);
            self.renew();
        }
    }

    /// Takes what a task left behind; the smallest ids, the oldest, make room.
    pub(super) fn take_output(&mut self, task: RunId, output: Result<Arc<Output>, FeedFailure>) {
        self.outputs.insert(task, output);
        while self.outputs.len() > OUTPUTS {
            let Some(oldest) = self.outputs.keys().copied().find(|id| *id != task) else { return };
            self.outputs.remove(&oldest);
        }
    }

    /// Makes the grid anew. The cursor stays on its task.
    pub(super) fn renew(&mut self) {
        let Some(detail) = self.detail.value.clone() else { return };
        let key = self.grid.rows.get(self.row).map(|row| row.key.clone());
        let shown = self.run().unwrap_or(&detail.run).clone();
        self.shown = Some(shown.id);
        self.grid = Grid::of(&detail, &shown);
        let kept = key.and_then(|key| self.grid.rows.iter().position(|row| row.key == key));
        self.row = kept.unwrap_or(self.row).min(self.grid.rows.len().saturating_sub(1));
        self.mark();
    }

    /// Puts the cursor on the task that failed first.
    pub(super) fn seek_failure(&mut self) -> bool {
        let failed = self.run().and_then(Run::failed_task).map(|task| task.key.clone());
        let row = failed.and_then(|key| self.grid.rows.iter().position(|row| row.key == key));
        if let Some(row) = row {
            self.select(row);
        }
        row.is_some()
    }

    /// Puts the cursor on a task.
    pub(super) fn select(&mut self, row: usize) {
        self.row = row;
        self.attempt = None;
        self.scroll = 0;
        self.mark();
    }

    /// Looks at another run of the grid.
    pub(super) fn look_at(&mut self, run: RunId) {
        self.shown = Some(run);
        self.attempt = None;
        self.scroll = 0;
        self.renew();
    }

    fn mark(&mut self) {
        for (at, row) in self.grid.rows.iter_mut().enumerate() {
            row.current = at == self.row;
        }
    }

    /// The furthest that the text can be scrolled, and how much of it is seen, in rows.
    pub(super) fn reach(&self, shared: &Shared) -> (usize, usize) {
        let size = place::screen(shared.columns, shared.rows);
        let text = layout::divide(size, self.grid.rows.len(), self.zoomed).text;
        let (width, height) = (usize::from(place::text_width(text)), usize::from(text.height));
        (furthest(&self.prose(shared), width, height), height)
    }
}
