//! The console's hands against a scripted platform and the real journal.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::future::FutureExt;

use super::*;
use crate::app::act::Wish;
use crate::app::operations::{OperationsSnapshot, OwnerHealth};
use crate::databricks::transport::Permit;
use crate::domain::Instant;
use crate::domain::danger::Danger;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::proof::{Check, Feature, Proof, Verdict};
use crate::domain::ulid::Ulid;
use crate::operations::engine::{Effect, Outcome};
use crate::operations::fixture::{job, planning};
use crate::operations::journal::{Actor, Certainty, Event, Evidence, Recorded, Thing};
use crate::operations::plan::Subject;
use crate::operations::{Planning, run_now};
use crate::runtime::clock::tests::TimerClock;
use crate::runtime::entropy::Ids;
use crate::runtime::operator::{World, no_rows};
use crate::store;

/// Ids that count.
struct Counted(u128);

impl Ids for Counted {
    fn ulid(&mut self, at: Instant) -> Ulid {
        self.0 += 1;
        Ulid::new(at.timestamp_millis().unsigned_abs(), self.0)
    }
}

/// A platform on which everything works; acts are answered only while it is let.
#[derive(Default)]
struct Works {
    silent: bool,
    acts: Mutex<usize>,
}

impl World for Works {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(&self, plan: &Plan, effect: &Effect, _: Permit) -> BoxFuture<'static, Outcome> {
        let thing = Thing::Run { run: crate::domain::ids::RunId(900) };
        let found = Outcome::Found(Evidence { thing, certainty: Certainty::Answered, says: "run 900".to_owned() });
        match effect {
            Effect::Check { .. } => std::future::ready(Outcome::Holds { world_at: plan.made_at }).boxed(),
            Effect::Act { .. } => {
                *self.acts.lock().expect("unpoisoned") += 1;
                if self.silent { std::future::pending().boxed() } else { std::future::ready(found).boxed() }
            }
            _ => std::future::ready(found).boxed(),
        }
    }
}

struct Home {
    folder: tempfile::TempDir,
    clock: Arc<TimerClock>,
}

struct Console {
    acts: Acts,
    facts: mpsc::Receiver<Message>,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), clock: Arc::new(TimerClock::new()) }
    }

    fn console(&self, number: u128, who: &str, world: Arc<Works>) -> Console {
        self.console_with(number, who, world, operator::fixture::works(), None)
    }

    /// A console that relies on features, and whose ledger cannot be opened for this reason.
    fn console_of(
        &self,
        number: u128,
        who: &str,
        world: Arc<Works>,
        in_use: Vec<(Feature, crate::domain::proof::Subject)>,
        no_ledger: Option<&str>,
    ) -> Console {
        self.console_made(number, who, world, operator::fixture::works(), in_use, no_ledger)
    }

    fn console_with(
        &self,
        number: u128,
        who: &str,
        world: Arc<dyn World>,
        fails: operator::fixture::Fails,
        no_ledger: Option<&str>,
    ) -> Console {
        self.console_made(number, who, world, fails, Vec::new(), no_ledger)
    }

    fn console_made(
        &self,
        number: u128,
        who: &str,
        world: Arc<dyn World>,
        fails: operator::fixture::Fails,
        in_use: Vec<(Feature, crate::domain::proof::Subject)>,
        no_ledger: Option<&str>,
    ) -> Console {
        let (out, facts) = mpsc::channel(64);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let operator = Operator::new(operator::Parts {
            journal: operator::fixture::FullDisk {
                inner: store::Journal::open(self.folder.path(), Ulid::new(1, number), who).expect("opens"),
                fails,
            },
            world,
            clock: Arc::clone(&clock),
            ids: Box::new(Counted(number << 32)),
            actor: Actor(who.to_owned()),
            rows: no_rows(),
        });
        let shop = Shop::nowhere(Actor(who.to_owned()), Arc::clone(&clock), Box::new(Counted(number << 48)));
        let shop = Arc::new(shop.relying_on(in_use));
        Console {
            acts: Acts::start(Parts {
                operator,
                shop,
                courier: Courier::none(),
                no_ledger: no_ledger.map(str::to_owned),
                actor: Actor(who.to_owned()),
                clock,
                out,
            }),
            facts,
        }
    }
}

impl Console {
    /// The next snapshot of operations that fits.
    async fn until(&mut self, fits: impl Fn(&OperationsSnapshot) -> bool) -> Arc<OperationsSnapshot> {
        loop {
            match self.facts.recv().await.expect("it works").fact {
                Fact::OperationsAdvanced(snapshot) if fits(&snapshot) => return snapshot,
                _ => {}
            }
        }
    }

    async fn failed(&mut self) -> String {
        loop {
            if let Fact::OrderFailed { why, .. } = self.facts.recv().await.expect("it works").fact {
                return why;
            }
        }
    }
}

fn plan_of(number: u128) -> Plan {
    let job = job();
    let order = run_now::Order { job: &job, active_runs: 0, parameters: BTreeMap::new(), only: Vec::new() };
    let planning = Planning { id: OperationId(Ulid::new(5, number)), ..planning() };
    run_now::plan(&planning, &order).expect("planned")
}

