//! Puts a session together: configuration, clients, store, poller, console; and takes it apart in order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ratatui::Frame;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::app::act::{Answer, Order};
use crate::app::{Fact, Feed, Message, Model, Observed, Settings};
use crate::config::{Config, environment};
use crate::databricks::Observer;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::inventory::{Inventory, ObjectFacts, ObjectKind};
use crate::domain::proof::Feature;
use crate::domain::request::{Lane, RequestRecord};
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Workspace;
use crate::keymap::KeymapError;
use crate::operations::journal::Actor;
use crate::runtime::acts::{self, Acts, Shop};
use crate::runtime::aftermath::left_behind;
use crate::runtime::cache::Cache;
use crate::runtime::captain::{Fence, Fenced};
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::{Link, Reach, connect};
use crate::runtime::console::{self, Ended, Feeder, Parts};
use crate::runtime::courier::Courier;
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::keeper::Keeper;
use crate::runtime::ledger::{self, NoLedger, in_background, outbox_rows};
use crate::runtime::operator::{self, CrashingJournal, Journal as _, Operator, Workspaces, World, no_rows};
use crate::runtime::poller::schedule::Pace;
use crate::runtime::poller::sweeper::TierOf;
use crate::runtime::poller::{Polled, Poller, PollerOptions};
use crate::runtime::recording::{self, Recorder};
use crate::theme::{Choice, Depth, Theme, ThemeError, locale_is_unicode};
use crate::{store, telemetry, ui};

/// Why nothing can be done before the first frame was drawn.
const NOT_YET: &str = "the workspaces are not connected yet: ask again";

/// Facts that may wait for the console.
const WAITING: usize = 1_024;

/// Why a session could not be held, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The terminal, a signal, a panic.
    #[error(transparent)]
    Console(#[from] console::Error),
    /// The user's keys.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<KeymapError>),
    /// The theme.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The log.
    #[error(transparent)]
    Log(#[from] telemetry::Error),
    /// The recording.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// The store's thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

/// What a session is made of.
pub struct Session<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The environment as it was at the start.
    pub environment: &'a BTreeMap<String, String>,
    /// Where to record, if at all.
    pub record: Option<PathBuf>,
    /// Seed of jitter: what tells one console's polls from another's.
    pub seed: u64,
}

/// The tokio runtime of this program: small, since it waits far more than it works.
///
/// # Errors
/// When the system gives no threads.
pub fn executor() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("lakeshift").enable_all().build()
}

/// How often to ask, as configured. `polling.runs` is the longest wait; while something runs it is asked sooner.
pub fn pace(config: &Config) -> Pace {
    let polling = config.personal.polling;
    let runs: std::time::Duration = polling.runs.into();
    Pace {
        busy: runs.mul_f64(0.625),
        quiet: runs,
        ended: runs,
        jobs: polling.jobs.into(),
        pipelines: polling.pipelines.into(),
        urgent_events: polling.streams.into(),
        ..Pace::default()
    }
}

fn tier_of(inventory: Arc<Inventory>) -> TierOf {
    Arc::new(move |workspace, pipeline| {
        let (id, name) = (pipeline.id.as_str(), pipeline.name.as_str());
        inventory.classify(workspace, ObjectFacts { kind: ObjectKind::Pipeline, id, name, tags: &pipeline.tags }).tier
    })
}

