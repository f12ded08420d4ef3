//! What to ask a workspace next, and when: pure decisions over monotonic time, so that a test can run an hour in a moment.
//!
//! Two listings find every change of a run: the active runs, and the runs that ended soon after they began. All else
//! follows from what they say. The aims (issue 3): a run's change within 10 s, a tier-1 stream's backlog within 20 s, and
//! under one request a second per workspace. When they conflict (very many streams), the request rate wins.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::api::RUNS_PER_PAGE;
use crate::domain::ids::{JobId, PipelineId, RunId};

/// Time since the poller began.
pub type Elapsed = Duration;

/// One question to a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Errand {
    /// List the active runs.
    ActiveRuns,
    /// List the runs that were launched a short while ago and have ended.
    EndedRuns,
    /// List the jobs.
    Jobs,
    /// List the pipelines.
    Pipelines,
    /// Read one run that left the list of active ones.
    Run(RunId),
    /// Read why a run failed.
    Failure(JobId, RunId),
    /// Read one pipeline's specification.
    Spec(PipelineId),
    /// Read one job's recent runs.
    History(JobId),
    /// Read what is new in one pipeline's event log.
    Events(PipelineId),
    /// Read anew the specification that was not read for the longest time: nothing else tells that it was edited.
    OldestSpec,
}

impl Errand {
    /// Whether it comes again by the clock; the others are asked once.
    pub fn recurs(&self) -> bool {
        Clock::of(self).is_some()
    }
}

/// How often things are asked. Each interval is an upper bound: jitter only shortens it, by up to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Active runs, while some run.
    pub busy: Duration,
    /// Active runs, while nothing runs.
    pub quiet: Duration,
    /// Runs that ended soon after they began.
    pub ended: Duration,
    /// Jobs.
    pub jobs: Duration,
    /// Pipelines.
    pub pipelines: Duration,
    /// Events of a stream of tier 1.
    pub urgent_events: Duration,
    /// Events of other running pipelines.
    pub other_events: Duration,
    /// Between two questions that are asked once.
    pub spacing: Duration,
    /// First wait after a failure; doubles with every further one.
    pub backoff: Duration,
    /// Longest wait after a failure.
    pub backoff_at_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            busy: Duration::from_secs(5),
            quiet: Duration::from_secs(8),
            ended: Duration::from_secs(8),
            jobs: Duration::from_mins(5),
            pipelines: Duration::from_mins(1),
            urgent_events: Duration::from_secs(15),
            other_events: Duration::from_mins(1),
            spacing: Duration::from_millis(160),
            backoff: Duration::from_secs(10),
            backoff_at_most: Duration::from_mins(2),
        }
    }
}

/// A longer wait than this between two listings of active runs would break the promise of 10 s.
const ACTIVE_AT_MOST: Duration = Duration::from_millis(8_500);

/// Listing pages of active runs that a second may take.
const ACTIVE_PAGES_PER_S: f64 = 0.4;

/// Specifications are read anew no sooner after one another than this, however many there are.
const SPEC_AFTER: Duration = Duration::from_secs(10);

/// Event requests that a second may take for all pipelines of a workspace.
const EVENTS_PER_S: f64 = 0.5;

/// From this many urgent streams on, active runs are listed as seldom as the promise allows.
const MANY_STREAMS: usize = 6;

/// Questions on their way at once, those asked once among them.
const IN_FLIGHT: usize = 6;
const ONCE_IN_FLIGHT: usize = 2;

/// Times that a question asked once is tried before it is given up.
const TRIES: u32 = 8;

/// A question that comes again.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Elapsed,
    failures: u32,
    /// Until when the workspace asked us to stay away: not even a person's wish comes before that.
    earliest: Elapsed,
    /// Whether it was ever answered or refused.
    heard: bool,
}

impl Turn {
    fn first(at: Elapsed) -> Self {
        Self { at, failures: 0, earliest: Elapsed::ZERO, heard: false }
    }
}

/// The plan of all questions to one workspace.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    jitter: ChaCha8Rng,
    turns: BTreeMap<Clock, Turn>,
    urgent: HashSet<PipelineId>,
    /// How many specifications there are to be read anew.
    specs: usize,
    once: VecDeque<Errand>,
    once_at: Elapsed,
    /// Questions asked once that failed: when they are asked again.
    later: Vec<(Elapsed, Errand)>,
    tries: HashMap<Errand, u32>,
    in_flight: HashSet<Errand>,
    /// Whether the workspace ever answered. Before that its clock is not known, and "recent" means nothing.
    answered_once: bool,
}