fn begin(plan: &Plan) -> Order {
    Order::Begin { plan: Box::new(plan.clone()), how: "y".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn what_is_begun_is_driven_to_its_end_and_told() {
    let home = Home::new();
    let mut console = home.console(1, "ana", Arc::default());
    assert!(console.until(|_| true).await.operations.is_empty(), "what is there is told at once");
    let plan = plan_of(1);
    assert!(console.acts.give(begin(&plan)));
    let snapshot = console.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.is_over)).await;
    let names: Vec<_> = snapshot.operations[0].journal.iter().map(|entry| entry.event.name()).collect();
    assert_eq!(names, ["planned", "approved", "intended", "confirmed", "verified", "completed"]);
    console.acts.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_console_follows_the_first_is_refused_by_name_and_takes_over_when_it_is_gone() {
    let home = Home::new();
    let (silent, works) = (Arc::new(Works { silent: true, ..Works::default() }), Arc::new(Works::default()));
    let mut ana = home.console(1, "ana@laptop", Arc::clone(&silent));
    let mut ben = home.console(2, "ben@desk", Arc::clone(&works));
    let plan = plan_of(1);
    ana.acts.give(begin(&plan));
    ana.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.journal.len() == 3)).await;
    let seen = ben.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.journal.len() == 3)).await;
    let owner = seen.operations[0].owner.clone().expect("owned");
    assert_eq!((owner.who.as_str(), owner.health), ("ana@laptop", OwnerHealth::Alive));

    let resume = || Order::Steer { operation: plan.id, steer: Steer::Resume, reason: None };
    ben.acts.give(resume());
    assert!(ben.failed().await.contains("ana@laptop"));

    ana.acts.stop().await;
    ben.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.owner.is_none())).await;
    ben.acts.give(resume());
    let ended = ben.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.is_over)).await;
    let names: Vec<_> = ended.operations[0].journal.iter().map(|entry| entry.event.name()).collect();
    assert!(names.contains(&"taken_up") && names.ends_with(&["verified", "completed"]), "{names:?}");
    assert_eq!(*works.acts.lock().expect("unpoisoned"), 0, "it looked for what was asked before, and found it");
    ben.acts.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_that_collides_begins_nothing_and_says_what_is_in_the_way() {
    let home = Home::new();
    let mut console = home.console(1, "ana", Arc::new(Works { silent: true, ..Works::default() }));
    let (first, second) = (plan_of(1), plan_of(2));
    console.acts.give(begin(&first));
    console.acts.give(begin(&second));
    let why = console.failed().await;
    assert!(why.contains(&first.id.to_string()), "{why}");
    console.acts.stop().await;
}

/// An operation on production state that nobody has in hand.
fn left_behind(home: &Home) -> (store::Journal, Plan) {
    let plan = Plan { tier: Danger::Production, ..plan_of(1) };
    let mut journal = store::Journal::open(home.folder.path(), Ulid::new(1, 9), "cy").expect("opens");
    let recorded = |seq: u64, event| Recorded {
        op_id: plan.id,
        seq,
        event_id: Ulid::new(seq, 9),
        at: plan.made_at,
        actor: plan.actor.clone(),
        event,
    };
    let planned = recorded(1, Event::Planned { digest: plan.digest().expect("hashable") });
    let entries = [planned, recorded(2, Event::Approved { how: "P".to_owned() })];
    journal.begin(&plan, &entries, &[], home.clock.now()).expect("begun");
    journal.release(plan.id).expect("released");
    (journal, plan)
}

