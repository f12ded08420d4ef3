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
}

impl Errand {
    /// Whether it comes again by the clock; the others are asked once.
    fn recurs(&self) -> bool {
        matches!(self, Self::ActiveRuns | Self::EndedRuns | Self::Jobs | Self::Pipelines | Self::Events(_))
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
}

/// The plan of all questions to one workspace.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    jitter: ChaCha8Rng,
    turns: BTreeMap<Clock, Turn>,
    urgent: HashSet<PipelineId>,
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
}

impl Clock {
    fn of(errand: &Errand) -> Option<Self> {
        match errand {
            Errand::ActiveRuns => Some(Self::Active),
            Errand::EndedRuns => Some(Self::Ended),
            Errand::Jobs => Some(Self::Jobs),
            Errand::Pipelines => Some(Self::Pipelines),
            Errand::Events(id) => Some(Self::Events(id.clone())),
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
        }
    }
}

impl Schedule {
    /// A plan whose first listings are due at once.
    pub fn new(pace: Pace, seed: u64) -> Self {
        let turns = [Clock::Active, Clock::Ended, Clock::Jobs, Clock::Pipelines]
            .map(|clock| (clock, Turn { at: Elapsed::ZERO, failures: 0 }));
        Self {
            pace,
            jitter: ChaCha8Rng::seed_from_u64(seed),
            turns: BTreeMap::from(turns),
            urgent: HashSet::new(),
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
            self.turns.entry(Clock::Events(id.clone())).or_insert(Turn { at: now + spread, failures: 0 });
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

    /// Makes everything due that a person may want to see anew, failures or not.
    pub fn hasten_all(&mut self, now: Elapsed) {
        for turn in self.turns.values_mut() {
            turn.at = turn.at.min(now);
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
            *turn = Turn { at: now + wait, failures: 0 };
        }
    }

    /// No answer came: waits longer with every failure in a row.
    pub fn failed(&mut self, errand: &Errand, now: Elapsed) {
        self.in_flight.remove(errand);
        let Some(clock) = Clock::of(errand) else {
            let tries = self.tries.get(errand).map_or(1, |tries| tries + 1);
            if tries > TRIES {
                self.tries.remove(errand);
            } else {
                self.tries.insert(errand.clone(), tries);
                let wait = self.wait_after(tries);
                self.later.push((now + wait, errand.clone()));
            }
            return;
        };
        let failures = self.turns.get(&clock).map_or(0, |turn| turn.failures).saturating_add(1);
        let wait = self.wait_after(failures);
        if let Some(turn) = self.turns.get_mut(&clock) {
            *turn = Turn { at: now + wait, failures };
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

    /// Whether nothing is left that was to be asked once.
    pub fn settled(&self) -> bool {
        self.once.is_empty() && self.later.is_empty() && self.in_flight.iter().all(Errand::recurs)
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
            Errand::Run(_) | Errand::Failure(..) | Errand::Spec(_) | Errand::History(_) => Duration::ZERO,
        }
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
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule::new(Pace::default(), 7)
    }

    fn drain(schedule: &mut Schedule, now: Elapsed) -> Vec<Errand> {
        std::iter::from_fn(|| schedule.take(now)).collect()
    }

    #[test]
    fn the_first_four_listings_are_due_at_once_and_none_is_asked_twice() {
        let mut schedule = schedule();
        let first = drain(&mut schedule, Elapsed::ZERO);
        assert_eq!(first, [Errand::ActiveRuns, Errand::Jobs, Errand::Pipelines]);
        assert_eq!(schedule.next_at(), None, "all wait for answers");
        schedule.answered(&Errand::ActiveRuns, 0, Elapsed::ZERO);
        assert_eq!(drain(&mut schedule, Elapsed::ZERO), [Errand::EndedRuns], "once the workspace's clock is known");
    }

    #[test]
    fn a_single_question_that_fails_is_asked_again_later_and_given_up_in_the_end() {
        let mut schedule = schedule();
        drain(&mut schedule, Elapsed::ZERO);
        schedule.ask(Errand::Run(RunId(5)));
        let (mut now, mut asked) = (Elapsed::ZERO, 0);
        while let Some(at) = schedule.next_at() {
            now = now.max(at);
            for errand in drain(&mut schedule, now) {
                asked += 1;
                schedule.failed(&errand, now);
                schedule.ask(errand);
            }
            assert!(now < Duration::from_hours(1), "it never gives up");
            if asked > TRIES {
                break;
            }
        }
        assert_eq!(asked, TRIES + 1);
        assert!(now > Duration::from_mins(5), "{now:?}");
    }

    #[test]
    fn active_runs_come_again_within_the_promise_whatever_their_number() {
        for found in [0, 1, 30, 500, 10_000] {
            let mut schedule = schedule();
            drain(&mut schedule, Elapsed::ZERO);
            schedule.answered(&Errand::ActiveRuns, found, Elapsed::ZERO);
            assert_eq!(drain(&mut schedule, Elapsed::ZERO), [Errand::EndedRuns]);
            let at = schedule.next_at().expect("a next turn");
            assert!(at <= ACTIVE_AT_MOST, "{found} runs: {at:?}");
            assert!(at >= Duration::from_secs(4), "{found} runs: {at:?}");
        }
    }

    #[test]
    fn a_dead_workspace_is_asked_one_thing_ever_more_seldom() {
        let mut schedule = schedule();
        let mut now = Elapsed::ZERO;
        for errand in drain(&mut schedule, now) {
            schedule.failed(&errand, now);
        }
        schedule.ask(Errand::History(JobId(1)));
        let mut asked = 0;
        while now < Duration::from_hours(1) {
            now = schedule.next_at().expect("it tries again");
            for errand in drain(&mut schedule, now) {
                assert_eq!(errand, Errand::ActiveRuns);
                schedule.failed(&errand, now);
                asked += 1;
            }
        }
        assert!((25..=45).contains(&asked), "{asked} questions in an hour");
    }

    #[test]
    fn one_good_answer_ends_the_waiting() {
        let mut schedule = schedule();
        for errand in drain(&mut schedule, Elapsed::ZERO) {
            schedule.failed(&errand, Elapsed::ZERO);
        }
        let now = schedule.next_at().expect("a retry");
        assert_eq!(schedule.take(now), Some(Errand::ActiveRuns));
        schedule.answered(&Errand::ActiveRuns, 3, now);
        assert!(schedule.next_at().expect("a next turn") <= now + Duration::from_secs(5));
    }

    #[test]
    fn endings_and_failures_overtake_history() {
        let mut schedule = schedule();
        drain(&mut schedule, Elapsed::ZERO);
        schedule.ask(Errand::History(JobId(1)));
        schedule.ask(Errand::Run(RunId(5)));
        schedule.ask(Errand::Run(RunId(5)));
        assert_eq!(schedule.take(Elapsed::ZERO), Some(Errand::Run(RunId(5))));
        assert_eq!(schedule.take(Elapsed::ZERO), None, "spaced out");
        assert_eq!(schedule.take(Duration::from_millis(160)), Some(Errand::History(JobId(1))));
        assert!(!schedule.settled());
        schedule.answered(&Errand::Run(RunId(5)), 1, Duration::from_secs(1));
        schedule.answered(&Errand::History(JobId(1)), 1, Duration::from_secs(1));
        assert!(schedule.settled());
    }

    #[test]
    fn urgent_streams_are_read_within_20_s_up_to_ten_of_them_and_the_rate_wins_beyond() {
        for (count, bound_s) in [(1, 15), (7, 15), (10, 20), (30, 60)] {
            let mut schedule = schedule();
            drain(&mut schedule, Elapsed::ZERO);
            let ids: Vec<PipelineId> = (0..count).map(|n| PipelineId::new(format!("p{n}"))).collect();
            schedule.watch_events(&ids, &[], Elapsed::ZERO);
            assert_eq!(schedule.events_interval(true), Duration::from_secs(bound_s), "{count} streams");
        }
    }

    #[test]
    fn a_pipeline_that_is_no_longer_watched_is_no_longer_asked() {
        let mut schedule = schedule();
        drain(&mut schedule, Elapsed::ZERO);
        let id = PipelineId::new("p");
        schedule.watch_events(std::slice::from_ref(&id), &[], Elapsed::ZERO);
        assert_eq!(schedule.take(Elapsed::ZERO), Some(Errand::Events(id.clone())));
        schedule.watch_events(&[], &[], Elapsed::ZERO);
        schedule.answered(&Errand::Events(id), 3, Elapsed::ZERO);
        assert_eq!(schedule.next_at(), None);
    }
}
