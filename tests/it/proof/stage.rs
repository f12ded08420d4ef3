//! What all of one run share: time, chance, the world, the network, the judge, and the trouble that is planned.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use bytes::Bytes;
use lakeshift::databricks::transport::{Incoming, Outgoing};
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::danger::Danger;
use lakeshift::domain::workspace::{Environment, Workspace};
use lakeshift::operations::engine::{Effect, Outcome};
use lakeshift::sim::Embedded;
use lakeshift::sim::scenario::Scenario;
use lakeshift::sim::world::World;
use tokio::task::JoinSet;

use super::case::Case;
use super::chance::Chance;
use super::judge::Judge;
use super::ledger::{self, Mishap};
use super::matrix::{Cell, Crash, Deed, Fault, Happenings};
use super::network::{Ask, Order, STALEST_S};
use super::time::TrueTime;
use crate::ledger::Desk;

/// The index and the environment of the workspace in which everything happens.
pub(super) const PROD: usize = 0;

/// The world as every run finds it. To make one takes longer than to copy it.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let scenario = Scenario::parse("proof", include_str!("scenario.toml")).unwrap();
    World::new(&scenario, 7, origin())
});

/// When every run begins.
fn origin() -> Instant {
    "2026-11-24T09:17:23Z".parse().unwrap()
}

/// A process dies: carried by a panic that no hook sees, so that nothing after it runs.
pub(super) struct Died;

/// How much of the network a machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The ledger alone.
    Ledger,
    /// The workspaces too.
    Everything,
}

/// What all of one run share.
pub(super) struct Stage {
    pub(super) chance: Chance,
    pub(super) truth: Arc<TrueTime>,
    pub(super) embedded: Embedded,
    pub(super) workspace: Workspace,
    pub(super) cell: Cell,
    /// The fleet's ledger, if it has one.
    pub(super) ledger: Option<Desk>,
    /// How dangerous the run's plan says that it is.
    pub(super) tier: Danger,
    judge: Mutex<Judge>,
    happenings: Mutex<Happenings>,
    trace: Mutex<Vec<String>>,
    network: Mutex<JoinSet<()>>,
    /// Effects that ended since the judge looked.
    landed: Mutex<Vec<(u64, Effect, Outcome)>>,
    /// Worlds before acts, newest last, with the instant of the act.
    past: Mutex<Vec<(Instant, World)>>,
    /// Machines that lack the network, how much of it, and until when.
    cuts: Mutex<Vec<(usize, Reach, Instant)>>,
    /// Machines whose newest question the ledger has not answered.
    unanswered: Mutex<BTreeSet<usize>>,
    /// Whether the ledger hears nothing more of the first machine once it has the plan.
    unheard: bool,
    calm: AtomicBool,
    /// Requests that are let through before the planned fault strikes.
    spare: AtomicU64,
    /// How often the planned fault strikes.
    strikes: AtomicU64,
    /// Starts of updates that are still to be lost on their way: only after that a list of updates is read.
    losses: AtomicU64,
    /// Statements of the ledger that are still to meet a mishap as planned.
    silences: AtomicU64,
    /// Crossings of the planned crash point that are survived.
    lives: AtomicU64,
    /// Deaths that are left, planned and by chance.
    deaths: AtomicU64,
    /// Of a hundred requests so many suffer by chance.
    noise: u64,
    /// Of a thousand crossings so many are fatal by chance.
    frailty: u64,
}

