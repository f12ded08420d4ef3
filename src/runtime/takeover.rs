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
use crate::ledger::lease::{self, LeaseRow, Standing, Tenure, Tick};
use crate::ledger::{Ledger, Sql, SqlTrouble};
use crate::operations::engine::{self, State, Track, fold};
use crate::operations::journal::{Actor, Direction, Event, Recorded};
use crate::operations::plan::{OperationId, Plan};
use crate::operations::planning::whole_ms;
use crate::operations::step::Repeat;
use crate::runtime::captain::{Captain, HURRY, needs_lease, product, words};
use crate::runtime::entropy::Ids;
use crate::runtime::ledger::{NotHeld, Ticks, hold, obtain, outbox_row, outbox_rows};
use crate::runtime::operator::Journal;
use crate::store::{self, Adopted, Handover, Health};

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
    /// Whether this home had it last, as far as it knows.
    pub is_ours: bool,
}

/// What was found.
#[derive(Debug)]
pub struct Inquiry {
    /// What the ledger has of it; none if it has nothing yet.
    found: Option<Found>,
    /// The lease that was taken for it.
    pub tenure: Option<Tenure>,
}

impl Inquiry {
    /// Gives the lease that was taken to who keeps it from here on.
    ///
    /// # Errors
    /// When it is over by now, since the process stood still: what was found does not hold any more.
    pub fn hand_over<S: Sql + Clone + 'static>(
        &mut self,
        operation: OperationId,
        captain: &mut Captain<S>,
    ) -> Result<(), NotTaken> {
        let Some(tenure) = self.tenure.take() else { return Ok(()) };
        captain.has(operation, tenure);
        match captain.standing(operation) {
            Some(standing @ Standing::Lost(_)) => Err(NotHeld::Trouble(words(&standing)).into()),
            _ => Ok(()),
        }
    }
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

