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

use crate::domain::text;
use crate::domain::ulid::Ulid;
use crate::ledger::lease::{self, Lost, Standing, Tenure};
use crate::ledger::{Ledger, Sql};
use crate::operations::engine::{Effect, Outcome};
use crate::operations::plan::{OperationId, Plan, Subject};
use crate::runtime::ledger::Ticks;
use crate::runtime::operator::World;

/// How long an act waits for its lease before it counts as not sent and is tried again later.
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

impl Fence {
    fn standing(&self, operation: OperationId) -> Option<Standing> {
        Some(self.tenures.borrow().get(&operation)?.standing(self.ticks.now()))
    }

    /// Waits until an act may be sent.
    ///
    /// # Errors
    /// Why it may not: another holds the lease, it was lost, or the ledger did not say.
    pub async fn pass(&self, operation: OperationId) -> Result<(), String> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.standing(operation) {
                Some(Standing::Holding { .. }) => return Ok(()),
                None | Some(Standing::Unknown { .. } | Standing::Taking | Standing::Observing { .. })
                    if tokio::time::Instant::now() < give_up =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                standing => return Err(standing.as_ref().map_or_else(unknown, words)),
            }
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

    fn perform(&self, plan: &Plan, effect: &Effect) -> BoxFuture<'static, Outcome> {
        let performed = self.world.perform(plan, effect);
        if !needs_lease(plan) || !matches!(effect, Effect::Act { .. }) {
            return performed;
        }
        let (fence, operation) = (self.fence.clone(), plan.id);
        async move {
            match fence.pass(operation).await {
                Ok(()) => performed.await,
                Err(why) => {
                    Outcome::Refused { why: format!("never sent: {why}"), transient: true, retry_after_s: None }
                }
            }
        }
        .boxed()
    }
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
    tenures: watch::Sender<Tenures>,
    /// Those whose operation is no longer in hand.
    leaving: BTreeSet<OperationId>,
}

impl<S: Sql + Clone + 'static> Captain<S> {
    /// One that holds nothing.
    pub fn new(ledger: Ledger<S>, ticks: Arc<Ticks>, session: Ulid) -> Self {
        let tenures = watch::Sender::new(Tenures::new());
        Self { ledger, ticks, session, taken: 0, tenures, leaving: BTreeSet::new() }
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
        self.leaving.remove(&operation);
        if !self.tenures.borrow().contains_key(&operation) {
            let tenure = Tenure::new(product, operation.to_string(), self.nonce());
            self.has(operation, tenure);
        }
    }

    /// Goes on with a tenure that was begun elsewhere in this process.
    pub fn has(&mut self, operation: OperationId, tenure: Tenure) {
        self.leaving.remove(&operation);
        self.tenures.send_modify(|tenures| drop(tenures.insert(operation, tenure)));
    }

    /// Gives back what is held for any other operation than these.
    pub fn keep_only(&mut self, operations: &[OperationId]) {
        let others: Vec<OperationId> =
            self.tenures.borrow().keys().filter(|known| !operations.contains(known)).copied().collect();
        for operation in others {
            if self.leaving.insert(operation) {
                self.tenures.send_modify(|tenures| {
                    if let Some(tenure) = tenures.get_mut(&operation) {
                        tenure.release();
                    }
                });
            }
        }
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        let now = self.ticks.now();
        let leaving = &self.leaving;
        self.tenures.send_if_modified(|tenures| {
            let before = tenures.len();
            tenures.retain(|operation, tenure| {
                !leaving.contains(operation) || matches!(tenure.standing(now), Standing::Releasing)
            });
            tenures.len() != before
        });
        let known = self.tenures.borrow();
        self.leaving.retain(|operation| known.contains_key(operation));
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
    pub fn lost(&self) -> Vec<(OperationId, String)> {
        let now = self.ticks.now();
        let lost = |(operation, tenure): (&OperationId, &Tenure)| match tenure.standing(now) {
            standing @ Standing::Lost(_) => Some((*operation, words(&standing))),
            _ => None,
        };
        self.tenures.borrow().iter().filter_map(lost).collect()
    }

    /// What is to be asked of the ledger now, if anything is.
    pub fn load(&mut self) -> Option<BoxFuture<'static, Returned>> {
        let now = self.ticks.now();
        let due = |tenure: &Tenure| tenure.clone().due(now).is_some();
        let (operation, mut tenure) = self
            .tenures
            .borrow()
            .iter()
            .find(|(_, tenure)| due(tenure))
            .map(|(operation, tenure)| (*operation, tenure.clone()))?;
        let (ledger, ticks) = (self.ledger.clone(), Arc::clone(&self.ticks));
        Some(
            async move {
                lease::step(&mut tenure, &ledger, &|| ticks.now()).await;
                Returned { operation, tenure }
            }
            .boxed(),
        )
    }

    /// Notes what came of it.
    pub fn landed(&mut self, returned: Returned) {
        let Returned { operation, mut tenure } = returned;
        let is_known = self.tenures.borrow().contains_key(&operation);
        if !is_known || self.leaving.contains(&operation) {
            // What was taken while nobody wanted it any more is given back.
            tenure.release();
            self.leaving.insert(operation);
        }
        self.tenures.send_modify(|tenures| drop(tenures.insert(operation, tenure)));
        self.forget_ended();
    }

    /// How long until there may be something to ask; none while nothing is held or wanted.
    pub fn wakes_in(&self) -> Option<Duration> {
        let now_ms = self.ticks.now().monotonic_ms;
        let wakes = |tenure: &Tenure| tenure.wake_at_ms().saturating_sub(now_ms);
        self.tenures.borrow().values().map(wakes).min().map(Duration::from_millis)
    }
}