impl Session<'_> {
    /// Opens the console and stays until it ends. Call it on the main thread, inside [`executor`]'s runtime.
    ///
    /// # Errors
    /// See [`SessionError`]. The terminal is restored in any case.
    pub async fn console(self) -> Result<Ended, SessionError> {
        console::require_terminal().map_err(console::Error::from)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = self.config;
        let log = telemetry::start(&config.paths.state_dir.join("logs"), &config.personal.log, clock.clone())?;
        let after = clock.clone();
        let state_dir = config.paths.state_dir.clone();
        let left_behind = move || {
            let now = after.now();
            left_behind(&state_dir, SystemIds::default().ulid(now), now)
        };
        console::restore_on_panic(Some(log.folder.clone()), left_behind);
        let theme = self.theme()?;
        let size = crossterm::terminal::size().map_err(console::Error::from)?;
        let settings = Settings::of(config, size, clock.now()).map_err(SessionError::Keys)?;
        let recorder =
            self.record.as_ref().map(|path| Recorder::start(path, &settings, &config.personal.keys)).transpose()?;
        let Cache { store, loaded, told } = Cache::open(&config.paths.state_dir, &settings.workspaces, clock.as_ref());

        let (facts, waiting) = mpsc::channel(WAITING);
        let say = |fact| {
            // Nothing was taken yet and there is room for thousands.
            let _ = facts.try_send(Message { at: clock.now(), fact });
        };
        for snapshot in &loaded {
            let feed = Feed::Fleet(snapshot.workspace.name.clone());
            say(Fact::Observed { feed, epoch: 0, result: Ok(Observed::Fleet(snapshot.clone())) });
        }
        if let Some(told) = told {
            tracing::warn!(told, "the cache");
            say(Fact::EffectFailed(told));
        }
        let keeper = match store {
            Some(store) => Some(Keeper::start(store, &loaded, clock.clone()).map_err(SessionError::Thread)?),
            None => None,
        };
        let options = PollerOptions {
            pace: pace(config),
            seed: self.seed,
            tier_of: tier_of(settings.inventory.clone()),
            clock: clock.clone(),
            out: facts.clone(),
        };
        let parts = Parts {
            model: Model::new(settings),
            facts: waiting,
            back: facts,
            feeder: Supply { session: &self, options, loaded, poller: None, acts: Err(NOT_YET.to_owned()) },
            keeper,
            recorder,
            clock,
            exports: config.paths.state_dir.join("exports"),
            has_browser: has_browser(self.environment),
        };
        let (parts, ended) = console::run(parts, |model, frame: &mut Frame<'_>| ui::view(model, &theme, frame)).await;
        take_apart(parts).await;
        Ok(ended?)
    }

    /// The console's hands; why there are none, if the journal cannot be used.
    fn acts(&self, links: &[Link], clock: &Arc<dyn Clock>, out: &mpsc::Sender<Message>) -> Result<Acts, String> {
        let who = environment::actor(self.environment);
        let mut ids = SystemIds::default();
        let journal =
            store::Journal::open(&self.config.paths.state_dir, ids.ulid(clock.now()), &format!("{who}, the console"));
        let cleared = journal.and_then(|mut journal| journal.forget_delivered(clock.now()).map(|()| journal));
        let journal = cleared.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("nothing can be done without a journal: {error}{cause}")
        })?;
        let session = journal.session().id;
        let (mut courier, no_ledger) = match ledger::open(self.config, links) {
            Ok(ledger) => (Courier::new(ledger, clock.clone(), session), None),
            Err(NoLedger::NotConfigured) => (Courier::none(), None),
            Err(error) => {
                let why = format!("the ledger cannot be used: {error}");
                let _ = out.try_send(Message { at: clock.now(), fact: Fact::EffectFailed(why.clone()) });
                (Courier::none(), Some(why))
            }
        };
        let world: Arc<dyn World> = Arc::new(Workspaces::of(links));
        let operator = Operator::new(operator::Parts {
            journal: CrashingJournal::new(journal, self.environment),
            world: Arc::new(Fenced { world, fence: courier.fence().unwrap_or_else(|| Fence::shut(clock.clone())) }),
            clock: clock.clone(),
            ids: Box::new(ids),
            actor: Actor(who.clone()),
            rows: if self.config.fleet.ledger.is_some() { outbox_rows() } else { no_rows() },
        });
        let actor = Actor(who.clone());
        let shop = Shop::of(self.config, links, Actor(who), clock.clone(), Box::new(SystemIds::default()));
        // What sealing stands on must not have failed.
        let proofs = operator.journal().store().proofs().unwrap_or_default();
        let may_seal = shop.off(&proofs).iter().all(|off| off.feature != Feature::Leases);
        if let Some(ledger) = courier.ledger().filter(|_| may_seal).map(in_background) {
            courier.enable_sealing(ledger);
        }
        let (shop, clock, out) = (Arc::new(shop), clock.clone(), out.clone());
        Ok(Acts::start(acts::Parts { operator, shop, courier, no_ledger, actor, clock, out }))
    }

    /// One complete sweep of all workspaces at once, for subcommands that print and end. What a workspace could not tell
    /// is in its snapshot's failures. See [`Sweeper::sweep_once`](crate::runtime::poller::sweeper::Sweeper::sweep_once)
    /// for `deep`.
    ///
    /// The cache fills in older runs, and is brought up to date.
    pub async fn sweep(&self, deep: bool) -> Vec<WorkspaceSnapshot> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let workspaces: Vec<Workspace> = self.config.workspaces().into_iter().map(|known| known.workspace).collect();
        let mut cache = Cache::open(&self.config.paths.state_dir, &workspaces, clock.as_ref());
        if let Some(told) = &cache.told {
            tracing::warn!(told, "the cache");
        }
        let ignored: Observer = Arc::new(|_: RequestRecord| {});
        let links = connect(self.config, self.environment, &clock, &ignored, self.seed);
        let (out, _nobody) = mpsc::channel(1);
        let options = PollerOptions {
            pace: Pace { spacing: std::time::Duration::ZERO, ..pace(self.config) },
            seed: self.seed,
            tier_of: tier_of(Arc::new(self.config.inventory())),
            clock,
            out,
        };
        let sweeps = links.iter().map(|link| options.sweeper(polled(link, &cache.loaded), 0).sweep_once(deep));
        let snapshots = futures::future::join_all(sweeps).await;
        if let Some(store) = &mut cache.store {
            for snapshot in &snapshots {
                let before = cache.loaded.iter().find(|before| before.workspace.name == snapshot.workspace.name);
                if let Err(error) = store.record(snapshot, before.map(Arc::as_ref)) {
                    tracing::warn!(%error, "the store could not be written");
                }
            }
        }
        snapshots
    }

    /// Polls all workspaces without a terminal and hands on each snapshot, until `until` is over or `told` gives an error.
    /// What an earlier process cached is not handed on by itself, but fills in older runs, and is brought up to date.
    ///
    /// # Errors
    /// Those of `told`.
    pub async fn watch<E: From<SessionError>>(
        &self,
        until: impl Future<Output = ()>,
        mut told: impl FnMut(&WorkspaceSnapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let workspaces: Vec<Workspace> = self.config.workspaces().into_iter().map(|known| known.workspace).collect();
        let mut cache = Cache::open(&self.config.paths.state_dir, &workspaces, clock.as_ref());
        if let Some(told) = &cache.told {
            tracing::warn!(told, "the cache");
        }
        let ignored: Observer = Arc::new(|_: RequestRecord| {});
        let links = connect(self.config, self.environment, &clock, &ignored, self.seed);
        let (out, mut messages) = mpsc::channel(WAITING);
        let options = PollerOptions {
            pace: pace(self.config),
            seed: self.seed,
            tier_of: tier_of(Arc::new(self.config.inventory())),
            clock: clock.clone(),
            out,
        };
        let store = cache.store.take();
        let keeper = store.map(|store| Keeper::start(store, &cache.loaded, clock)).transpose();
        let keeper = keeper.map_err(SessionError::Thread)?;
        let poller = Poller::start(links.iter().map(|link| polled(link, &cache.loaded)).collect(), &options);
        let mut until = std::pin::pin!(until);
        let ended = loop {
            let message = tokio::select! {
                biased;
                () = &mut until => break Ok(()),
                Some(message) = messages.recv() => message,
            };
            if let Some(keeper) = &keeper {
                keeper.observe(&message);
            }
            if let Fact::Observed { result: Ok(Observed::Fleet(snapshot)), .. } = &message.fact
                && let Err(error) = told(snapshot)
            {
                break Err(error);
            }
        };
        // Nobody takes messages any more: a task that waits to send one would never see that it should stop.
        drop(messages);
        poller.stop().await;
        if let Some(keeper) = keeper {
            keeper.finish();
        }
        ended
    }

    /// The theme that the configuration names.
    ///
    /// # Errors
    /// When there is none of that name, or its file is wrong.
    pub fn theme(&self) -> Result<Theme, ThemeError> {
        let folder = self.config.paths.config_dir.join("themes");
        Theme::load(&Choice {
            name: &self.config.personal.theme,
            folder: Some(&folder),
            depth: Depth::of_environment(self.environment),
            unicode: locale_is_unicode(self.environment),
        })
    }
}

