//! `due`: which effects should be in flight because of the state.

use serde::{Deserialize, Serialize};

use super::{Moment, Standing, State, StepState, Track};
use crate::domain::Instant;
use crate::operations::journal::{Certainty, Direction, Evidence};
use crate::operations::plan::Plan;
use crate::operations::step::{Action, Condition, Probe, Step};

/// Something that the host of the engine does. Two equal effects are one: a host has each in flight once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Read whether a condition holds. May be repeated.
    Check {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// What must hold.
        condition: Condition,
    },
    /// Ask the platform. Never repeated by the host: its intent stands in the journal.
    Act {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// What is asked.
        action: Action,
        /// Names the act, so that the platform does it once.
        token: Option<String>,
    },
    /// Look whether something is there. May be repeated.
    Look {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// What for.
        purpose: Purpose,
        /// What to look for.
        probe: Probe,
        /// Nothing older than this (the workspace's time) is what is looked for.
        since: Option<Instant>,
        /// What is known of it.
        evidence: Option<Evidence>,
        /// The act that may have led to it, for a probe by token.
        asked: Option<(Action, String)>,
    },
    /// Wait until the shared ledger has this entry.
    AwaitLedger {
        /// The entry.
        seq: u64,
    },
    /// Look at the clock again at this instant (local time).
    Wait {
        /// When.
        until: Instant,
    },
}

impl Effect {
    /// Whether it may make something happen: an act, and the look that gives an order again by its token, which starts what
    /// it asks for if the first order never arrived.
    pub fn asks(&self) -> bool {
        match self {
            Self::Act { .. } => true,
            Self::Look { probe, asked, .. } => matches!(probe, Probe::RunOfToken { .. }) && asked.is_some(),
            Self::Check { .. } | Self::AwaitLedger { .. } | Self::Wait { .. } => false,
        }
    }
}

/// What a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Whether an attempt happened whose answer was lost.
    Probe,
    /// The same, now that no request can arrive any more.
    Settle,
    /// Whether what it led to is there.
    Verify,
}

/// The effects that should be in flight. None when it is over, waits for a person, or is not approved.
pub fn due(plan: &Plan, state: &State, moment: Moment) -> Vec<Effect> {
    if state.is_over() || state.steps.len() != plan.steps.len() {
        return Vec::new();
    }
    let view = View { plan, state, moment };
    if state.is_held() {
        // What was asked is asked: its answer is still taken.
        return view.under_way();
    }
    if state.abort.is_some() {
        return view.back();
    }
    if state.approved_at.is_none() {
        return Vec::new();
    }
    view.forward()
}

/// Whether the shared ledger keeps an intent to go ahead from being carried out. Each one, not only the first: another home
/// that takes the operation over knows what may be under way by the ledger alone. Taking back never waits for it
/// (domain.md 11 #31).
pub(super) fn is_barred(plan: &Plan, track: &Track, moment: Moment) -> bool {
    plan.tier.waits_for_ledger() && moment.acknowledged < track.intended_seq
}

/// Whether the step is over as far as going forward goes.
pub(super) fn is_finished(step: &Step, track: &Track) -> bool {
    track.standing == Standing::Done && track.verified && (track.doubts == 0 || step.repeat.is_late_proof())
}

/// Whether nothing of the step is left to take back.
pub(super) fn is_clean(step: &Step, forward: &Track, back: &Track) -> bool {
    match &forward.standing {
        Standing::Todo | Standing::NotDone { .. } => true,
        Standing::Absent => forward.doubts == 0,
        Standing::Intended | Standing::Unknown => false,
        Standing::Done => {
            let has_orders = forward.evidence.as_ref().is_some_and(|evidence| step.undo.orders(evidence).is_some());
            !has_orders || (back.standing == Standing::Done && back.verified && back.doubts == 0)
        }
    }
}

/// The steps of the last wave of which something is left to take back: waves are taken back in reverse.
pub(super) fn left_to_undo(plan: &Plan, state: &State) -> Vec<usize> {
    let open = |index: &usize| {
        let at = &state.steps[*index];
        !is_clean(&plan.steps[*index], &at.forward, &at.back)
    };
    let open: Vec<usize> = (0..plan.steps.len()).filter(open).collect();
    let last = open.iter().map(|index| plan.steps[*index].wave).max();
    open.into_iter().filter(|index| Some(plan.steps[*index].wave) == last).collect()
}

