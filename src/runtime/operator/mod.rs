//! The operator drives operations: it keeps in flight what the engine says is due, and writes down what comes of it.
//!
//! One host under the console, the subcommands and the simulation. It spawns nothing and waits nowhere but in
//! [`Operator::step`], so whoever calls decides what happens when. It keeps three promises to the engine:
//!
//! - An act starts only after its intent was appended, and never twice within a process.
//! - When an append fails, the operation leaves this process's hands at once: nothing further is asked, and whoever takes it
//!   up next begins with what is in the journal.
//! - While it owns operations it gives signs of life, so that others can tell whether it works; those of which nothing goes
//!   on by itself included. Each tells it in turn what it still owns: of what was taken over while it stood still, nothing
//!   goes on. Nothing is sent on a proof of ownership that is old (`owned.rs`).
//!
//! Entries bear the time of day. What the engine waits for is measured in steady time (`steady.rs`): a clock that is set,
//! ahead or back, neither settles a doubt early nor holds an operation up.

mod crash;
#[cfg(test)]
pub(crate) mod fixture;
mod hand;
mod owned;
mod pace;
mod ports;
mod steady;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt, abortable};
use futures::stream::FuturesUnordered;

pub use crash::{CrashingJournal, guarded};
use hand::{Flight, Hand};
use owned::Seen;
pub use ports::{Journal, RowsOf, World, Write, no_rows};
use steady::Steady;
pub use world::Workspaces;

use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ulid::Ulid;
use crate::operations::engine::{Effect, Input, Outcome, Phase, Request, State, decide, due, phase};
use crate::operations::journal::{Actor, Event, Recorded};
use crate::operations::plan::{OperationId, Plan, Stored};
use crate::operations::planning::whole_ms;
use crate::runtime::entropy::Ids;
use crate::store;

/// How often a sign of life is given: thrice before an owner counts as hung.
const BEAT: TimeDelta = TimeDelta::seconds(4);

/// How often it is asked whether the ledger has what is waited for.
const LEDGER_POLL: TimeDelta = TimeDelta::milliseconds(250);

/// Why the operator could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no such operation here.
    #[error("there is no operation {0}")]
    Missing(OperationId),
    /// It is over.
    #[error("operation {0} is over")]
    Over(OperationId),
    /// It was planned by another version of this program.
    #[error("operation {operation} was planned by another version of lakeshift{}: it can be shown and exported, not gone on with", version.map(|version| format!(" (plan version {version})")).unwrap_or_default())]
    Foreign {
        /// The operation.
        operation: OperationId,
        /// Its plan's version.
        version: Option<u64>,
    },
    /// The stored plan is not the one that was planned.
    #[error("the plan of operation {0} was altered since it was made: it is not gone on with")]
    Altered(OperationId),
    /// Its workspace cannot be reached, or is another one by now.
    #[error("{0}")]
    OutOfReach(String),
    /// This process does not have it in hand.
    #[error("operation {0} is not in this process's hands")]
    NotInHand(OperationId),
}

/// What happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The journal of an operation went on.
    Recorded(Vec<Recorded>),
    /// A check or a look cannot be made at present; it is made again.
    Trouble {
        /// The operation.
        operation: OperationId,
        /// Why.
        why: String,
    },
    /// The operation left this process's hands.
    Lost {
        /// The operation.
        operation: OperationId,
        /// Why.
        why: String,
    },
}

/// What is known of an operation in hand.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Its state.
    pub state: &'a State,
    /// Where it stands.
    pub phase: Phase,
    /// The entry with which it came into these hands.
    pub taken_by: Ulid,
    /// Why it cannot be looked at at present, if it cannot.
    pub trouble: Option<&'a str>,
    /// When it is looked again, in local time; none while it is not waited for that.
    pub retry_at: Option<Instant>,
}

