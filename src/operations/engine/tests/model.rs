//! Whole lives of operations against a small model of the platform, with every fault at every instant. The deterministic
//! simulation does the same with the real client and the simulated workspaces; this one is small enough to read.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::RepairId;
use crate::operations::step::{Action, Condition, Probe, Repeat};

/// What the platform did for the operation, and what is still on its way there.
#[derive(Default)]
struct Platform {
    /// How often the plan's act took effect.
    effects: u32,
    /// Whether what the act started has ended: by an undo, or, for a cancel or a stop, by the act itself.
    ended: bool,
    /// Requests whose answer was lost and that arrive at an instant of their own: forward or back.
    late: Vec<(crate::domain::Instant, Direction)>,
    /// Requests that left.
    sent: u32,
    /// Somebody has taken the right to act away: everything is refused for good, what is under way excepted.
    is_closed: bool,
}

impl Platform {
    /// An act arrives: the platform's own guards hold.
    fn act(&mut self, step: &crate::operations::step::Step, direction: Direction) -> bool {
        match direction {
            Direction::Undo => self.ended = true,
            Direction::Do => match (step.repeat, &step.action) {
                (Repeat::ByToken | Repeat::Guarded, _) if self.effects > 0 => return step.repeat == Repeat::ByToken,
                // An update is active: a second start is refused while it is.
                (_, Action::StartUpdate { .. }) if self.effects > 0 && !self.ended => return false,
                (_, Action::CancelRun { .. } | Action::StopPipeline { .. }) => {
                    self.effects = 1;
                    self.ended = true;
                }
                _ => self.effects += 1,
            },
        }
        true
    }

    fn arrive(&mut self, plan: &Plan, now: crate::domain::Instant) {
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        let due: Vec<_> = due;
        for (_, direction) in due {
            self.act(&plan.steps[0], direction);
        }
    }

    fn evidence(plan: &Plan, certainty: Certainty) -> Evidence {
        let thing = match &plan.steps[0].action {
            Action::RunNow { .. } => Thing::Run { run: RunId(900) },
            Action::RepairRun { run, .. } => Thing::Repair { run: *run, repair: RepairId(5) },
            Action::StartUpdate { pipeline, .. } => Thing::Update { pipeline: pipeline.clone(), update: "u-9".into() },
            Action::CancelRun { .. } | Action::StopPipeline { .. } => Thing::State { state: "canceled".to_owned() },
        };
        Evidence { thing, certainty, says: "seen".to_owned() }
    }

    fn check(&self, condition: &Condition) -> Outcome {
        let holds = match condition {
            Condition::JobTakesRuns { .. } => true,
            Condition::RunIsActive { .. } | Condition::RepairIsActive { .. } | Condition::UpdateIsActive { .. } => {
                !self.ended
            }
            Condition::RunIsOver { .. } => self.effects == 0,
            Condition::PipelineIsIdle { .. } => self.effects == 0 || self.ended,
        };
        if holds { super::holds() } else { Outcome::Fails("it does not hold".to_owned()) }
    }

    fn look(&self, plan: &Plan, probe: &Probe) -> Outcome {
        let (there, certainty) = match probe {
            // To name the first run it would have to be ordered again.
            Probe::RunOfToken { .. } if self.is_closed && self.effects > 0 => {
                return Outcome::Ambiguous("403".to_owned());
            }
            Probe::RunOfToken { .. } => (self.effects > 0, Certainty::Answered),
            Probe::WhatStarted => (self.effects > 0, Certainty::Answered),
            Probe::RunIsEnding { .. }
            | Probe::RunEnded { .. }
            | Probe::RepairIsEnding { .. }
            | Probe::RepairEnded { .. }
            | Probe::UpdateIsEnding { .. }
            | Probe::UpdateEnded { .. } => (self.ended, Certainty::Inferred),
            Probe::RepairAfter { .. } | Probe::UpdateSince { .. } => (self.effects > 0, Certainty::Inferred),
        };
        if there { Outcome::Found(Self::evidence(plan, certainty)) } else { Outcome::Missing }
    }
}

