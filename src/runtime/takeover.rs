//! Going on with an operation from the ledger: what another home has begun, and what this one has begun and another may have
//! gone on with since.
//!
//! Two halves, since the journal belongs to one thread: [`inquire`] asks the ledger, takes the lease where one is needed and
//! looks again under it; [`settle`] brings the journal to what was found. After that the operator takes the operation up
//! like any other.

use crate::domain::Instant;
use crate::domain::text;
use crate::domain::ulid::Ulid;
use crate::ledger::journal::{Found, NoJournal, journal, taken_over};
use crate::ledger::lease::{self, LeaseRow, Tenure, Tick};
use crate::ledger::{Ledger, Sql, SqlTrouble};
use crate::operations::engine::{Standing, State, fold};
use crate::operations::journal::{Actor, Recorded};
use crate::operations::plan::{OperationId, Plan};
use crate::operations::step::Repeat;
use crate::runtime::captain::{needs_lease, product};
use crate::runtime::ledger::{NotHeld, Ticks, hold, obtain, outbox_row};
use crate::runtime::operator::CrashingJournal;
use crate::store::{self, Adopted, OutboxRow};

/// How long nothing must have been heard of an operation that needs no lease before somebody else goes on with it: as long
/// as a lease lasts, and its grace.
const QUIET_US: i64 = ((lease::TERM_MS + lease::GRACE_MS) * 1_000).cast_signed();

/// Why an operation cannot be gone on with from here.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The ledger does not answer.
    #[error("the ledger cannot be asked: {0}")]
    Ledger(#[from] SqlTrouble),
    /// What it has is no whole journal.
    #[error(transparent)]
    Journal(#[from] NoJournal),
    /// Another version of this program planned it.
    #[error(
        "operation {0} was planned by another version of lakeshift: it can be shown and exported, not gone on with"
    )]
    Foreign(OperationId),
    /// Somebody holds the lease that it needs.
    #[error("operation {operation} was last in the hands of {by}: {held}")]
    Led {
        /// The operation.
        operation: OperationId,
        /// Who wrote its newest entry.
        by: String,
        /// Which lease, held by whom, until when, in words.
        held: String,
    },
    /// Its owner was heard of a moment ago.
    #[error("operation {operation} is in the hands of {by}, who was heard of {ago_s} s ago")]
    Heard {
        /// The operation.
        operation: OperationId,
        /// Who.
        by: String,
        /// How long ago, in seconds of the server's clock.
        ago_s: i64,
    },
    /// The ledger may lack what its owner did last, and it could be done twice.
    #[error(
        "operation {operation} of {by} goes on in its own home alone: at its tier the ledger is told afterwards, so it may \
         lack an order that was given already, and `{what}` could happen twice"
    )]
    Blind {
        /// The operation.
        operation: OperationId,
        /// Who began it.
        by: String,
        /// What could happen twice.
        what: String,
    },
    /// The lease was not obtained.
    #[error(transparent)]
    Lease(#[from] NotHeld),
    /// The local journal.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What this home knows of an operation.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// Its plan; none if it is not known here.
    pub plan: Option<Plan>,
    /// The process of this machine that had it and has ended: its lease need not be waited for.
    pub ended: Option<Ulid>,
}

/// What was found.
#[derive(Debug)]
pub struct Inquiry {
    /// What the ledger has of it; none if it has nothing yet.
    found: Option<Found>,
    /// The lease that was taken for it.
    pub tenure: Option<Tenure>,
}

