//! `decide`: what was learned becomes the events to be recorded.

use chrono::TimeDelta;

use super::due::{Effect, Hurdle, Purpose, due, hurdle, is_barred, is_finished, left_to_undo, patience_is_over};
use super::runbook;
use super::{MAX_TRIES, Moment, Standing, State, Track};
use crate::domain::Instant;
use crate::operations::journal::{Certainty, Direction, Event, Evidence, PauseReason, Thing};
use crate::operations::plan::Plan;

/// The first wait before a step that was refused for the moment is tried again; each further one doubles.
const FIRST_RETRY_S: i64 = 2;

/// The longest such wait that is ours to choose.
const LONGEST_RETRY_S: i64 = 60;

/// What was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but the time, or what was just recorded: what follows from the state by itself.
    Clock,
    /// An effect ended.
    Ended(Box<Effect>, Outcome),
    /// A person asked for something.
    Asked(Request),
    /// This process begins to go on with it.
    TakenUp {
        /// Who had it before, if it is known.
        from: Option<String>,
    },
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A check: the condition holds.
    Holds {
        /// The workspace's time when it was seen; or somewhat earlier, as far as its clock is not known exactly.
        world_at: Instant,
    },
    /// A check: it does not, and what was found instead.
    Fails(String),
    /// A check, or a look whether something has ended: what it is about is not there. A read may miss the newest, so that
    /// says little of what has just begun.
    Gone(String),
    /// An act or a look: it happened, or it is there.
    Found(Evidence),
    /// A look: it is not there.
    Missing,
    /// A look: several things could be it, and which is ours cannot be told.
    Ambiguous(String),
    /// An act: it certainly did not happen.
    Refused {
        /// Why.
        why: String,
        /// Whether it may do better a little later.
        transient: bool,
        /// How long the platform asked to wait, in seconds.
        retry_after_s: Option<u32>,
    },
    /// An act: nobody knows.
    Lost(String),
    /// A check or a look could not be made. Nothing is learned, and the host makes it again.
    Unreadable(String),
}

/// What a person asks of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Let it go ahead.
    Approve {
        /// How it was confirmed.
        how: String,
    },
    /// Hold it: what was asked is asked, nothing further is.
    Pause,
    /// Let it go on.
    Unpause,
    /// Take it back.
    Abort {
        /// Why.
        reason: Option<String>,
    },
    /// Give a held operation up as it stands: the person has seen to the rest by hand.
    Close {
        /// What they did.
        reason: String,
    },
}

/// The events that follow. None when nothing does: a late answer of an effect that is no longer due changes nothing.
///
/// Record them all, then ask again with [`Input::Clock`] until nothing follows.
pub fn decide(plan: &Plan, state: &State, input: &Input, moment: Moment) -> Vec<Event> {
    if state.is_over() || state.steps.len() != plan.steps.len() {
        return Vec::new();
    }
    let events = match input {
        Input::Clock => follow(plan, state, moment),
        Input::TakenUp { from } => vec![Event::TakenUp { from: from.clone() }],
        Input::Asked(request) => asked(plan, state, request, moment),
        Input::Ended(effect, outcome) => {
            if due(plan, state, moment).contains(effect) {
                ended(plan, state, effect, outcome, moment)
            } else {
                Vec::new()
            }
        }
    };
    let halts = |event: &Event| {
        matches!(event, Event::Paused { .. } | Event::Stuck { .. } | Event::AbortAsked { .. } | Event::Failed { .. })
    };
    if events.iter().any(halts) {
        // What the ledger kept back until now must not leave once the ledger has it.
        return withdrawn(plan, state, moment).chain(events).collect();
    }
    events
}

fn asked(plan: &Plan, state: &State, request: &Request, moment: Moment) -> Vec<Event> {
    match request {
        Request::Approve { how } if state.approved_at.is_none() => vec![Event::Approved { how: how.clone() }],
        Request::Pause if !state.is_held() => vec![Event::Paused { reason: PauseReason::Asked }],
        Request::Unpause if state.is_held() => vec![Event::Unpaused],
        Request::Abort { reason } if state.abort.is_none() => {
            let passed = plan.steps.iter().zip(&state.steps).find(|(step, at)| {
                let asked = match at.forward.standing {
                    Standing::Intended => !is_barred(plan, &at.forward, moment),
                    Standing::Unknown | Standing::Done => true,
                    Standing::Todo | Standing::Absent | Standing::NotDone { .. } => at.forward.doubts > 0,
                };
                step.point_of_no_return && asked
            });
            if let Some((step, _)) = passed {
                return vec![Event::AbortRefused {
                    why: format!("{} was asked, and has no way back", step.action.words()),
                }];
            }
            vec![Event::AbortAsked { reason: reason.clone() }]
        }
        Request::Close { reason } if state.is_held() => {
            vec![Event::Failed { why: format!("closed by hand: {reason}") }]
        }
        _ => Vec::new(),
    }
}