/// Why what is left of a step cannot be taken back without a person.
pub(super) enum Hurdle {
    /// What it led to may be somebody else's.
    NotSurelyOurs(String),
    /// The platform refuses, or what should end does not.
    NotTakenBack(String),
}

/// What keeps a step of which something is left from being taken back, if anything does.
pub(super) fn hurdle(plan: &Plan, step: &Step, at: &StepState, state: &State, moment: Moment) -> Option<Hurdle> {
    if at.forward.standing != Standing::Done {
        return None;
    }
    if let Some(found) = at.forward.evidence.as_ref().filter(|found| found.certainty == Certainty::Inferred) {
        let why = format!("{} may be somebody else's: the platform does not say who caused it", found.says);
        return Some(Hurdle::NotSurelyOurs(why));
    }
    let why = match &at.back.standing {
        Standing::NotDone { why, retry_at: None } => why.clone(),
        Standing::Done if !at.back.verified && patience_is_over(plan, step, &at.back, state, moment) => {
            format!("it did not end within {} s", step.patience_s)
        }
        _ => return None,
    };
    Some(Hurdle::NotTakenBack(format!("it could not be taken back: {why}")))
}

struct View<'a> {
    plan: &'a Plan,
    state: &'a State,
    moment: Moment,
}

impl View<'_> {
    fn steps(&self) -> impl DoubleEndedIterator<Item = (usize, &Step)> {
        self.plan.steps.iter().enumerate()
    }

    /// The steps of the first wave that is not finished.
    fn forward(&self) -> Vec<Effect> {
        let open = |(index, step): &(usize, &Step)| !is_finished(step, &self.state.steps[*index].forward);
        let Some(wave) = self.steps().filter(open).map(|(_, step)| step.wave).min() else { return Vec::new() };
        let of_wave = self.steps().filter(|(_, step)| step.wave == wave).filter(open);
        of_wave.flat_map(|(index, step)| self.one_forward(index, step)).collect()
    }

    fn one_forward(&self, index: usize, step: &Step) -> Vec<Effect> {
        let track = &self.state.steps[index].forward;
        let check = || {
            let condition = step.precondition.clone();
            Effect::Check { step: index, direction: Direction::Do, condition }
        };
        match &track.standing {
            Standing::Todo => vec![check()],
            Standing::NotDone { retry_at, .. } => {
                retry_at.map(|_| self.wait_or(*retry_at, check())).into_iter().collect()
            }
            Standing::Intended => vec![self.act(index, step)],
            Standing::Unknown => vec![self.look(index, step, Purpose::Probe)],
            Standing::Absent if track.doubts > 0 && (track.must_settle || !step.repeat.is_late_proof()) => {
                vec![self.settle(index, step, track)]
            }
            Standing::Absent => vec![self.wait_or(track.not_before, check())],
            Standing::Done if !track.verified => {
                let look = self.look(index, step, Purpose::Verify);
                let until = patience_ends(self.plan, step, track, self.state);
                std::iter::once(look).chain(until.map(|until| Effect::Wait { until })).collect()
            }
            Standing::Done => vec![self.settle(index, step, track)],
        }
    }

    /// What can be taken back of the last wave of which something is left.
    fn back(&self) -> Vec<Effect> {
        let open = left_to_undo(self.plan, self.state).into_iter().map(|index| (index, &self.plan.steps[index]));
        let free = |(index, step): &(usize, &Step)| {
            hurdle(self.plan, step, &self.state.steps[*index], self.state, self.moment).is_none()
        };
        open.filter(free).flat_map(|(index, step)| self.one_back(index, step)).collect()
    }

    fn one_back(&self, index: usize, step: &Step) -> Vec<Effect> {
        let at = &self.state.steps[index];
        let (forward, back) = (&at.forward, &at.back);
        match &forward.standing {
            Standing::Todo | Standing::NotDone { .. } => return Vec::new(),
            Standing::Intended => return vec![self.act(index, step)],
            Standing::Unknown => return vec![self.look(index, step, Purpose::Probe)],
            Standing::Absent => return vec![self.settle(index, step, forward)],
            Standing::Done if forward.doubts > 0 && !step.repeat.is_late_proof() => {
                return vec![self.settle(index, step, forward)];
            }
            Standing::Done => {}
        }
        let Some((condition, action, probe, verify)) =
            forward.evidence.as_ref().and_then(|evidence| step.undo.orders(evidence))
        else {
            return Vec::new();
        };
        let direction = Direction::Undo;
        let check = || Effect::Check { step: index, direction, condition: condition.clone() };
        let look = |purpose, probe: &Probe| Effect::Look {
            step: index,
            direction,
            purpose,
            probe: probe.clone(),
            since: back.since,
            evidence: forward.evidence.clone(),
            asked: None,
        };
        let settle = || self.wait_or(back.settles_at(self.plan), look(Purpose::Settle, &probe));
        match &back.standing {
            Standing::Todo => vec![check()],
            Standing::Absent if back.doubts > 0 && back.must_settle => vec![settle()],
            Standing::Absent => vec![self.wait_or(back.not_before, check())],
            Standing::NotDone { retry_at, .. } => {
                retry_at.map(|_| self.wait_or(*retry_at, check())).into_iter().collect()
            }
            Standing::Intended => {
                vec![Effect::Act { step: index, direction, attempt: back.attempts, action, token: None }]
            }
            Standing::Unknown => vec![look(Purpose::Probe, &probe)],
            Standing::Done if !back.verified => {
                let until = patience_ends(self.plan, step, back, self.state);
                let look = look(Purpose::Verify, &verify);
                std::iter::once(look).chain(until.map(|until| Effect::Wait { until })).collect()
            }
            Standing::Done => vec![settle()],
        }
    }

    /// Acts whose intent stands and whose answer is out, whatever else holds.
    fn under_way(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, step) in self.steps() {
            let at = &self.state.steps[index];
            if at.forward.standing == Standing::Intended {
                effects.push(self.act(index, step));
            }
            if at.back.standing == Standing::Intended {
                effects.extend(self.one_back(index, step));
            }
        }
        effects
    }

    fn act(&self, index: usize, step: &Step) -> Effect {
        let track = &self.state.steps[index].forward;
        if is_barred(self.plan, track, self.moment) {
            return Effect::AwaitLedger { seq: track.intended_seq };
        }
        let (action, token) = (step.action.clone(), step.token.clone());
        Effect::Act { step: index, direction: Direction::Do, attempt: track.attempts, action, token }
    }

    fn look(&self, index: usize, step: &Step, purpose: Purpose) -> Effect {
        let track = &self.state.steps[index].forward;
        let probe = if purpose == Purpose::Verify { &step.verify } else { &step.probe };
        let look = Effect::Look {
            step: index,
            direction: Direction::Do,
            purpose,
            probe: probe.clone(),
            since: track.since,
            evidence: track.evidence.clone(),
            asked: step.token.clone().map(|token| (step.action.clone(), token)),
        };
        if look.asks() && is_barred(self.plan, track, self.moment) {
            return Effect::AwaitLedger { seq: track.intended_seq };
        }
        look
    }

    fn settle(&self, index: usize, step: &Step, track: &Track) -> Effect {
        self.wait_or(track.settles_at(self.plan), self.look(index, step, Purpose::Settle))
    }

    /// What is to be done from an instant on; nothing but the wait for it before.
    fn wait_or(&self, from: Option<Instant>, then: Effect) -> Effect {
        match from {
            Some(until) if until > self.moment.at => Effect::Wait { until },
            _ => then,
        }
    }
}

/// When it has been waited long enough for what a done step leads to: not while a request of it may still arrive.
fn patience_ends(plan: &Plan, step: &Step, track: &Track, state: &State) -> Option<Instant> {
    let from = track.done_at?.max(state.unpaused_at.unwrap_or(track.done_at?));
    let ends = from + chrono::TimeDelta::seconds(i64::from(step.patience_s));
    Some(track.settles_at(plan).map_or(ends, |settles_at| ends.max(settles_at)))
}

/// Whether it has.
pub(super) fn patience_is_over(plan: &Plan, step: &Step, track: &Track, state: &State, moment: Moment) -> bool {
    patience_ends(plan, step, track, state).is_some_and(|until| until <= moment.at)
}
