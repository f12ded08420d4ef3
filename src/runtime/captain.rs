//! The captain: holds the lease of its product while an operation that changes production state is in hand here.
//!
//! Two homes cannot see each other's journals, so what tells them apart is a row of the ledger: whoever goes on with such an
//! operation holds the lease of its product, for that operation, and sends nothing without it. [`Fence`] asks for it
//! immediately before each act, by both clocks of this machine: a process that stood still, or a machine that slept, finds
//! its lease over and sends nothing that is late. What is less dangerous goes ahead without a ledger, and without a lease.
//!
//! A machine that is stepped: each errand is at most two statements, and nobody waits for it but who wants to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use crate::databricks::transport::Permit;
use crate::domain::clock::Clock;
use crate::domain::sql::Fault;
use crate::domain::text;
use crate::domain::ulid::Ulid;
use crate::ledger::journal::{NoJournal, journal};
use crate::ledger::lease::{self, Lost, Standing, Tenure, Tick};
use crate::ledger::{Happened, Ledger, Sql, SqlTrouble};
use crate::operations::engine::{Effect, Outcome};
use crate::operations::journal::Direction;
use crate::operations::plan::{OperationId, Plan, Subject};
use crate::runtime::ledger::Ticks;
use crate::runtime::operator::World;

/// How long a question about a lease may take before it is asked anew, and how long an act waits for its lease before it
/// counts as not sent and is tried again later. A lease is renewed four times before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the ledger is asked before something is taken back without it.
pub const HURRY: Duration = Duration::from_secs(5);

/// The pause between two looks whether a lease that is waited for may be used.
const PAUSE: Duration = Duration::from_millis(100);

/// The product whose lease an operation needs.
pub fn product(plan: &Plan) -> &str {
    plan.subject.product.as_deref().unwrap_or(lease::FLEET)
}

/// Whether an operation needs a lease.
pub fn needs_lease(plan: &Plan) -> bool {
    plan.tier.waits_for_ledger()
}

/// How long after the ledger did not say whose an operation is it is asked again, in milliseconds.
const ASK_AGAIN_MS: u64 = 2_000;

/// A lease that is held or wanted for an operation.
#[derive(Clone)]
struct Held {
    tenure: Tenure,
    whose: Whose,
}

/// In whose hands the ledger says that an operation is. A process may stand still between the plan and its first lease, and
/// another home may have gone on with the operation meanwhile: the lease is free then, and the operation is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    /// It is to be asked, once the lease is held, from an instant on.
    Open { taken_by: Ulid, ask_at_ms: u64 },
    /// Ours.
    Ours,
    /// Another's.
    Others { by: String },
}

impl Held {
    /// What may be done under it: nothing new before it is known that the operation is ours.
    fn standing(&self, now: Tick) -> Standing {
        match (self.tenure.standing(now), &self.whose) {
            (Standing::Holding { .. } | Standing::Observing { .. }, Whose::Others { by }) => {
                Standing::Lost(Lost::GoneOn { by: by.clone() })
            }
            (Standing::Holding { .. }, Whose::Open { .. }) => Standing::Taking,
            (standing, _) => standing,
        }
    }

    /// Whether the ledger is to be asked now whose the operation is.
    fn asks(&self, now: Tick) -> bool {
        matches!(&self.whose, Whose::Open { ask_at_ms, .. } if now.monotonic_ms >= *ask_at_ms)
            && matches!(self.tenure.standing(now), Standing::Holding { .. } | Standing::Observing { .. })
    }

    fn is_due(&self, now: Tick) -> bool {
        self.asks(now) || self.tenure.clone().due(now).is_some()
    }

    fn wakes_at_ms(&self, now: Tick) -> u64 {
        match &self.whose {
            Whose::Open { ask_at_ms, .. } if matches!(self.standing(now), Standing::Taking) => {
                self.tenure.wake_at_ms().min(*ask_at_ms)
            }
            _ => self.tenure.wake_at_ms(),
        }
    }

    /// Asks what is due.
    async fn ask<S: Sql>(&mut self, ledger: &Ledger<S>, operation: OperationId, ticks: &Ticks) {
        match &self.whose {
            Whose::Open { taken_by, .. } if self.asks(ticks.now()) => {
                self.whose = whose(ledger, operation, *taken_by, ticks).await;
            }
            _ => _ = lease::step(&mut self.tenure, ledger, &|| ticks.now()).await,
        }
    }

    /// What was asked at an instant has not been answered until now.
    fn unanswered(&mut self, asked_at: Tick, now: Tick) {
        if self.asks(asked_at)
            && let Whose::Open { ask_at_ms, .. } = &mut self.whose
        {
            *ask_at_ms = now.monotonic_ms + ASK_AGAIN_MS;
            return;
        }
        let message = format!("the ledger did not answer within {} s", PATIENCE.as_secs());
        let trouble = SqlTrouble { message, fault: Fault::Unavailable, happened: Happened::Unknown };
        self.tenure.seen(asked_at, Err(trouble), now);
    }
}