impl Stage {
    pub(super) fn new(seed: u64, cell: Cell) -> Arc<Self> {
        let chance = Chance::new(seed);
        let truth = TrueTime::begin(origin());
        let embedded = Embedded::new(WORLD.clone(), 7, truth.clone()).unwrap();
        let access = &embedded.workspaces()[PROD];
        let workspace = Workspace {
            name: access.name.as_str().into(),
            environment: Environment::Prod,
            letter: 'P',
            host: access.host.clone(),
        };
        // Most runs have none: its engine takes longer to make than all else together.
        let ledger = (cell.has_ledger() || chance.percent(2)).then(ledger::installed);
        // Only what the ledger has before it is sent can be gone on with elsewhere.
        let is_production = match cell.fault {
            Fault::OtherHome | Fault::LivesOn => true,
            Fault::Unled | Fault::Blind => false,
            _ => ledger.is_some() && chance.percent(70),
        };
        let unheard = match cell.fault {
            Fault::Blind => true,
            Fault::Unled => !cell.deed.may_double() && chance.percent(50),
            _ => false,
        };
        let (noise, frailty) = (chance.pick(&[0, 0, 5, 15, 35]), chance.pick(&[0, 0, 10, 60]));
        Arc::new(Self {
            spare: AtomicU64::new(chance.pick(&[0, 0, 0, 1])),
            strikes: AtomicU64::new(chance.pick(&[1, 1, 1, 2, 4])),
            losses: AtomicU64::new(u64::from(
                cell.fault == Fault::PartialPage && matches!(cell.deed, Deed::Start | Deed::UndoStart),
            )),
            silences: AtomicU64::new(if cell.fault == Fault::Ledger { chance.between(1, 9) } else { 0 }),
            lives: AtomicU64::new(chance.pick(&[0, 0, 0, 1])),
            deaths: AtomicU64::new(if cell.crash == Crash::Never { 0 } else { chance.between(1, 4) }),
            chance,
            truth,
            embedded,
            workspace,
            cell,
            ledger,
            tier: if is_production { Danger::Production } else { Danger::Costly },
            judge: Mutex::default(),
            happenings: Mutex::default(),
            trace: Mutex::default(),
            network: Mutex::default(),
            landed: Mutex::default(),
            past: Mutex::default(),
            cuts: Mutex::default(),
            unanswered: Mutex::default(),
            unheard,
            calm: AtomicBool::new(false),
            noise,
            frailty,
        })
    }