/// What fate has in store for one moment of an operation's life.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// An effect ends as it should.
    Well(u8),
    /// An act is refused before it does anything.
    Refuse,
    /// An act works and its answer is lost.
    LoseAnswer,
    /// An act's answer is lost, and it arrives after so many seconds.
    Late(u8),
    /// An act's answer is lost, and it never arrives.
    LoseRequest,
    /// A read cannot be made.
    Blind(u8),
    /// The process is killed, and another goes on; what was under way may or may not have left.
    Kill(bool),
    /// The right to act is taken away.
    Revoke,
    /// The person pauses.
    Pause,
    /// The person lets it go on.
    Unpause,
    /// The person wants it taken back.
    Abort,
    /// Time passes.
    Pass(u8),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => any::<u8>().prop_map(Fate::Well),
        1 => Just(Fate::Refuse),
        2 => Just(Fate::LoseAnswer),
        2 => (0u8..90).prop_map(Fate::Late),
        1 => Just(Fate::LoseRequest),
        1 => any::<u8>().prop_map(Fate::Blind),
        2 => any::<bool>().prop_map(Fate::Kill),
        1 => Just(Fate::Revoke),
        1 => Just(Fate::Pause),
        1 => Just(Fate::Unpause),
        1 => Just(Fate::Abort),
        3 => any::<u8>().prop_map(Fate::Pass),
    ]
}

struct Life {
    bench: Bench,
    platform: Platform,
}

impl Life {
    /// Ends one of the effects that are due, as the platform would.
    fn live(&mut self, which: u8, fate: Fate) {
        let now = self.bench.moment.at;
        self.platform.arrive(&self.bench.plan, now);
        let due: Vec<Effect> =
            self.bench.due().into_iter().filter(|effect| !matches!(effect, Effect::Wait { .. })).collect();
        let Some(effect) = due.get(usize::from(which) % due.len().max(1)).cloned() else { return };
        let plan = &self.bench.plan;
        let outcome = match &effect {
            Effect::Check { condition, .. } => self.platform.check(condition),
            Effect::Look { probe, .. } => self.platform.look(plan, probe),
            Effect::Act { step, direction, attempt, .. } => {
                let is_it = |event: &Event| match event {
                    Event::Intended { step: of, direction: way, attempt: number, .. } => {
                        (of, way, number) == (step, direction, attempt)
                    }
                    _ => false,
                };
                assert!(self.bench.journal.iter().any(|entry| is_it(&entry.event)), "no act without an intent");
                self.platform.sent += 1;
                let step = &plan.steps[0];
                match fate {
                    _ if self.platform.is_closed => {
                        Outcome::Refused { why: "403".to_owned(), transient: false, retry_after_s: None }
                    }
                    Fate::Refuse => Outcome::Refused { why: "503".to_owned(), transient: true, retry_after_s: None },
                    Fate::LoseAnswer => {
                        self.platform.act(step, *direction);
                        lost()
                    }
                    Fate::Late(seconds) => {
                        self.platform.late.push((now + TimeDelta::seconds(i64::from(seconds)), *direction));
                        lost()
                    }
                    Fate::LoseRequest => lost(),
                    _ if self.platform.act(step, *direction) => {
                        Outcome::Found(Platform::evidence(plan, Certainty::Answered))
                    }
                    _ => Outcome::Refused { why: "409".to_owned(), transient: false, retry_after_s: None },
                }
            }
            Effect::AwaitLedger { .. } | Effect::Wait { .. } => return,
        };
        let outcome = match (&effect, fate) {
            (Effect::Check { .. } | Effect::Look { .. }, Fate::Blind(_)) => Outcome::Unreadable("blind".to_owned()),
            _ => outcome,
        };
        self.bench.tell(&Input::Ended(Box::new(effect), outcome));
    }

    /// The process dies with an act under way, which may have left.
    fn kill(&mut self, left: bool) {
        let under_way = self.bench.due().into_iter().find_map(|effect| match effect {
            Effect::Act { direction, .. } => Some(direction),
            _ => None,
        });
        if let Some(direction) = under_way.filter(|_| left && !self.platform.is_closed) {
            self.platform.sent += 1;
            self.platform.act(&self.bench.plan.steps[0], direction);
        }
        // The other process knows nothing but the journal.
        self.bench.state = fold(&self.bench.plan, &self.bench.journal);
        self.bench.tell(&Input::TakenUp { from: None });
    }

