//! Leases while operations are driven: one errand a lease, each by itself; given back when the ledger has all; and taking
//! back, which waits for nobody.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use lakeshift::databricks::transport::Permit;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::danger::Danger;
use lakeshift::domain::sql::Rows;
use lakeshift::domain::ulid::Ulid;
use lakeshift::ledger::lease::Standing;
use lakeshift::ledger::sql::Ask;
use lakeshift::ledger::{Ledger, Sql, SqlTrouble};
use lakeshift::operations::engine::{Effect, Outcome, Request};
use lakeshift::operations::journal::{Actor, Certainty, Direction, Evidence, Thing};
use lakeshift::operations::plan::{OperationId, Plan, Subject};
use lakeshift::operations::step::{Action, Repeat, Undo};
use lakeshift::runtime::captain::{Captain, Course, Fenced};
use lakeshift::runtime::courier::Courier;
use lakeshift::runtime::entropy::Ids;
use lakeshift::runtime::ledger::{Ticks, outbox_rows};
use lakeshift::runtime::operator::{Happened, Operator, Parts, World};
use lakeshift::runtime::takeover::{Here, inquire_in_a_hurry};
use lakeshift::store::Journal;

use super::takeover::plan;
use super::{Desk, place};

/// A way to the ledger on which statements can be left without an answer.
#[derive(Clone)]
struct Way {
    desk: Desk,
    /// How many of the next statements are never answered.
    hangs: Arc<AtomicU32>,
    /// Whether rows are refused, although leases are not.
    takes_no_rows: Arc<Mutex<bool>>,
}

impl Way {
    fn of(desk: &Desk) -> Self {
        Self { desk: desk.of("ana"), hangs: Arc::default(), takes_no_rows: Arc::default() }
    }

    fn ledger(&self) -> Ledger<Self> {
        Ledger::new(self.clone(), place())
    }

    fn hang(&self, statements: u32) {
        self.hangs.store(statements, Ordering::SeqCst);
    }
}

impl Sql for Way {
    async fn execute(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        let less = |left: u32| left.checked_sub(1);
        if self.hangs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            std::future::pending::<()>().await;
        }
        if *self.takes_no_rows.lock().unwrap() && ask.parameters.iter().any(|(name, _)| *name == "rows") {
            let message = "no rows now".to_owned();
            let fault = lakeshift::domain::sql::Fault::Unavailable;
            return Err(SqlTrouble { message, fault, happened: lakeshift::ledger::Happened::No });
        }
        self.desk.run(ask)
    }
}

/// The server's clock, which goes on with tokio's.
#[derive(Clone)]
struct Time(Desk, tokio::time::Instant, DateTime<Utc>);

impl Time {
    fn of(desk: &Desk) -> Self {
        Self(desk.clone(), tokio::time::Instant::now(), desk.now())
    }
}

impl Clock for Time {
    fn now(&self) -> DateTime<Utc> {
        let now = self.2 + TimeDelta::from_std(self.1.elapsed()).unwrap();
        self.0.server.lock().unwrap().now = now;
        now
    }
}

fn session() -> Ulid {
    Ulid::new(1, 1)
}

fn captain(way: &Way, time: &Time) -> Captain<Way> {
    Captain::new(way.ledger(), Arc::new(Ticks::new(Arc::new(time.clone()))), session())
}

async fn settle(captain: &mut Captain<Way>) {
    while let Some(errand) = captain.load() {
        captain.landed(errand.await);
    }
}

