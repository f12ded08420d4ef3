//! The courier: everything that goes between the operator and the ledger while operations are driven: the outbox there, and
//! the leases. One for the console and one for each subcommand that acts; without a ledger it has nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ulid::Ulid;
use crate::ledger::lease::{Lost, Standing};
use crate::ledger::seal::Sealed;
use crate::ledger::{Ledger, Sql};
use crate::operations::plan::OperationId;
use crate::runtime::captain::{Captain, Course, Fence, Returned, needs_lease, product, words};
use crate::runtime::delivery::{Delivery, DeliveryState, Loaded, Sent, Turn};
use crate::runtime::ledger::Ticks;
use crate::runtime::operator::{Happened, Journal, Operator};
use crate::runtime::sealer::Sealer;
use crate::runtime::takeover::{self, Here, Inquiry, NotTaken};

/// The shortest sleep: what is due is started by the caller, not by waking again and again.
const SHORTEST: Duration = Duration::from_millis(20);

/// How long a lease is kept for an operation that has left these hands and of which the ledger lacks something. It is longer
/// than a process stays for it at its end.
const KEPT: Duration = Duration::from_secs(60);

/// See the module's page.
pub struct Courier<S>(Option<Way<S>>);

struct Way<S> {
    delivery: Delivery<S>,
    captain: Captain<S>,
    /// Seals what was delivered; none where that is off.
    sealer: Option<Sealer<S>>,
    /// Rows on their way: one parcel at a time.
    parcel: Option<BoxFuture<'static, Sent>>,
    /// The leases' questions on their way, one a lease.
    errands: FuturesUnordered<BoxFuture<'static, Returned>>,
    /// Operations that have left these hands and of which the ledger lacks something, and since when.
    untold: BTreeMap<OperationId, tokio::time::Instant>,
}

/// A question to the ledger about an operation, on its way.
pub type Asked = BoxFuture<'static, Result<Inquiry, NotTaken>>;

/// What came back.
pub enum Came {
    /// Rows that were sent.
    Sent(Sent),
    /// A lease that was asked about.
    Returned(Box<Returned>),
    /// What came of sealing.
    Sealed(Result<Sealed, String>),
    /// A lease was lost.
    Lost,
    /// It is time to look what is due.
    Woke,
}

