//! Which lock stands before an act, what opens it, and what becomes of a plan that somebody took too long over.

use std::time::Duration;

use futures::stream;

use super::*;
use crate::operations::fixture::{active_run, planning};
use crate::operations::planning::MAX_AGE_TO_BEGIN_S;
use crate::operations::{Planning, cancel};
use crate::runtime::clock::tests::TimerClock;

/// A proposal of a tier that was made on what is so old by this clock.
fn proposal(tier: Danger, now: Instant, age_s: i64) -> Proposal {
    let observed_at = now - TimeDelta::seconds(age_s);
    let made = Planning { now: observed_at, observed_at, ..planning() };
    let plan = cancel::plan(&made, &active_run()).expect("planned");
    Proposal {
        plan: Plan { tier, ..plan },
        outlook: Outlook::default(),
        rights: Some(made.rights),
        letter: 'P',
        approved_by: Some("bo@example.com".to_owned()),
        world_now: now,
    }
}

fn at() -> Instant {
    crate::domain::fixture::now()
}

#[test]
fn every_tier_has_the_lock_of_the_table_and_yes_opens_only_what_it_may() {
    for tier in Danger::ALL {
        let row = tier.row();
        let lane =
            |yes, is_there| lock(&proposal(tier, at(), 1), yes, is_there).map(|lock| lock.map(|lock| lock.lane()));
        let asks = !matches!(row.interlock, Lane::Free | Lane::Notice);
        assert_eq!(lane(false, true).expect("somebody is there"), asks.then_some(row.interlock), "{tier:?}");
        assert_eq!(lane(false, false).is_err(), asks, "{tier:?}: nobody is there");
        for is_there in [true, false] {
            match lane(true, is_there) {
                Ok(lock) => assert_eq!((lock, row.unattended), (None, true), "{tier:?}"),
                Err(failure) => {
                    assert_eq!((failure.kind, row.unattended), (Kind::Refused, false), "{tier:?}");
                    assert!(failure.message.contains("--yes is not enough for tier"), "{}", failure.message);
                    assert!(failure.hints[0].contains("letter"), "{:?}", failure.hints);
                }
            }
        }
        let unapproved = Proposal { approved_by: None, ..proposal(tier, at(), 1) };
        let refused = lock(&unapproved, true, true).is_err_and(|failure| failure.message.contains("approval"));
        assert_eq!(refused, row.approval, "{tier:?}");
    }
}

/// Somebody who confirms everything, the first time after so long.
struct Slow {
    takes: Duration,
    seen: Vec<Vec<String>>,
}

impl Person for Slow {
    fn is_there(&self) -> bool {
        true
    }

    async fn judges(&mut self, _: &Proposal, news: &[String], _: Interlock) -> Result<Option<Key>, Failure> {
        self.seen.push(news.to_vec());
        tokio::time::sleep(std::mem::take(&mut self.takes)).await;
        Ok(Some(Key::char('y')))
    }
}

async fn slowly(takes_s: u64, changed: bool) -> (Plan, Plan, Slow) {
    let clock = TimerClock::new();
    let first = proposal(Danger::Costly, clock.now(), 1);
    let again = async || {
        let mut next = proposal(Danger::Costly, clock.now(), 1);
        if changed {
            next.plan.observed.insert("state".to_owned(), "failed".to_owned());
        }
        Ok(next)
    };
    let mut person = Slow { takes: Duration::from_secs(takes_s), seen: Vec::new() };
    let (plan, how) = settled(first.clone(), again, false, &mut person, &clock).await.expect("confirmed");
    assert_eq!(how, "confirmed with y on the command line");
    (first.plan, plan, person)
}

#[tokio::test(start_paused = true)]
async fn what_is_confirmed_in_time_begins_as_it_was_shown() {
    let (first, begun, person) = slowly(MAX_AGE_TO_BEGIN_S - 2, true).await;
    assert_eq!((first, person.seen), (begun, vec![Vec::<String>::new()]));
}