    pub(super) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap()
    }

    pub(super) fn happened(&self, what: impl FnOnce(&mut Happenings)) {
        what(&mut self.happenings.lock().unwrap());
    }

    /// Notes what was asked of the platform in the run.
    pub(super) fn tally(&self) {
        let deeds: Vec<Deed> = self.judge().cases.values().flat_map(Case::deeds).collect();
        self.happened(|happened| happened.deeds.extend(deeds));
    }

    pub(super) fn happenings(&self) -> Happenings {
        self.happenings.lock().unwrap().clone()
    }

    /// A line of the run's story, told if it goes wrong.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let at = self.truth.elapsed();
        let line = format!("{:>9.3} {}", at.as_seconds_f64(), line());
        self.trace.lock().unwrap().push(line);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }

    /// No more trouble from now on.
    pub(super) fn calm_down(&self) {
        if !self.calm.swap(true, Ordering::Relaxed) {
            self.note(|| "calm".to_owned());
            self.cuts.lock().unwrap().retain(|(_, _, until)| *until != Instant::MAX_UTC);
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// A machine lacks the network until an instant.
    pub(super) fn cut_off(&self, home: usize, reach: Reach, until: Instant) {
        self.note(|| format!("machine {home} is cut off: {reach:?}"));
        self.cuts.lock().unwrap().push((home, reach, until));
    }

    /// Whether a machine lacks at least this much of the network now.
    pub(super) fn is_cut_off(&self, home: usize, reach: Reach) -> bool {
        let now = self.truth.now();
        self.cuts.lock().unwrap().iter().any(|(of, cut, until)| *of == home && *cut >= reach && now < *until)
    }

    /// Whether the ledger has answered a machine's question.
    pub(super) fn answered(&self, home: usize, has: bool) {
        let mut unanswered = self.unanswered.lock().unwrap();
        if has {
            unanswered.remove(&home);
        } else {
            unanswered.insert(home);
        }
    }

    /// Whether the ledger has not answered a machine's newest question.
    pub(super) fn is_unanswered(&self, home: usize) -> bool {
        self.unanswered.lock().unwrap().contains(&home)
    }

    /// Whether the ledger hears nothing more of the first machine once it has the plan.
    pub(super) fn is_unheard_from_the_plan_on(&self) -> bool {
        self.unheard && !self.is_calm() && !self.is_cut_off(0, Reach::Ledger)
    }

    /// A process passes a point at which it may die.
    pub(super) fn cross(&self, process: u64, point: Crash) {
        if self.is_calm() || self.deaths.load(Ordering::Relaxed) == 0 {
            return;
        }
        let is_planned = point == self.cell.crash && spend(&self.lives);
        if is_planned || self.chance.below(1_000) < self.frailty {
            self.deaths.fetch_sub(1, Ordering::Relaxed);
            self.happened(|happened| _ = happened.crashes.insert(point));
            self.note(|| format!("p{process} dies {point:?}"));
            resume_unwind(Box::new(Died));
        }
    }

    /// What befalls a request.
    pub(super) fn trouble(&self, ask: &Ask) -> Option<Fault> {
        if self.is_calm() {
            return None;
        }
        let deed = match ask {
            Ask::Act(order) => self.judge().deed(order),
            _ => None,
        };
        let planned = self.cell.fault;
        let fits = match ask {
            Ask::Act(_) => planned.is_of_act() && deed == Some(self.cell.deed),
            Ask::List => planned == Fault::PartialPage || (planned == Fault::Stale && self.is_remembered()),
            Ask::Read => planned == Fault::Stale && self.is_remembered(),
            Ask::Token => false,
        };
        let fault = if matches!(ask, Ask::Act(Order::Start { .. })) && !spend(&self.losses) {
            Some(Fault::Lost)
        } else if fits && spend(&self.spare) && self.strikes.load(Ordering::Relaxed) > 0 {
            self.strikes.fetch_sub(1, Ordering::Relaxed);
            Some(planned)
        } else if self.chance.percent(self.noise) {
            self.any_fault(ask)
        } else {
            None
        }?;
        self.happened(|happened| match deed {
            Some(deed) => _ = happened.of_deed.insert((deed, fault)),
            None if fault.is_of_read() => _ = happened.of_all.insert(fault),
            None => {}
        });
        Some(fault)
    }

    /// What befalls a statement of the ledger.
    pub(super) fn mishap(&self) -> Option<Mishap> {
        if self.is_calm() || (spend(&self.silences) && !self.chance.percent(self.noise)) {
            return None;
        }
        self.happened(|happened| _ = happened.of_all.insert(Fault::Ledger));
        Some(self.chance.pick(&Mishap::ALL))
    }

    fn any_fault(&self, ask: &Ask) -> Option<Fault> {
        let fault = self.chance.pick(&Fault::OF_ANY);
        let special = self.chance.percent(25);
        Some(match ask {
            Ask::Act(_) if special => Fault::Late,
            Ask::List if special => Fault::PartialPage,
            Ask::List | Ask::Read if self.chance.percent(25) && self.is_remembered() => Fault::Stale,
            Ask::List | Ask::Read | Ask::Token if fault == Fault::Duplicate => return None,
            _ => fault,
        })
    }

    /// An effect of a process ended.
    pub(super) fn landed(&self, process: u64, effect: Effect, outcome: Outcome) {
        self.landed.lock().unwrap().push((process, effect, outcome));
    }

    /// The effects of a process that have ended since this was asked last.
    pub(super) fn take_landed(&self, process: u64) -> Vec<(Effect, Outcome)> {
        let mut landed = self.landed.lock().unwrap();
        landed.extract_if(.., |(of, _, _)| *of == process).map(|(_, effect, outcome)| (effect, outcome)).collect()
    }

    /// Sends something on its way.
    pub(super) fn deliver(&self, delivery: impl Future<Output = ()> + Send + 'static) {
        self.network.lock().unwrap().spawn(delivery);
    }

    /// What a workspace answers.
    pub(super) async fn answer(&self, workspace: usize, request: &Outgoing) -> Incoming {
        let mut plain = http::Request::builder().method(request.method.clone()).uri(request.url.as_str());
        for (name, value) in &request.headers {
            plain = plain.header(name, value);
        }
        let body = request.body.as_ref().map(|body| body.to_vec()).unwrap_or_default();
        let (head, body) = self.embedded.answer(workspace, plain.body(body).unwrap()).await.into_parts();
        Incoming { status: head.status, headers: head.headers, body: Bytes::from(body) }
    }

    /// Keeps the world as it is before an act, for reads that miss the act.
    pub(super) fn remember(&self) {
        let mut past = self.past.lock().unwrap();
        let now = self.truth.now();
        past.retain(|(at, _)| (now - *at).num_seconds() < STALEST_S);
        past.push((now, self.embedded.with_world(|world| world.clone())));
    }

    fn is_remembered(&self) -> bool {
        let now = self.truth.now();
        self.past.lock().unwrap().iter().any(|(at, _)| (now - *at).num_seconds() < STALEST_S)
    }

    /// What a workspace answers from a copy that lacks the newest act.
    pub(super) async fn answer_stale(&self, workspace: usize, request: &Outgoing) -> Incoming {
        let now = self.truth.now();
        let copy =
            self.past.lock().unwrap().iter().rev().find(|(at, _)| (now - *at).num_seconds() < STALEST_S).cloned();
        let Some((_, mut copy)) = copy else { return self.answer(workspace, request).await };
        // A read never waits, so nobody sees the world that is exchanged meanwhile.
        self.embedded.with_world(|world| std::mem::swap(world, &mut copy));
        let answer = self.answer(workspace, request).await;
        self.embedded.with_world(|world| std::mem::swap(world, &mut copy));
        self.note(|| format!("stale answer to {} {}", request.method, request.url.path()));
        answer
    }
}

/// Takes one of what is left; true when nothing was.
fn spend(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
}
