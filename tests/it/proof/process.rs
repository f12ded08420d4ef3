//! A process of the program: the real operator over the real journal and the real client, with the proof's hands around
//! the journal and on the wire.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lakeshift::databricks::auth::Credentials;
use lakeshift::databricks::{Budget, Client, ClientOptions, RetryPolicy};
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::ulid::Ulid;
use lakeshift::ledger::Ledger;
use lakeshift::ledger::journal::NoJournal;
use lakeshift::ledger::lease::Standing;
use lakeshift::operations::engine::{Effect, Outcome};
use lakeshift::operations::journal::{Actor, Event, Recorded};
use lakeshift::operations::plan::{OperationId, Plan, Subject};
use lakeshift::runtime::captain::{Fenced, needs_lease};
use lakeshift::runtime::courier::Courier;
use lakeshift::runtime::delivery::Outbox;
use lakeshift::runtime::entropy::Ids;
use lakeshift::runtime::ledger::outbox_rows;
use lakeshift::runtime::operator::{Error, Journal, Operator, Parts, Workspaces, World, no_rows};
use lakeshift::runtime::takeover::{Here, Inquiry, NotTaken, inquire, settle};
use lakeshift::store::{self, Adopted, Health, OutboxRow, Record, Waiting};
use secrecy::SecretString;
use tempfile::TempDir;

use super::bugs::Bug;
use super::ledger::Way;
use super::matrix::Crash;
use super::network::Wire;
use super::stage::{PROD, Stage};
use super::time::MachineClock;
use crate::ledger::{Desk, place};

/// A machine: a state folder and a clock.
pub(super) struct Home {
    folder: TempDir,
    pub(super) clock: Arc<MachineClock>,
    /// How the ledger knows whoever works here.
    user: &'static str,
    who: &'static str,
    credentials: Credentials,
}

/// How often the console looks what is due.
const LOOK: Duration = Duration::from_secs(1);

impl Home {
    pub(super) fn new(stage: &Stage, user: &'static str, who: &'static str, role: &str) -> Self {
        // In memory where there is such a place: what is tested is the order of writes, not the disk.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let access = &stage.embedded.workspaces()[PROD];
        let credentials = match access.tokens.get(role).filter(|_| role != "ci") {
            Some(token) => Credentials::token(SecretString::from(token.clone())),
            None => Credentials::client_secret(&access.client_id, SecretString::from(access.client_secret.clone())),
        };
        let offset_ms = i64::try_from(stage.chance.below(4_000)).unwrap() - 2_000;
        let clock = MachineClock::new(stage.truth.clone(), offset_ms);
        Self { folder, clock, user, who, credentials }
    }

    /// The client of a process of this machine; without a process, one that no trouble befalls.
    pub(super) fn client(&self, stage: &Arc<Stage>, process: Option<u64>, resends: bool) -> Client {
        let many = NonZeroU32::new(1_000).unwrap();
        Client::new(ClientOptions {
            workspace: stage.workspace.clone(),
            transport: Arc::new(Wire { stage: Arc::clone(stage), process, workspace: PROD, resends }),
            credentials: self.credentials.clone(),
            budget: Budget::new(many, many),
            retry: RetryPolicy { seed: stage.chance.below(u64::MAX), ..RetryPolicy::default() },
            clock: self.clock.clone(),
            observer: Arc::new(|_| {}),
        })
        .unwrap()
    }

    pub(super) fn actor(&self) -> Actor {
        Actor(self.who.to_owned())
    }
}

/// A process, from its start to its death: an operator, and the courier between it and the ledger, as the console's hands
/// hold them.
pub(super) struct Process {
    pub(super) number: u64,
    pub(super) operator: Operator<Watched>,
    stage: Arc<Stage>,
    clock: Arc<MachineClock>,
    actor: Actor,
    ids: Counted,
    courier: Courier<Way>,
    /// The question to the ledger whether another home has gone on with the operation.
    inquiry: Option<BoxFuture<'static, Result<Inquiry, NotTaken>>>,
    operation: Option<OperationId>,
    /// Whether the ledger knew nothing of it when it was asked last.
    pub(super) found_nothing: bool,
}

