//! `apply`: the only function that changes a state.

use super::{Abort, End, Standing, State, Stuck, Track};
use crate::operations::journal::{Certainty, Direction, Event, Recorded};
use crate::operations::plan::Plan;

/// The state after one more entry. An entry about a step that the plan does not have changes nothing but the number.
pub fn apply(state: &mut State, recorded: &Recorded) {
    state.seq = recorded.seq;
    let at = recorded.at;
    match &recorded.event {
        Event::Planned { .. } => state.planned_at = Some(at),
        Event::Approved { .. } => state.approved_at = Some(at),
        Event::TakenUp { .. } => {
            for track in tracks(state) {
                if track.standing == Standing::Intended {
                    doubt(track, at);
                }
                wait_anew(track, at);
            }
        }
        Event::CheckFailed { step, .. } => {
            with(state, *step, Direction::Do, |track| {
                if track.doubts > 0 {
                    track.standing = Standing::Absent;
                    track.must_settle = true;
                }
            });
        }
        Event::Intended { step, direction, attempt, world_at } => {
            let seq = recorded.seq;
            with(state, *step, *direction, |track| {
                track.standing = Standing::Intended;
                track.attempts = *attempt;
                track.tries += 1;
                track.intended_seq = seq;
                track.since.get_or_insert(*world_at);
            });
        }
        Event::Confirmed { step, direction, evidence, .. } => {
            with(state, *step, *direction, |track| {
                // The one attempt that was in doubt is found, and it was ours: nothing can arrive late.
                let found = track.standing != Standing::Intended && evidence.certainty == Certainty::Answered;
                if found && track.doubts <= 1 {
                    settle(track);
                }
                track.standing = Standing::Done;
                track.evidence = Some(evidence.clone());
                track.done_at = Some(at);
            });
        }
        Event::NotDone { step, direction, why, retry_at, .. } => {
            with(state, *step, *direction, |track| {
                if track.doubts == 0 {
                    track.standing = Standing::NotDone { why: why.clone(), retry_at: *retry_at };
                } else {
                    // A refusal says nothing about earlier attempts: perhaps one of them is why it was refused.
                    track.standing = Standing::Unknown;
                    track.not_before = *retry_at;
                    track.must_settle |= retry_at.is_none();
                }
            });
        }
        Event::Unknown { step, direction, .. } => {
            with(state, *step, *direction, |track| doubt(track, at));
        }
        Event::Absent { step, direction } => with(state, *step, *direction, |track| track.standing = Standing::Absent),
        Event::Settled { step, direction, found } => with(state, *step, *direction, |track| {
            settle(track);
            match found {
                Some(evidence) => {
                    track.standing = Standing::Done;
                    track.evidence.get_or_insert_with(|| evidence.clone());
                    track.done_at.get_or_insert(at);
                }
                None if track.standing == Standing::Done => {}
                None => track.standing = Standing::Absent,
            }
        }),
        Event::Verified { step, direction, evidence } => with(state, *step, *direction, |track| {
            track.standing = Standing::Done;
            track.verified = true;
            track.evidence.get_or_insert_with(|| evidence.clone());
            track.done_at.get_or_insert(at);
        }),
        Event::Paused { reason } => state.pause = Some(reason.clone()),
        Event::Unpaused => {
            (state.pause, state.stuck, state.unpaused_at) = (None, None, Some(at));
            for track in tracks(state) {
                track.tries = 0;
                track.not_before = None;
                if let Standing::NotDone { retry_at, .. } = &mut track.standing {
                    *retry_at = Some(at);
                }
            }
        }
        Event::AbortAsked { reason } => {
            (state.pause, state.stuck, state.unpaused_at) = (None, None, Some(at));
            state.abort = Some(Abort { by: recorded.actor.clone(), at, reason: reason.clone() });
        }
        Event::AbortRefused { .. } => {}
        Event::Completed => state.end = Some(End::Completed),
        Event::Aborted => state.end = Some(End::Aborted),
        Event::Failed { why } => state.end = Some(End::Failed { why: why.clone() }),
        Event::Stuck { why, runbook } => {
            state.stuck = Some(Stuck { why: why.clone(), runbook: runbook.clone() });
        }
    }
}

/// The state that a journal leads to.
pub fn fold<'a>(plan: &Plan, journal: impl IntoIterator<Item = &'a Recorded>) -> State {
    let mut state = State::new(plan);
    for recorded in journal {
        apply(&mut state, recorded);
    }
    state
}

fn tracks(state: &mut State) -> impl Iterator<Item = &mut Track> {
    state.steps.iter_mut().flat_map(|step| [&mut step.forward, &mut step.back])
}

fn with(state: &mut State, step: usize, direction: Direction, change: impl FnOnce(&mut Track)) {
    if let Some(step) = state.steps.get_mut(step) {
        change(step.track_mut(direction));
    }
}

fn doubt(track: &mut Track, at: crate::domain::Instant) {
    track.standing = Standing::Unknown;
    track.doubts += 1;
    track.doubt_at = Some(at);
}

/// Whoever goes on has another clock, perhaps hours off: what was to be waited for is waited for by that one, in full.
fn wait_anew(track: &mut Track, at: crate::domain::Instant) {
    if track.doubts > 0 {
        track.doubt_at = Some(at);
    }
    track.not_before = None;
    if let Standing::NotDone { retry_at: Some(retry_at), .. } = &mut track.standing {
        *retry_at = at;
    }
    if track.done_at.is_some() && !track.verified {
        track.done_at = Some(at);
    }
}

fn settle(track: &mut Track) {
    track.doubts = 0;
    track.doubt_at = None;
    track.must_settle = false;
}
