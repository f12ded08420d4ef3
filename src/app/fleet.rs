//! The newest snapshot of every workspace, with the rows that were made of it.

use std::sync::Arc;

use crate::domain::Instant;
use crate::domain::fleet::{self, Counts, FleetRow, Object, ObjectId};
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::Inventory;
use crate::domain::snapshot::{Freshness, WorkspaceSnapshot};
use crate::domain::workspace::Workspace;

/// All that was observed of all workspaces.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    workspaces: Vec<Watched>,
}

/// One workspace: what was observed, and the rows made of it once.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The newest complete snapshot.
    pub snapshot: Arc<WorkspaceSnapshot>,
    /// One row for each job and pipeline.
    pub rows: Vec<Arc<FleetRow>>,
    /// Of the rows.
    pub counts: Counts,
}

impl Watched {
    fn new(snapshot: Arc<WorkspaceSnapshot>, inventory: &Inventory, now: Instant) -> Self {
        let rows: Vec<Arc<FleetRow>> = fleet::rows(&snapshot, inventory, now).into_iter().map(Arc::new).collect();
        let counts = Counts::of(rows.iter().map(Arc::as_ref));
        Self { snapshot, rows, counts }
    }

    /// How far the workspace's data can be trusted as a whole: as far as the worse of its two sections.
    pub fn freshness(&self, now: Instant) -> Freshness {
        let jobs = self.snapshot.jobs.freshness(now);
        let pipelines = self.snapshot.pipelines.freshness(now);
        if rank(&pipelines) > rank(&jobs) { pipelines } else { jobs }
    }
}

/// The worse, the higher.
fn rank(freshness: &Freshness) -> u8 {
    match freshness {
        Freshness::Fresh { .. } => 0,
        Freshness::Stale { .. } => 1,
        Freshness::Loading => 2,
        Freshness::Failed { .. } => 3,
    }
}

impl Fleet {
    /// Workspaces of which nothing is known yet, in order of rising danger.
    pub fn new(workspaces: Vec<Workspace>, inventory: &Inventory, now: Instant) -> Self {
        let mut workspaces: Vec<Watched> = workspaces
            .into_iter()
            .map(|workspace| Watched::new(Arc::new(WorkspaceSnapshot::unknown(workspace)), inventory, now))
            .collect();
        workspaces.sort_by_key(|watched| watched.snapshot.workspace.environment);
        Self { workspaces }
    }

    /// Takes a snapshot and makes its workspace's rows anew; whether the workspace is one of ours.
    pub fn observe(&mut self, snapshot: Arc<WorkspaceSnapshot>, inventory: &Inventory, now: Instant) -> bool {
        let name = &snapshot.workspace.name;
        let Some(watched) = self.workspaces.iter_mut().find(|watched| watched.snapshot.workspace.name == *name) else {
            return false;
        };
        *watched = Watched::new(snapshot, inventory, now);
        true
    }

    /// The workspaces, in order of rising danger.
    pub fn workspaces(&self) -> &[Watched] {
        &self.workspaces
    }

    /// One workspace.
    pub fn workspace(&self, name: &WorkspaceName) -> Option<&Watched> {
        self.workspaces.iter().find(|watched| watched.snapshot.workspace.name == *name)
    }

    /// All rows of all workspaces.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<FleetRow>> {
        self.workspaces.iter().flat_map(|watched| &watched.rows)
    }

    /// One row.
    pub fn row(&self, id: &ObjectId) -> Option<&Arc<FleetRow>> {
        self.workspace(&id.workspace)?.rows.iter().find(|row| row.id == *id)
    }

    /// Over all workspaces.
    pub fn counts(&self) -> Counts {
        self.workspaces.iter().fold(Counts::default(), |sum, watched| sum + watched.counts)
    }

    /// How many jobs and pipelines are known. There are fewer rows where jobs update pipelines.
    pub fn objects(&self) -> usize {
        self.workspaces.iter().map(|watched| fleet::objects(&watched.snapshot)).sum()
    }

    /// How far one row can be trusted.
    pub fn freshness(&self, id: &ObjectId, now: Instant) -> Freshness {
        let Some(watched) = self.workspace(&id.workspace) else { return Freshness::Loading };
        match id.object {
            Object::Job(_) => watched.snapshot.jobs.freshness(now),
            Object::Pipeline(_) => watched.snapshot.pipelines.freshness(now),
        }
    }

    /// A workspace's own time at `now` (local time).
    pub fn world_now(&self, name: &WorkspaceName, now: Instant) -> Instant {
        self.workspace(name).map_or(now, |watched| watched.snapshot.world_now(now))
    }
}
