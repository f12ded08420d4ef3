//! The console's hands: they plan what a person asks for, begin what is confirmed, drive it, and tell how all operations of
//! this machine go on, those of other processes too.
//!
//! One task owns the [`Operator`] and the journal. The console speaks to it in [`Order`]s and hears of it in facts.

mod follow;
mod page;
mod prepare;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::page::Reader;
pub use self::prepare::Shop;
use crate::app::act::{Answer, Ask, Order, Steer};
use crate::app::operations::LeaseStanding;
use crate::app::record::RecordPage;
use crate::app::{Fact, Message};
use crate::domain::clock::Clock;
use crate::domain::proof::Proof;
use crate::operations::engine::Request;
use crate::operations::journal::Actor;
use crate::operations::plan::{OperationId, Plan};
use crate::runtime::captain::{Course, needs_lease};
use crate::runtime::courier::Courier;
use crate::runtime::entropy::SystemIds;
use crate::runtime::ledger::Warehouse;
use crate::runtime::operator::{self, Happened, Journal, Operator};
use crate::runtime::takeover::{self, Here, Inquiry, NotTaken};

/// Orders that may wait: a person gives one at a time.
const WAITING: usize = 64;

/// How often it is looked whether other processes went on.
const LOOK: Duration = Duration::from_secs(1);

/// The longest that the end of the console waits for an answer that is under way. What is still open then is unknown, and
/// whoever takes the operation up looks for it.
const FAREWELL: Duration = Duration::from_secs(10);

/// The longest that the end of the console waits for the ledger.
const PARTING: Duration = Duration::from_secs(3);

/// The way to the task.
pub struct Acts {
    orders: mpsc::Sender<Order>,
    tasks: TaskTracker,
}

/// What the task is made of.
pub struct Parts<J> {
    /// Drives operations.
    pub operator: Operator<J>,
    /// Plans them.
    pub shop: Arc<Shop>,
    /// The way to the ledger.
    pub courier: Courier<Warehouse>,
    /// Why the ledger cannot be used although one is configured.
    pub no_ledger: Option<String>,
    /// Who is at the console.
    pub actor: Actor,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where facts go.
    pub out: mpsc::Sender<Message>,
}

impl Acts {
    /// Starts the task. Needs a tokio runtime.
    pub fn start<J: Journal + Send + 'static>(parts: Parts<J>) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let tasks = TaskTracker::new();
        let Parts { operator, shop, courier, no_ledger, actor, clock, out } = parts;
        let hands = Hands {
            operator,
            shop,
            courier,
            no_ledger,
            actor,
            clock,
            out,
            preparing: FuturesUnordered::new(),
            asking: FuturesUnordered::new(),
            reading: FuturesUnordered::new(),
            reader: Arc::default(),
            told: None,
        };
        tasks.spawn(hands.work(waiting));
        tasks.close();
        Self { orders, tasks }
    }

    /// Gives an order; whether it was taken.
    pub fn give(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Waits for what is under way, then lets go of all operations.
    pub async fn stop(self) {
        drop(self.orders);
        self.tasks.wait().await;
    }
}

struct Hands<J> {
    operator: Operator<J>,
    shop: Arc<Shop>,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Message>,
    preparing: FuturesUnordered<BoxFuture<'static, (u64, Answer)>>,
    courier: Courier<Warehouse>,
    no_ledger: Option<String>,
    actor: Actor,
    /// Operations that are to be steered, and of which the ledger is asked first whether another home has gone on with them.
    asking: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// Looks at the shared record for the screen.
    reading: FuturesUnordered<BoxFuture<'static, Read>>,
    /// What was read of it before.
    reader: Arc<tokio::sync::Mutex<page::Reader>>,
    told: Option<follow::Told>,
}

/// What a look at the shared record brought, and what is proven in other homes; why it brought nothing.
type Read = Result<(RecordPage, Vec<Proof>), String>;

/// What the ledger said of an operation that is to be steered.
struct Asked {
    operation: OperationId,
    steer: Steer,
    reason: Option<String>,
    inquiry: Result<Inquiry, NotTaken>,
}