/// Asks the ledger in whose hands an operation is, under the lease.
async fn whose<S: Sql>(ledger: &Ledger<S>, operation: OperationId, taken_by: Ulid, ticks: &Ticks) -> Whose {
    let id = operation.to_string();
    let trouble = match ledger.operation(&id).await {
        Ok(rows) => match journal(&id, rows) {
            Err(NoJournal::Nothing(_)) => return Whose::Ours,
            Ok(found) if found.taken_by == Some(taken_by) => return Whose::Ours,
            Ok(found) => return Whose::Others { by: text::line(&found.last_by.to_string()) },
            Err(error) => error.to_string(),
        },
        Err(trouble) => trouble.to_string(),
    };
    tracing::debug!(trouble, "the ledger did not say whose the operation is");
    Whose::Open { taken_by, ask_at_ms: ticks.now().monotonic_ms + ASK_AGAIN_MS }
}

type Tenures = BTreeMap<OperationId, Held>;

/// What this process holds, for whoever is about to send something.
#[derive(Clone)]
pub struct Fence {
    tenures: watch::Receiver<Tenures>,
    ticks: Arc<Ticks>,
}

/// What is to be sent under a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Something new: only while the lease is held.
    Ahead,
    /// The undoing of what the operation did. A ledger that does not answer within [`HURRY`] holds it up no longer (domain.md
    /// 11 #31): it lets nobody take the operation over, so the home that has it takes it back. Once the ledger has said that somebody else holds
    /// the lease, theirs is the decision.
    Back,
}

impl Fence {
    /// Where there is no ledger to speak to, nothing is ever held.
    pub fn shut(clock: Arc<dyn Clock>) -> Self {
        let (_, tenures) = watch::channel(Tenures::new());
        Self { tenures, ticks: Arc::new(Ticks::new(clock)) }
    }

    fn standing(&self, operation: OperationId) -> Option<Standing> {
        Some(self.tenures.borrow().get(&operation)?.standing(self.ticks.now()))
    }

    /// Whether something may be sent now.
    ///
    /// # Errors
    /// Why it may not: another holds the lease, it was lost, or the ledger did not say.
    pub fn check(&self, operation: OperationId, course: Course) -> Result<(), String> {
        match self.standing(operation) {
            Some(Standing::Holding { .. }) => Ok(()),
            None
            | Some(
                Standing::Unknown { .. } | Standing::Taking | Standing::Observing { .. } | Standing::Lost(Lost::RanOut),
            ) if course == Course::Back => Ok(()),
            standing => Err(standing.as_ref().map_or_else(unknown, words)),
        }
    }

