//! What all ports share: one world, its pace, the planted faults, the request log, and a site for each workspace.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::log::RequestLog;
use super::rate::{Class, Rates};
use super::route::Table;
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::workspace::Environment;
use crate::sim::credentials::{Bearer, Passes, digits};
use crate::sim::faults::Faults;
use crate::sim::lakehouse::{Lakehouse, Moment};
use crate::sim::pace::Pace;
use crate::sim::world::{Workspace, World};

/// The simulated deployment.
pub(in crate::sim) struct Deployment {
    pub(super) setting: Setting,
    pub(super) routes: Table,
    pub(super) sites: Vec<Arc<Site>>,
    pub(super) log: RequestLog,
    /// Ends planted delays, so that shutting down does not wait for them.
    pub(in crate::sim) stop: CancellationToken,
    realm: Mutex<Realm>,
    /// Monotonic, so that what takes time here ends even in a world that stands still.
    started: tokio::time::Instant,
    pace: Mutex<Pace>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
}

/// The world and its data, under one lock: what one writes the other reads.
pub(in crate::sim) struct Realm {
    pub(in crate::sim) world: World,
    pub(in crate::sim) lakehouse: Lakehouse,
}

/// What the deployment was started with, as far as its ports need it.
pub(in crate::sim) struct Setting {
    pub(in crate::sim) scenario: String,
    pub(in crate::sim) seed: u64,
    /// Whether answers bear members that no documentation names.
    pub(in crate::sim) unknown_fields: bool,
    /// The wall clock.
    pub(in crate::sim) clock: Arc<dyn Clock>,
}

/// One workspace's face.
pub(in crate::sim) struct Site {
    pub(super) name: String,
    pub(super) environment: Environment,
    pub(super) workspace_id: u64,
    /// `http://127.0.0.1:PORT`.
    pub(super) host: String,
    /// Whether `expires_in` of an OAuth token is text, as some servers send it.
    pub(super) expiry_as_text: bool,
    seed: u64,
    passes: Mutex<Passes>,
    rates: Mutex<Rates>,
}

impl Deployment {
    /// Nothing is served yet.
    pub(in crate::sim) fn new(setting: Setting, realm: Realm, pace: Pace, sites: Vec<Site>, log: RequestLog) -> Self {
        Self {
            setting,
            routes: super::routes(),
            sites: sites.into_iter().map(Arc::new).collect(),
            log,
            stop: CancellationToken::new(),
            realm: Mutex::new(realm),
            started: tokio::time::Instant::now(),
            pace: Mutex::new(pace),
            faults: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// The workspaces' faces, in the world's order.
    pub(in crate::sim) fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// Looks at or changes the world as it is now: all that was due has happened.
    pub(in crate::sim) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.with_realm(|realm| act(&mut realm.world))
    }

    /// The same with the world's data.
    pub(super) fn with_realm<T>(&self, act: impl FnOnce(&mut Realm) -> T) -> T {
        // The instant is read under the lock, so that the world's time never goes back between two callers.
        let mut realm = held(&self.realm);
        let now = self.world_now();
        realm.world.advance_to(now);
        let uptime_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Realm { world, lakehouse } = &mut *realm;
        lakehouse.advance(world, Moment { at: world.now(), uptime_ms });
        act(&mut realm)
    }

    /// The wall clock's instant.
    pub(super) fn wall_now(&self) -> Instant {
        self.setting.clock.now()
    }

    /// World time.
    pub(super) fn world_now(&self) -> Instant {
        held(&self.pace).world_at(self.wall_now())
    }

    /// The pace, to read or change it.
    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        held(&self.pace)
    }

    /// The planted faults.
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        held(&self.faults)
    }

    /// A new request id: a UUID that depends on the seed and the count of requests.
    pub(super) fn next_request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let digits = digits(self.setting.seed, &["request", &count.to_string()]);
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

impl Site {
    pub(in crate::sim) fn new(
        workspace: &Workspace,
        host: String,
        seed: u64,
        passes: Passes,
        expiry_as_text: bool,
    ) -> Self {
        Self {
            name: workspace.name.to_owned(),
            environment: workspace.environment,
            workspace_id: workspace.workspace_id,
            host,
            expiry_as_text,
            seed,
            passes: Mutex::new(passes),
            rates: Mutex::default(),
        }
    }

    /// Issues an OAuth token.
    pub(super) fn issue(&self, client_id: &str, secret: &str, wall: Instant) -> Option<String> {
        held(&self.passes).issue(self.seed, &self.name, client_id, secret, wall)
    }

    /// Who bears a token.
    pub(super) fn bearer(&self, token: &str, wall: Instant) -> Bearer {
        held(&self.passes).bearer(token, wall)
    }

    /// Ends an OAuth token's life.
    pub(in crate::sim) fn expire(&self, token: &str, wall: Instant) {
        held(&self.passes).expire(token, wall);
    }

    /// Takes one request of a rate.
    pub(super) fn take(&self, class: Class, wall: Instant) -> Result<(), u64> {
        held(&self.rates).take(class, wall)
    }
}

/// A lock that outlives a panic of another request: the panicking request has already lost its connection.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