    fn meet(&mut self, fate: Fate) {
        match fate {
            Fate::Well(which) | Fate::Blind(which) => self.live(which, fate),
            Fate::Refuse | Fate::LoseAnswer | Fate::Late(_) | Fate::LoseRequest => self.live(0, fate),
            Fate::Kill(left) => self.kill(left),
            Fate::Revoke => self.platform.is_closed = true,
            Fate::Pause => self.bench.tell(&Input::Asked(Request::Pause)),
            Fate::Unpause => self.bench.tell(&Input::Asked(Request::Unpause)),
            Fate::Abort => self.bench.tell(&Input::Asked(Request::Abort { reason: None })),
            Fate::Pass(seconds) => {
                self.bench.pass(i64::from(seconds));
                self.platform.arrive(&self.bench.plan, self.bench.moment.at);
            }
        }
    }

    fn check_always(&self) {
        let state = fold(&self.bench.plan, &self.bench.journal);
        assert_eq!(state, self.bench.state, "the journal leads to the live state");
        assert!(self.platform.effects <= 1, "it took effect {} times", self.platform.effects);
    }
}

fn lived(plan: Plan, fates: &[Fate]) -> Life {
    let mut life = Life { bench: Bench::approved(plan), platform: Platform::default() };
    for fate in fates {
        life.meet(*fate);
        life.check_always();
    }
    life
}

/// Faults stop: it goes on until it is over or wants a person who has to look.
fn settle_down(life: &mut Life) {
    for _ in 0..200 {
        if life.bench.state.is_over() || life.bench.state.stuck.is_some() {
            return;
        }
        life.bench.tell(&Input::Asked(Request::Unpause));
        life.live(0, Fate::Well(0));
        life.bench.pass(7);
        life.check_always();
    }
    panic!("it does not end: {:?}\n{:#?}", life.bench.names(), life.bench.due());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_nothing_is_doubled_and_it_ends(which in 0usize..5, fates in prop::collection::vec(fate(), 0..40)) {
        let mut life = lived(plans().swap_remove(which), &fates);
        settle_down(&mut life);
        // All that was on its way has arrived by then, or never will.
        let now = life.bench.moment.at;
        let stuck = life.bench.state.stuck.is_some();
        if !stuck {
            prop_assert!(life.platform.late.iter().all(|(at, _)| *at <= now) || life.bench.plan.steps[0].repeat.is_late_proof());
        }
        match &life.bench.state.end {
            Some(End::Completed) => prop_assert_eq!(life.platform.effects, 1, "completed means that it took effect"),
            Some(End::Aborted) => prop_assert!(life.platform.effects == 0 || life.platform.ended, "aborted means taken back"),
            Some(End::Failed { .. }) | None => {}
        }
    }

    #[test]
    fn any_beginning_and_an_abort_end(which in 0usize..5, fates in prop::collection::vec(fate(), 0..20)) {
        let mut life = lived(plans().swap_remove(which), &fates);
        life.bench.tell(&Input::Asked(Request::Abort { reason: None }));
        settle_down(&mut life);
    }

    #[test]
    fn every_beginning_of_a_journal_folds_the_same_twice_and_reads_back(which in 0usize..5, fates in prop::collection::vec(fate(), 0..30)) {
        let life = lived(plans().swap_remove(which), &fates);
        let (plan, journal) = (&life.bench.plan, &life.bench.journal);
        for end in 0..=journal.len() {
            let state = fold(plan, &journal[..end]);
            prop_assert_eq!(&state, &fold(plan, &journal[..end]));
            prop_assert_eq!(state.seq, end as u64);
        }
        for recorded in journal {
            let text = crate::operations::canonical(recorded).expect("no floats");
            prop_assert_eq!(&serde_json::from_str::<Recorded>(&text).expect("reads"), recorded);
        }
        let text = plan.canonical().expect("no floats");
        let stored = crate::operations::Stored::read(&text).expect("JSON");
        prop_assert_eq!(stored.known(), Some(plan));
    }
}