/// The things that have a clock of their own, in the order in which they go first when due together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Clock {
    Active,
    Ended,
    Jobs,
    Pipelines,
    Events(PipelineId),
    Specs,
}

impl Clock {
    fn of(errand: &Errand) -> Option<Self> {
        match errand {
            Errand::ActiveRuns => Some(Self::Active),
            Errand::EndedRuns => Some(Self::Ended),
            Errand::Jobs => Some(Self::Jobs),
            Errand::Pipelines => Some(Self::Pipelines),
            Errand::Events(id) => Some(Self::Events(id.clone())),
            Errand::OldestSpec => Some(Self::Specs),
            Errand::Run(_) | Errand::Failure(..) | Errand::Spec(_) | Errand::History(_) => None,
        }
    }

    fn errand(&self) -> Errand {
        match self {
            Self::Active => Errand::ActiveRuns,
            Self::Ended => Errand::EndedRuns,
            Self::Jobs => Errand::Jobs,
            Self::Pipelines => Errand::Pipelines,
            Self::Events(id) => Errand::Events(id.clone()),
            Self::Specs => Errand::OldestSpec,
        }
    }
}

impl Schedule {
    /// A plan whose first listings are due at once.
    pub fn new(pace: Pace, seed: u64) -> Self {
        let turns = [Clock::Active, Clock::Ended, Clock::Jobs, Clock::Pipelines]
            .map(|clock| (clock, Turn::first(Elapsed::ZERO)));
        Self {
            pace,
            jitter: ChaCha8Rng::seed_from_u64(seed),
            turns: BTreeMap::from(turns),
            urgent: HashSet::new(),
            specs: 0,
            once: VecDeque::new(),
            once_at: Elapsed::ZERO,
            later: Vec::new(),
            tries: HashMap::new(),
            in_flight: HashSet::new(),
            answered_once: false,
        }
    }

    /// Asks something once, after what was asked before. Run endings and failures go before history.
    pub fn ask(&mut self, errand: Errand) {
        let waits = self.later.iter().any(|(_, later)| *later == errand);
        if waits || self.in_flight.contains(&errand) || self.once.contains(&errand) {
            return;
        }
        self.queue(errand);
    }

    fn queue(&mut self, errand: Errand) {
        match errand {
            Errand::Run(_) | Errand::Failure(..) => {
                let place = self.once.iter().take_while(|e| matches!(e, Errand::Run(_) | Errand::Failure(..))).count();
                self.once.insert(place, errand);
            }
            _ => self.once.push_back(errand),
        }
    }

    /// Says which pipelines' events are to be read: those of urgent streams, and those of others that run.
    pub fn watch_events(&mut self, urgent: &[PipelineId], others: &[PipelineId], now: Elapsed) {
        let wanted: HashSet<&PipelineId> = urgent.iter().chain(others).collect();
        self.turns.retain(|clock, _| !matches!(clock, Clock::Events(id) if !wanted.contains(id)));
        self.urgent = urgent.iter().cloned().collect();
        for (place, id) in urgent.iter().chain(others).enumerate() {
            // New ones are spread out, so that they don't come in one burst for ever after.
            let spread = self.pace.spacing * u32::try_from(place).unwrap_or(u32::MAX);
            self.turns.entry(Clock::Events(id.clone())).or_insert(Turn::first(now + spread));
        }
    }

    /// Says how many pipelines have a specification that is to be read anew now and then.
    pub fn watch_specs(&mut self, count: usize, now: Elapsed) {
        self.specs = count;
        if count == 0 {
            self.turns.remove(&Clock::Specs);
        } else {
            let at = now + self.specs_interval();
            self.turns.entry(Clock::Specs).or_insert(Turn::first(at));
        }
    }

    /// A recurring question was answered to somebody else: its turn is put off as if it had been asked here.
    pub fn answered_elsewhere(&mut self, errand: &Errand, now: Elapsed) {
        let wait = self.interval(errand, 0);
        let wait = self.shortened(wait);
        if let Some(turn) = Clock::of(errand).and_then(|clock| self.turns.get_mut(&clock)) {
            *turn = Turn { heard: true, ..Turn::first(now + wait) };
        }
    }