/// Asks the ledger about an operation, and takes the lease that it needs. What was found holds under that lease: nobody
/// else goes on with it meanwhile.
///
/// # Errors
/// By name while somebody else works on it; see [`NotTaken`].
pub async fn inquire<S: Sql>(
    ledger: &Ledger<S>,
    ticks: &Ticks,
    operation: OperationId,
    nonce: &str,
    here: Here,
) -> Result<Inquiry, NotTaken> {
    let found = look(ledger, operation, here.plan.is_some()).await?;
    let of_ledger = found.as_ref().map(|found| found.plan.known().ok_or(NotTaken::Foreign(operation))).transpose()?;
    let Some(plan) = here.plan.as_ref().or(of_ledger) else {
        return Err(NoJournal::Nothing(operation.to_string()).into());
    };
    let state = found.as_ref().map(|found| fold(plan, &found.journal));
    if state.as_ref().is_some_and(State::is_over) {
        return Ok(Inquiry { found, tenure: None });
    }
    if !needs_lease(plan) {
        if let (None, Some(found), Some(state)) = (&here.plan, &found, &state) {
            is_quiet(ledger, operation, plan, found, state).await?;
        }
        return Ok(Inquiry { found, tenure: None });
    }
    let tenure = led(ledger, ticks, plan, nonce, found.as_ref(), here.ended).await?;
    let found = look(ledger, operation, here.plan.is_some()).await?;
    Ok(Inquiry { found, tenure: Some(tenure) })
}

/// What the ledger has of an operation, to look at it and no more.
///
/// # Errors
/// When the ledger does not answer, or has no whole journal of it.
pub async fn read<S: Sql>(ledger: &Ledger<S>, operation: OperationId) -> Result<Found, NotTaken> {
    let found = look(ledger, operation, false).await?;
    found.ok_or_else(|| NoJournal::Nothing(operation.to_string()).into())
}

