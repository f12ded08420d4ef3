//! The course of one run: an operation is planned and begun, trouble comes as its seed says, then it is quiet, and the
//! operation must end; at every step the judge looks.

mod plots;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{LocalBoxFuture, poll_fn};
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::operations::engine::{Effect, Input, Moment, Request, decide};
use lakeshift::operations::journal::{Direction, Event};
use lakeshift::operations::plan::OperationId;
use lakeshift::runtime::operator::{Error, Journal};

use plots::{Plot, When};

use super::bugs::Bug;
use super::matrix::{Cell, Fault, Happenings};
use super::order;
use super::process::{Home, Process};
use super::stage::{Died, Stage};

/// When trouble ends at the latest.
const TROUBLE: TimeDelta = TimeDelta::minutes(6);

/// How long an operation may go on once trouble has ended.
const PATIENCE: TimeDelta = TimeDelta::minutes(90);

/// How long something may be under way after the end.
const AFTERMATH: TimeDelta = TimeDelta::seconds(100);

/// The captain at another machine.
const ELSEWHERE: usize = 2;

/// What a run found to be wrong, with its story.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) trace: Vec<String>,
}

/// Runs a seed. The cell is what it aims at; its chance adds to it.
pub(super) async fn run(seed: u64, cell: Cell, bug: Bug) -> Result<Happenings, Wrong> {
    let stage = Stage::new(seed, cell);
    let mut course = Course::new(&stage, bug);
    let result = course.run().await;
    match result {
        Ok(()) => Ok(stage.happenings()),
        Err(what) => Err(Wrong { what, trace: stage.trace() }),
    }
}

/// The story of a seed, whatever comes of it.
pub(super) async fn story(seed: u64, cell: Cell) -> Vec<String> {
    let stage = Stage::new(seed, cell);
    let result = Course::new(&stage, Bug::None).run().await;
    stage.note(|| format!("{result:?}"));
    stage.trace()
}

/// One who can have the operation in hand: a process of a home, or its absence.
struct Captain {
    /// The index of the machine.
    home: usize,
    process: Option<Process>,
    /// When it does something again: starts, or moves after standing still.
    back_at: Option<Instant>,
    /// When it tries to get the operation in hand.
    tries_at: Option<Instant>,
}

struct Course<'a> {
    stage: &'a Arc<Stage>,
    bug: Bug,
    /// Ana's machine, and Bob's.
    homes: [Home; 2],
    /// Ana, Ana again in another shell, and Bob.
    captains: [Captain; 3],
    processes: u64,
    operation: Option<OperationId>,
    /// When something comes, and how long after, in milliseconds.
    awaited: Vec<(When, u64, Plot)>,
    plots: Vec<(Instant, Plot)>,
    calm_at: Option<Instant>,
    /// When the first machine was lost.
    lost_at: Option<Instant>,
    /// When the first machine comes back, which stood still or had no network.
    returns_at: Option<Instant>,
    /// How many steps have happened when an undo's seed takes the operation back.
    turns_after: usize,
    /// Entries of the journal when the store was last compared with it.
    compared: usize,
}

impl<'a> Course<'a> {
    fn new(stage: &'a Arc<Stage>, bug: Bug) -> Self {
        let role = stage.chance.pick(&["operator", "ci"]);
        let homes = [Home::new(stage, 0, "ana@laptop", role), Home::new(stage, 1, "bob@desk", "operator2")];
        let absent = |home| Captain { home, process: None, back_at: None, tries_at: None };
        let turns_after = if stage.cell.deed.is_of_several() { stage.chance.between(1, 3) } else { 1 };
        Self {
            stage,
            bug,
            homes,
            captains: [absent(0), absent(0), absent(1)],
            processes: 0,
            operation: None,
            awaited: Vec::new(),
            plots: Vec::new(),
            calm_at: None,
            lost_at: None,
            returns_at: None,
            turns_after: usize::try_from(turns_after).unwrap(),
            compared: 0,
        }
    }

    fn now(&self) -> Instant {
        self.stage.truth.now()
    }

