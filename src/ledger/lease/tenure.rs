//! One attempt to hold a lease, from the first look to the end: a machine without clock or network.

use super::row::LeaseRow;
use crate::domain::Instant;
use crate::ledger::sql::SqlTrouble;

/// How long a lease lasts unless it is renewed. The statements say so too.
pub const TERM_MS: u64 = 120_000;

/// How long before its end the holder stops, whatever it is doing.
pub const MARGIN_MS: u64 = 20_000;

/// How long after a taking or renewal the next one is asked for.
pub const RENEW_MS: u64 = 30_000;

/// How long whoever takes a lease that was not given back only observes: statements of the last holder may be in flight.
/// Who goes on with the holder's own operation does not: its journal tells what may be.
pub const GRACE_MS: u64 = 30_000;

/// The same for a lease that was taken from its holder in an emergency: one statement's time-out.
pub const STEAL_GRACE_MS: u64 = 10_000;

/// The fewest characters of a reason.
pub const REASON_CHARS: usize = 8;

/// The pause before a question is repeated that was not answered, or whose answer was no.
const RETRY_MS: u64 = 5_000;

/// A moment by both clocks of this machine. Neither alone will do: one stands still while the machine sleeps, the other
/// can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Milliseconds of a clock that never goes back, from any beginning.
    pub monotonic_ms: u64,
    /// The time of day.
    pub at: Instant,
}

impl Tick {
    fn plus(self, ms: u64) -> Self {
        let span = chrono::TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 1_000_000));
        Self { monotonic_ms: self.monotonic_ms.saturating_add(ms), at: self.at + span }
    }

    /// Whether either clock has come to a deadline: what ends, ends early rather than late.
    fn has_reached(self, deadline: Self) -> bool {
        self.monotonic_ms >= deadline.monotonic_ms || self.at >= deadline.at
    }

    /// How long until the first of both clocks comes to a deadline.
    fn left_until(self, deadline: Self) -> u64 {
        let by_day = u64::try_from((deadline.at - self.at).num_milliseconds()).unwrap_or(0);
        deadline.monotonic_ms.saturating_sub(self.monotonic_ms).min(by_day)
    }
}

/// What is to be asked of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the row.
    Look,
    /// Take it, free or over as it was seen.
    Acquire {
        /// The fence that was seen.
        seen: i64,
        /// This tenure.
        nonce: String,
        /// On whose behalf.
        op_id: String,
    },
    /// Take it from its holder, as it was seen.
    Steal {
        /// The fence that was seen.
        seen: i64,
        /// This tenure.
        nonce: String,
        /// On whose behalf.
        op_id: String,
    },
    /// Lengthen it.
    Renew {
        /// This tenure.
        nonce: String,
        /// Its fence.
        fence: i64,
    },
    /// Give it back.
    Release {
        /// This tenure.
        nonce: String,
        /// Its fence.
        fence: i64,
    },
}

/// Why a lease is no longer held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its end came before a renewal was seen: the ledger did not answer, or this machine slept.
    RanOut,
    /// Somebody else has it.
    Taken {
        /// Who; none if it is free again.
        by: Option<String>,
    },
    /// It is held in vain: another home has gone on with the operation.
    GoneOn {
        /// Who.
        by: String,
    },
}

/// What a tenure allows now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known yet.
    Unknown {
        /// Why the last question was not answered, if it was asked.
        trouble: Option<String>,
    },
    /// Another has it: observe only, and show who.
    HeldBy {
        /// Their name.
        holder: String,
        /// Their operation.
        op_id: Option<String>,
        /// How often it was taken.
        fence: i64,
        /// When it ends unless they renew it (server's clock).
        expires_at: Option<Instant>,
    },
    /// It is free or over, and is being taken.
    Taking,
    /// It is held, but its last holder did not give it back: observe only.
    Observing {
        /// For how long.
        left_ms: u64,
    },
    /// It is held: changes may be sent.
    Holding {
        /// The fence under which they are sent.
        fence: i64,
        /// Until the holder must stop, unless it is renewed.
        left_ms: u64,
    },
    /// It is being given back: nothing more may be sent.
    Releasing,
    /// It was given back.
    Released,
    /// It was lost: nothing more may be sent, and only a new tenure can take it again.
    Lost(Lost),
}

/// What the tenure is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Hold,
    Steal { fence: i64 },
    Release,
}

#[derive(Clone, Copy, Debug)]
struct Holding {
    fence: i64,
    /// When to stop: computed from the server's own row, and from when the question for it was sent.
    deadline: Tick,
    renew_at_ms: u64,
    observe_until_ms: u64,
}

/// One attempt to hold the lease of one product.
#[derive(Clone, Debug)]
pub struct Tenure {
    product: String,
    op_id: String,
    nonce: String,
    wish: Wish,
    seen: Option<LeaseRow>,
    must_look: bool,
    not_before_ms: u64,
    /// How long to observe, from how the lease looked when it was last asked for.
    grace_ms: u64,
    holding: Option<Holding>,
    released_once: bool,
    end: Option<Standing>,
    trouble: Option<String>,
}