    /// Makes a recurring question due now, unless it waits after a failure.
    pub fn hasten(&mut self, errand: &Errand, now: Elapsed) {
        if let Some(turn) = Clock::of(errand).and_then(|clock| self.turns.get_mut(&clock))
            && turn.failures == 0
        {
            turn.at = turn.at.min(now);
        }
    }

    /// Makes everything due that a person may want to see anew, failures or not, but for what the workspace put off.
    pub fn hasten_all(&mut self, now: Elapsed) {
        for turn in self.turns.iter_mut().filter(|(clock, _)| **clock != Clock::Specs).map(|(_, turn)| turn) {
            turn.at = turn.at.min(now.max(turn.earliest));
        }
    }

    /// When [`Self::take`] may next give something; none while all waits for answers.
    pub fn next_at(&self) -> Option<Elapsed> {
        if self.in_flight.len() >= IN_FLIGHT {
            return None;
        }
        let turns = self.open_turns().map(|(_, turn)| turn.at);
        let once = self.may_ask_once().then_some(self.once_at);
        let later = self.later.iter().map(|(at, _)| *at).filter(|_| !self.is_down());
        turns.chain(once).chain(later).min()
    }

    /// The most urgent question that is due, now on its way.
    pub fn take(&mut self, now: Elapsed) -> Option<Errand> {
        if self.in_flight.len() >= IN_FLIGHT {
            return None;
        }
        if !self.is_down() {
            for (_, errand) in self.later.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                self.queue(errand);
            }
        }
        let due = self.open_turns().filter(|(_, turn)| turn.at <= now).map(|(clock, _)| clock.errand()).next();
        let errand = match due {
            Some(errand) => errand,
            None if self.may_ask_once() && self.once_at <= now => {
                self.once_at = now + self.pace.spacing;
                self.once.pop_front()?
            }
            None => return None,
        };
        self.in_flight.insert(errand.clone());
        Some(errand)
    }

    /// The answer came: plans the next turn. `found` is the number of objects that a listing held.
    pub fn answered(&mut self, errand: &Errand, found: usize, now: Elapsed) {
        self.in_flight.remove(errand);
        self.tries.remove(errand);
        self.answered_once |= *errand == Errand::ActiveRuns;
        let wait = self.interval(errand, found);
        let wait = self.shortened(wait);
        if let Some(turn) = Clock::of(errand).and_then(|clock| self.turns.get_mut(&clock)) {
            *turn = Turn { heard: true, ..Turn::first(now + wait) };
        }
    }

    /// No answer came: waits longer with every failure in a row, and at least as long as the workspace asked.
    pub fn failed(&mut self, errand: &Errand, retry_after: Option<Duration>, now: Elapsed) {
        let asked = retry_after.unwrap_or_default();
        self.in_flight.remove(errand);
        let Some(clock) = Clock::of(errand) else {
            let tries = self.tries.get(errand).map_or(1, |tries| tries + 1);
            if tries > TRIES {
                self.tries.remove(errand);
            } else {
                self.tries.insert(errand.clone(), tries);
                let wait = self.wait_after(tries).max(asked);
                self.later.push((now + wait, errand.clone()));
            }
            return;
        };
        let failures = self.turns.get(&clock).map_or(0, |turn| turn.failures).saturating_add(1);
        let wait = self.wait_after(failures).max(asked);
        if let Some(turn) = self.turns.get_mut(&clock) {
            *turn = Turn { at: now + wait, failures, earliest: now + asked, heard: true };
        }
    }

    /// Forgets a question that has no answer any more.
    pub fn dropped(&mut self, errand: &Errand) {
        self.in_flight.remove(errand);
        self.tries.remove(errand);
    }

    fn wait_after(&mut self, failures: u32) -> Duration {
        let doubled = self.pace.backoff.saturating_mul(1 << failures.saturating_sub(1).min(10));
        self.shortened(doubled.min(self.pace.backoff_at_most))
    }

    /// Seconds between two listings of active runs at present: what the jobs' section calls its interval.
    pub fn jobs_interval_s(&self, active: usize) -> u32 {
        u32::try_from(self.interval(&Errand::ActiveRuns, active).as_secs().max(1)).unwrap_or(u32::MAX)
    }

    /// Seconds between two listings of pipelines.
    pub fn pipelines_interval_s(&self) -> u32 {
        u32::try_from(self.pace.pipelines.as_secs().max(1)).unwrap_or(u32::MAX)
    }

    /// Seconds between two readings of a pipeline's events at present.
    pub fn events_interval_s(&self, id: &PipelineId) -> u32 {
        u32::try_from(self.events_interval(self.urgent.contains(id)).as_secs().max(1)).unwrap_or(u32::MAX)
    }

    /// Whether nothing is left that was to be asked once, and each stream's events were read or shown to be unreadable.
    pub fn settled(&self) -> bool {
        let heard = |(clock, turn): (&Clock, &Turn)| !matches!(clock, Clock::Events(_)) || turn.heard;
        self.once.is_empty()
            && self.later.is_empty()
            && self.in_flight.iter().all(Errand::recurs)
            && self.turns.iter().all(heard)
    }

    /// A workspace that does not list its active runs is asked for nothing else: one question a wait, no hammering.
    fn is_down(&self) -> bool {
        self.turns.get(&Clock::Active).is_some_and(|turn| turn.failures > 0)
    }

    fn open_turns(&self) -> impl Iterator<Item = (&Clock, &Turn)> {
        let down = self.is_down();
        self.turns
            .iter()
            .filter(move |(clock, _)| !down || **clock == Clock::Active)
            .filter(|(clock, _)| self.answered_once || **clock != Clock::Ended)
            .filter(|(clock, _)| !self.in_flight.contains(&clock.errand()))
    }

    fn may_ask_once(&self) -> bool {
        !self.once.is_empty()
            && !self.is_down()
            && self.in_flight.iter().filter(|errand| !errand.recurs()).count() < ONCE_IN_FLIGHT
    }

    fn interval(&self, errand: &Errand, found: usize) -> Duration {
        match errand {
            Errand::ActiveRuns => {
                let base = match found {
                    _ if self.urgent.len() >= MANY_STREAMS => self.pace.quiet.max(ACTIVE_AT_MOST),
                    0 => self.pace.quiet,
                    _ => self.pace.busy,
                };
                // Who asked for a slower pace gets it.
                let at_most = ACTIVE_AT_MOST.max(base);
                let pages = u32::try_from(found.div_ceil(RUNS_PER_PAGE)).unwrap_or(u32::MAX);
                let by_pages =
                    Duration::try_from_secs_f64(f64::from(pages) / ACTIVE_PAGES_PER_S).unwrap_or(Duration::MAX);
                base.max(by_pages.min(at_most))
            }
            Errand::EndedRuns => self.pace.ended,
            Errand::Jobs => self.pace.jobs,
            Errand::Pipelines => self.pace.pipelines,
            Errand::Events(id) => self.events_interval(self.urgent.contains(id)),
            Errand::OldestSpec => self.specs_interval(),
            Errand::Run(_) | Errand::Failure(..) | Errand::Spec(_) | Errand::History(_) => Duration::ZERO,
        }
    }

    /// Each specification within the time in which jobs are, as long as there are not too many.
    fn specs_interval(&self) -> Duration {
        let count = u32::try_from(self.specs.max(1)).unwrap_or(u32::MAX);
        (self.pace.jobs / count).max(SPEC_AFTER)
    }

    fn events_interval(&self, urgent: bool) -> Duration {
        let streams = self.turns.keys().filter(|clock| matches!(clock, Clock::Events(_))).count();
        let others = streams.saturating_sub(self.urgent.len());
        let share = |count: usize, per_s: f64| {
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            Duration::try_from_secs_f64(count / per_s).unwrap_or(Duration::MAX)
        };
        if urgent {
            self.pace.urgent_events.max(share(self.urgent.len(), EVENTS_PER_S))
        } else {
            // The urgent ones take their part first; what is left, but never nothing, is for the others.
            let urgent_per_s = share(1, 1.0).as_secs_f64()
                * f64::from(u32::try_from(self.urgent.len()).unwrap_or(u32::MAX))
                / self.pace.urgent_events.max(share(self.urgent.len(), EVENTS_PER_S)).as_secs_f64();
            self.pace.other_events.max(share(others, (EVENTS_PER_S - urgent_per_s).max(0.1)))
        }
    }

    fn shortened(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(self.jitter.random_range(0.9..1.0))
    }
}

#[cfg(test)]
mod tests;