/// The console's feeder: clients and poller are made when the first frame is drawn, since roots, credentials and
/// connections take longer than it does.
struct Supply<'a> {
    session: &'a Session<'a>,
    options: PollerOptions,
    /// What an earlier process left in the cache.
    loaded: Vec<Arc<WorkspaceSnapshot>>,
    poller: Option<Poller<Reach>>,
    /// The hands that act; why there are none, if they cannot be used or are not there yet.
    acts: Result<Acts, String>,
}

impl Feeder for Supply<'_> {
    fn start(&mut self) {
        let PollerOptions { clock, out, .. } = &self.options;
        let Session { config, environment, seed, .. } = self.session;
        let links = connect(config, environment, clock, &observer(clock.clone(), out.clone()), *seed);
        let loaded = std::mem::take(&mut self.loaded);
        let polled = links.iter().map(|link| polled(link, &loaded)).collect();
        self.poller = Some(Poller::start(polled, &self.options));
        self.acts = self.session.acts(&links, clock, out);
        let sign_ins = TaskTracker::new();
        for link in &links {
            sign_ins.spawn(sign_in(link, clock.clone(), out.clone()));
        }
    }

    fn watch(&mut self, feeds: Vec<Feed>, epoch: u64) {
        if let Some(poller) = &mut self.poller {
            poller.watch(feeds, epoch);
        }
    }

    fn refresh(&mut self, feed: &Feed) {
        if let Some(poller) = &self.poller {
            poller.refresh(feed);
        }
    }

    fn act(&mut self, order: Order) {
        let why = match &self.acts {
            Ok(acts) if acts.give(order.clone()) => return,
            Ok(_) => "too much is asked for at once: ask again".to_owned(),
            Err(why) => why.clone(),
        };
        let fact = match order {
            Order::Prepare(ask) => Fact::Answered { number: ask.number, answer: Answer::Unread(why) },
            Order::Begin { plan, .. } => Fact::OrderFailed { operation: plan.id, why },
            Order::Steer { operation, .. } => Fact::OrderFailed { operation, why },
            Order::ReadRecord { .. } => Fact::RecordRead(Err(why)),
        };
        // A full queue is no place for it; the dialog goes on waiting, and can be left.
        let PollerOptions { clock, out, .. } = &self.options;
        let _ = out.try_send(Message { at: clock.now(), fact });
    }
}

