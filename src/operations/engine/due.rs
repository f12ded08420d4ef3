//! `due`: which effects should be in flight because of the state.

use serde::{Deserialize, Serialize};

use super::{Moment, Standing, State, Track};
use crate::domain::Instant;
use crate::operations::journal::{Direction, Evidence};
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
    pub fn orders(&self) -> bool {
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

/// Whether the shared ledger keeps an intent from being carried out.
pub(super) fn is_barred(plan: &Plan, state: &State, track: &Track, moment: Moment) -> bool {
    plan.tier.waits_for_ledger() && !state.released && moment.acknowledged < track.intended_seq
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
            Standing::NotDone { retry_at: Some(at), .. } if *at <= self.moment.at => vec![check()],
            Standing::NotDone { retry_at, .. } => retry_at.map(|until| Effect::Wait { until }).into_iter().collect(),
            Standing::Intended => vec![self.act(index, step)],
            Standing::Unknown => vec![self.look(index, step, Purpose::Probe)],
            Standing::Absent if track.doubts > 0 && (track.must_settle || !step.repeat.is_late_proof()) => {
                vec![self.settle(index, step, track)]
            }
            Standing::Absent => vec![check()],
            Standing::Done if !track.verified => {
                let look = self.look(index, step, Purpose::Verify);
                let until = patience_ends(step, track, self.state);
                std::iter::once(look).chain(until.map(|until| Effect::Wait { until })).collect()
            }
            Standing::Done => vec![self.settle(index, step, track)],
        }
    }

    /// The steps of the last wave of which something is left to take back.
    fn back(&self) -> Vec<Effect> {
        let open = |(index, step): &(usize, &Step)| {
            let at = &self.state.steps[*index];
            !is_clean(step, &at.forward, &at.back)
        };
        let Some(wave) = self.steps().filter(open).map(|(_, step)| step.wave).max() else { return Vec::new() };
        let of_wave = self.steps().filter(|(_, step)| step.wave == wave).filter(open);
        of_wave.flat_map(|(index, step)| self.one_back(index, step)).collect()
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
        let check = |condition| vec![Effect::Check { step: index, direction, condition }];
        let look = |purpose, probe| Effect::Look {
            step: index,
            direction,
            purpose,
            probe,
            since: back.since,
            evidence: forward.evidence.clone(),
            asked: None,
        };
        match &back.standing {
            Standing::Todo | Standing::Absent => check(condition),
            Standing::NotDone { retry_at: Some(at), .. } if *at <= self.moment.at => check(condition),
            Standing::NotDone { retry_at, .. } => retry_at.map(|until| Effect::Wait { until }).into_iter().collect(),
            Standing::Intended => {
                vec![Effect::Act { step: index, direction, attempt: back.attempts, action, token: None }]
            }
            Standing::Unknown => vec![look(Purpose::Probe, probe)],
            Standing::Done if !back.verified => {
                let until = patience_ends(step, back, self.state);
                let look = look(Purpose::Verify, verify);
                std::iter::once(look).chain(until.map(|until| Effect::Wait { until })).collect()
            }
            Standing::Done => match back.settles_at(self.plan) {
                Some(until) if until > self.moment.at => vec![Effect::Wait { until }],
                _ => vec![look(Purpose::Settle, probe)],
            },
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
        if is_barred(self.plan, self.state, track, self.moment) {
            return Effect::AwaitLedger { seq: track.intended_seq };
        }
        let (action, token) = (step.action.clone(), step.token.clone());
        Effect::Act { step: index, direction: Direction::Do, attempt: track.attempts, action, token }
    }

    fn look(&self, index: usize, step: &Step, purpose: Purpose) -> Effect {
        let track = &self.state.steps[index].forward;
        let probe = if purpose == Purpose::Verify { &step.verify } else { &step.probe };
        Effect::Look {
            step: index,
            direction: Direction::Do,
            purpose,
            probe: probe.clone(),
            since: track.since,
            evidence: track.evidence.clone(),
            asked: step.token.clone().map(|token| (step.action.clone(), token)),
        }
    }

    fn settle(&self, index: usize, step: &Step, track: &Track) -> Effect {
        match track.settles_at(self.plan) {
            Some(until) if until > self.moment.at => Effect::Wait { until },
            _ => self.look(index, step, Purpose::Settle),
        }
    }
}

/// When it has been waited long enough for what a done step leads to.
pub(super) fn patience_ends(step: &Step, track: &Track, state: &State) -> Option<Instant> {
    let from = track.done_at?.max(state.unpaused_at.unwrap_or(track.done_at?));
    Some(from + chrono::TimeDelta::seconds(i64::from(step.patience_s)))
}