/// The session of a process.
pub(super) fn session(number: u64) -> Ulid {
    Ulid::new(number, u128::from(number))
}

impl Process {
    pub(super) fn start(stage: &Arc<Stage>, home: &Home, number: u64, bug: Bug) -> Self {
        let session = session(number);
        let journal = store::Journal::open(home.folder.path(), session, home.who).unwrap();
        let client = home.client(stage, Some(number), bug == Bug::RetriesUnsafeCalls);
        let workspaces = Workspaces::new([(stage.workspace.clone(), Ok(client))]);
        let way = |desk: &Desk| Way { stage: Arc::clone(stage), desk: desk.of(home.user) };
        let courier = match &stage.ledger {
            Some(desk) => Courier::new(Ledger::new(way(desk), place()), home.clock.clone(), session),
            None => Courier::none(),
        };
        let platform: Arc<dyn World> =
            Arc::new(Platform { inner: Arc::new(workspaces), stage: Arc::clone(stage), number, bug });
        let operator = Operator::new(Parts {
            journal: Watched { inner: journal, stage: Arc::clone(stage), number, bug, behind: None },
            world: match courier.fence() {
                Some(fence) => Arc::new(Fenced { world: platform, fence }),
                None => platform,
            },
            clock: home.clock.clone(),
            ids: Box::new(Counted { process: number, drawn: 0 }),
            actor: home.actor(),
            rows: if stage.ledger.is_some() { outbox_rows(session) } else { no_rows() },
        });
        Self {
            number,
            operator,
            stage: Arc::clone(stage),
            clock: home.clock.clone(),
            actor: home.actor(),
            ids: Counted { process: number, drawn: 1 << 20 },
            courier,
            inquiry: None,
            operation: None,
            found_nothing: false,
        }
    }

    /// Goes on until something has happened.
    pub(super) async fn step(&mut self) {
        let (idle, now) = (self.operator.is_idle(), self.clock.now());
        self.courier.start(&self.operator, now);
        let has_ledger = self.courier.ledger().is_some();
        tokio::select! {
            biased;
            found = landed(&mut self.inquiry) => self.answered(found),
            came = self.courier.next(now) => {
                let now = self.clock.now();
                let happened = self.courier.take(came, &mut self.operator, now);
                if !happened.is_empty() {
                    self.stage.note(|| format!("p{} lets go: {happened:?}", self.number));
                }
            }
            _ = self.operator.step(), if !idle => {}
            () = tokio::time::sleep(LOOK), if has_ledger => {}
        }
        for operation in self.operator.in_hand() {
            if self.operator.view(operation).is_some_and(|view| view.state.is_over()) {
                self.operator.release(operation).unwrap();
            }
        }
    }

    /// Tries to get the operation in hand; none while the ledger is asked whether another home has gone on with it.
    pub(super) fn seek(&mut self, operation: OperationId) -> Option<Result<(), Error>> {
        self.operation = Some(operation);
        let Some(here) = self.here(operation) else {
            return Some(self.operator.take_up(operation).map(drop));
        };
        let ledger = self.courier.ledger().cloned();
        let (Some(ledger), Some(captain), None) = (ledger, self.courier.captain(), &self.inquiry) else { return None };
        let (ticks, nonce) = (captain.ticks(), captain.nonce());
        self.inquiry = Some(async move { inquire(&ledger, &ticks, operation, &nonce, here).await }.boxed());
        None
    }

