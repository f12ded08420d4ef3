//! The operator over the real journal and a scripted platform, in paused time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use futures::future::FutureExt;

use super::*;
use crate::databricks::transport::Permit;
use crate::domain::ids::RunId;
use crate::domain::ulid::Ulid;
use crate::operations::fixture::{idle_pipeline, job, planning};
use crate::operations::journal::{Certainty, Direction, Evidence, Thing};
use crate::operations::plan::Subject;
use crate::operations::{pipeline, run_now};
use crate::runtime::clock::tests::TimerClock;

mod ownership;

/// Ids that count.
struct Counted(u128);

impl Ids for Counted {
    fn ulid(&mut self, at: Instant) -> Ulid {
        self.0 += 1;
        Ulid::new(at.timestamp_millis().unsigned_abs(), self.0)
    }
}

/// A platform that answers by a script: `None` never answers.
#[derive(Default)]
struct Script {
    acts: Mutex<VecDeque<Option<Outcome>>>,
    looks: Mutex<VecDeque<Outcome>>,
    asked: Mutex<Vec<Effect>>,
    journal: Mutex<Option<PathBuf>>,
    /// What befalls the process when an act is about to leave.
    befalls: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    sent: Mutex<usize>,
}

impl Script {
    fn new(acts: impl IntoIterator<Item = Option<Outcome>>, looks: impl IntoIterator<Item = Outcome>) -> Arc<Self> {
        let (acts, looks) = (acts.into_iter().collect(), looks.into_iter().collect());
        Arc::new(Self { acts: Mutex::new(acts), looks: Mutex::new(looks), ..Self::default() })
    }

    fn acts_asked(&self) -> usize {
        self.asked.lock().expect("unpoisoned").iter().filter(|effect| matches!(effect, Effect::Act { .. })).count()
    }

    /// Another process reads the journal at the moment when an act leaves.
    fn assert_intent_is_durable(&self, plan: &Plan, attempt: u32) {
        let Some(path) = self.journal.lock().expect("unpoisoned").clone() else { return };
        let other = store::Journal::open(&path, Ulid::new(9, 9), "another process").expect("opens");
        let record = other.record(plan.id, plan.made_at).expect("read").expect("there");
        let newest = &record.journal.last().expect("entries").event;
        assert!(matches!(newest, Event::Intended { attempt: noted, .. } if *noted == attempt), "{newest:?}");
    }
}

impl World for Script {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(&self, plan: &Plan, effect: &Effect, permit: Permit) -> BoxFuture<'static, Outcome> {
        self.asked.lock().expect("unpoisoned").push(effect.clone());
        match effect {
            Effect::Check { .. } => std::future::ready(Outcome::Holds { world_at: plan.made_at }).boxed(),
            Effect::Act { attempt, .. } => {
                self.assert_intent_is_durable(plan, *attempt);
                let outcome = self.acts.lock().expect("unpoisoned").pop_front().expect("no act beyond the script");
                if let Some(befalls) = self.befalls.lock().expect("unpoisoned").take() {
                    befalls();
                }
                if let Err(why) = permit.check() {
                    return std::future::ready(Outcome::Refused { why, transient: true, retry_after_s: None }).boxed();
                }
                *self.sent.lock().expect("unpoisoned") += 1;
                match outcome {
                    Some(outcome) => std::future::ready(outcome).boxed(),
                    None => std::future::pending().boxed(),
                }
            }
            _ => {
                let outcome = self.looks.lock().expect("unpoisoned").pop_front().unwrap_or(Outcome::Missing);
                std::future::ready(outcome).boxed()
            }
        }
    }
}

fn found() -> Outcome {
    let thing = Thing::Run { run: RunId(900) };
    Outcome::Found(Evidence { thing, certainty: Certainty::Answered, says: "run 900".to_owned() })
}

fn run_plan() -> Plan {
    let job = job();
    let order =
        run_now::Order { job: &job, active_runs: 0, parameters: std::collections::BTreeMap::new(), only: Vec::new() };
    run_now::plan(&planning(), &order).expect("planned")
}

struct Home {
    folder: tempfile::TempDir,
    clock: Arc<TimerClock>,
    sessions: u128,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), clock: Arc::new(TimerClock::new()), sessions: 0 }
    }

    /// A process that shares this home.
    fn operator(&mut self, who: &str, world: &Arc<Script>) -> Operator<store::Journal> {
        self.sessions += 1;
        let session = Ulid::new(1, self.sessions);
        Operator::new(Parts {
            journal: store::Journal::open(self.folder.path(), session, who).expect("opens"),
            world: Arc::clone(world) as Arc<dyn World>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Box::new(Counted(self.sessions << 32)),
            actor: Actor(who.to_owned()),
            rows: no_rows(),
        })
    }
}