/// Intents that the ledger's barrier has kept back were never asked.
fn withdrawn<'a>(plan: &'a Plan, state: &'a State, moment: Moment) -> impl Iterator<Item = Event> + 'a {
    let tracks = state.steps.iter().map(|at| &at.forward).enumerate();
    tracks.filter(move |(_, track)| is_withheld(plan, track, moment)).map(move |(step, track)| Event::NotDone {
        step,
        direction: Direction::Do,
        attempt: track.attempts,
        why: "never sent: the ledger had not acknowledged it".to_owned(),
        retry_at: Some(moment.at),
    })
}

/// Whether an attempt is intended and was never sent.
fn is_withheld(plan: &Plan, track: &Track, moment: Moment) -> bool {
    track.standing == Standing::Intended && is_barred(plan, track, moment)
}

/// What follows from an effect that is due and ended.
fn ended(plan: &Plan, state: &State, effect: &Effect, outcome: &Outcome, moment: Moment) -> Vec<Event> {
    match (effect, outcome) {
        (Effect::Check { step, direction, .. }, Outcome::Holds { world_at }) => {
            let attempt = state.steps[*step].track(*direction).attempts + 1;
            vec![Event::Intended { step: *step, direction: *direction, attempt, world_at: *world_at }]
        }
        (Effect::Check { step, direction: Direction::Do, .. }, Outcome::Fails(why) | Outcome::Gone(why)) => {
            let mut events = vec![Event::CheckFailed { step: *step, why: why.clone() }];
            if state.steps[*step].forward.doubts == 0 {
                let reason = PauseReason::CheckFailed { step: *step, why: why.clone() };
                events.push(give_up(plan, state, moment, *step, why, reason));
            }
            events
        }
        // A run that was started a moment ago is not over because a read does not know it yet: it is looked again.
        (Effect::Check { step, direction: Direction::Undo, .. }, Outcome::Gone(_))
            if is_young(plan, &state.steps[*step].forward, moment) =>
        {
            Vec::new()
        }
        (Effect::Check { step, direction: Direction::Undo, .. }, Outcome::Fails(why) | Outcome::Gone(why)) => {
            // What was to be taken back is over by itself.
            vec![Event::Verified { step: *step, direction: Direction::Undo, evidence: over(why) }]
        }
        (Effect::Act { step, direction, attempt, .. }, Outcome::Found(evidence)) => {
            let (step, direction, attempt) = (*step, *direction, *attempt);
            vec![Event::Confirmed { step, direction, attempt, evidence: evidence.clone() }]
        }
        (Effect::Act { step, direction, attempt, .. }, Outcome::Lost(why)) => {
            vec![Event::Unknown { step: *step, direction: *direction, attempt: *attempt, why: why.clone() }]
        }
        (Effect::Act { step, direction, attempt, .. }, Outcome::Refused { why, transient, retry_after_s }) => {
            let tries = state.steps[*step].track(*direction).tries;
            let retry_at = (*transient && tries < MAX_TRIES).then(|| {
                let ours = (FIRST_RETRY_S << tries.min(6)).min(LONGEST_RETRY_S);
                moment.at + TimeDelta::seconds(retry_after_s.map_or(ours, i64::from).max(1))
            });
            let (step, direction, attempt) = (*step, *direction, *attempt);
            vec![Event::NotDone { step, direction, attempt, why: why.clone(), retry_at }]
        }
        (Effect::Look { step, direction, purpose, .. }, Outcome::Gone(why)) => {
            let is_young = match direction {
                Direction::Do => is_within(plan, state.planned_at, moment),
                Direction::Undo => is_young(plan, &state.steps[*step].forward, moment),
            };
            if is_young {
                return Vec::new();
            }
            looked(plan, state, *step, *direction, *purpose, &Outcome::Found(over(why)))
        }
        (Effect::Look { step, direction, purpose, .. }, outcome) => {
            looked(plan, state, *step, *direction, *purpose, outcome)
        }
        // The ledger and the clock are in the moment, not in an outcome. What could not be read is read again.
        _ => Vec::new(),
    }
}

