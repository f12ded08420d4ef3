//! The schedule over hours, in moments.

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
            schedule.failed(&errand, None, now);
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
fn what_the_workspace_puts_off_waits_that_long_whatever_our_own_pace_and_a_person_want() {
    let mut schedule = schedule();
    drain(&mut schedule, Elapsed::ZERO);
    let (asked, now) = (Duration::from_secs(120), Duration::from_secs(5));
    for errand in [Errand::ActiveRuns, Errand::Jobs, Errand::Pipelines] {
        schedule.failed(&errand, Some(asked), now);
    }
    assert_eq!(schedule.next_at(), Some(now + asked));
    schedule.hasten_all(now);
    assert_eq!(schedule.next_at(), Some(now + asked));
    schedule.answered(&Errand::ActiveRuns, 0, now + asked);
    schedule.ask(Errand::Run(RunId(5)));
    drain(&mut schedule, now + asked);
    schedule.failed(&Errand::Run(RunId(5)), Some(asked * 2), now + asked);
    assert_eq!(schedule.later.first().map(|(at, _)| *at), Some(now + asked * 3));
}

#[test]
fn specifications_come_again_in_turn_within_the_time_of_jobs_and_never_in_a_flood() {
    for (count, every_s) in [(1, 300), (20, 15), (500, 10)] {
        let mut schedule = schedule();
        drain(&mut schedule, Elapsed::ZERO);
        schedule.watch_specs(count, Elapsed::ZERO);
        let every = Duration::from_secs(every_s);
        assert_eq!(schedule.next_at(), Some(every), "{count}");
        assert_eq!(drain(&mut schedule, every), [Errand::OldestSpec]);
        schedule.answered(&Errand::OldestSpec, 0, every);
        assert!(schedule.next_at().is_some_and(|at| at <= every * 2), "{count}");
    }
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
        schedule.failed(&errand, None, now);
    }
    schedule.ask(Errand::History(JobId(1)));
    let mut asked = 0;
    while now < Duration::from_hours(1) {
        now = schedule.next_at().expect("it tries again");
        for errand in drain(&mut schedule, now) {
            assert_eq!(errand, Errand::ActiveRuns);
            schedule.failed(&errand, None, now);
            asked += 1;
        }
    }
    assert!((25..=45).contains(&asked), "{asked} questions in an hour");
}

#[test]
fn one_good_answer_ends_the_waiting() {
    let mut schedule = schedule();
    for errand in drain(&mut schedule, Elapsed::ZERO) {
        schedule.failed(&errand, None, Elapsed::ZERO);
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
    let (read, refused) = (PipelineId::new("a"), PipelineId::new("b"));
    schedule.watch_events(&[read.clone(), refused.clone()], &[], Duration::from_secs(1));
    assert!(!schedule.settled(), "no stream was looked at yet");
    drain(&mut schedule, Duration::from_secs(2));
    schedule.answered(&Errand::Events(read), 1, Duration::from_secs(2));
    assert!(!schedule.settled(), "one is on its way");
    schedule.failed(&Errand::Events(refused), None, Duration::from_secs(2));
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