    /// What is known here of an operation of which the ledger must be asked first.
    fn here(&self, operation: OperationId) -> Option<Here> {
        if self.operator.view(operation).is_some() {
            return None;
        }
        let record = self.operator.journal().record(operation, self.clock.now()).unwrap();
        let Some(record) = record else { return Some(Here::default()) };
        let plan = record.plan.known().filter(|plan| needs_lease(plan) && !record.is_over)?;
        let ended = match record.owner {
            Some((_, Health::Alive)) => return None,
            Some((owner, Health::Gone)) => Some(owner.session),
            _ => None,
        };
        Some(Here { plan: Some(plan.clone()), ended })
    }

    fn answered(&mut self, found: Result<Inquiry, NotTaken>) {
        self.inquiry = None;
        let Some(operation) = self.operation else { return };
        let now = self.clock.now();
        self.found_nothing = matches!(found, Err(NotTaken::Journal(NoJournal::Nothing(_))));
        let settled = found.and_then(|mut inquiry| {
            if let (Some(tenure), Some(captain)) = (inquiry.tenure.take(), self.courier.captain()) {
                captain.has(operation, tenure);
            }
            let audit_id = self.ids.ulid(now);
            settle(&mut self.operator.journal_mut().inner, &inquiry, &self.actor, Some("it stands"), audit_id, now)
        });
        match settled {
            Ok(adopted) => {
                if adopted == Adopted::Brought {
                    let record = self.operator.journal().record(operation, now).unwrap().unwrap();
                    self.stage.note(|| format!("p{} brings {} entries here", self.number, record.journal.len()));
                    self.stage.judge().adopted(operation, &record.journal);
                }
                if let Err(error) = self.operator.take_up(operation) {
                    self.stage.note(|| format!("p{} is refused: {error}", self.number));
                }
            }
            Err(error) => self.stage.note(|| format!("p{} does not get it: {error}", self.number)),
        }
    }

    /// How many rows wait for the ledger.
    pub(super) fn waiting(&self) -> u64 {
        self.operator.journal().waiting().unwrap().rows
    }

    /// Whether it believes to hold the lease for the operation.
    pub(super) fn holds(&mut self, operation: OperationId) -> bool {
        let standing = self.courier.captain().and_then(|captain| captain.standing(operation));
        matches!(standing, Some(Standing::Holding { .. }))
    }
}

/// The end of what is under way; never without it.
async fn landed<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(under_way) => under_way.await,
        None => std::future::pending().await,
    }
}

/// Ids that count.
struct Counted {
    process: u64,
    drawn: u64,
}

impl Ids for Counted {
    fn ulid(&mut self, at: Instant) -> Ulid {
        self.drawn += 1;
        let ms = u64::try_from(at.timestamp_millis()).unwrap();
        Ulid::new(ms, (u128::from(self.process) << 32) | u128::from(self.drawn))
    }
}

/// The real journal. Before and after each write the process may die, and the judge learns what has become durable.
pub(super) struct Watched {
    pub(super) inner: store::Journal,
    stage: Arc<Stage>,
    number: u64,
    bug: Bug,
    /// What the bug of writing behind has not written yet.
    behind: Option<(OperationId, u64, Vec<Recorded>, bool, Instant)>,
}

impl Watched {
    fn write(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.inner.append(operation, after, entries, rows, is_over, now)?;
        let names: Vec<String> =
            entries.iter().map(|entry| format!("{} {}", entry.event.name(), entry.event.detail())).collect();
        self.stage.note(|| format!("p{} writes {}", self.number, names.join(", ")));
        self.stage.judge().recorded(self.number, operation, entries);
        Ok(())
    }

    fn catch_up(&mut self) -> Result<(), store::Error> {
        match self.behind.take() {
            Some((operation, after, entries, is_over, now)) => {
                self.write(operation, after, &entries, &[], is_over, now)
            }
            None => Ok(()),
        }
    }
}