fn polled(link: &Link, loaded: &[Arc<WorkspaceSnapshot>]) -> Polled<Reach> {
    let workspace = link.workspace();
    let cached = loaded.iter().find(|snapshot| snapshot.workspace.name == workspace.name).cloned();
    Polled { workspace: workspace.clone(), api: link.reach(), cached }
}

/// Requests are told as they end. When the console does not keep up, the log has a gap rather than the network a brake.
fn observer(clock: Arc<dyn Clock>, facts: mpsc::Sender<Message>) -> Observer {
    Arc::new(move |record| {
        let _ = facts.try_send(Message { at: clock.now(), fact: Fact::RequestEnded(record) });
    })
}

/// Tells who we are. When that fails the polls fail too, and say why.
fn sign_in(link: &Link, clock: Arc<dyn Clock>, facts: mpsc::Sender<Message>) -> impl Future<Output = ()> + use<> {
    let (client, workspace) = (link.client(Role::Reader), link.workspace().name.clone());
    async move {
        let Ok(client) = client else { return };
        if let Ok(identity) = client.in_lane(Lane::Look).me().await {
            let fact = Fact::SignedIn { workspace, user: identity.name().to_owned() };
            let _ = facts.send(Message { at: clock.now(), fact }).await;
        }
    }
}

/// A browser needs a place to appear in; over SSH an address is of more use.
fn has_browser(environment: &BTreeMap<String, String>) -> bool {
    let set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    if cfg!(any(target_os = "macos", windows)) {
        return !set("SSH_CONNECTION");
    }
    set("BROWSER") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

async fn take_apart(parts: Parts<Supply<'_>>) {
    let Parts { feeder, keeper, recorder, mut facts, .. } = parts;
    // Nobody reads any more: those who wait for room must not wait for ever.
    facts.close();
    if let Some(poller) = feeder.poller {
        poller.stop().await;
    }
    if let Ok(acts) = feeder.acts {
        acts.stop().await;
    }
    let written = tokio::task::spawn_blocking(move || {
        if let Some(keeper) = keeper {
            keeper.finish();
        }
        recorder.map(Recorder::finish).transpose()
    });
    match written.await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, "the recording is not whole"),
        Err(error) => tracing::error!(%error, "the last writes did not end"),
    }
}