#[tokio::test(start_paused = true)]
async fn what_is_confirmed_an_hour_later_is_read_again_and_shown_with_what_changed() {
    let (first, begun, person) = slowly(3_600, true).await;
    assert!(begun.observed_at > first.observed_at + TimeDelta::minutes(59), "on what is known now");
    let state = &first.observed["state"];
    let expected =
        ["Read again, since what was shown was 1h old:".to_owned(), format!("state: was {state}, is failed")];
    assert_eq!(person.seen, [Vec::new(), expected.to_vec()]);

    let (_, _, person) = slowly(3_600, false).await;
    assert_eq!(person.seen[1], ["Read again, since what was shown was 1h old: nothing has changed."]);
}

/// What becomes of keys and pastes that come after so many milliseconds each, and all that was printed.
async fn typed(lane: Lane, comes: Vec<(u64, Fact)>) -> (Option<Key>, String) {
    let clock = TimerClock::new();
    let facts = stream::iter(comes).then(|(ms, fact)| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(fact)
    });
    let mut out = Vec::new();
    let opened = opens(Interlock::new(lane, 'P', "ab"), facts, &mut out, &clock).await.expect("a terminal");
    (opened, String::from_utf8(out).expect("text"))
}

fn key(c: char) -> Fact {
    Fact::KeyPressed(Key::char(c))
}

fn enter() -> Fact {
    Fact::KeyPressed(Key::plain(Code::Enter))
}

#[tokio::test(start_paused = true)]
async fn only_a_key_that_is_pressed_after_the_question_opens() {
    let (opened, out) = typed(Lane::Sheet, vec![(0, key('y')), (10, enter()), (0, key('y')), (900, key('n'))]).await;
    assert_eq!(opened, None, "what was typed ahead is dropped");
    assert!(out.contains("y goes ahead"), "{out}");
    assert_eq!(typed(Lane::Sheet, vec![(900, key('y'))]).await.0, Some(Key::char('y')));
    for other in [enter(), key(' '), key('Y'), key('P'), Fact::Pasted("y".to_owned())] {
        assert_eq!(typed(Lane::Sheet, vec![(900, other.clone()), (900, key('y'))]).await.0, None, "{other:?}");
    }
    let held = (0..200).map(|_| (33, key('y'))).collect();
    assert_eq!(typed(Lane::Sheet, held).await.0, None, "a held key");
    assert_eq!(typed(Lane::Sheet, vec![(900, Fact::KeyPressed(Key::ctrl('c'))), (0, key('y'))]).await.0, None);
}

#[tokio::test(start_paused = true)]
async fn production_takes_its_letter_and_loss_the_name_and_then_the_letter() {
    assert_eq!(typed(Lane::Letter, vec![(900, key('y')), (900, key('P'))]).await.0, None);
    assert_eq!(typed(Lane::Letter, vec![(900, key('P'))]).await.0, Some(Key::char('P')));
    let name = |rest: &[(u64, Fact)]| [&[(900, key('a')), (90, key('x'))], rest].concat();
    let back = Fact::KeyPressed(Key::plain(Code::Backspace));
    let (opened, out) = typed(Lane::Name, name(&[(90, back), (90, key('b')), (900, key('P'))])).await;
    assert_eq!(opened, Some(Key::char('P')));
    assert!(out.contains("Type the object's name: ax") && out.contains("P goes ahead"), "{out}");
    assert_eq!(typed(Lane::Name, name(&[(90, enter()), (900, key('P'))])).await.0, None, "another name");
    let pasted = vec![(900, Fact::Pasted("ab".to_owned())), (900, key('P'))];
    assert_eq!(typed(Lane::Name, pasted).await.0, None, "a paste is not typed");
    let early = vec![(900, key('a')), (90, key('b')), (10, key('P')), (900, enter())];
    assert_eq!(typed(Lane::Name, early).await.0, None, "the last question was not read yet");
}