/// The crash points around a write of these entries.
fn points(entries: &[Recorded]) -> Option<(Crash, Crash)> {
    let is_outcome = |entry: &Recorded| {
        matches!(
            entry.event,
            Event::Confirmed { .. }
                | Event::NotDone { .. }
                | Event::Unknown { .. }
                | Event::Absent { .. }
                | Event::Settled { .. }
                | Event::Verified { .. }
        )
    };
    if entries.iter().any(|entry| matches!(entry.event, Event::Intended { .. })) {
        Some((Crash::BeforeIntent, Crash::AfterIntent))
    } else if entries.iter().any(is_outcome) {
        Some((Crash::BeforeOutcome, Crash::AfterOutcome))
    } else {
        None
    }
}

impl Journal for Watched {
    fn begin(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        rows: &[OutboxRow],
        now: Instant,
    ) -> Result<(), store::Error> {
        self.inner.begin(plan, entries, rows, now)?;
        self.stage.judge().began(self.number, plan, entries);
        Ok(())
    }

    fn append(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.catch_up()?;
        if self.bug == Bug::ActsBeforeIntent {
            self.behind = Some((operation, after, entries.to_vec(), is_over, now));
            return Ok(());
        }
        let points = points(entries);
        if let Some((before, _)) = points {
            self.stage.cross(self.number, before);
        }
        self.write(operation, after, entries, rows, is_over, now)?;
        if let Some((_, behind)) = points {
            self.stage.cross(self.number, behind);
        }
        Ok(())
    }

    fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, store::Error> {
        // With the bug every owner looks as if it had been silent for an hour.
        let now = if self.bug == Bug::TakesFromTheLiving { now + chrono::TimeDelta::hours(1) } else { now };
        let from = self.inner.take(operation, now)?;
        self.stage.note(|| format!("p{} takes the operation from {from:?}", self.number));
        self.stage.judge().taken(self.number, operation);
        Ok(from)
    }

    fn release(&mut self, operation: OperationId) -> Result<(), store::Error> {
        self.inner.release(operation)
    }

    fn beat(&mut self, now: Instant) -> Result<Vec<OperationId>, store::Error> {
        self.catch_up()?;
        self.inner.beat(now)
    }

    fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, store::Error> {
        self.inner.record(operation, now)
    }

    fn acknowledged(&self, operation: OperationId) -> Result<u64, store::Error> {
        self.inner.acknowledged(operation)
    }
}

impl Outbox for Watched {
    fn pending(&self, limit: usize, except: &[String]) -> Result<Vec<OutboxRow>, store::Error> {
        self.inner.pending(limit, except)
    }

    fn acknowledge(&mut self, keys: &[store::RowKey], now: Instant) -> Result<(), store::Error> {
        self.stage.cross(self.number, Crash::BeforeAcknowledged);
        self.inner.acknowledge(keys, now)
    }

    fn set_aside(&mut self, key: &store::RowKey, why: &str) -> Result<(), store::Error> {
        self.inner.set_aside(key, why)
    }

    fn waiting(&self) -> Result<Waiting, store::Error> {
        self.inner.waiting()
    }
}

/// The real platform. What comes of each effect is kept, to be told a second time.
struct Platform {
    inner: Arc<Workspaces>,
    stage: Arc<Stage>,
    number: u64,
    bug: Bug,
}

impl World for Platform {
    fn reaches(&self, subject: &Subject) -> Result<(), String> {
        self.inner.reaches(subject)
    }

    fn perform(&self, plan: &Plan, effect: &Effect) -> BoxFuture<'static, Outcome> {
        let (inner, stage) = (Arc::clone(&self.inner), Arc::clone(&self.stage));
        let (plan, effect, bug, number) = (plan.clone(), effect.clone(), self.bug, self.number);
        async move {
            let mut outcome = inner.perform(&plan, &effect).await;
            if bug == Bug::ResendsOnError && matches!((&effect, &outcome), (Effect::Act { .. }, Outcome::Lost(_))) {
                outcome = inner.perform(&plan, &effect).await;
            }
            stage.landed(number, effect, outcome.clone());
            outcome
        }
        .boxed()
    }
}