    /// Waits until something may be sent.
    ///
    /// # Errors
    /// As [`Fence::check`].
    pub async fn pass(&self, operation: OperationId, course: Course) -> Result<(), String> {
        let patience = if course == Course::Back { HURRY } else { PATIENCE };
        let mut give_up = tokio::time::Instant::now() + patience;
        let mut ran_out = false;
        loop {
            let standing = self.standing(operation);
            if standing == Some(Standing::Lost(Lost::RanOut)) && !ran_out {
                // A process that stood still has not asked meanwhile: it asks now.
                (ran_out, give_up) = (true, tokio::time::Instant::now() + patience);
            }
            let may_change = match standing {
                None | Some(Standing::Unknown { .. } | Standing::Taking | Standing::Observing { .. }) => true,
                Some(Standing::Lost(Lost::RanOut)) => course == Course::Back,
                Some(_) => false,
            };
            if !may_change || tokio::time::Instant::now() >= give_up {
                return self.check(operation, course);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn unknown() -> String {
    "the ledger did not say who holds the lease".to_owned()
}

/// Why a lease cannot be used, in words. Harmless to show.
pub fn words(standing: &Standing) -> String {
    match standing {
        Standing::HeldBy { holder, op_id, expires_at, .. } => {
            let of = op_id.as_ref().map(|op_id| format!(" for operation {}", text::line(op_id))).unwrap_or_default();
            let until = expires_at.map(|at| format!(" until {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
            format!("the lease is held by {holder}{of}{until}")
        }
        Standing::Lost(Lost::RanOut) => "the lease ran out before it was renewed".to_owned(),
        Standing::Lost(Lost::Taken { by: Some(by) }) => format!("the lease was taken by {}", text::line(by)),
        Standing::Lost(Lost::GoneOn { by }) => format!("{} has gone on with it meanwhile", text::line(by)),
        Standing::Lost(Lost::Taken { by: None }) => "the lease was given back by somebody else".to_owned(),
        Standing::Released | Standing::Releasing => "the lease was given back".to_owned(),
        Standing::Unknown { trouble: Some(trouble) } => format!("the lease was not obtained: {}", text::line(trouble)),
        Standing::Unknown { trouble: None } | Standing::Taking => unknown(),
        Standing::Observing { .. } => "the lease's last holder did not give it back: observing first".to_owned(),
        Standing::Holding { .. } => "the lease is held here".to_owned(),
    }
}

/// The platform behind the fence: what asks something of production state leaves only under its lease, a look by token too.
pub struct Fenced {
    /// The platform.
    pub world: Arc<dyn World>,
    /// What is held.
    pub fence: Fence,
}

impl World for Fenced {
    fn reaches(&self, subject: &Subject) -> Result<(), String> {
        self.world.reaches(subject)
    }

    fn perform(&self, plan: &Plan, effect: &Effect, permit: Permit) -> BoxFuture<'static, Outcome> {
        if !needs_lease(plan) || !effect.asks() {
            return self.world.perform(plan, effect, permit);
        }
        let (fence, operation) = (self.fence.clone(), plan.id);
        let (is_act, course) = match effect {
            Effect::Act { direction: Direction::Undo, .. } => (true, Course::Back),
            effect => (matches!(effect, Effect::Act { .. }), Course::Ahead),
        };
        let held = {
            let fence = fence.clone();
            Permit::new(move || fence.check(operation, course).map_err(|why| never_sent(&why)))
        };
        let performed = self.world.perform(plan, effect, permit.and(held));
        async move {
            match fence.pass(operation, course).await.map_err(|why| never_sent(&why)) {
                Ok(()) => performed.await,
                Err(why) if is_act => Outcome::Refused { why, transient: true, retry_after_s: None },
                Err(why) => Outcome::Unreadable(why),
            }
        }
        .boxed()
    }
}

fn never_sent(why: &str) -> String {
    format!("never sent: {why}")
}

/// A tenure that comes back from the ledger.
pub struct Returned {
    operation: OperationId,
    held: Held,
}

/// Takes, renews and gives back the leases of the operations in hand.
pub struct Captain<S> {
    ledger: Ledger<S>,
    ticks: Arc<Ticks>,
    /// This process: what it holds bears its name, so that its own home knows when a lease's holder has ended.
    session: Ulid,
    taken: u64,
    /// Those that are wanted.
    tenures: watch::Sender<Tenures>,
    /// Those that nobody wants any more, being given back.
    leaving: Vec<(OperationId, Tenure)>,
    /// The nonces of those about which the ledger is being asked.
    asking: BTreeSet<String>,
}

impl<S: Sql + Clone + 'static> Captain<S> {
    /// One that holds nothing.
    pub fn new(ledger: Ledger<S>, ticks: Arc<Ticks>, session: Ulid) -> Self {
        let tenures = watch::Sender::new(Tenures::new());
        let (leaving, asking) = (Vec::new(), BTreeSet::new());
        Self { ledger, ticks, session, taken: 0, tenures, leaving, asking }
    }

    /// What is held, for whoever is about to send something.
    pub fn fence(&self) -> Fence {
        Fence { tenures: self.tenures.subscribe(), ticks: Arc::clone(&self.ticks) }
    }

    /// Both clocks of this machine, as leases are measured.
    pub fn ticks(&self) -> Arc<Ticks> {
        Arc::clone(&self.ticks)
    }

    /// What tells the next tenure from all others. It begins with this process.
    pub fn nonce(&mut self) -> String {
        self.taken += 1;
        format!("{}.{}", self.session, self.taken)
    }

    /// Wants the lease for an operation, which came into these hands with the entry `taken_by`.
    pub fn want(&mut self, operation: OperationId, product: &str, taken_by: Ulid) {
        if !self.tenures.borrow().contains_key(&operation) {
            let tenure = Tenure::new(product, operation.to_string(), self.nonce());
            self.keep(operation, Held { tenure, whose: Whose::Open { taken_by, ask_at_ms: 0 } });
        }
    }

    /// Goes on with a tenure that was begun elsewhere in this process, by somebody who has looked under it whose the
    /// operation is.
    pub fn has(&mut self, operation: OperationId, tenure: Tenure) {
        self.keep(operation, Held { tenure, whose: Whose::Ours });
    }

    fn keep(&mut self, operation: OperationId, held: Held) {
        self.tenures.send_modify(|tenures| drop(tenures.insert(operation, held)));
    }

    /// Forgets what was lost. A lease that is held in vain is given back.
    pub fn forget(&mut self, operation: OperationId) {
        let mut forgotten = None;
        self.tenures.send_modify(|tenures| forgotten = tenures.remove(&operation));
        let now = self.ticks.now();
        let held = |held: &Held| !matches!(held.tenure.standing(now), Standing::Lost(_));
        self.give_back(forgotten.filter(held).map(|held| (operation, held)));
    }

    fn give_back(&mut self, left: impl IntoIterator<Item = (OperationId, Held)>) {
        for (operation, Held { mut tenure, .. }) in left {
            tenure.release();
            self.leaving.push((operation, tenure));
        }
    }

    /// The operations whose lease is wanted.
    pub fn wanted(&self) -> Vec<OperationId> {
        self.tenures.borrow().keys().copied().collect()
    }

    /// Gives back what is held for any other operation than these.
    pub fn keep_only(&mut self, operations: &[OperationId]) {
        let mut left = Vec::new();
        self.tenures.send_if_modified(|tenures| {
            let others = tenures.extract_if(.., |operation, _| !operations.contains(operation));
            left.extend(others);
            !left.is_empty()
        });
        self.give_back(left);
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        let now = self.ticks.now();
        self.leaving.retain(|(_, tenure)| matches!(tenure.standing(now), Standing::Releasing));
    }

    /// Whether a lease is still to be given back.
    pub fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// How it stands with the lease for an operation.
    pub fn standing(&self, operation: OperationId) -> Option<Standing> {
        Some(self.tenures.borrow().get(&operation)?.standing(self.ticks.now()))
    }

    /// Operations whose lease was held and is lost: they must leave these hands before anything more is written of them.
    pub fn lost(&self) -> Vec<(OperationId, Lost)> {
        let now = self.ticks.now();
        let lost = |(operation, held): (&OperationId, &Held)| match held.standing(now) {
            Standing::Lost(lost) => Some((*operation, lost)),
            _ => None,
        };
        self.tenures.borrow().iter().filter_map(lost).collect()
    }

    /// A question that is to be asked of the ledger now, if there is one. They are independent of each other: one that the
    /// ledger does not answer holds up no other, and each is given up after [`PATIENCE`].
    pub fn load(&mut self) -> Option<BoxFuture<'static, Returned>> {
        let now = self.ticks.now();
        let is_due = |held: &Held| !self.asking.contains(held.tenure.nonce()) && held.is_due(now);
        let wanted = self
            .tenures
            .borrow()
            .iter()
            .map(|(operation, held)| (*operation, held.clone()))
            .find(|(_, held)| is_due(held));
        let leaving = || {
            let known = |(operation, tenure): &(OperationId, Tenure)| {
                (*operation, Held { tenure: tenure.clone(), whose: Whose::Ours })
            };
            self.leaving.iter().map(known).find(|(_, held)| is_due(held))
        };
        let (operation, mut held) = wanted.or_else(leaving)?;
        self.asking.insert(held.tenure.nonce().to_owned());
        let (ledger, ticks) = (self.ledger.clone(), Arc::clone(&self.ticks));
        let asked = async move {
            if tokio::time::timeout(PATIENCE, held.ask(&ledger, operation, &ticks)).await.is_err() {
                held.unanswered(now, ticks.now());
            }
            Returned { operation, held }
        };
        Some(asked.boxed())
    }

    /// Notes what came of it. What comes back late, after the lease was wanted anew, is another tenure: it changes nothing
    /// of the new one, and what it holds is given back.
    pub fn landed(&mut self, returned: Returned) {
        let Returned { operation, held } = returned;
        self.asking.remove(held.tenure.nonce());
        let nonce = |held: &Held| held.tenure.nonce().to_owned();
        let is_wanted = self.tenures.borrow().get(&operation).map(nonce) == Some(nonce(&held));
        if is_wanted {
            self.keep(operation, held);
            return;
        }
        let mut tenure = held.tenure;
        if !matches!(tenure.standing(self.ticks.now()), Standing::Releasing) {
            tenure.release();
        }
        self.leaving.retain(|(_, known)| known.nonce() != tenure.nonce());
        self.leaving.push((operation, tenure));
        self.forget_ended();
    }

    /// How long until there may be something to ask; none while nothing is held or wanted, or all is being asked.
    pub fn wakes_in(&self) -> Option<Duration> {
        let now = self.ticks.now();
        let tenures = self.tenures.borrow();
        let wanted = tenures.values().map(|held| (&held.tenure, held.wakes_at_ms(now)));
        let leaving = self.leaving.iter().map(|(_, tenure)| (tenure, tenure.wake_at_ms()));
        let open = wanted.chain(leaving).filter(|(tenure, _)| !self.asking.contains(tenure.nonce()));
        let wakes = open.map(|(_, wakes_at_ms)| wakes_at_ms.saturating_sub(now.monotonic_ms));
        wakes.min().map(Duration::from_millis)
    }
}
