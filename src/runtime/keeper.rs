//! Writes what is observed to the store, on a thread of its own: the screen never waits for a disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::TimeDelta;

use crate::app::{Fact, Feed, Message, Observed};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ids::WorkspaceName;
use crate::domain::snapshot::{RunDetail, WorkspaceSnapshot};
use crate::store::Store;

/// Snapshots are written together, this far apart: the cache is for the next start, not for the next second.
const BATCH: TimeDelta = TimeDelta::seconds(5);

/// Old rows are dropped at the start and then this often.
const PRUNE: TimeDelta = TimeDelta::hours(6);

/// Observations that may wait for the disk. More are dropped: newer ones say the same and more.
const WAITING: usize = 64;

enum Kept {
    Snapshot(Arc<WorkspaceSnapshot>),
    Detail(WorkspaceName, Arc<RunDetail>),
}

/// The writing thread's handle. Dropped without [`Keeper::finish`], it still writes what it was given.
pub struct Keeper {
    queue: SyncSender<Kept>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts to write. `loaded` is what the store was loaded with: only what differs from it is written.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(store: Store, loaded: &[Arc<WorkspaceSnapshot>], clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(WAITING);
        let written = loaded.iter().map(|snapshot| (snapshot.workspace.name.clone(), snapshot.clone())).collect();
        let writer = Writer { store, written, fresh: HashMap::new(), pruned_at: None, clock };
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || writer.run(&waiting))?;
        Ok(Self { queue, thread })
    }

    /// Takes what a message brought, if it is of use after this process.
    pub fn observe(&self, message: &Message) {
        let kept = match &message.fact {
            Fact::Observed { result: Ok(Observed::Fleet(snapshot)), .. } => Kept::Snapshot(snapshot.clone()),
            Fact::Observed {
                feed: Feed::Run(workspace, _) | Feed::LatestRun(workspace, _),
                result: Ok(Observed::Run(detail)),
                ..
            } => Kept::Detail(workspace.clone(), detail.clone()),
            _ => return,
        };
        let _ = self.queue.try_send(kept);
    }

    /// Writes what is left and ends the thread. Blocks for as long as the disk does.
    pub fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }
}

struct Writer {
    store: Store,
    written: HashMap<WorkspaceName, Arc<WorkspaceSnapshot>>,
    fresh: HashMap<WorkspaceName, Arc<WorkspaceSnapshot>>,
    pruned_at: Option<Instant>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    fn run(mut self, waiting: &std::sync::mpsc::Receiver<Kept>) {
        let mut flush_at = self.clock.now() + BATCH;
        loop {
            let left = (flush_at - self.clock.now()).to_std().unwrap_or(Duration::ZERO);
            match waiting.recv_timeout(left) {
                Ok(Kept::Snapshot(snapshot)) => {
                    self.fresh.insert(snapshot.workspace.name.clone(), snapshot);
                }
                Ok(Kept::Detail(workspace, detail)) => {
                    let written = self.store.record_detail(&workspace, &detail);
                    tell(written.map(|_| ()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.flush();
                    flush_at = self.clock.now() + BATCH;
                }
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
        }
    }

    fn flush(&mut self) {
        for (name, snapshot) in std::mem::take(&mut self.fresh) {
            match self.store.record(&snapshot, self.written.get(&name).map(Arc::as_ref)) {
                Ok(_) => {
                    self.written.insert(name, snapshot);
                }
                // The difference to what was written stays, and with it the next attempt.
                Err(error) => tell(Err(error)),
            }
        }
        let now = self.clock.now();
        if self.pruned_at.is_none_or(|at| now - at > PRUNE) {
            self.pruned_at = Some(now);
            tell(self.store.prune(now).map(|_| ()));
        }
    }
}

/// The cache is a convenience: its failures are for the log.
fn tell(result: Result<(), crate::store::Error>) {
    if let Err(error) = result {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, "the store could not be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Section;
    use crate::domain::workspace::{Environment, Workspace};
    use crate::runtime::clock::SystemClock;

    #[test]
    fn what_was_observed_is_in_the_store_when_the_keeper_has_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lakeshift.db");
        let open = || Store::open(&path, "now").expect("opens").store;
        let workspace = Workspace {
            name: "dev".into(),
            environment: Environment::Dev,
            letter: 'D',
            host: "http://127.0.0.1:1".into(),
        };
        let at: Instant = "2026-03-02T12:00:00Z".parse().expect("an instant");
        let snapshot = Arc::new(WorkspaceSnapshot {
            jobs: Section { value: Some(Arc::default()), observed_at: Some(at), ..Section::default() },
            ..WorkspaceSnapshot::unknown(workspace.clone())
        });
        let keeper = Keeper::start(open(), &[], Arc::new(SystemClock)).expect("starts");
        let fact = Fact::Observed { feed: Feed::Fleet("dev".into()), epoch: 0, result: Ok(Observed::Fleet(snapshot)) };
        keeper.observe(&Message { at, fact });
        keeper.finish();
        let loaded = open().load(&workspace).expect("reads").expect("it was kept");
        assert_eq!(loaded.jobs.observed_at, Some(at));
        assert!(loaded.jobs.cached);
    }
}