impl<S: Sql + Clone + 'static> Courier<S> {
    /// One without a ledger.
    pub fn none() -> Self {
        Self(None)
    }

    /// One between a process and a ledger.
    pub fn new(ledger: Ledger<S>, clock: Arc<dyn Clock>, session: Ulid) -> Self {
        let captain = Captain::new(ledger.clone(), Arc::new(Ticks::new(clock)), session);
        let (errands, untold) = (FuturesUnordered::new(), BTreeMap::new());
        Self(Some(Way { delivery: Delivery::new(ledger), captain, sealer: None, parcel: None, errands, untold }))
    }

    /// From now on it seals what it has delivered, too, through a way of its own to the ledger.
    pub fn enable_sealing(&mut self, ledger: Ledger<S>) {
        if let Some(way) = &mut self.0 {
            way.sealer = Some(Sealer::new(ledger, way.captain.ticks()));
        }
    }

    /// The ledger, if there is one.
    pub fn ledger(&self) -> Option<&Ledger<S>> {
        self.0.as_ref().map(|way| way.delivery.ledger())
    }

    /// What this process holds, for the world behind it.
    pub fn fence(&self) -> Option<Fence> {
        self.0.as_ref().map(|way| way.captain.fence())
    }

    /// Asks the ledger about an operation that is to be taken up, or to be taken back; none without a ledger.
    pub fn inquire(&mut self, operation: OperationId, here: Here, course: Course) -> Option<Asked> {
        let Way { delivery, captain, .. } = self.0.as_mut()?;
        let (ledger, ticks, nonce) = (delivery.ledger().clone(), captain.ticks(), captain.nonce());
        Some(Box::pin(async move {
            match course {
                Course::Ahead => takeover::inquire(&ledger, &ticks, operation, &nonce, here).await,
                Course::Back => takeover::inquire_in_a_hurry(&ledger, &ticks, operation, &nonce, here).await,
            }
        }))
    }

    /// Holds the lease that was taken for an inquiry.
    ///
    /// # Errors
    /// When it is lost by now: what was found does not hold any more.
    pub fn holds(&mut self, operation: OperationId, inquiry: &mut Inquiry) -> Result<(), NotTaken> {
        match self.captain() {
            Some(captain) => inquiry.hand_over(operation, captain),
            None => Ok(()),
        }
    }

    /// Who holds the leases.
    pub fn captain(&mut self) -> Option<&mut Captain<S>> {
        self.0.as_mut().map(|way| &mut way.captain)
    }

    /// How delivery stands; none without a ledger.
    pub fn delivery(&self) -> Option<&DeliveryState> {
        self.0.as_ref().map(|way| way.delivery.state())
    }

    /// Makes the next attempt to deliver now, however long the pause.
    pub fn hurry(&mut self) {
        if let Some(way) = &mut self.0 {
            way.delivery.hurry();
        }
    }

    /// Whether rows are on their way.
    pub fn is_sending(&self) -> bool {
        self.0.as_ref().is_some_and(|way| way.parcel.is_some())
    }

    /// Whether a lease is still to be given back.
    pub fn is_leaving(&self) -> bool {
        self.0.as_ref().is_some_and(|way| way.captain.is_leaving() || !way.untold.is_empty())
    }

    /// Whether the ledger is being sealed.
    pub fn is_sealing(&self) -> bool {
        self.0.as_ref().and_then(|way| way.sealer.as_ref()).is_some_and(Sealer::is_sealing)
    }

    /// How it stands with the lease for an operation in hand here, in words, and whether it is held; none if it needs none.
    pub fn lease(&self, operation: OperationId) -> Option<(bool, String)> {
        let standing = self.0.as_ref()?.captain.standing(operation)?;
        Some((matches!(standing, Standing::Holding { .. }), words(&standing)))
    }

    /// Starts what is due: rows that wait, leases that operations in hand need, leases that none needs any more.
    pub fn start<J: Journal>(&mut self, operator: &Operator<J>, now: Instant) {
        let Some(way) = &mut self.0 else { return };
        let mut needing = Vec::new();
        for operation in operator.in_hand() {
            let Some(view) = operator.view(operation) else { continue };
            if needs_lease(view.plan) && !view.state.is_over() {
                way.captain.want(operation, product(view.plan), view.taken_by);
                needing.push(operation);
            }
        }
        way.keep(needing, operator);
        while let Some(errand) = way.captain.load() {
            way.errands.push(errand);
        }
        if way.parcel.is_none() {
            match way.delivery.load(operator.journal().store(), now) {
                Ok(Loaded::Parcel(parcel)) => {
                    let ledger = way.delivery.ledger().clone();
                    way.parcel = Some(Box::pin(async move { parcel.send(&ledger).await }));
                }
                Ok(Loaded::Nothing(_)) => {}
                Err(error) => tracing::warn!(%error, "the outbox could not be read"),
            }
        }
        if let Some(sealer) = &mut way.sealer {
            sealer.leaves(way.captain.is_leaving(), now);
            // What is on its way is to be sealed, too.
            if way.parcel.is_none() {
                sealer.start(now);
            }
        }
    }

    /// Waits until something came back, or something may be due. Dropped at any time, it loses nothing.
    pub async fn next(&mut self, now: Instant) -> Came {
        let Some(Way { delivery, captain, sealer, parcel, errands, .. }) = &mut self.0 else {
            return std::future::pending().await;
        };
        let of_leases = captain.wakes_in();
        let retry_at = if parcel.is_none() { delivery.state().retry_at } else { None };
        let of_sealer = sealer.as_ref().filter(|_| parcel.is_none()).and_then(Sealer::wakes_at);
        let until = |at: Instant| (at - now).to_std().unwrap_or_default();
        let wakes_in = of_leases.into_iter().chain(retry_at.into_iter().chain(of_sealer).map(until)).min();
        // A process that stood still learns first of all what it has lost.
        let lost = std::future::poll_fn(|_| match captain.lost().is_empty() {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(()),
        });
        tokio::select! {
            biased;
            () = lost => Came::Lost,
            Some(returned) = errands.next(), if !errands.is_empty() => Came::Returned(Box::new(returned)),
            sent = landed(parcel) => {
                *parcel = None;
                Came::Sent(sent)
            }
            sealed = sealed(sealer) => Came::Sealed(sealed),
            () = wake(wakes_in) => Came::Woke,
        }
    }

    /// Notes what came back. An operation whose lease was lost leaves the operator's hands.
    pub fn take<J: Journal>(&mut self, came: Came, operator: &mut Operator<J>, now: Instant) -> Vec<Happened> {
        let Some(way) = &mut self.0 else { return Vec::new() };
        match came {
            Came::Returned(returned) => way.captain.landed(*returned),
            Came::Sent(sent) => match (way.delivery.landed(operator.journal_mut(), sent, now), &mut way.sealer) {
                (Err(error), _) => tracing::warn!(%error, "what the ledger has could not be noted"),
                (Ok(Turn::Delivered(_)), Some(sealer)) => sealer.told(now),
                (Ok(_), _) => {}
            },
            Came::Sealed(sealed) => {
                if let Some(sealer) = &mut way.sealer {
                    sealer.landed(sealed, now);
                }
            }
            Came::Lost | Came::Woke => {}
        }
        let mut happened = Vec::new();
        for (operation, lost) in way.captain.lost() {
            let view = operator.view(operation);
            let is_in_hand = view.is_some();
            // Taking back goes on where nobody else is known to have the lease. What is lost is over: it is wanted anew.
            let goes_on = lost == Lost::RanOut && view.is_some_and(|view| view.state.abort.is_some());
            way.captain.forget(operation);
            if is_in_hand && !goes_on {
                if let Err(error) = operator.release(operation) {
                    tracing::warn!(%operation, %error, "an operation could not be let go");
                }
                happened.push(Happened::Lost { operation, why: words(&Standing::Lost(lost)) });
            }
        }
        happened
    }
}