#[tokio::test(start_paused = true)]
async fn the_console_resumes_nothing_on_production_state_that_stands_on_what_failed() {
    let home = Home::new();
    let (mut journal, plan) = left_behind(&home);
    let ledger = crate::domain::proof::Subject::ledger("ops.release", "prod", "w");
    let proof = Proof {
        check: Check::LedgerTables,
        subject: ledger.clone(),
        verdict: Verdict::Failed,
        finding: "approval takes UPDATE".to_owned(),
        fix: None,
        figures: BTreeMap::new(),
        at: home.clock.now(),
        fleet_hash: String::new(),
    };
    journal.keep_proofs(&[proof]).expect("kept");
    let works = Arc::new(Works::default());
    let in_use = vec![(Feature::ProductionActs, ledger)];
    let mut console = home.console_of(1, "ana", Arc::clone(&works), in_use, None);
    console.acts.give(Order::Steer { operation: plan.id, steer: Steer::Resume, reason: None });
    let why = console.failed().await;
    assert!(why.starts_with("off: acts of tiers 3 and 4") && why.ends_with("approval takes UPDATE"), "{why}");
    console.acts.stop().await;
    assert_eq!(*works.acts.lock().expect("unpoisoned"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_opened_is_told_wherever_it_is_needed() {
    let home = Home::new();
    let (_, plan) = left_behind(&home);
    let why = "the fleet has no workspace prod";
    let mut console = home.console_of(1, "ana", Arc::default(), Vec::new(), Some(why));
    let standing = console.until(|_| true).await.ledger.clone();
    assert_eq!((standing.configured, standing.trouble.as_deref()), (true, Some(why)));
    console.acts.give(Order::Steer { operation: plan.id, steer: Steer::Resume, reason: None });
    let failed = console.failed().await;
    assert_eq!(failed, format!("another home may have gone on with it, and {why}"));
    console.acts.give(Order::ReadRecord { verify: false });
    loop {
        if let Fact::RecordRead(read) = console.facts.recv().await.expect("it works").fact {
            assert_eq!(read.expect_err("there is none"), why);
            break;
        }
    }
    console.acts.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ask_about_a_workspace_that_is_not_there_is_answered() {
    let home = Home::new();
    let mut console = home.console(1, "ana", Arc::default());
    let object = ObjectId { workspace: "nowhere".into(), object: Object::Job(crate::domain::ids::JobId(1)) };
    let wish = Wish::RunNow { job: crate::domain::ids::JobId(1), parameters: BTreeMap::new() };
    console.acts.give(Order::Prepare(Ask { number: 4, object, wish, reason: None, unlocked: false }));
    loop {
        if let Fact::Answered { number, answer } = console.facts.recv().await.expect("it works").fact {
            assert_eq!((number, answer), (4, Answer::Unread("the fleet has no workspace nowhere".to_owned())));
            break;
        }
    }
    console.acts.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_ledger_that_cannot_be_used_is_refused_with_the_reason() {
    let home = Home::new();
    let world = Arc::new(Works::default());
    for (no_ledger, why) in
        [(Some("the warehouse is gone"), "the warehouse is gone"), (None, "no ledger is configured")]
    {
        let mut console =
            home.console_with(1, "ana", Arc::clone(&world) as Arc<dyn World>, operator::fixture::works(), no_ledger);
        let plan = Plan { tier: crate::domain::danger::Danger::Production, ..plan_of(1) };
        console.acts.give(begin(&plan));
        let said = console.failed().await;
        assert!(said.contains("nothing was done") && said.contains(why), "{said}");
        console.acts.stop().await;
    }
    assert_eq!(*world.acts.lock().expect("unpoisoned"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_told_and_no_longer_shown_as_ours() {
    let home = Home::new();
    let disk = operator::fixture::works();
    let mut console = home.console_with(1, "ana", Arc::new(Works::default()), Arc::clone(&disk), None);
    let plan = plan_of(1);
    *disk.lock().expect("unpoisoned") = |what| matches!(what, operator::Write::Entries(entries) if entries[0].seq > 2);
    console.acts.give(begin(&plan));
    let said = console.failed().await;
    assert!(said.contains("it was let go: cannot write"), "{said}");
    let snapshot =
        console.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.owner.is_none())).await;
    assert!(!snapshot.operations[0].is_over);
    console.acts.stop().await;
}

/// A platform that loses the answer and then cannot tell what is ours.
struct Stuck;

impl World for Stuck {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(&self, plan: &Plan, effect: &Effect, _: Permit) -> BoxFuture<'static, Outcome> {
        let outcome = match effect {
            Effect::Check { .. } => Outcome::Holds { world_at: plan.made_at },
            Effect::Act { .. } => Outcome::Lost("reset".to_owned()),
            _ => Outcome::Ambiguous("two could be it".to_owned()),
        };
        std::future::ready(outcome).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_console_with_only_what_waits_for_a_person_is_alive() {
    let home = Home::new();
    let mut ana = home.console_with(1, "ana@laptop", Arc::new(Stuck), operator::fixture::works(), None);
    let plan = plan_of(1);
    ana.acts.give(begin(&plan));
    let is_stuck = |known: &Arc<crate::app::operations::OperationRecord>| {
        known.journal.last().is_some_and(|entry| entry.event.name() == "stuck")
    };
    ana.until(|snapshot| snapshot.operations.first().is_some_and(is_stuck)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut ben = home.console(2, "ben@desk", Arc::default());
    ben.acts.give(Order::Steer { operation: plan.id, steer: Steer::Resume, reason: None });
    assert!(ben.failed().await.contains("ana@laptop"));
    ana.acts.stop().await;
    ben.acts.stop().await;
}

/// A platform at which nothing can be looked at.
struct Blind;

impl World for Blind {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(&self, _: &Plan, _: &Effect, _: Permit) -> BoxFuture<'static, Outcome> {
        std::future::ready(Outcome::Unreadable("403 no right".to_owned())).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn why_it_cannot_be_looked_and_when_it_is_looked_again_is_told() {
    let home = Home::new();
    let mut ana = home.console_with(1, "ana", Arc::new(Blind), operator::fixture::works(), None);
    let plan = plan_of(1);
    ana.acts.give(begin(&plan));
    let snapshot = ana.until(|snapshot| snapshot.operations.first().is_some_and(|known| known.trouble.is_some())).await;
    let operation = crate::app::operations::Operation::of(Arc::clone(&snapshot.operations[0]));
    assert_eq!(operation.waits_for(home.clock.now()), "a look, which fails: 403 no right; next try in 0 s");
    ana.acts.stop().await;
}