    async fn run(&mut self) -> Result<(), String> {
        self.scheme();
        let plan = order::plan(self.stage, &self.homes[0], self.bug).await;
        let operation = plan.id;
        self.operation = Some(operation);
        let began_at = self.now();
        self.enter(0);
        let first = self.captains[0].process.as_mut().unwrap();
        first.operator.begin(plan, Some("confirmed")).map_err(|error| format!("it cannot begin: {error}"))?;
        loop {
            self.check()?;
            let is_over = self.stage.judge().cases[&operation].end().is_some();
            let now = self.now();
            if is_over || now - began_at > TROUBLE {
                self.stage.calm_down();
                self.calm_at.get_or_insert(now);
            }
            if is_over && !self.is_untold() && !self.is_away() {
                return self.aftermath().await;
            }
            if self.is_given_up() {
                self.stage.judge().judge_unheard();
                self.stage.tally();
                return self.check();
            }
            if let Some(calm_at) = self.calm_at {
                if now - calm_at > PATIENCE {
                    let state = self.stage.judge().cases[&operation].state();
                    let what = if is_over { "the ledger is not told" } else { "it does not end" };
                    return Err(format!("{what}: {state:?}"));
                }
                if !is_over {
                    self.resolve();
                }
            }
            self.step().await;
        }
    }

    /// Whether the ledger lacks something of what is over. Whoever is gone comes back and delivers it.
    fn is_untold(&self) -> bool {
        let mut homes = self.captains.iter().filter(|captain| captain.process.is_some() || captain.back_at.is_some());
        self.stage.ledger.is_some()
            && homes.any(|captain| captain.process.as_ref().is_none_or(|process| process.waiting() > 0))
    }

    /// Whether the first machine is to come back, or has just done so: then it goes on for a while.
    fn is_away(&self) -> bool {
        self.returns_at.is_some_and(|at| self.now() - at < AFTERMATH)
    }

