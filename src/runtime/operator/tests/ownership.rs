//! Owning an operation: signs of life, what is sent on an old proof, what cannot be written down, and the clocks.

use super::*;
use crate::operations::journal::PauseReason;
use crate::runtime::operator::fixture::{Fails, FullDisk, works};
use crate::store::Health;

/// The machine's clock, which goes on while the machine sleeps; tokio's stands still then.
struct Machine {
    inner: Arc<TimerClock>,
    slept: Mutex<TimeDelta>,
}

impl Clock for Machine {
    fn now(&self) -> Instant {
        self.inner.now() + *self.slept.lock().expect("unpoisoned")
    }
}

impl Machine {
    fn of(home: &Home) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(&home.clock), slept: Mutex::new(TimeDelta::zero()) })
    }

    fn sleep(&self, time: TimeDelta) {
        *self.slept.lock().expect("unpoisoned") += time;
    }
}

/// A process by the machine's clock, with a disk that can be full.
fn process(
    home: &mut Home,
    who: &str,
    world: &Arc<Script>,
    machine: &Arc<Machine>,
    fails: &Fails,
) -> Operator<FullDisk> {
    home.sessions += 1;
    let inner = store::Journal::open(home.folder.path(), Ulid::new(1, home.sessions), who).expect("opens");
    Operator::new(Parts {
        journal: FullDisk { inner, fails: Arc::clone(fails) },
        world: Arc::clone(world) as Arc<dyn World>,
        clock: Arc::clone(machine) as Arc<dyn Clock>,
        ids: Box::new(Counted(home.sessions << 32)),
        actor: Actor(who.to_owned()),
        rows: no_rows(),
    })
}