/// What an operator is made of.
pub struct Parts<J> {
    /// The local truth.
    pub journal: J,
    /// The platform.
    pub world: Arc<dyn World>,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where ids of entries come from.
    pub ids: Box<dyn Ids>,
    /// Who is at the console.
    pub actor: Actor,
    /// How entries are told to the ledger.
    pub rows: RowsOf,
}

/// Drives operations. See the module's page.
pub struct Operator<J> {
    parts: Parts<J>,
    hands: BTreeMap<OperationId, Hand>,
    flights: FuturesUnordered<BoxFuture<'static, Option<Landed>>>,
    time: Steady,
    beat_at: Option<Instant>,
}

/// An effect that ended.
struct Landed {
    operation: OperationId,
    effect: Effect,
    outcome: Outcome,
}

impl<J: Journal> Operator<J> {
    /// An operator with nothing in hand.
    pub fn new(parts: Parts<J>) -> Self {
        let time = Steady::new(Arc::clone(&parts.clock));
        Self { parts, hands: BTreeMap::new(), flights: FuturesUnordered::new(), time, beat_at: None }
    }

    /// The journal, for whoever lists operations.
    pub fn journal(&self) -> &J {
        &self.parts.journal
    }

    /// The journal, for whoever delivers its outbox.
    pub fn journal_mut(&mut self) -> &mut J {
        &mut self.parts.journal
    }

    /// Begins an operation. With `approved_how` a person has let it go ahead already; else it waits for
    /// [`Request::Approve`].
    ///
    /// # Errors
    /// When it cannot be written down, or another operation excludes it: then nothing has happened.
    pub fn begin(&mut self, plan: Plan, approved_how: Option<&str>) -> Result<Vec<Recorded>, Error> {
        self.parts.world.reaches(&plan.subject).map_err(Error::OutOfReach)?;
        self.set_time();
        let digest = plan.digest().map_err(store::Error::Plan)?;
        let mut events = vec![Event::Planned { digest }];
        events.extend(approved_how.map(|how| Event::Approved { how: how.to_owned() }));
        let entries = self.entries(&plan, 0, events);
        let taken_by = entries.first().map_or(plan.id.0, |entry| entry.event_id);
        let rows: Vec<_> = entries.iter().flat_map(|entry| (self.parts.rows)(&plan, entry, taken_by)).collect();
        let seen = self.seen();
        self.parts.journal.begin(&plan, &entries, &rows, self.parts.clock.now())?;
        self.hold(plan, &entries, seen);
        Ok(entries)
    }

    /// Takes up an operation that is not over: one of an earlier process, or of one that hangs.
    ///
    /// # Errors
    /// With the owner's name while the owner works; for plans of another version or that were altered.
    pub fn take_up(&mut self, operation: OperationId) -> Result<Vec<Happened>, Error> {
        if self.hands.contains_key(&operation) {
            return Ok(Vec::new());
        }
        let now = self.parts.clock.now();
        let record = self.parts.journal.record(operation, now)?.ok_or(Error::Missing(operation))?;
        let plan = match record.plan {
            Stored::Known(plan) => *plan,
            Stored::Foreign { version, .. } => return Err(Error::Foreign { operation, version }),
        };
        if plan.digest().ok().as_ref() != Some(&record.digest) {
            return Err(Error::Altered(operation));
        }
        self.parts.world.reaches(&plan.subject).map_err(Error::OutOfReach)?;
        if record.is_over {
            return Err(Error::Over(operation));
        }
        self.set_time();
        let seen = self.seen();
        let from = self.parts.journal.take(operation, now)?;
        // Between the first look and the taking its owner may have gone on, or ended it.
        match self.parts.journal.record(operation, now) {
            Ok(Some(record)) if !record.is_over => self.hold(plan, &record.journal, seen),
            read => {
                self.let_go(operation);
                return Err(read.map_or_else(Error::from, |_| Error::Over(operation)));
            }
        }
        Ok(self.tell(operation, &Input::TakenUp { from }))
    }

    fn hold(&mut self, plan: Plan, journal: &[Recorded], seen: Seen) {
        let (id, now) = (plan.id, whole_ms(self.time.now()));
        self.hands.insert(id, Hand::new(plan, journal, now, Arc::clone(&self.parts.clock), seen));
    }