impl<S: Sql + Clone + 'static> Way<S> {
    /// Gives back the leases that nobody needs. Who takes one next reads the journal from the ledger, so one is kept until
    /// the ledger has all of its operation, if it takes it in time.
    fn keep<J: Journal>(&mut self, needing: Vec<OperationId>, operator: &Operator<J>) {
        let now = tokio::time::Instant::now();
        let mut untold = BTreeMap::new();
        for operation in self.captain.wanted().into_iter().filter(|wanted| !needing.contains(wanted)) {
            let since = self.untold.get(&operation).copied().unwrap_or(now);
            let is_told = operator.journal().store().is_delivered(operation).unwrap_or_else(|error| {
                tracing::warn!(%error, "the outbox could not be read");
                false
            });
            let is_held =
                matches!(self.captain.standing(operation), Some(Standing::Holding { .. } | Standing::Observing { .. }));
            if is_held && !is_told && now.duration_since(since) < KEPT {
                untold.insert(operation, since);
            }
        }
        self.untold = untold;
        let kept: Vec<OperationId> = needing.into_iter().chain(self.untold.keys().copied()).collect();
        self.captain.keep_only(&kept);
    }
}

async fn landed<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(under_way) => under_way.await,
        None => std::future::pending().await,
    }
}

async fn sealed<S: Sql + Clone + 'static>(sealer: &mut Option<Sealer<S>>) -> Result<Sealed, String> {
    match sealer {
        Some(sealer) => sealer.next().await,
        None => std::future::pending().await,
    }
}

async fn wake(wakes_in: Option<Duration>) {
    match wakes_in {
        Some(wakes_in) => tokio::time::sleep(wakes_in.max(SHORTEST)).await,
        None => std::future::pending().await,
    }
}