/// The same to take an operation back, which never waits: the home that had it last takes it back on its own journal if the
/// ledger does not answer within [`HURRY`]. Nobody else can go on with it then either, and the lease is still asked for. Once
/// the ledger says that somebody else has the lease, theirs is the decision.
///
/// # Errors
/// As [`inquire`].
pub async fn inquire_in_a_hurry<S: Sql>(
    ledger: &Ledger<S>,
    ticks: &Ticks,
    operation: OperationId,
    nonce: &str,
    here: Here,
) -> Result<Inquiry, NotTaken> {
    let ours = here.plan.clone().filter(|_| here.is_ours);
    let asked = inquire(ledger, ticks, operation, nonce, here);
    let Some(plan) = ours else { return asked.await };
    let why = match tokio::time::timeout(HURRY, asked).await {
        Ok(Err(NotTaken::Ledger(trouble))) => trouble.message,
        Ok(Err(NotTaken::Lease(NotHeld::Trouble(trouble)))) => trouble,
        Ok(answered) => return answered,
        Err(_) => format!("no answer within {} s", HURRY.as_secs()),
    };
    tracing::warn!(%operation, why = text::line(&why), "taken back without the ledger");
    // Should the lease have been taken meanwhile, it was by this nonce.
    Ok(Inquiry { found: None, tenure: Some(Tenure::new(product(&plan), operation.to_string(), nonce)) })
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
        step.repeat == Repeat::AfterSettling && at.forward.standing != engine::Standing::Done && state.abort.is_none()
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

/// Takes the lease from a process of this very machine that has ended. That it is taken is in the ledger first.
async fn inherit<S: Sql>(
    ledger: &Ledger<S>,
    ticks: &Ticks,
    product: &str,
    op_id: &str,
    nonce: &str,
    ended: Ulid,
) -> Result<Tenure, NotTaken> {
    const REASON: &str = "its process on this machine has ended";
    let tick = || -> Tick { ticks.now() };
    let mut tenure = Tenure::new(product, op_id, nonce);
    lease::step(&mut tenure, ledger, &tick).await;
    // It may be somebody else's by now: from them nothing is taken, and the wait below names them.
    if let Some(from) = tenure.last_seen().filter(|row| is_of(row, ended)) {
        // The nonce is of this tenure alone, and so is the row.
        match lease::take_over_row(nonce, &tenure, from, REASON) {
            Ok(row) => {
                if let Some(trouble) = ledger.append(&[row]).await.trouble {
                    return Err(trouble.into());
                }
            }
            Err(error) => tracing::error!(%error, "that a lease is taken over cannot be told to the ledger"),
        }
        let _ = tenure.steal(REASON);
    }
    obtain(&mut tenure, ledger, ticks).await?;
    Ok(tenure)
}

/// What is known here of an operation of which the ledger must be asked first whether another home has gone on with it;
/// none if it need not be, or is refused by name when it is taken up.
///
/// # Errors
/// The store's.
pub fn known_here(
    journal: &store::Journal,
    operation: OperationId,
    now: Instant,
) -> Result<Option<Here>, store::Error> {
    let Some(record) = journal.record(operation, now)? else { return Ok(Some(Here::default())) };
    let Some(plan) = record.plan.known().filter(|plan| needs_lease(plan) && !record.is_over) else {
        return Ok(None);
    };
    let plan = Some(plan.clone());
    Ok(match record.owner {
        Some((_, Health::Alive)) => None,
        Some((owner, _)) if owner.is_elsewhere() => Some(Here { plan, ended: None, is_ours: false }),
        Some((owner, Health::Gone)) => Some(Here { plan, ended: Some(owner.session), is_ours: true }),
        Some((_, Health::Us | Health::Hung)) | None => Some(Here { plan, ended: None, is_ours: true }),
    })
}

/// Brings the journal to what was found. Where it comes from another home, who goes on and why is told to the ledger.
///
/// # Errors
/// The store's: a process of this machine works on it, or another operation here excludes it.
pub fn settle(
    journal: &mut impl Journal,
    inquiry: &Inquiry,
    by: &Actor,
    reason: Option<&str>,
    ids: &mut dyn Ids,
    now: Instant,
) -> Result<Adopted, NotTaken> {
    let Some(found) = &inquiry.found else { return Ok(Adopted::Known) };
    let Some(plan) = found.plan.known() else { return Ok(Adopted::Known) };
    let state = fold(plan, &found.journal);
    let is_over = state.is_over();
    let from = text::line(&found.last_by.to_string());
    let (at, doubts) = (whole_ms(now), doubts(plan, &state, &from));
    let entry = |(event, seq)| Recorded { op_id: plan.id, seq, event_id: ids.ulid(at), at, actor: by.clone(), event };
    let added: Vec<Recorded> = doubts.into_iter().zip(state.seq + 1..).map(entry).collect();
    let (rows_of, taken_by) = (outbox_rows(), added.first().map_or(plan.id.0, |entry| entry.event_id));
    let mut rows: Vec<_> = added.iter().flat_map(|entry| rows_of(plan, entry, taken_by)).collect();
    if !is_over {
        match taken_over(ids.ulid(at), plan, by, &found.last_by, reason.unwrap_or("no reason given")) {
            Ok(row) => rows.insert(0, outbox_row(&row, plan, None)),
            Err(error) => tracing::error!(%error, "the take-over cannot be told to the ledger"),
        }
    }
    let handover = Handover { plan, entries: &found.journal, added: &added, rows: &rows, is_over, from: &from };
    Ok(journal.adopt(&handover, now)?)
}

/// What is noted of an operation of which the ledger was told afterwards: any step that it does not know to be asked may
/// have been, so it is looked for first.
fn doubts(plan: &Plan, state: &State, from: &str) -> Vec<Event> {
    if needs_lease(plan) || state.is_over() || state.abort.is_some() {
        return Vec::new();
    }
    let is_open = |track: &Track| {
        use engine::Standing::{Absent, NotDone, Todo};
        matches!(track.standing, Todo | Absent | NotDone { .. }) && track.doubts == 0
    };
    let open = state.steps.iter().enumerate().filter(|(_, at)| is_open(&at.forward));
    let doubts: Vec<Event> = open
        .map(|(step, at)| Event::Unknown {
            step,
            direction: Direction::Do,
            attempt: at.forward.attempts + 1,
            why: format!("the ledger may lack what {from} asked last"),
        })
        .collect();
    if doubts.is_empty() {
        return doubts;
    }
    std::iter::once(Event::TakenUp { from: Some(from.to_owned()) }).chain(doubts).collect()
}