fn lost(happened: &[Happened]) -> Option<&str> {
    happened.iter().find_map(|happened| match happened {
        Happened::Lost { why, .. } => Some(why.as_str()),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_between_intent_and_request_sends_nothing_when_it_wakes() {
    let mut home = Home::new();
    let (machine, disk) = (Machine::of(&home), works());
    let script = Script::new([Some(found()), Some(found())], [found()]);
    let mut ana = process(&mut home, "ana", &script, &machine, &disk);
    let slept = Arc::clone(&machine);
    *script.befalls.lock().expect("unpoisoned") = Some(Box::new(move || slept.sleep(TimeDelta::seconds(110))));
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    while script.acts_asked() == 0 {
        ana.step().await;
    }
    assert_eq!(*script.sent.lock().expect("unpoisoned"), 0, "110 s after the intent");
    // Nobody took it over meanwhile, so it goes on.
    while !ana.is_idle() {
        ana.step().await;
    }
    let record = ana.journal().record(plan.id, machine.now()).expect("read").expect("there");
    let names: Vec<_> = record.journal.iter().map(|entry| entry.event.name()).collect();
    assert_eq!(names[2..], ["intended", "not_done", "intended", "confirmed", "verified", "completed"]);
    assert!(record.journal[3].event.detail().starts_with("never sent"), "{:?}", record.journal[3]);
    assert_eq!(*script.sent.lock().expect("unpoisoned"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_slept_looks_whether_it_still_has_the_operation_before_it_sends() {
    let mut home = Home::new();
    let (machine, disk) = (Machine::of(&home), works());
    let script = Script::new([Some(Outcome::Lost("reset".to_owned()))], [Outcome::Missing]);
    let mut ana = process(&mut home, "ana", &script, &machine, &disk);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    machine.sleep(TimeDelta::seconds(20));
    let mut ben = process(&mut home, "ben", &Script::new([], []), &machine, &disk);
    ben.take_up(plan.id).expect("she hangs");
    assert_eq!(lost(&ana.advance()), Some("it was taken over while this process stood still"));
    assert_eq!(script.asked.lock().expect("unpoisoned").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_let_go_and_told_and_others_may_have_it_at_once() {
    let mut home = Home::new();
    let (machine, disk) = (Machine::of(&home), works());
    let mut ana = process(&mut home, "ana", &Script::new([], []), &machine, &disk);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    *disk.lock().expect("unpoisoned") = |what| matches!(what, Write::Entries(_));
    let happened = ana.step().await;
    assert!(lost(&happened).is_some_and(|why| why.contains("cannot write")), "{happened:?}");
    let owner =
        |ana: &Operator<FullDisk>| ana.journal().record(plan.id, machine.now()).expect("read").expect("there").owner;
    assert_eq!(owner(&ana), None, "anybody may go on with it");

    // Where not even that can be written, it falls silent, whatever else this process has in hand.
    *disk.lock().expect("unpoisoned") = |_| false;
    ana.take_up(plan.id).expect("taken");
    ana.ask(plan.id, Request::Pause).expect("in hand");
    let other = start_plan();
    ana.begin(other.clone(), None).expect("begun");
    *disk.lock().expect("unpoisoned") = |what| matches!(what, Write::Entries(_) | Write::Release(_));
    assert!(lost(&ana.ask(plan.id, Request::Unpause).expect("in hand")).is_some());
    let _ = tokio::time::timeout(Duration::from_secs(60), ana.step()).await;
    let ben = store::Journal::open(home.folder.path(), Ulid::new(9, 9), "ben").expect("opens");
    let health = |id| ben.record(id, machine.now()).expect("read").expect("there").owner.map(|(_, health)| health);
    assert_eq!((health(plan.id), health(other.id)), (Some(Health::Hung), Some(Health::Alive)));
}

fn start_plan() -> Plan {
    let pipeline = idle_pipeline();
    let order = pipeline::Start { pipeline: &pipeline, validate_only: false, tables: Vec::new() };
    let plan = pipeline::start(&planning(), &order).expect("planned");
    Plan { id: OperationId(Ulid::new(8, 8)), ..plan }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_up_after_all_is_let_go_again() {
    let mut home = Home::new();
    let (machine, disk) = (Machine::of(&home), works());
    let mut ana = process(&mut home, "ana", &Script::new([], []), &machine, &disk);
    let plan = run_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    ana.release(plan.id).expect("released");
    *disk.lock().expect("unpoisoned") = |what| matches!(what, Write::Entries(_));
    let happened = ana.take_up(plan.id).expect("taken");
    assert!(lost(&happened).is_some(), "{happened:?}");
    let record = ana.journal().record(plan.id, machine.now()).expect("read").expect("there");
    assert_eq!((ana.in_hand(), record.owner), (Vec::new(), None));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_goes_on_by_itself_signs_of_life_are_given_all_the_same() {
    let mut home = Home::new();
    let script = Script::new([], []);
    let mut ana = home.operator("ana@laptop", &script);
    let plan = run_plan();
    ana.begin(plan.clone(), None).expect("begun");
    assert!(ana.is_idle());
    let ended = tokio::time::timeout(Duration::from_mins(2), ana.step()).await;
    assert!(ended.is_err(), "nothing happened: {ended:?}");
    let mut ben = home.operator("ben@desk", &script);
    let refused = ben.take_up(plan.id).expect_err("she has it");
    assert!(refused.to_string().contains("ana@laptop"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn entries_bear_the_time_of_day_and_waits_do_not_follow_it() {
    let mut home = Home::new();
    let (machine, disk) = (Machine::of(&home), works());
    let update = Outcome::Found(Evidence {
        thing: Thing::Update { pipeline: "6f-1".into(), update: "u-9".into() },
        certainty: Certainty::Answered,
        says: "update u-9".to_owned(),
    });
    let lost = Outcome::Lost("reset".to_owned());
    let script = Script::new([Some(lost), Some(update.clone())], [Outcome::Missing, Outcome::Missing, update]);
    let mut ana = process(&mut home, "ana", &script, &machine, &disk);
    let plan = start_plan();
    ana.begin(plan.clone(), Some("--yes")).expect("begun");
    ana.ask(plan.id, Request::Pause).expect("in hand");
    machine.sleep(TimeDelta::hours(8));
    let woke = machine.now();
    ana.ask(plan.id, Request::Unpause).expect("in hand");
    let began = home.clock.now();
    while !ana.is_idle() {
        ana.step().await;
    }
    let record = ana.journal().record(plan.id, machine.now()).expect("read").expect("there");
    let at = |name: &str| record.journal.iter().find(|entry| entry.event.name() == name).expect("there").at;
    assert!(at("unpaused") >= woke && at("paused") < woke - TimeDelta::hours(7), "{:?}", record.journal);
    assert!(record.journal.iter().any(|entry| entry.event == Event::Paused { reason: PauseReason::Asked }));
    assert_eq!(record.journal.last().expect("entries").event, Event::Completed);
    let took = (home.clock.now() - began).num_seconds();
    assert!((90..100).contains(&took), "the bound on late requests by the clock that nobody sets: {took}");
}