fn holds(captain: &Captain<Way>, operation: OperationId) -> bool {
    matches!(captain.standing(operation), Some(Standing::Holding { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_question_that_hangs_is_given_up_holds_up_no_other_lease_and_changes_no_later_tenure() {
    let desk = Desk::installed();
    let (way, time) = (Way::of(&desk), Time::of(&desk));
    let mut captain = captain(&way, &time);
    let (one, two) = (OperationId(Ulid::new(5, 1)), OperationId(Ulid::new(5, 2)));
    captain.want(one, "sales", one.0);
    way.hang(1);
    let hung = captain.load().expect("asked");
    let mut hung = Box::pin(hung);
    assert!((&mut hung).now_or_never().is_none(), "it hangs");
    captain.want(two, "stock", two.0);
    settle(&mut captain).await;
    assert!(holds(&captain, two), "its own lease is asked about by itself");
    assert_eq!(captain.standing(one), Some(Standing::Unknown { trouble: None }));

    // The first is lost, and wanted anew by a person; the old question comes back after that.
    captain.forget(one);
    captain.want(one, "sales", one.0);
    settle(&mut captain).await;
    assert!(holds(&captain, one));
    let began = tokio::time::Instant::now();
    let late = hung.await;
    assert_eq!(began.elapsed(), Duration::from_secs(20), "a question is given up");
    captain.landed(late);
    settle(&mut captain).await;
    assert!(holds(&captain, one) && !captain.is_leaving(), "the new tenure is as it was");
    assert_eq!(captain.fence().check(one, Course::Ahead), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_is_asked_again() {
    let desk = Desk::installed();
    let (way, time) = (Way::of(&desk), Time::of(&desk));
    let mut captain = captain(&way, &time);
    let one = OperationId(Ulid::new(5, 1));
    captain.want(one, "sales", one.0);
    way.hang(1);
    let asked = captain.load().expect("asked").await;
    captain.landed(asked);
    let Some(Standing::Unknown { trouble: Some(trouble) }) = captain.standing(one) else {
        panic!("{:?}", captain.standing(one))
    };
    assert!(trouble.contains("did not answer within 20 s"), "{trouble}");
    tokio::time::advance(captain.wakes_in().expect("soon")).await;
    settle(&mut captain).await;
    assert!(holds(&captain, one));
}

/// A platform on which everything works.
struct Works;

impl World for Works {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(&self, plan: &Plan, effect: &Effect, permit: Permit) -> BoxFuture<'static, Outcome> {
        let thing = match &plan.steps[0].action {
            Action::CancelRun { run } => Thing::Run { run: *run },
            _ => Thing::State { state: "accepted".to_owned() },
        };
        let found = Outcome::Found(Evidence { thing, certainty: Certainty::Answered, says: "done".to_owned() });
        let outcome = match effect {
            Effect::Check { .. } => Outcome::Holds { world_at: plan.made_at },
            effect if effect.asks() => match permit.check() {
                Ok(()) => found,
                Err(why) => Outcome::Refused { why, transient: true, retry_after_s: None },
            },
            _ => found,
        };
        std::future::ready(outcome).boxed()
    }
}

struct Counted(u128);

impl Ids for Counted {
    fn ulid(&mut self, at: DateTime<Utc>) -> Ulid {
        self.0 += 1;
        Ulid::new(at.timestamp_millis().unsigned_abs(), self.0)
    }
}

/// A process with an operation on production state.
struct Process {
    operator: Operator<Journal>,
    courier: Courier<Way>,
    time: Time,
    _folder: tempfile::TempDir,
}

impl Process {
    fn new(way: &Way, time: &Time) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(time.clone());
        let courier = Courier::new(way.ledger(), Arc::clone(&clock), session());
        let fence = courier.fence().unwrap();
        let operator = Operator::new(Parts {
            journal: Journal::open(folder.path(), session(), "ana").unwrap(),
            world: Arc::new(Fenced { world: Arc::new(Works), fence }),
            clock,
            ids: Box::new(Counted(0)),
            actor: Actor("ana".to_owned()),
            rows: outbox_rows(),
        });
        Self { operator, courier, time: time.clone(), _folder: folder }
    }

    /// Goes on until it is so, as a subcommand does, and gives what happened.
    async fn until(&mut self, mut is_so: impl FnMut(&mut Self) -> bool) -> Vec<Happened> {
        let mut all = Vec::new();
        while !is_so(self) {
            let now = self.time.now();
            self.courier.start(&self.operator, now);
            tokio::select! {
                biased;
                came = self.courier.next(now) => {
                    all.extend(self.courier.take(came, &mut self.operator, self.time.now()));
                }
                happened = self.operator.step() => all.extend(happened),
                // Whoever drives operations looks now and then, also where nothing is in hand.
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        all
    }

    fn is_over(&self, operation: OperationId) -> bool {
        self.operator.view(operation).is_some_and(|view| view.state.is_over())
    }
}

fn holder(desk: &Desk) -> bool {
    let rows = desk.by_hand("SELECT holder FROM ops.release.lease WHERE product = 'sales' AND holder IS NOT NULL");
    !rows.rendered().is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_given_back_only_when_the_ledger_has_all_or_the_time_for_it_is_up() {
    for is_taken_in_time in [true, false] {
        let desk = Desk::installed();
        let (way, time) = (Way::of(&desk), Time::of(&desk));
        let mut ana = Process::new(&way, &time);
        let plan = plan(Danger::Production, Repeat::Idempotent);
        ana.operator.begin(plan.clone(), Some("--yes")).unwrap();
        let mut shuts = Some(Arc::clone(&way.takes_no_rows));
        ana.until(|ana| {
            // From when the order may leave, the ledger takes no rows.
            let is_out = ana.operator.view(plan.id).is_some_and(|view| view.state.steps[0].forward.done_at.is_some());
            if let Some(shut) = shuts.take_if(|_| is_out) {
                *shut.lock().unwrap() = true;
            }
            ana.is_over(plan.id)
        })
        .await;
        ana.operator.release(plan.id).unwrap();
        let ended = tokio::time::Instant::now();
        ana.until(|_| ended.elapsed() > Duration::from_secs(20)).await;
        assert!(ana.courier.is_leaving() && holder(&desk), "who takes it now would read an older journal");
        if is_taken_in_time {
            *way.takes_no_rows.lock().unwrap() = false;
            ana.courier.hurry();
        }
        ana.until(|ana| !ana.courier.is_leaving()).await;
        let waiting = ana.operator.journal().waiting().unwrap().rows;
        assert_eq!((holder(&desk), waiting == 0), (false, is_taken_in_time), "{waiting} rows wait");
    }
}

/// A cancellation that a cancellation takes back, so that it has a way back.
fn with_a_way_back() -> Plan {
    let mut plan = plan(Danger::Production, Repeat::Idempotent);
    plan.steps[0].undo = Undo::CancelRun;
    plan.steps[0].patience_s = 100_000;
    plan
}

#[tokio::test(start_paused = true)]
async fn taking_back_does_not_wait_for_a_ledger_that_does_not_answer() {
    let desk = Desk::installed();
    let (way, time) = (Way::of(&desk), Time::of(&desk));
    let mut ana = Process::new(&way, &time);
    let plan = with_a_way_back();
    ana.operator.begin(plan.clone(), Some("--yes")).unwrap();
    ana.until(|ana| ana.operator.view(plan.id).is_some_and(|view| view.state.steps[0].forward.done_at.is_some())).await;
    way.hang(u32::MAX);
    let asked = ana.operator.ask(plan.id, Request::Abort { reason: None }).unwrap();
    assert!(!asked.is_empty());
    let began = tokio::time::Instant::now();
    // The lease runs out meanwhile: the operation stays in these hands.
    let happened = ana.until(|ana| ana.is_over(plan.id) || began.elapsed() > Duration::from_mins(10)).await;
    assert!(ana.is_over(plan.id), "{happened:?}");
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_while_taking_back_leaves_the_operation_in_hand_and_one_that_was_taken_does_not() {
    for is_taken in [false, true] {
        let desk = Desk::installed();
        let (way, time) = (Way::of(&desk), Time::of(&desk));
        let mut ana = Process::new(&way, &time);
        let plan = with_a_way_back();
        ana.operator.begin(plan.clone(), Some("--yes")).unwrap();
        ana.until(|ana| ana.operator.view(plan.id).is_some_and(|view| view.state.steps[0].forward.done_at.is_some()))
            .await;
        ana.operator.ask(plan.id, Request::Abort { reason: None }).unwrap();
        ana.operator.ask(plan.id, Request::Pause).unwrap();
        if is_taken {
            desk.by_hand(
                "UPDATE ops.release.lease SET holder = 'bob', nonce = 'b.1', fence = fence + 1 WHERE product = 'sales'",
            );
        } else {
            way.hang(u32::MAX);
        }
        let began = tokio::time::Instant::now();
        let happened = ana.until(|_| began.elapsed() > Duration::from_mins(4)).await;
        let lost = happened.iter().any(|happened| matches!(happened, Happened::Lost { .. }));
        assert_eq!((lost, ana.operator.view(plan.id).is_none()), (is_taken, is_taken), "{happened:?}");
        let fence = ana.courier.fence().unwrap();
        assert!(fence.check(plan.id, Course::Ahead).is_err(), "nothing new is sent without the lease");
        assert_eq!(fence.check(plan.id, Course::Back).is_ok(), !is_taken || lost);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_back_asks_the_ledger_for_a_moment_and_is_refused_where_another_has_the_lease() {
    let desk = Desk::installed();
    let (way, time) = (Way::of(&desk), Time::of(&desk));
    let ticks = Ticks::new(Arc::new(time.clone()));
    let plan = plan(Danger::Production, Repeat::Idempotent);
    let here = || Here { plan: Some(plan.clone()), ended: None, is_ours: true };
    way.hang(u32::MAX);
    let began = tokio::time::Instant::now();
    let mut inquiry = inquire_in_a_hurry(&way.ledger(), &ticks, plan.id, "n.1", here()).await.expect("it is ours");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let tenure = inquiry.tenure.take().expect("the lease is asked for all the same");
    assert_eq!((tenure.nonce(), tenure.product()), ("n.1", "sales"));
    let elsewhere = Here { is_ours: false, ..here() };
    let ledger = way.ledger();
    let asked = inquire_in_a_hurry(&ledger, &ticks, plan.id, "n.2", elsewhere);
    assert!(tokio::time::timeout(Duration::from_mins(10), asked).await.is_err(), "what another home had is asked for");

    way.hang(0);
    let mut bob = Captain::new(desk.of("bob").ledger(), Arc::new(Ticks::new(Arc::new(time.clone()))), Ulid::new(2, 2));
    bob.want(plan.id, "sales", plan.id.0);
    while let Some(errand) = bob.load() {
        bob.landed(errand.await);
    }
    let refused = inquire_in_a_hurry(&way.ledger(), &ticks, plan.id, "n.3", here()).await.expect_err("he has it");
    assert!(refused.to_string().contains("the lease of sales is held by bob"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_order_by_token_is_fenced_like_any_other() {
    let desk = Desk::installed();
    let (way, time) = (Way::of(&desk), Time::of(&desk));
    let captain = captain(&way, &time);
    let world = Fenced { world: Arc::new(Works), fence: captain.fence() };
    let plan = plan(Danger::Production, Repeat::ByToken);
    let job = lakeshift::domain::ids::JobId(7);
    let order = Action::RunNow { job, parameters: std::collections::BTreeMap::new(), only: Vec::new() };
    let look = |asked| Effect::Look {
        step: 0,
        direction: Direction::Do,
        purpose: lakeshift::operations::engine::Purpose::Probe,
        probe: lakeshift::operations::step::Probe::RunOfToken { job },
        since: None,
        evidence: None,
        asked,
    };
    let kept = world.perform(&plan, &look(Some((order, "t".to_owned()))), Permit::always()).await;
    assert!(matches!(&kept, Outcome::Unreadable(why) if why.starts_with("never sent: the ledger")), "{kept:?}");
    let looked = world.perform(&plan, &look(None), Permit::always()).await;
    assert!(matches!(looked, Outcome::Found(_)), "a look that orders nothing needs no lease: {looked:?}");
}
