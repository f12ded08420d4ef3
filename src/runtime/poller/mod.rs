//! Keeps the fleet's picture fresh: a task a workspace, and feeds that live as long as a screen needs them. Headless: all
//! that it says goes out as messages over one bounded channel.

pub mod api;
pub mod feeds;
pub mod flows;
pub mod knowledge;
pub mod schedule;
pub mod sweeper;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::api::WorkspaceApi;
use self::feeds::{Feeds, Reached};
use self::schedule::Pace;
use self::sweeper::{Sweeper, SweeperOptions, TierOf};
use crate::app::message::{Feed, Message};
use crate::domain::clock::Clock;
use crate::domain::ids::WorkspaceName;
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Workspace;

/// Readings of events that may wait for a sweeper.
const READINGS: usize = 8;

/// A workspace to be polled.
pub struct Polled<A> {
    /// Which workspace.
    pub workspace: Workspace,
    /// How to ask it; in the polling lane.
    pub api: A,
    /// What an earlier process left in the cache.
    pub cached: Option<Arc<WorkspaceSnapshot>>,
}

/// What all workspaces have in common.
pub struct PollerOptions {
    /// How often to ask.
    pub pace: Pace,
    /// Seed of the jitter; each workspace derives its own.
    pub seed: u64,
    /// Which pipelines are urgent.
    pub tier_of: TierOf,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where all messages go.
    pub out: mpsc::Sender<Message>,
}

/// The running poller.
pub struct Poller<A> {
    feeds: Feeds<A>,
    refreshes: HashMap<WorkspaceName, mpsc::Sender<()>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<A: WorkspaceApi> Poller<A> {
    /// Starts to poll. Needs a tokio runtime.
    pub fn start(workspaces: Vec<Polled<A>>, options: &PollerOptions) -> Self {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (mut refreshes, mut reached) = (HashMap::new(), Vec::new());
        for (polled, place) in workspaces.into_iter().zip(0..) {
            let (refresh, refreshed) = mpsc::channel(1);
            let (events, read) = mpsc::channel(READINGS);
            refreshes.insert(polled.workspace.name.clone(), refresh);
            reached.push(Reached { workspace: polled.workspace.name.clone(), api: polled.api.for_person(), events });
            tasks.spawn(options.sweeper(polled, place).run(refreshed, read, stop.child_token()));
        }
        let feeds = Feeds::new(reached, options.clock.clone(), options.out.clone(), stop.child_token());
        Self { feeds, refreshes, tasks, stop }
    }

    /// Keeps these feeds fresh beside the fleet's; see [`Feeds::watch`].
    pub fn watch(&mut self, feeds: Vec<Feed>, epoch: u64) {
        self.feeds.watch(feeds, epoch);
    }

    /// Polls a feed now instead of at its next turn.
    pub fn refresh(&self, feed: &Feed) {
        match feed {
            Feed::Fleet(workspace) => {
                if let Some(refresh) = self.refreshes.get(workspace) {
                    // A full channel means that a refresh is already due.
                    let _ = refresh.try_send(());
                }
            }
            other => self.feeds.refresh(other),
        }
    }

    /// Ends all tasks and waits for them. Requests on their way are dropped: they only read.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.feeds.ended().await;
    }
}

impl PollerOptions {
    /// One workspace's sweeper. `place` sets its jitter apart from the others'.
    pub fn sweeper<A: WorkspaceApi>(&self, polled: Polled<A>, place: u64) -> Sweeper<A> {
        Sweeper::new(SweeperOptions {
            workspace: polled.workspace,
            api: polled.api,
            cached: polled.cached,
            pace: self.pace,
            seed: self.seed.wrapping_add(place),
            tier_of: self.tier_of.clone(),
            clock: self.clock.clone(),
            out: self.out.clone(),
        })
    }
}
