//! What comes from outside in a run, and when: people, colleagues, clocks, machines that are lost or away.

use chrono::TimeDelta;
use lakeshift::domain::Instant;
use lakeshift::operations::engine::{Request, Standing, fold};
use lakeshift::operations::step::Repeat;

use super::super::chance::Chance;
use super::super::matrix::Fault;
use super::super::stage::Reach;
use super::super::{ledger, order};
use super::{Course, ELSEWHERE};

/// Something that comes from outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plot {
    Pause,
    Unpause,
    Abort,
    Foreign,
    SecondCaptain,
    Clock {
        ms: i64,
    },
    /// The machine is lost, with all that is on it.
    Loss,
    /// The machine stands still, or loses its network, for longer than a lease lasts.
    Absence,
}

/// What comes is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// The journal has so many entries.
    Entries(usize),
    /// What the run aims at has been intended; and, if the ledger must know that nothing can happen twice, it does.
    Aimed { told: bool },
}

impl Course<'_> {
    /// What comes from outside in this run.
    pub(super) fn scheme(&mut self) {
        let chance = &self.stage.chance;
        let cell = self.stage.cell;
        let ahead = |chance: &Chance| Plot::Clock { ms: i64::try_from(chance.between(20, 400)).unwrap() * 1_000 };
        let back = |chance: &Chance| Plot::Clock { ms: -i64::try_from(chance.between(20, 4_000)).unwrap() * 1_000 };
        let planned = match cell.fault {
            Fault::Pause => Some(Plot::Pause),
            Fault::Abort => Some(Plot::Abort),
            Fault::Foreign => Some(Plot::Foreign),
            Fault::SecondCaptain => Some(Plot::SecondCaptain),
            Fault::ClockAhead => Some(ahead(chance)),
            Fault::ClockBack => Some(back(chance)),
            Fault::OtherHome | Fault::Unled | Fault::Blind => Some(Plot::Loss),
            Fault::LivesOn => Some(Plot::Absence),
            _ => None,
        };
        let when = match cell.fault {
            Fault::Unled | Fault::Blind => When::Aimed { told: cell.fault == Fault::Unled && cell.deed.may_double() },
            Fault::OtherHome | Fault::LivesOn if chance.percent(70) => When::Aimed { told: false },
            _ => self.entry(),
        };
        let delay_ms = if matches!(when, When::Aimed { .. }) { 400 } else { 1_500 };
        self.awaited.extend(planned.map(|plot| (when, chance.below(delay_ms), plot)));
        for _ in 0..chance.pick(&[0, 0, 0, 1, 2]) {
            let any = [Plot::Pause, Plot::Abort, Plot::Foreign, Plot::SecondCaptain, ahead(chance), back(chance)];
            let plot = chance.pick(&any);
            self.awaited.push((self.entry(), chance.below(40_000), plot));
        }
    }

    /// How many entries there are when something comes: the third is the first intent.
    fn entry(&self) -> When {
        When::Entries(usize::try_from(self.stage.chance.between(2, 6)).unwrap())
    }

    /// Whether it is time.
    pub(super) fn has_come(&self, when: When) -> bool {
        let (Some(operation), judge) = (self.operation, self.stage.judge()) else { return false };
        let case = &judge.cases[&operation];
        match when {
            When::Entries(entries) => case.journal.len() >= entries,
            When::Aimed { told } => {
                let told = told.then(|| self.stage.ledger.as_ref()).flatten();
                case.deeds().contains(&self.stage.cell.deed)
                    && told.is_none_or(|desk| {
                        let (journal, _) = ledger::told(desk, operation, self.now());
                        let state = fold(&case.plan, &journal);
                        let mut steps = case.plan.steps.iter().zip(&state.steps);
                        steps.all(|(step, at)| {
                            step.repeat != Repeat::AfterSettling || at.forward.standing == Standing::Done
                        })
                    })
            }
        }
    }

    /// It comes.
    pub(super) fn happen(&mut self, plot: Plot, now: Instant) {
        match plot {
            Plot::Pause | Plot::Abort | Plot::Unpause if self.in_charge().is_none() => {
                // Nobody has it in hand to be asked: again in a moment.
                self.plots.push((now + TimeDelta::seconds(1), plot));
            }
            Plot::Pause => {
                if self.ask(Request::Pause) {
                    self.befell(Fault::Pause);
                }
                let later = TimeDelta::seconds(i64::try_from(self.stage.chance.between(5, 60)).unwrap());
                self.plots.push((now + later, Plot::Unpause));
            }
            Plot::Unpause => _ = self.ask(Request::Unpause),
            Plot::Abort => {
                if self.ask(Request::Abort { reason: None }) {
                    self.befell(Fault::Abort);
                }
            }
            Plot::Foreign => {
                self.stage.note(|| "a colleague meddles".to_owned());
                if let Some(operation) = self.operation {
                    order::meddle(self.stage, operation);
                }
                self.befell(Fault::Foreign);
            }
            Plot::SecondCaptain if self.lost_at.is_some() || self.returns_at.is_some() => {}
            Plot::SecondCaptain => {
                self.stage.note(|| "captain 0 stands still".to_owned());
                let span = self.stage.chance.between(2, 60);
                self.captains[0].back_at.get_or_insert(now + TimeDelta::seconds(i64::try_from(span).unwrap()));
                if self.captains[1].process.is_none() && self.captains[1].back_at.is_none() {
                    self.enter(1);
                }
                self.befell(Fault::SecondCaptain);
            }
            Plot::Clock { ms } => {
                self.stage.note(|| format!("the clock is set by {ms} ms"));
                self.homes[0].clock.jump(ms);
                self.befell(if ms > 0 { Fault::ClockAhead } else { Fault::ClockBack });
            }
            Plot::Loss => {
                self.stage.note(|| "ana's machine is lost".to_owned());
                for captain in self.captains.iter_mut().filter(|captain| captain.home == 0) {
                    (captain.process, captain.back_at, captain.tries_at) = (None, None, None);
                }
                let later = TimeDelta::seconds(i64::try_from(self.stage.chance.between(1, 60)).unwrap());
                self.captains[ELSEWHERE].back_at = Some(now + later);
                self.lost_at = Some(now);
                if self.stage.tier.waits_for_ledger() {
                    self.befell(Fault::OtherHome);
                }
            }
            Plot::Absence => {
                let chance = &self.stage.chance;
                let seconds = |low, high| TimeDelta::seconds(i64::try_from(chance.between(low, high)).unwrap());
                let (returns_at, other_at) = (now + seconds(130, 330), now + seconds(1, 60));
                match chance.pick(&[None, Some(Reach::Ledger), Some(Reach::Everything)]) {
                    Some(reach) => self.stage.cut_off(0, reach, returns_at),
                    None => {
                        self.stage.note(|| "ana's machine stands still".to_owned());
                        for captain in self.captains.iter_mut().filter(|captain| captain.home == 0) {
                            let is_there = captain.process.is_some() || captain.back_at.is_some();
                            captain.back_at = is_there.then_some(returns_at);
                        }
                    }
                }
                self.captains[ELSEWHERE].back_at = Some(other_at);
                self.returns_at = Some(returns_at);
            }
        }
    }
}
