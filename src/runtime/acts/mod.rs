//! The console's hands: they plan what a person asks for, begin what is confirmed, drive it, and tell how all operations of
//! this machine go on, those of other processes too.
//!
//! One task owns the [`Operator`] and the journal. The console speaks to it in [`Order`]s and hears of it in facts.

mod follow;
mod prepare;
mod rights;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::follow::Book;
pub use self::prepare::Shop;
use crate::app::act::{Answer, Ask, Order, Steer};
use crate::app::{Fact, Message};
use crate::domain::clock::Clock;
use crate::ledger::Ledger;
use crate::operations::engine::Request;
use crate::operations::plan::{OperationId, Plan};
use crate::runtime::delivery::{Delivery, Loaded, Outbox, Sent};
use crate::runtime::ledger::Warehouse;
use crate::runtime::operator::{self, Journal, Operator};

/// Orders that may wait: a person gives one at a time.
const WAITING: usize = 64;

/// How often it is looked whether other processes went on.
const LOOK: Duration = Duration::from_secs(1);

/// The longest that the end of the console waits for an answer that is under way. What is still open then is unknown, and
/// whoever takes the operation up looks for it.
const FAREWELL: Duration = Duration::from_secs(10);

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
    /// Where the outbox goes; none where no ledger is configured.
    pub ledger: Option<Ledger<Warehouse>>,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where facts go.
    pub out: mpsc::Sender<Message>,
}

impl Acts {
    /// Starts the task. Needs a tokio runtime.
    pub fn start<J: Book + Journal + Outbox + Send + 'static>(parts: Parts<J>) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let tasks = TaskTracker::new();
        let Parts { operator, shop, ledger, clock, out } = parts;
        let (preparing, delivery) = (FuturesUnordered::new(), ledger.map(Delivery::new));
        let hands = Hands { operator, shop, clock, out, preparing, delivery, parcel: None, told: None };
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
    delivery: Option<Delivery<Warehouse>>,
    /// Rows on their way to the ledger: one parcel at a time.
    parcel: Option<BoxFuture<'static, Sent>>,
    told: Option<follow::Told>,
}

impl<J: Book + Journal + Outbox> Hands<J> {
    async fn work(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let idle = self.operator.is_idle();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.take(order).await,
                    None => break,
                },
                Some((number, answer)) = self.preparing.next(), if !self.preparing.is_empty() => {
                    self.say(Fact::Answered { number, answer }).await;
                }
                happened = self.operator.step(), if !idle => {
                    drop(happened);
                    self.tell(true).await;
                }
                sent = landed(&mut self.parcel) => {
                    self.delivered(sent);
                    self.tell(true).await;
                }
                _ = look.tick() => {
                    self.deliver();
                    self.tell(false).await;
                }
            }
        }
        self.leave().await;
    }

    async fn take(&mut self, order: Order) {
        match order {
            Order::Prepare(ask) => self.prepare(ask).await,
            Order::Begin { plan, how } => self.begin(*plan, &how).await,
            Order::Steer { operation, steer, reason } => self.steer(operation, steer, reason).await,
        }
    }

    async fn prepare(&mut self, ask: Ask) {
        let number = ask.number;
        match self.operator.journal().in_hand() {
            Ok(in_hand) => {
                let shop = Arc::clone(&self.shop);
                self.preparing.push(Box::pin(async move { (number, shop.prepare(ask, in_hand).await) }));
            }
            Err(error) => {
                let answer = Answer::Unread(chain(&error));
                self.say(Fact::Answered { number, answer }).await;
            }
        }
    }

    async fn begin(&mut self, plan: Plan, how: &str) {
        let operation = plan.id;
        match self.operator.begin(plan, Some(how)) {
            Ok(_) => self.tell(true).await,
            Err(error) => self.fail(operation, &error).await,
        }
    }

    async fn steer(&mut self, operation: OperationId, steer: Steer, reason: Option<String>) {
        if let Err(error) = self.steered(operation, steer, reason) {
            self.fail(operation, &error).await;
        }
        self.tell(true).await;
    }

    fn steered(&mut self, operation: OperationId, steer: Steer, reason: Option<String>) -> Result<(), operator::Error> {
        // Whatever is asked of it, it must be in these hands first; a working owner elsewhere is named and refused.
        self.operator.take_up(operation)?;
        let request = match steer {
            Steer::Abort => Request::Abort { reason },
            Steer::Pause => Request::Pause,
            Steer::Resume => Request::Unpause,
            Steer::Close => Request::Close { reason: reason.unwrap_or_default() },
        };
        self.operator.ask(operation, request).map(drop)
    }

    async fn fail(&mut self, operation: OperationId, error: &operator::Error) {
        self.say(Fact::OrderFailed { operation, why: chain(error) }).await;
    }

    /// Sends what waits for the ledger, one parcel at a time. Nobody waits here for its answer.
    fn deliver(&mut self) {
        let (Some(delivery), None) = (&mut self.delivery, &self.parcel) else { return };
        match delivery.load(self.operator.journal(), self.clock.now()) {
            Ok(Loaded::Parcel(parcel)) => {
                let ledger = delivery.ledger().clone();
                self.parcel = Some(Box::pin(async move { parcel.send(&ledger).await }));
            }
            Ok(Loaded::Nothing(_)) => {}
            Err(error) => tracing::warn!(%error, "the outbox could not be read"),
        }
    }

    fn delivered(&mut self, sent: Sent) {
        self.parcel = None;
        let now = self.clock.now();
        if let Some(delivery) = &mut self.delivery
            && let Err(error) = delivery.landed(self.operator.journal_mut(), sent, now)
        {
            tracing::warn!(%error, "what the ledger has could not be noted");
        }
        self.deliver();
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
        match follow::snapshot(&self.operator, &mut self.told, moved, self.delivery.as_ref().map(Delivery::state), now)
        {
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
    }
}

/// The end of the parcel that is under way; never without one.
async fn landed(parcel: &mut Option<BoxFuture<'static, Sent>>) -> Sent {
    match parcel {
        Some(parcel) => parcel.await,
        None => std::future::pending().await,
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