fn looked(
    plan: &Plan,
    state: &State,
    step: usize,
    direction: Direction,
    purpose: Purpose,
    outcome: &Outcome,
) -> Vec<Event> {
    let attempt = state.steps[step].track(direction).attempts;
    match (purpose, outcome) {
        (Purpose::Probe, Outcome::Found(evidence)) => {
            vec![Event::Confirmed { step, direction, attempt, evidence: evidence.clone() }]
        }
        (Purpose::Probe, Outcome::Missing) => vec![Event::Absent { step, direction }],
        (Purpose::Settle, Outcome::Found(evidence)) => {
            vec![Event::Settled { step, direction, found: Some(evidence.clone()) }]
        }
        (Purpose::Settle, Outcome::Missing) => vec![Event::Settled { step, direction, found: None }],
        (Purpose::Verify, Outcome::Found(evidence)) => {
            vec![Event::Verified { step, direction, evidence: evidence.clone() }]
        }
        (Purpose::Probe | Purpose::Settle, Outcome::Ambiguous(why)) => {
            vec![Event::Stuck { why: why.clone(), runbook: runbook::ambiguous(plan, step) }]
        }
        _ => Vec::new(),
    }
}

/// What follows from the state by itself.
fn follow(plan: &Plan, state: &State, moment: Moment) -> Vec<Event> {
    if state.is_held() {
        return Vec::new();
    }
    if state.abort.is_some() {
        return follow_back(plan, state, moment);
    }
    if state.approved_at.is_none() {
        return Vec::new();
    }
    for (index, (step, at)) in plan.steps.iter().zip(&state.steps).enumerate() {
        let track = &at.forward;
        match &track.standing {
            Standing::NotDone { why, retry_at: None } => {
                let reason = PauseReason::Refused { step: index, why: why.clone() };
                return vec![give_up(plan, state, moment, index, why, reason)];
            }
            Standing::Done if !track.verified && patience_is_over(plan, step, track, state, moment) => {
                let why = format!(
                    "{} was asked, but the outcome was not seen within {} s",
                    step.action.words(),
                    step.patience_s
                );
                let reason = PauseReason::Unseen { step: index, why: why.clone() };
                return vec![give_up(plan, state, moment, index, &why, reason)];
            }
            _ => {}
        }
    }
    let all = plan.steps.iter().zip(&state.steps).all(|(step, at)| is_finished(step, &at.forward));
    if all { vec![Event::Completed] } else { Vec::new() }
}

/// Whatever of a wave can be taken back is, before a person is asked about the rest.
fn follow_back(plan: &Plan, state: &State, moment: Moment) -> Vec<Event> {
    let open = left_to_undo(plan, state);
    let hurdles: Option<Vec<(usize, Hurdle)>> = open
        .into_iter()
        .map(|index| Some((index, hurdle(plan, &plan.steps[index], &state.steps[index], state, moment)?)))
        .collect();
    match hurdles.map(|hurdles| hurdles.into_iter().next()) {
        None => Vec::new(),
        Some(None) => vec![Event::Aborted],
        Some(Some((index, Hurdle::NotSurelyOurs(why)))) => {
            vec![Event::Stuck { why, runbook: runbook::not_surely_ours(plan, index) }]
        }
        Some(Some((index, Hurdle::NotTakenBack(why)))) => {
            vec![Event::Stuck { why, runbook: runbook::not_taken_back(plan, index) }]
        }
    }
}

/// Whether what a step led to was learned so recently that a read may not know it yet.
fn is_young(plan: &Plan, track: &Track, moment: Moment) -> bool {
    is_within(plan, track.done_at, moment)
}

/// Whether less than the bound on late requests has passed since.
fn is_within(plan: &Plan, since: Option<Instant>, moment: Moment) -> bool {
    let bound = TimeDelta::seconds(i64::from(plan.late_bound_s));
    since.is_some_and(|at| moment.at < at + bound)
}

/// That something has ended, by what was seen instead of it.
fn over(why: &str) -> Evidence {
    let thing = Thing::State { state: "over".to_owned() };
    Evidence { thing, certainty: Certainty::Inferred, says: why.to_owned() }
}

/// A step cannot go ahead. It ends if no other has happened or may yet, and waits for a person else.
fn give_up(plan: &Plan, state: &State, moment: Moment, step: usize, why: &str, reason: PauseReason) -> Event {
    let untouched = |track: &Track| match track.standing {
        Standing::Done | Standing::Unknown => false,
        Standing::Intended => track.doubts == 0 && is_withheld(plan, track, moment),
        Standing::Todo | Standing::Absent | Standing::NotDone { .. } => track.doubts == 0,
    };
    let alone = state.steps.iter().enumerate().all(|(index, at)| index == step || untouched(&at.forward));
    if alone { Event::Failed { why: why.to_owned() } } else { Event::Paused { reason } }
}