impl Tenure {
    /// A tenure that wants the lease of a product for an operation. The nonce must be fresh: it tells this tenure from all
    /// others, its own predecessors included.
    pub fn new(product: impl Into<String>, op_id: impl Into<String>, nonce: impl Into<String>) -> Self {
        Self {
            product: product.into(),
            op_id: op_id.into(),
            nonce: nonce.into(),
            wish: Wish::Hold,
            seen: None,
            must_look: true,
            not_before_ms: 0,
            grace_ms: GRACE_MS,
            holding: None,
            released_once: false,
            end: None,
            trouble: None,
        }
    }

    /// The product.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The operation.
    pub fn op_id(&self) -> &str {
        &self.op_id
    }

    /// What tells it from all others.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The row as it was last read.
    pub fn last_seen(&self) -> Option<&LeaseRow> {
        self.seen.as_ref()
    }

    /// Takes the lease from whoever holds it, as it was last seen. For an emergency only (domain.md 6.4): nothing that is
    /// offered to a person takes it from somebody who works; a home takes it from a process of its own that has ended.
    ///
    /// # Errors
    /// When nothing was seen yet, or the reason is none.
    pub fn steal(&mut self, reason: &str) -> Result<(), &'static str> {
        if reason.trim().chars().count() < REASON_CHARS {
            return Err("to take a lease from its holder, give a reason of at least 8 characters");
        }
        let Some(seen) = &self.seen else { return Err("the lease was not read yet") };
        if self.holding.is_none() && self.end.is_none() {
            self.wish = Wish::Steal { fence: seen.fence };
            self.not_before_ms = 0;
        }
        Ok(())
    }

    /// Gives the lease back, or gives up to get it. From now on nothing may be sent under it.
    pub fn release(&mut self) {
        self.wish = Wish::Release;
        self.not_before_ms = 0;
        if self.holding.is_none() && self.end.is_none() {
            self.end = Some(Standing::Released);
        }
    }

    /// What is to be asked now; none while there is nothing to ask, or too early.
    pub fn due(&mut self, now: Tick) -> Option<Order> {
        self.notice(now);
        if self.end.is_some() || now.monotonic_ms < self.not_before_ms {
            return None;
        }
        if self.must_look {
            return Some(Order::Look);
        }
        let nonce = || self.nonce.clone();
        match (self.holding, self.wish, &self.seen) {
            (Some(held), Wish::Release, _) => Some(Order::Release { nonce: nonce(), fence: held.fence }),
            (Some(held), _, _) => {
                (now.monotonic_ms >= held.renew_at_ms).then(|| Order::Renew { nonce: nonce(), fence: held.fence })
            }
            (None, Wish::Steal { fence }, Some(seen)) if seen.fence == fence && seen.left_ms().is_some() => {
                Some(Order::Steal { seen: fence, nonce: nonce(), op_id: self.op_id.clone() })
            }
            (None, _, Some(seen)) if seen.left_ms().is_none() => {
                Some(Order::Acquire { seen: seen.fence, nonce: nonce(), op_id: self.op_id.clone() })
            }
            // Held by another: look again.
            (None, _, _) => Some(Order::Look),
        }
    }

    /// When to ask [`Tenure::due`] again, by the clock that never goes back.
    pub fn wake_at_ms(&self) -> u64 {
        match &self.holding {
            Some(held) if !self.must_look && self.wish != Wish::Release => {
                held.renew_at_ms.max(self.not_before_ms).min(held.deadline.monotonic_ms)
            }
            _ => self.not_before_ms,
        }
    }

    /// An order was sent. Whatever becomes of it, the row must be read before anything is believed.
    pub fn sent(&mut self, order: &Order, _: Tick) {
        match order {
            Order::Look => {}
            Order::Acquire { .. } => {
                let clean = self.seen.as_ref().is_some_and(LeaseRow::is_clean);
                self.grace_ms = if clean || self.goes_on() { 0 } else { GRACE_MS };
                self.must_look = true;
            }
            Order::Steal { .. } => {
                self.grace_ms = if self.goes_on() { 0 } else { STEAL_GRACE_MS };
                self.must_look = true;
            }
            Order::Renew { .. } => self.must_look = true,
            Order::Release { .. } => {
                self.must_look = true;
                self.released_once = true;
            }
        }
    }

    /// Whether it was last held for the very operation that this tenure goes on with. What its holder may still have in
    /// flight is in that operation's journal, as a doubt that is waited out there: nothing else needs to be observed.
    fn goes_on(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.op_id.as_deref() == Some(self.op_id.as_str()))
    }

    /// A change was answered, or failed. Neither proves anything; the row is read next.
    pub fn answered(&mut self, trouble: Option<SqlTrouble>, now: Tick) {
        self.trouble = trouble.map(|trouble| trouble.message);
        self.notice(now);
    }

    /// The row was read by a question that was sent at `sent`, or could not be.
    pub fn seen(&mut self, sent: Tick, row: Result<LeaseRow, SqlTrouble>, now: Tick) {
        self.notice(now);
        if self.end.is_some() {
            return;
        }
        match row {
            Err(trouble) => {
                self.trouble = Some(trouble.message);
                self.must_look = true;
                self.not_before_ms = now.monotonic_ms.saturating_add(RETRY_MS / 5);
            }
            Ok(row) => {
                self.must_look = false;
                self.judge(sent, &row, now);
                self.seen = Some(row);
                self.notice(now);
            }
        }
    }

    fn judge(&mut self, sent: Tick, row: &LeaseRow, now: Tick) {
        let mine = row.nonce.as_deref() == Some(self.nonce.as_str());
        match (mine, row.left_ms(), self.holding) {
            (true, Some(left_ms), held) => {
                self.trouble = None;
                // The server read its clock after the question was sent: counted from there, the end comes early if at all.
                let deadline = sent.plus(left_ms.saturating_sub(MARGIN_MS));
                let elapsed_ms = TERM_MS.saturating_sub(left_ms);
                let renew_in_ms = RENEW_MS.saturating_sub(elapsed_ms);
                let retry_ms = now.monotonic_ms.saturating_add(RETRY_MS);
                let renew_at_ms = sent.monotonic_ms.saturating_add(renew_in_ms).max(retry_ms);
                let observe_until_ms =
                    held.map_or_else(|| now.monotonic_ms.saturating_add(self.grace_ms), |held| held.observe_until_ms);
                self.holding = Some(Holding { fence: row.fence, deadline, renew_at_ms, observe_until_ms });
                // A release that was asked for and did not happen is asked for again, not at once.
                let released_late = self.wish == Wish::Release && self.released_once;
                self.not_before_ms = if released_late { now.monotonic_ms.saturating_add(RETRY_MS) } else { 0 };
                if self.wish != Wish::Release {
                    self.wish = Wish::Hold;
                }
            }
            (_, _, Some(_)) if self.wish == Wish::Release => self.end = Some(Standing::Released),
            (true, None, Some(_)) => self.end = Some(Standing::Lost(Lost::RanOut)),
            (false, _, Some(_)) => self.end = Some(Standing::Lost(Lost::Taken { by: row.holder.clone() })),
            (_, _, None) => {
                // Somebody was faster than the theft: what was true when it was asked for no longer is.
                if matches!(self.wish, Wish::Steal { fence } if fence != row.fence) {
                    self.wish = Wish::Hold;
                }
                let asked_and_lost = self.seen.as_ref().is_some_and(|seen| seen.left_ms().is_none());
                let wait = row.left_ms().is_some() || asked_and_lost;
                self.not_before_ms = if wait { now.monotonic_ms.saturating_add(RETRY_MS) } else { 0 };
            }
        }
    }

    /// Ends a holding whose deadline has come by either clock.
    fn notice(&mut self, now: Tick) {
        if self.end.is_none() && self.holding.is_some_and(|held| now.has_reached(held.deadline)) {
            self.end = Some(match self.wish {
                Wish::Release => Standing::Released,
                _ => Standing::Lost(Lost::RanOut),
            });
        }
    }

    /// What is allowed now. Ask it immediately before each change is sent.
    pub fn standing(&self, now: Tick) -> Standing {
        if let Some(end) = &self.end {
            return end.clone();
        }
        match (&self.holding, &self.seen) {
            (Some(held), _) if now.has_reached(held.deadline) => Standing::Lost(Lost::RanOut),
            (Some(_), _) if self.wish == Wish::Release => Standing::Releasing,
            (Some(held), _) if now.monotonic_ms < held.observe_until_ms => {
                Standing::Observing { left_ms: held.observe_until_ms - now.monotonic_ms }
            }
            (Some(held), _) => Standing::Holding { fence: held.fence, left_ms: now.left_until(held.deadline) },
            (None, Some(seen)) => match (&seen.holder, seen.left_ms()) {
                (Some(holder), Some(_)) => Standing::HeldBy {
                    holder: crate::domain::text::line(holder),
                    op_id: seen.op_id.clone(),
                    fence: seen.fence,
                    expires_at: seen.expires_at(),
                },
                _ => Standing::Taking,
            },
            (None, None) => Standing::Unknown { trouble: self.trouble.clone() },
        }
    }

    /// The fence under which a change may be sent now; none if none may.
    pub fn may_act(&self, now: Tick) -> Option<i64> {
        match self.standing(now) {
            Standing::Holding { fence, .. } => Some(fence),
            _ => None,
        }
    }

    /// Why the last question was not answered, or the last change refused.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
