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
use crate::ledger::lease::{self, Lost, Standing, Tenure};
use crate::ledger::{Happened, Ledger, Sql, SqlTrouble};
use crate::operations::engine::{Effect, Outcome};
use crate::operations::journal::Direction;
use crate::operations::plan::{OperationId, Plan, Subject};
use crate::runtime::ledger::Ticks;
use crate::runtime::operator::World;

/// How long a question about a lease may take before it is asked anew, and how long an act waits for its lease before it
/// counts as not sent and is tried again later. A lease is renewed four times before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

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

type Tenures = BTreeMap<OperationId, Tenure>;

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
    /// The undoing of what the operation did. It never waits (domain.md 11 #31): a ledger that does not answer lets nobody
    /// take the operation over, so the home that has it takes it back. Once the ledger has said that somebody else holds
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
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let checked = self.check(operation, course);
            let may_change = matches!(
                self.standing(operation),
                None | Some(Standing::Unknown { .. } | Standing::Taking | Standing::Observing { .. })
            );
            if checked.is_ok() || !may_change || tokio::time::Instant::now() >= give_up {
                return checked;
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
        Standing::Lost(Lost::Taken { by: None }) => "the lease was given back by somebody else".to_owned(),
        Standing::Released | Standing::Releasing => "the lease was given back".to_owned(),
        Standing::Unknown { trouble: Some(trouble) } => format!("the lease was not obtained: {}", text::line(trouble)),
        Standing::Unknown { trouble: None } | Standing::Taking => unknown(),
        Standing::Observing { .. } => "the lease's last holder did not give it back: observing first".to_owned(),
        Standing::Holding { .. } => "the lease is held here".to_owned(),
    }
}

/// The platform behind the fence: an act on production state leaves only under its lease.
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
        if !needs_lease(plan) || !effect.orders() {
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
    tenure: Tenure,
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
    /// Products that are known to have a row, or were given one.
    added: BTreeSet<String>,
}

impl<S: Sql + Clone + 'static> Captain<S> {
    /// One that holds nothing.
    pub fn new(ledger: Ledger<S>, ticks: Arc<Ticks>, session: Ulid) -> Self {
        let tenures = watch::Sender::new(Tenures::new());
        let (leaving, asking, added) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Self { ledger, ticks, session, taken: 0, tenures, leaving, asking, added }
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

    /// Wants the lease for an operation.
    pub fn want(&mut self, operation: OperationId, product: &str) {
        if !self.tenures.borrow().contains_key(&operation) {
            let tenure = Tenure::new(product, operation.to_string(), self.nonce());
            self.has(operation, tenure);
        }
    }

    /// Goes on with a tenure that was begun elsewhere in this process, or begins another one.
    pub fn has(&mut self, operation: OperationId, tenure: Tenure) {
        self.tenures.send_modify(|tenures| drop(tenures.insert(operation, tenure)));
    }

    /// Forgets what was lost.
    pub fn forget(&mut self, operation: OperationId) {
        self.tenures.send_modify(|tenures| drop(tenures.remove(&operation)));
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
        for (operation, mut tenure) in left {
            tenure.release();
            self.leaving.push((operation, tenure));
        }
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
        let lost = |(operation, tenure): (&OperationId, &Tenure)| match tenure.standing(now) {
            Standing::Lost(lost) => Some((*operation, lost)),
            _ => None,
        };
        self.tenures.borrow().iter().filter_map(lost).collect()
    }

    /// A question that is to be asked of the ledger now, if there is one. They are independent of each other: one that the
    /// ledger does not answer holds up no other, and each is given up after [`PATIENCE`].
    pub fn load(&mut self) -> Option<BoxFuture<'static, Returned>> {
        let now = self.ticks.now();
        let tenures = self.tenures.borrow();
        let leaving = self.leaving.iter().map(|(operation, tenure)| (operation, tenure));
        let is_due = |tenure: &Tenure| !self.asking.contains(tenure.nonce()) && tenure.clone().due(now).is_some();
        let due = tenures.iter().chain(leaving).find(|(_, tenure)| is_due(tenure));
        let (operation, mut tenure) = due.map(|(operation, tenure)| (*operation, tenure.clone()))?;
        drop(tenures);
        self.asking.insert(tenure.nonce().to_owned());
        let adds = self.added.insert(tenure.product().to_owned());
        let (ledger, ticks) = (self.ledger.clone(), Arc::clone(&self.ticks));
        let asked = async move {
            let asks = async {
                if adds && let Err(trouble) = lease::add(&ledger, tenure.product()).await {
                    // There may be one all the same; the look tells.
                    tracing::debug!(%trouble, "no row could be added to the table of leases");
                }
                lease::step(&mut tenure, &ledger, &|| ticks.now()).await;
            };
            if tokio::time::timeout(PATIENCE, asks).await.is_err() {
                let message = format!("the ledger did not answer within {} s", PATIENCE.as_secs());
                let trouble = SqlTrouble { message, fault: Fault::Unavailable, happened: Happened::Unknown };
                tenure.seen(now, Err(trouble), ticks.now());
            }
            Returned { operation, tenure }
        };
        Some(asked.boxed())
    }

    /// Notes what came of it. What comes back late, after the lease was wanted anew, is another tenure: it changes nothing
    /// of the new one, and what it holds is given back.
    pub fn landed(&mut self, returned: Returned) {
        let Returned { operation, mut tenure } = returned;
        self.asking.remove(tenure.nonce());
        let is_wanted = self.tenures.borrow().get(&operation).is_some_and(|known| known.nonce() == tenure.nonce());
        if is_wanted {
            self.has(operation, tenure);
            return;
        }
        if !matches!(tenure.standing(self.ticks.now()), Standing::Releasing) {
            tenure.release();
        }
        self.leaving.retain(|(_, known)| known.nonce() != tenure.nonce());
        self.leaving.push((operation, tenure));
        self.forget_ended();
    }

    /// How long until there may be something to ask; none while nothing is held or wanted, or all is being asked.
    pub fn wakes_in(&self) -> Option<Duration> {
        let now_ms = self.ticks.now().monotonic_ms;
        let tenures = self.tenures.borrow();
        let all = tenures.values().chain(self.leaving.iter().map(|(_, tenure)| tenure));
        let open = all.filter(|tenure| !self.asking.contains(tenure.nonce()));
        let wakes = open.map(|tenure| tenure.wake_at_ms().saturating_sub(now_ms));
        wakes.min().map(Duration::from_millis)
    }
}