impl<J: Journal> Hands<J> {
    async fn work(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let (holds, now) = (!self.operator.in_hand().is_empty(), self.clock.now());
            self.courier.start(&self.operator, now);
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.take(order).await,
                    None => break,
                },
                Some((number, answer)) = self.preparing.next(), if !self.preparing.is_empty() => {
                    self.say(Fact::Answered { number, answer }).await;
                }
                Some(read) = self.reading.next(), if !self.reading.is_empty() => self.has_read(read).await,
                Some(asked) = self.asking.next(), if !self.asking.is_empty() => self.answered(asked).await,
                came = self.courier.next(now) => {
                    let happened = self.courier.take(came, &mut self.operator, self.clock.now());
                    self.hear(happened).await;
                    self.tell(true).await;
                }
                // Also where nothing goes on by itself: signs of life are given for all that is in hand.
                happened = self.operator.step(), if holds => {
                    self.hear(happened).await;
                    self.tell(true).await;
                }
                _ = look.tick() => self.tell(false).await,
            }
        }
        self.leave().await;
    }

    async fn take(&mut self, order: Order) {
        match order {
            Order::Prepare(ask) => self.prepare(ask).await,
            Order::Begin { plan, how } => self.begin(*plan, &how).await,
            Order::Steer { operation, steer, reason } => self.steer(operation, steer, reason).await,
            Order::ReadRecord { verify } => self.read_record(verify).await,
        }
    }

    async fn prepare(&mut self, ask: Ask) {
        let number = ask.number;
        let journal = self.operator.journal().store();
        match journal.in_hand().and_then(|in_hand| Ok((in_hand, self.shop.off(&journal.proofs()?)))) {
            Ok((in_hand, off)) => {
                let shop = Arc::clone(&self.shop);
                self.preparing.push(Box::pin(async move { (number, shop.prepare(ask, in_hand, off).await) }));
            }
            Err(error) => {
                let answer = Answer::Unread(chain(&error));
                self.say(Fact::Answered { number, answer }).await;
            }
        }
    }

    async fn read_record(&mut self, verify: bool) {
        match self.courier.ledger().cloned() {
            Some(ledger) => {
                let reader = Arc::clone(&self.reader);
                self.reading.push(Box::pin(async move {
                    let mut reader = reader.lock().await;
                    let page = reader.read(&ledger, verify).await.map_err(|trouble| trouble.message)?;
                    Ok((page, reader.proofs()))
                }));
            }
            None => {
                let why = self.without_ledger();
                self.say(Fact::RecordRead(Err(why))).await;
            }
        }
    }

    /// Shows what was read, and takes in what other homes have proven: what failed there is off here, too.
    async fn has_read(&mut self, read: Read) {
        let page = read.map(|(page, proofs)| {
            if let Err(error) = self.operator.journal_mut().take_proofs(&proofs) {
                tracing::warn!(%error, "what other homes have proven could not be kept");
            }
            Arc::new(page)
        });
        self.say(Fact::RecordRead(page)).await;
        self.tell(true).await;
    }

    async fn begin(&mut self, plan: Plan, how: &str) {
        let operation = plan.id;
        if needs_lease(&plan) && self.courier.ledger().is_none() {
            let why = format!("nothing was done: the ledger must have it first, and {}", self.without_ledger());
            return self.say(Fact::OrderFailed { operation, why }).await;
        }
        match self.operator.begin(plan, Some(how)) {
            Ok(_) => self.tell(true).await,
            Err(error) => self.fail(operation, &error).await,
        }
    }

    async fn steer(&mut self, operation: OperationId, steer: Steer, reason: Option<String>) {
        if self.operator.view(operation).is_some() {
            return self.steer_now(operation, steer, reason).await;
        }
        match takeover::known_here(self.operator.journal().store(), operation, self.clock.now()) {
            Ok(Some(here)) => self.ask_ledger(operation, steer, reason, here).await,
            Ok(None) => self.steer_now(operation, steer, reason).await,
            Err(error) => self.fail(operation, &error.into()).await,
        }
    }

    async fn steer_now(&mut self, operation: OperationId, steer: Steer, reason: Option<String>) {
        match self.steered(operation, steer, reason) {
            Ok(happened) => self.hear(happened).await,
            Err(error) => self.fail(operation, &error).await,
        }
        self.tell(true).await;
    }

    async fn ask_ledger(&mut self, operation: OperationId, steer: Steer, reason: Option<String>, here: Here) {
        let proofs = self.operator.journal().store().proofs().unwrap_or_default();
        let off = self.shop.off(&proofs).into_iter().find(|off| off.feature.carries_production());
        if let Some(off) = off.filter(|_| steer == Steer::Resume) {
            return self.say(Fact::OrderFailed { operation, why: off.to_string() }).await;
        }
        let course = if steer == Steer::Abort { Course::Back } else { Course::Ahead };
        let is_ours = here.is_ours;
        match self.courier.inquire(operation, here, course) {
            Some(asked) => self.asking.push(Box::pin(async move {
                let inquiry = asked.await;
                Asked { operation, steer, reason, inquiry }
            })),
            // Taking back never waits.
            None if course == Course::Back && is_ours => self.steer_now(operation, steer, reason).await,
            None => {
                let why = self.without_ledger();
                let why = format!("another home may have gone on with it, and {why}");
                self.say(Fact::OrderFailed { operation, why }).await;
            }
        }
    }

    fn without_ledger(&self) -> String {
        self.no_ledger.clone().unwrap_or_else(|| "no ledger is configured".to_owned())
    }

    async fn answered(&mut self, asked: Asked) {
        let Asked { operation, steer, reason, inquiry } = asked;
        let now = self.clock.now();
        let settled = inquiry.and_then(|mut inquiry| {
            self.courier.holds(operation, &mut inquiry)?;
            let (journal, ids) = (self.operator.journal_mut(), &mut SystemIds::default());
            takeover::settle(journal, &inquiry, &self.actor, reason.as_deref(), ids, now)
        });
        match settled {
            Ok(_) => self.steer_now(operation, steer, reason).await,
            Err(error) => self.say(Fact::OrderFailed { operation, why: chain(&error) }).await,
        }
    }

    fn steered(
        &mut self,
        operation: OperationId,
        steer: Steer,
        reason: Option<String>,
    ) -> Result<Vec<Happened>, operator::Error> {
        // Whatever is asked of it, it must be in these hands first; a working owner elsewhere is named and refused.
        let mut happened = self.operator.take_up(operation)?;
        let request = match steer {
            Steer::Abort => Request::Abort { reason },
            Steer::Pause => Request::Pause,
            Steer::Resume => Request::Unpause,
            Steer::Close => Request::Close { reason: reason.unwrap_or_default() },
        };
        if self.operator.view(operation).is_some() {
            happened.extend(self.operator.ask(operation, request)?);
        }
        Ok(happened)
    }

    /// Tells the person which operations are no longer driven here.
    async fn hear(&mut self, happened: Vec<Happened>) {
        for happened in happened {
            if let Happened::Lost { operation, why } = happened {
                self.say(Fact::OrderFailed { operation, why: format!("it was let go: {why}") }).await;
            }
        }
    }

    async fn fail(&mut self, operation: OperationId, error: &operator::Error) {
        self.say(Fact::OrderFailed { operation, why: chain(error) }).await;
    }

    /// Tells how all operations stand, if anything changed.
    async fn tell(&mut self, moved: bool) {
        for operation in self.operator.in_hand() {
            let is_over = self.operator.view(operation).is_some_and(|view| view.state.is_over());
            if is_over && let Err(error) = self.operator.release(operation) {
                tracing::warn!(%error, "an operation that is over could not be let go");
            }
        }
        let now = self.clock.now();
        let lease = |operation| {
            let (held, words) = self.courier.lease(operation)?;
            Some((operation, LeaseStanding { held, words }))
        };
        let leases = self.operator.in_hand().into_iter().filter_map(lease).collect();
        let (delivery, no_ledger) = (self.courier.delivery(), self.no_ledger.as_deref());
        let ledger = follow::LedgerNow { delivery, no_ledger, leases: &leases };
        match follow::snapshot(&self.operator, &mut self.told, moved, ledger, &self.shop, now) {
            Ok(Some(snapshot)) => self.say(Fact::OperationsAdvanced(Arc::new(snapshot))).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the journal could not be read"),
        }
    }

    async fn say(&mut self, fact: Fact) {
        // A console that has ended hears nothing more; the operations go on to their release.
        let _ = self.out.send(Message { at: self.clock.now(), fact }).await;
    }

    /// What was asked is asked: its answer is waited for, then anybody may go on.
    async fn leave(mut self) {
        let answered = async {
            while self.operator.in_hand().into_iter().any(|operation| self.operator.is_acting(operation)) {
                self.operator.step().await;
            }
        };
        if tokio::time::timeout(FAREWELL, answered).await.is_err() {
            tracing::warn!("an answer is still out: whoever takes the operation up looks for it");
        }
        for operation in self.operator.in_hand() {
            if let Err(error) = self.operator.release(operation) {
                tracing::warn!(%operation, %error, "an operation could not be let go");
            }
        }
        // What the ledger does not take in time stays in the outbox, and a lease ends by itself.
        self.courier.hurry();
        let parted = async {
            self.courier.start(&self.operator, self.clock.now());
            while self.courier.is_leaving() || self.courier.is_sending() {
                let came = self.courier.next(self.clock.now()).await;
                self.courier.take(came, &mut self.operator, self.clock.now());
                self.courier.start(&self.operator, self.clock.now());
            }
        };
        let _ = tokio::time::timeout(PARTING, parted).await;
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