    /// The present by both clocks: what a write proves, it proves for when it began.
    fn seen(&self) -> Seen {
        Seen::now(self.parts.clock.as_ref())
    }

    /// Lets go of what this process cannot go on with. If not even that can be written down, it falls silent, and counts as
    /// hung before long.
    fn let_go(&mut self, operation: OperationId) {
        self.hands.remove(&operation);
        if let Err(error) = self.parts.journal.release(operation) {
            tracing::warn!(%operation, %error, "the operation could not be let go");
        }
    }

    /// Passes on what a person asks of an operation in hand. Nothing may come of it: what is over cannot be paused.
    ///
    /// # Errors
    /// When it is not in hand.
    pub fn ask(&mut self, operation: OperationId, request: Request) -> Result<Vec<Happened>, Error> {
        if !self.hands.contains_key(&operation) {
            return Err(Error::NotInHand(operation));
        }
        Ok(self.tell(operation, &Input::Asked(request)))
    }

    /// Lets go of an operation, so that another process can take it up. What is under way is unknown then.
    ///
    /// # Errors
    /// The store's.
    pub fn release(&mut self, operation: OperationId) -> Result<(), Error> {
        self.hands.remove(&operation);
        Ok(self.parts.journal.release(operation)?)
    }

    /// An operation in hand. One that is over stays until it is released.
    pub fn view(&self, operation: OperationId) -> Option<View<'_>> {
        let hand = self.hands.get(&operation)?;
        let now = self.time.now();
        let retry_at = hand.trouble.as_ref().and_then(|(effect, _)| hand.pace.not_before(effect));
        Some(View {
            plan: &hand.plan,
            state: &hand.state,
            phase: phase(&hand.plan, &hand.steady, hand.moment(now)),
            taken_by: hand.taken_by,
            trouble: hand.trouble.as_ref().map(|(_, why)| why.as_str()),
            retry_at: retry_at.map(|at| self.parts.clock.now() + (at - now)),
        })
    }

    /// All operations in hand.
    pub fn in_hand(&self) -> Vec<OperationId> {
        self.hands.keys().copied().collect()
    }

    /// Whether an act of the operation is under way: its answer is worth waiting for before one lets go.
    pub fn is_acting(&self, operation: OperationId) -> bool {
        let flights = self.hands.get(&operation).map(|hand| hand.flights.as_slice()).unwrap_or_default();
        flights.iter().any(|flight| !flight.has_landed && matches!(flight.effect, Effect::Act { .. }))
    }

    /// Whether nothing will happen by itself: everything in hand is over or waits for a person.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.goes_on_at().is_none()
    }

    /// Starts what is due and gives a sign of life, without waiting.
    pub fn advance(&mut self) -> Vec<Happened> {
        let now = self.time.now();
        let mut happened = Vec::new();
        let mut held = self.hands.values().filter(|hand| !hand.state.is_over()).peekable();
        let is_due = self.beat_at.is_none_or(|at| at <= now);
        if held.peek().is_some() && (is_due || held.any(|hand| !hand.owned.is_fresh())) {
            self.beat_at = Some(now + BEAT);
            happened.extend(self.beat());
        }
        for operation in self.in_hand() {
            self.learn_acknowledged(operation);
            happened.extend(self.tell(operation, &Input::Clock));
            self.start(operation, now);
        }
        happened
    }

    /// Goes on until something has happened, and gives it. May be dropped at any time: nothing is lost by it.
    ///
    /// With [`Operator::is_idle`] it waits for ever, and gives signs of life for what is in hand.
    pub async fn step(&mut self) -> Vec<Happened> {
        loop {
            let mut happened = self.advance();
            if !happened.is_empty() {
                return happened;
            }
            let (wakes_at, now) = (self.wakes_at(), self.time.now());
            let landed = tokio::select! {
                biased;
                // First: a process that stood still learns what it has lost before it goes on with anything.
                () = sleep_until(wakes_at, now) => None,
                Some(landed) = self.flights.next(), if !self.flights.is_empty() => landed,
            };
            if let Some(landed) = landed {
                happened.extend(self.land(landed));
            }
            if !happened.is_empty() {
                happened.extend(self.advance());
                return happened;
            }
        }
    }

    /// Follows the machine's clock, as long as nothing in hand is waiting by what it was.
    fn set_time(&mut self) {
        if self.hands.values().all(|hand| hand.state.is_over()) {
            self.time.set();
            self.beat_at = None;
        }
    }

    /// Gives a sign of life, and lets go of what was taken over meanwhile.
    fn beat(&mut self) -> Vec<Happened> {
        let seen = self.seen();
        let held: Vec<OperationId> =
            self.hands.iter().filter(|(_, hand)| !hand.state.is_over()).map(|(id, _)| *id).collect();
        let owned = match self.parts.journal.beat(&held, self.parts.clock.now()) {
            Ok(owned) => owned,
            Err(error) => {
                tracing::warn!(%error, "no sign of life could be given");
                return Vec::new();
            }
        };
        for hand in owned.iter().filter_map(|operation| self.hands.get(operation)) {
            hand.owned.prove(seen);
        }
        let lost = held.into_iter().filter(|operation| !owned.contains(operation)).map(|operation| {
            self.hands.remove(&operation);
            Happened::Lost { operation, why: "it was taken over while this process stood still".to_owned() }
        });
        lost.collect()
    }

    /// When to look again, if nothing lands before.
    fn wakes_at(&self) -> Option<Instant> {
        let beat_at = self.beat_at.filter(|_| self.hands.values().any(|hand| !hand.state.is_over()));
        self.goes_on_at().into_iter().chain(beat_at).min()
    }

    /// When something in hand goes on by itself, if nothing lands before.
    fn goes_on_at(&self) -> Option<Instant> {
        let now = self.time.now();
        let of_hands = self.hands.values().flat_map(|hand| {
            let effects = due(&hand.plan, &hand.steady, hand.moment(now));
            effects.into_iter().filter_map(|effect| match effect {
                Effect::Wait { until } => Some(until),
                Effect::AwaitLedger { .. } => Some(now + LEDGER_POLL),
                effect if hand.is_known(&effect) => None,
                effect => Some(hand.pace.not_before(&effect).unwrap_or(now)),
            })
        });
        of_hands.min()
    }

    fn learn_acknowledged(&mut self, operation: OperationId) {
        if let Some(hand) = self.hands.get_mut(&operation).filter(|hand| hand.waits_for_ledger()) {
            match self.parts.journal.store().acknowledged(operation) {
                Ok(acknowledged) => hand.acknowledged = acknowledged,
                Err(error) => tracing::warn!(%error, "what the ledger has could not be read"),
            }
        }
    }

    fn start(&mut self, operation: OperationId, now: Instant) {
        let Some(hand) = self.hands.get_mut(&operation) else { return };
        let effects = due(&hand.plan, &hand.steady, hand.moment(now));
        hand.flights.retain(|flight| !flight.has_landed || effects.contains(&flight.effect));
        hand.pace.keep(&effects);
        for effect in effects {
            let waits = matches!(effect, Effect::Wait { .. } | Effect::AwaitLedger { .. });
            let too_soon = hand.pace.not_before(&effect).is_some_and(|at| at > now);
            if waits || too_soon || hand.is_known(&effect) {
                continue;
            }
            let performed = self.parts.world.perform(&hand.plan, &effect, hand.owned.permit());
            let (performed, handle) = abortable(performed);
            hand.flights.push(Flight { effect: effect.clone(), has_landed: false, handle });
            let landed = performed.map(move |outcome| Some(Landed { operation, effect, outcome: outcome.ok()? }));
            self.flights.push(landed.boxed());
        }
    }

    fn land(&mut self, landed: Landed) -> Vec<Happened> {
        let Landed { operation, effect, outcome } = landed;
        let now = self.time.now();
        // What lands after the operation left these hands is for whoever has it: they look.
        let Some(hand) = self.hands.get_mut(&operation) else { return Vec::new() };
        if matches!(effect, Effect::Act { .. }) {
            // Kept while it is due, so that it is never started a second time.
            hand.flights
                .iter_mut()
                .filter(|flight| flight.effect == effect)
                .for_each(|flight| flight.has_landed = true);
        } else {
            hand.flights.retain(|flight| flight.effect != effect);
            hand.pace.landed(&effect, now);
        }
        let trouble = if let Outcome::Unreadable(why) = &outcome { Some(why.clone()) } else { None };
        let is_news = hand.trouble.as_ref().map(|(_, why)| why) != trouble.as_ref();
        hand.trouble = trouble.clone().map(|why| (effect.clone(), why));
        let mut happened = self.tell(operation, &Input::Ended(Box::new(effect), outcome));
        happened.extend(trouble.filter(|_| is_news).map(|why| Happened::Trouble { operation, why }));
        happened
    }

    /// Tells the engine something and writes down what follows, to the end.
    fn tell(&mut self, operation: OperationId, input: &Input) -> Vec<Happened> {
        let mut happened = Vec::new();
        let mut input = input;
        loop {
            let now = self.time.now();
            let Some(hand) = self.hands.get(&operation) else { return happened };
            let events = decide(&hand.plan, &hand.steady, input, hand.moment(now));
            if events.is_empty() {
                return happened;
            }
            match self.write(operation, events) {
                Ok(entries) => happened.push(Happened::Recorded(entries)),
                Err(error) => {
                    tracing::error!(%operation, %error, "the journal could not be written: the operation is let go");
                    self.let_go(operation);
                    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                    happened.push(Happened::Lost { operation, why: format!("{error}{cause}") });
                    return happened;
                }
            }
            input = &Input::Clock;
        }
    }

    fn write(&mut self, operation: OperationId, events: Vec<Event>) -> Result<Vec<Recorded>, Error> {
        let hand = self.hands.get(&operation).ok_or(Error::NotInHand(operation))?;
        let (after, plan, taken_by) = (hand.state.seq, hand.plan.clone(), hand.taken_by);
        let entries = self.entries(&plan, after, events);
        let takes = entries.iter().find(|entry| matches!(entry.event, Event::TakenUp { .. }));
        let taken_by = takes.map_or(taken_by, |entry| entry.event_id);
        let (seen, now, at) = (self.seen(), self.parts.clock.now(), whole_ms(self.time.now()));
        let hand = self.hands.get_mut(&operation).ok_or(Error::NotInHand(operation))?;
        let (state, steady) = hand.after(&entries, at);
        let rows: Vec<_> = entries.iter().flat_map(|entry| (self.parts.rows)(&plan, entry, taken_by)).collect();
        self.parts.journal.append(operation, after, &entries, &rows, state.is_over(), now)?;
        hand.owned.prove(seen);
        (hand.state, hand.steady, hand.taken_by) = (state, steady, taken_by);
        Ok(entries)
    }

    fn entries(&mut self, plan: &Plan, after: u64, events: Vec<Event>) -> Vec<Recorded> {
        let at = whole_ms(self.parts.clock.now());
        let actor = &self.parts.actor;
        let ids = &mut self.parts.ids;
        let entry =
            |(event, seq)| Recorded { op_id: plan.id, seq, event_id: ids.ulid(at), at, actor: actor.clone(), event };
        events.into_iter().zip(after + 1..).map(entry).collect()
    }
}

/// Waits until an instant of local time; for ever without one.
async fn sleep_until(until: Option<Instant>, now: Instant) {
    match until {
        Some(until) => {
            let left = until.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO);
            // A timer of less than a millisecond would spin.
            tokio::time::sleep(left.max(Duration::from_millis(1))).await;
        }
        None => std::future::pending().await,
    }
}