/// What the ledger has of an operation. Nothing is no failure where the operation is known here.
async fn look<S: Sql>(ledger: &Ledger<S>, operation: OperationId, known: bool) -> Result<Option<Found>, NotTaken> {
    let id = operation.to_string();
    match journal(&id, ledger.operation(&id).await?) {
        Ok(found) => Ok(Some(found)),
        Err(NoJournal::Nothing(_)) if known => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Without a lease, only the newest entry tells whether somebody works on it; and what was done last may not be told yet.
async fn is_quiet<S: Sql>(
    ledger: &Ledger<S>,
    operation: OperationId,
    plan: &Plan,
    found: &Found,
    state: &State,
) -> Result<(), NotTaken> {
    let ago_us = ledger.greet().await?.now_us - found.newest_us;
    let by = text::line(&found.last_by.to_string());
    if ago_us < QUIET_US && !state.is_held() {
        return Err(NotTaken::Heard { operation, by, ago_s: ago_us / 1_000_000 });
    }
    // By token, by guard or by nature the others can be asked again.
    let open = plan.steps.iter().zip(&state.steps).find(|(step, at)| {
        step.repeat == Repeat::AfterSettling && at.forward.standing != Standing::Done && state.abort.is_none()
    });
    match open {
        Some((step, _)) => Err(NotTaken::Blind { operation, by, what: text::line(&step.action.words()) }),
        None => Ok(()),
    }
}

/// The lease of an operation's product, unless somebody else has it.
async fn led<S: Sql>(
    ledger: &Ledger<S>,
    ticks: &Ticks,
    plan: &Plan,
    nonce: &str,
    found: Option<&Found>,
    ended: Option<Ulid>,
) -> Result<Tenure, NotTaken> {
    let product = product(plan);
    let op_id = plan.id.to_string();
    let row = lease::look(ledger, product).await?;
    if row.left_ms().is_none() {
        return Ok(hold(ledger, product, &op_id, nonce, ticks).await?);
    }
    match ended.filter(|ended| is_of(&row, *ended)) {
        Some(ended) => inherit(ledger, ticks, product, &op_id, nonce, ended).await,
        None => Err(refused(plan, found, &row)),
    }
}

/// Whether a lease is held by a process.
fn is_of(row: &LeaseRow, session: Ulid) -> bool {
    let holder = row.nonce.as_deref().and_then(|nonce| nonce.split('.').next());
    holder == Some(session.to_string().as_str())
}

fn refused(plan: &Plan, found: Option<&Found>, row: &LeaseRow) -> NotTaken {
    let by = found.map_or(&plan.actor, |found| &found.last_by);
    let of = match row.op_id.as_deref() {
        Some(op_id) if op_id != plan.id.to_string() => format!(" for operation {}", text::line(op_id)),
        _ => String::new(),
    };
    let (product, holder) = (text::line(&row.product), row.holder.as_deref().map(text::line).unwrap_or_default());
    let until = row.expires_at().map(|at| format!(" until {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
    NotTaken::Led {
        operation: plan.id,
        by: text::line(&by.to_string()),
        held: format!("the lease of {product} is held by {holder}{of}{until}"),
    }
}

/// Takes the lease from a process of this very machine that has ended.
async fn inherit<S: Sql>(
    ledger: &Ledger<S>,
    ticks: &Ticks,
    product: &str,
    op_id: &str,
    nonce: &str,
    ended: Ulid,
) -> Result<Tenure, NotTaken> {
    let tick = || -> Tick { ticks.now() };
    let mut tenure = Tenure::new(product, op_id, nonce);
    lease::step(&mut tenure, ledger, &tick).await;
    // It may be somebody else's by now: from them nothing is taken, and the wait below names them.
    if tenure.last_seen().is_some_and(|row| is_of(row, ended)) {
        let _ = tenure.steal("its process on this machine has ended");
    }
    obtain(&mut tenure, ledger, ticks).await?;
    Ok(tenure)
}

/// The journal to which operations of other homes are brought.
pub trait Adopts {
    /// See [`store::Journal::adopt`].
    ///
    /// # Errors
    /// As there.
    fn adopt(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        is_over: bool,
        from: &str,
        now: Instant,
    ) -> Result<Adopted, store::Error>;

    /// See [`store::Journal::post`].
    ///
    /// # Errors
    /// As there.
    fn post(&mut self, rows: &[OutboxRow], now: Instant) -> Result<(), store::Error>;
}

impl Adopts for store::Journal {
    fn adopt(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        is_over: bool,
        from: &str,
        now: Instant,
    ) -> Result<Adopted, store::Error> {
        Self::adopt(self, plan, entries, is_over, from, now)
    }

    fn post(&mut self, rows: &[OutboxRow], now: Instant) -> Result<(), store::Error> {
        Self::post(self, rows, now)
    }
}

impl Adopts for CrashingJournal<store::Journal> {
    fn adopt(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        is_over: bool,
        from: &str,
        now: Instant,
    ) -> Result<Adopted, store::Error> {
        self.around("adopting the operation", |journal| journal.adopt(plan, entries, is_over, from, now))
    }

    fn post(&mut self, rows: &[OutboxRow], now: Instant) -> Result<(), store::Error> {
        self.inner_mut().post(rows, now)
    }
}

/// Brings the journal to what was found. Where it comes from another home, who goes on and why is told to the ledger.
///
/// # Errors
/// The store's: a process of this machine works on it, or another operation here excludes it.
pub fn settle(
    journal: &mut impl Adopts,
    inquiry: &Inquiry,
    by: &Actor,
    reason: Option<&str>,
    audit_id: Ulid,
    now: Instant,
) -> Result<Adopted, NotTaken> {
    let Some(found) = &inquiry.found else { return Ok(Adopted::Known) };
    let Some(plan) = found.plan.known() else { return Ok(Adopted::Known) };
    let is_over = fold(plan, &found.journal).is_over();
    let from = text::line(&found.last_by.to_string());
    let adopted = journal.adopt(plan, &found.journal, is_over, &from, now)?;
    if adopted == Adopted::Brought && !is_over {
        let row = taken_over(audit_id, plan, by, &found.last_by, reason.unwrap_or("no reason given"));
        match row {
            Ok(row) => journal.post(&[outbox_row(&row, plan, None)], now)?,
            Err(error) => tracing::error!(%error, "the take-over cannot be told to the ledger"),
        }
    }
    Ok(adopted)
}