async fn drive(operator: &mut Operator<store::Journal>) -> Vec<Happened> {
    let mut all = Vec::new();
    while !operator.is_idle() {
        all.extend(operator.step().await);
    }
    all
}

fn names(operator: &Operator<store::Journal>, plan: &Plan) -> Vec<&'static str> {
    let record = operator.journal().record(plan.id, plan.made_at).expect("read").expect("there");
    record.journal.iter().map(|entry| entry.event.name()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_intent_is_durable_before_its_act_leaves() {
    let mut home = Home::new();
    let script = Script::new([Some(found())], [found()]);
    *script.journal.lock().expect("unpoisoned") = Some(home.folder.path().to_owned());
    let mut operator = home.operator("ana", &script);
    let plan = run_plan();
    operator.begin(plan.clone(), Some("--yes")).expect("begun");
    drive(&mut operator).await;
    assert_eq!(names(&operator, &plan), ["planned", "approved", "intended", "confirmed", "verified", "completed"]);
    assert_eq!(script.acts_asked(), 1);
    let view = operator.view(plan.id).expect("in hand");
    assert_eq!(view.phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_ahead_before_a_person_says_so() {
    let mut home = Home::new();
    let script = Script::new([Some(found())], [found()]);
    let mut operator = home.operator("ana", &script);
    let plan = run_plan();
    operator.begin(plan.clone(), None).expect("begun");
    assert!(operator.advance().is_empty() && operator.is_idle());
    assert!(script.asked.lock().expect("unpoisoned").is_empty());
    operator.ask(plan.id, Request::Approve { how: "confirmed".to_owned() }).expect("in hand");
    drive(&mut operator).await;
    assert_eq!(names(&operator, &plan).last(), Some(&"completed"));
}

#[tokio::test(start_paused = true)]
async fn the_late_bound_is_waited_out_on_the_clock() {
    let mut home = Home::new();
    let lost = Outcome::Lost("reset".to_owned());
    let update = Outcome::Found(Evidence {
        thing: Thing::Update { pipeline: "6f-1".into(), update: "u-9".into() },
        certainty: Certainty::Answered,
        says: "update u-9".to_owned(),
    });
    let looks = [Outcome::Missing, Outcome::Missing, update.clone()];
    let script = Script::new([Some(lost), Some(update)], looks);
    let mut operator = home.operator("ana", &script);
    let pipeline = idle_pipeline();
    let order = pipeline::Start { pipeline: &pipeline, validate_only: false, tables: Vec::new() };
    let plan = pipeline::start(&planning(), &order).expect("planned");
    operator.begin(plan.clone(), Some("--yes")).expect("begun");
    let began = home.clock.now();
    drive(&mut operator).await;
    assert_eq!(
        names(&operator, &plan)[2..],
        ["intended", "unknown", "absent", "settled", "intended", "confirmed", "verified", "completed"]
    );
    let took = (home.clock.now() - began).num_seconds();
    assert!((90..100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_looks_before_it_asks() {
    let mut home = Home::new();
    let never_answers = Script::new([None], []);
    let mut ana = home.operator("ana@laptop", &never_answers);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    while never_answers.acts_asked() == 0 {
        ana.step().await;
    }
    assert!(ana.is_acting(plan.id));

    let script = Script::new([], [found(), found()]);
    let mut ben = home.operator("ben@desk", &script);
    let refused = ben.take_up(plan.id).expect_err("she works on it");
    assert!(refused.to_string().contains("ana@laptop"), "{refused}");
    // Her laptop sleeps: no sign of life.
    tokio::time::sleep(Duration::from_secs(16)).await;
    ben.take_up(plan.id).expect("taken");
    drive(&mut ben).await;
    assert_eq!(
        names(&ben, &plan)[2..],
        ["intended", "taken_up", "confirmed", "verified", "completed"],
        "the probe found it: it was not asked again"
    );

    // It wakes up: whatever it learns, it cannot write, and it lets go.
    let happened = ana.ask(plan.id, Request::Abort { reason: None }).expect("still in hand");
    assert!(matches!(&happened[..], [Happened::Lost { .. }]), "{happened:?}");
    assert_eq!(ana.view(plan.id).map(|view| view.phase), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_released_can_be_taken_up_and_what_is_over_cannot() {
    let mut home = Home::new();
    let script = Script::new([Some(found())], [found()]);
    let mut ana = home.operator("ana", &script);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    ana.release(plan.id).expect("released");
    let mut ben = home.operator("ben", &script);
    ben.take_up(plan.id).expect("taken");
    drive(&mut ben).await;
    assert_eq!(names(&ben, &plan).last(), Some(&"completed"));
    assert!(matches!(ana.take_up(plan.id), Err(Error::Over(id)) if id == plan.id));
    let other = OperationId(Ulid::new(3, 3));
    assert!(matches!(ana.take_up(other), Err(Error::Missing(id)) if id == other));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_altered_or_is_anothers_is_not_gone_on_with() {
    let mut home = Home::new();
    let script = Script::new([], []);
    let mut ana = home.operator("ana", &script);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    drop(ana);
    let change = |from: &str, to: &str| {
        let file = rusqlite::Connection::open(home.folder.path().join("operations.db")).expect("opens");
        file.execute("UPDATE operations SET plan = replace(plan, ?1, ?2)", [from, to]).expect("changed");
    };
    change("\"job\":11", "\"job\":12");
    let sessions = home.sessions;
    let mut home = Home { sessions: sessions + 10, ..home };
    let mut ben = home.operator("ben", &script);
    assert!(matches!(ben.take_up(plan.id), Err(Error::Altered(_))));
    let file = rusqlite::Connection::open(home.folder.path().join("operations.db")).expect("opens");
    file.execute("UPDATE operations SET plan = replace(plan, '\"version\":1', '\"version\":7')", []).expect("changed");
    assert!(matches!(ben.take_up(plan.id), Err(Error::Foreign { version: Some(7), .. })));
    assert!(script.asked.lock().expect("unpoisoned").is_empty(), "nothing was asked");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_cannot_be_made_is_told_once_and_made_again() {
    let mut home = Home::new();
    let blind = || Outcome::Unreadable("401 token expired".to_owned());
    let script = Script::new([Some(found())], [blind(), blind(), blind(), found()]);
    let mut operator = home.operator("ana", &script);
    let plan = run_plan();
    operator.begin(plan.clone(), Some("--yes")).expect("begun");
    let happened = drive(&mut operator).await;
    let troubles = happened.iter().filter(|event| matches!(event, Happened::Trouble { .. })).count();
    assert_eq!(troubles, 1, "{happened:?}");
    assert_eq!(names(&operator, &plan).last(), Some(&"completed"));
    assert_eq!(operator.view(plan.id).expect("in hand").trouble, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_to_the_ledger_is_written_with_the_entry() {
    let mut home = Home::new();
    let script = Script::new([Some(found())], [found()]);
    let mut operator = home.operator("ana", &script);
    operator.parts.rows = Arc::new(|plan, entry, _| {
        vec![crate::store::OutboxRow {
            id: entry.event_id.to_string(),
            table: "audit_event".to_owned(),
            body: entry.event.name().to_owned(),
            operation: Some(plan.id),
            seq: Some(entry.seq),
        }]
    });
    let mut plan = run_plan();
    plan.tier = crate::domain::danger::Danger::Production;
    operator.begin(plan.clone(), Some("--yes")).expect("begun");
    for _ in 0..40 {
        let _ = tokio::time::timeout(Duration::from_secs(1), operator.step()).await;
    }
    assert_eq!(operator.view(plan.id).expect("in hand").phase, Phase::AwaitingLedger);
    assert_eq!(script.acts_asked(), 0, "production waits for the ledger");
    let rows = operator.journal().pending(99, &[]).expect("read");
    assert_eq!(rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>(), ["planned", "approved", "intended"]);
    let keys: Vec<store::RowKey> = rows.iter().map(store::OutboxRow::key).collect();
    operator.journal_mut().acknowledge(&keys, plan.made_at).expect("noted");
    drive(&mut operator).await;
    assert_eq!(names(&operator, &plan).last(), Some(&"completed"));
    assert_eq!(operator.journal().pending(99, &[]).expect("read").len(), 3, "the rest is delivered later");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_dropped_loses_nothing() {
    let mut home = Home::new();
    let script = Script::new([Some(found())], [Outcome::Missing, Outcome::Missing, found()]);
    let mut operator = home.operator("ana", &script);
    let plan = run_plan();
    operator.begin(plan.clone(), Some("--yes")).expect("begun");
    while !operator.is_idle() {
        let _ = tokio::time::timeout(Duration::from_millis(7), operator.step()).await;
    }
    assert_eq!(script.acts_asked(), 1);
    let confirmed = Event::Confirmed { step: 0, direction: Direction::Do, attempt: 1, evidence: evidence(&found()) };
    let record = operator.journal().record(plan.id, plan.made_at).expect("read").expect("there");
    assert!(record.journal.iter().any(|entry| entry.event == confirmed));
}

fn evidence(outcome: &Outcome) -> Evidence {
    match outcome {
        Outcome::Found(evidence) => evidence.clone(),
        other => panic!("{other:?}"),
    }
}