    /// Whether nobody can go on: the one machine that knew of the operation is lost, nothing can arrive at the ledger any
    /// more, and what it was told is nothing, or not enough.
    fn is_given_up(&self) -> bool {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| self.now() - at > AFTERMATH);
        let other = self.captains[ELSEWHERE].process.as_ref();
        let cannot = other.is_some_and(|process| process.found_nothing || process.is_refused);
        cannot && is_past(self.calm_at) && is_past(self.lost_at)
    }

    /// A captain comes with a new process.
    fn enter(&mut self, captain: usize) {
        self.processes += 1;
        let number = self.processes;
        self.stage.note(|| format!("p{number} starts"));
        let home = self.captains[captain].home;
        let process = Process::start(self.stage, &self.homes[home], number, self.bug);
        self.captains[captain] = Captain { home, process: Some(process), back_at: None, tries_at: Some(self.now()) };
    }

    /// A captain's process dies.
    fn leave(&mut self, captain: usize) {
        let back_at = self.now() + TimeDelta::milliseconds(i64::try_from(self.stage.chance.below(40_000)).unwrap());
        let home = self.captains[captain].home;
        self.captains[captain] = Captain { home, process: None, back_at: Some(back_at), tries_at: None };
    }

    /// Lets a captain do something in which it may die.
    fn venture<T>(&mut self, captain: usize, what: impl FnOnce(&mut Process) -> T) -> Option<T> {
        let process = self.captains[captain].process.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| what(process))) {
            Ok(done) => Some(done),
            Err(panic) if panic.is::<Died>() => {
                self.leave(captain);
                None
            }
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Goes on until something has happened.
    async fn step(&mut self) {
        let now = self.now();
        let mut awaited = std::mem::take(&mut self.awaited);
        let due: Vec<(When, u64, Plot)> = awaited.extract_if(.., |(when, _, _)| self.has_come(*when)).collect();
        self.awaited = awaited;
        for (_, delay_ms, plot) in due {
            self.plots.push((now + TimeDelta::milliseconds(i64::try_from(delay_ms).unwrap()), plot));
        }
        let next = self.next_at();
        if next.is_some_and(|at| at <= now) {
            self.outside(now);
            return;
        }
        let wait = next.map_or(Duration::from_secs(30), |at| (at - now).to_std().unwrap());
        let first = usize::try_from(self.stage.chance.below(3)).unwrap();
        let mut steps: Vec<(usize, LocalBoxFuture<'_, ()>)> = Vec::new();
        for (index, captain) in self.captains.iter_mut().enumerate() {
            if let (Some(process), None) = (&mut captain.process, captain.back_at) {
                steps.push((index, Box::pin(process.step())));
            }
        }
        steps.sort_by_key(|(index, _)| (index + first) % 3);
        let stepped = poll_fn(|context| {
            for (index, step) in &mut steps {
                match catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(context))) {
                    Ok(Poll::Ready(_)) => return Poll::Ready((*index, true)),
                    Ok(Poll::Pending) => {}
                    Err(panic) if panic.is::<Died>() => return Poll::Ready((*index, false)),
                    Err(panic) => resume_unwind(panic),
                }
            }
            Poll::Pending
        });
        let died = match tokio::time::timeout(wait, stepped).await {
            Ok((index, false)) => Some(index),
            Ok(_) | Err(_) => None,
        };
        drop(steps);
        if let Some(index) = died {
            self.leave(index);
        }
        self.turn_back();
    }

    /// When something comes from outside next.
    fn next_at(&self) -> Option<Instant> {
        let of_captains = self.captains.iter().flat_map(|captain| {
            let tries_at = captain.tries_at.filter(|_| captain.process.is_some() && captain.back_at.is_none());
            captain.back_at.into_iter().chain(tries_at)
        });
        self.plots.iter().map(|(at, _)| *at).chain(of_captains).min()
    }

    /// What comes from outside by now.
    fn outside(&mut self, now: Instant) {
        for captain in 0..self.captains.len() {
            if self.captains[captain].back_at.is_some_and(|at| at <= now) {
                if self.captains[captain].process.is_some() {
                    self.stage.note(|| format!("captain {captain} moves again"));
                    self.captains[captain].back_at = None;
                } else {
                    self.enter(captain);
                }
            }
            let can_try = self.captains[captain].back_at.is_none();
            if can_try && self.captains[captain].tries_at.is_some_and(|at| at <= now) {
                self.try_to_take(captain, now);
            }
        }
        let due: Vec<Plot> = self.plots.extract_if(.., |(at, _)| *at <= now).map(|(_, plot)| plot).collect();
        for plot in due {
            if !self.stage.is_calm() || matches!(plot, Plot::Unpause) {
                self.happen(plot, now);
            }
        }
    }

    fn try_to_take(&mut self, captain: usize, now: Instant) {
        let Some(operation) = self.operation else { return };
        match &self.venture(captain, |process| process.seek(operation)) {
            Some(Some(Err(Error::Over(_)))) => return self.captains[captain].tries_at = None,
            None => return,
            Some(Some(Err(error))) => self.stage.note(|| format!("captain {captain} is refused: {error}")),
            Some(Some(Ok(())) | None) => {}
        }
        // One that has it looks again too: it may have lost it, and wants it back should the other die.
        let pause_s = i64::try_from(self.stage.chance.between(3, 20)).unwrap();
        self.captains[captain].tries_at = Some(now + TimeDelta::seconds(pause_s));
    }

    fn befell(&self, fault: Fault) {
        self.stage.happened(|happened| _ = happened.of_all.insert(fault));
    }

    /// Who has the operation in hand and can be asked.
    fn in_charge(&self) -> Option<usize> {
        let operation = self.operation?;
        let owner = self.stage.judge().cases[&operation].owner;
        self.captains.iter().position(|captain| {
            let process = captain.process.as_ref().filter(|_| captain.back_at.is_none());
            process
                .is_some_and(|process| owner == Some(process.number) && process.operator.in_hand().contains(&operation))
        })
    }

    /// A person asks whoever has it in hand; tells whether anything came of it.
    fn ask(&mut self, request: Request) -> bool {
        let (Some(operation), Some(captain)) = (self.operation, self.in_charge()) else { return false };
        let asked = self.venture(captain, |process| process.operator.ask(operation, request));
        matches!(asked, Some(Ok(happened)) if !happened.is_empty())
    }

    /// An undo's seed takes the operation back as soon as enough of it has happened.
    fn turn_back(&mut self) {
        let Some(operation) = self.operation.filter(|_| self.stage.cell.deed.is_undo()) else { return };
        let (is_done, is_asked) = {
            let judge = self.stage.judge();
            let journal = &judge.cases[&operation].journal;
            let confirmed = |event: &Event| matches!(event, Event::Confirmed { direction: Direction::Do, .. });
            (
                journal.iter().filter(|entry| confirmed(&entry.event)).count() >= self.turns_after,
                journal.iter().any(|entry| matches!(entry.event, Event::AbortAsked { .. })),
            )
        };
        if is_done && !is_asked && self.ask(Request::Abort { reason: Some("wrong one".to_owned()) }) {
            self.befell(Fault::Abort);
        }
    }

    /// A person sees to what is held, now that it is quiet.
    fn resolve(&mut self) {
        let Some(operation) = self.operation else { return };
        let state = self.stage.judge().cases[&operation].state();
        if state.stuck.is_some() {
            self.ask(Request::Close { reason: "seen to by hand".to_owned() });
        } else if state.pause.is_some() {
            let again = self.stage.chance.percent(50);
            self.ask(if again { Request::Unpause } else { Request::Abort { reason: None } });
        }
    }

    /// The judge looks.
    fn check(&mut self) -> Result<(), String> {
        let Some(operation) = self.operation else { return Ok(()) };
        let (written, owner, home) = {
            let judge = self.stage.judge();
            let case = &judge.cases[&operation];
            (case.journal.len(), case.owner, case.home)
        };
        let lives_on = self.returns_at.is_some()
            && self.captains.iter().any(|captain| captain.home == 0 && captain.process.is_some());
        if home == 1 && lives_on {
            self.befell(Fault::LivesOn);
        }
        for captain in &self.captains {
            let Some(process) = &captain.process else { continue };
            let Some(view) = process.operator.view(operation) else { continue };
            // The store is read again whenever it has been written to.
            let stored = if self.compared == written || owner != Some(process.number) {
                None
            } else {
                self.compared = written;
                let record = process.operator.journal().record(operation, self.now());
                record.map_err(|error| error.to_string())?.map(|record| record.journal)
            };
            self.stage.judge().compare(process.number, operation, view.state, stored.as_deref());
            // An answer to an act that comes twice changes nothing the second time.
            let landed = self.stage.take_landed(process.number);
            for (effect, outcome) in landed.into_iter().filter(|(effect, _)| matches!(effect, Effect::Act { .. })) {
                let moment = Moment { at: self.homes[captain.home].clock.now(), acknowledged: u64::MAX };
                let again = decide(view.plan, view.state, &Input::Ended(Box::new(effect.clone()), outcome), moment);
                if !again.is_empty() {
                    return Err(format!("the second answer to {effect:?} led to {again:?}"));
                }
            }
        }
        let holders: Vec<u64> = self
            .captains
            .iter_mut()
            .filter_map(|captain| captain.process.as_mut())
            .filter_map(|process| process.holds(operation).then_some(process.number))
            .collect();
        if holders.len() > 1 {
            return Err(format!("{holders:?} all believe to hold the lease"));
        }
        let mut judge = self.stage.judge();
        judge.judge_ends(&self.stage.embedded);
        match judge.wrong() {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(()),
        }
    }

    /// All that is still under way arrives, while a colleague works on.
    async fn aftermath(&mut self) -> Result<(), String> {
        self.stage.note(|| "over".to_owned());
        for captain in &mut self.captains {
            captain.process = None;
        }
        order::restart(self.stage);
        tokio::time::sleep(AFTERMATH.to_std().unwrap()).await;
        self.stage.judge().judge_all();
        if let Some(desk) = &self.stage.ledger {
            self.stage.judge().judge_ledger(desk);
        }
        self.operation.take();
        self.stage.tally();
        let judge = self.stage.judge();
        match judge.wrong() {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(()),
        }
    }
}
