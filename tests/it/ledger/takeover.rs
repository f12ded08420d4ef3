//! Operations of another home, by what the ledger has of them: who may go on, who is refused by name, and what counts.

use chrono::{DateTime, Utc};
use lakeshift::databricks::transport::Permit;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::danger::Danger;
use lakeshift::domain::ids::{JobId, RunId};
use lakeshift::domain::ulid::Ulid;
use lakeshift::domain::workspace::Environment;
use lakeshift::ledger::lease::{self, Standing};
use lakeshift::operations::engine::Outcome;
use lakeshift::operations::journal::{Actor, Direction, Event, Recorded};
use lakeshift::operations::kind::Kind;
use lakeshift::operations::plan::{Object, OperationId, Plan, Subject, VERSION};
use lakeshift::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};
use lakeshift::runtime::captain::{Captain, Course, Fenced, words};
use lakeshift::runtime::entropy::SystemIds;
use lakeshift::runtime::ledger::{Ticks, outbox_rows};
use lakeshift::runtime::operator::World;
use lakeshift::runtime::takeover::{Here, Inquiry, NotTaken, inquire, settle};
use lakeshift::store::{Adopted, Health, Journal};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Desk;

/// Ana's process.
fn ana_session() -> Ulid {
    Ulid::new(1, 1)
}

/// Bob's process.
fn bob_session() -> Ulid {
    Ulid::new(2, 2)
}

fn start() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// The same clock as the server's.
pub(super) struct OfServer(pub(super) Desk);

impl Clock for OfServer {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

pub(crate) fn plan(tier: Danger, repeat: Repeat) -> Plan {
    let (job, run) = (JobId(7), RunId(501));
    Plan {
        version: VERSION,
        id: OperationId(Ulid::new(5, 5)),
        kind: Kind::Cancel,
        tier,
        subject: Subject {
            workspace: "prod".into(),
            environment: Environment::Prod,
            host: "https://prod.example.test".to_owned(),
            object: Object::Job(job),
            name: "orders".to_owned(),
            run: Some(run),
            product: Some("sales".to_owned()),
        },
        actor: Actor("ana@laptop".to_owned()),
        reason: None,
        release_id: None,
        fleet_hash: "f".to_owned(),
        made_at: start(),
        observed: BTreeMap::new(),
        observed_at: start(),
        late_bound_s: 90,
        steps: vec![Step {
            wave: 0,
            action: Action::CancelRun { run },
            precondition: Condition::RunIsActive { run },
            probe: Probe::RunIsEnding { run },
            verify: Probe::RunEnded { run },
            patience_s: 60,
            token: None,
            repeat,
            undo: Undo::Nothing,
            point_of_no_return: false,
        }],
    }
}

pub(crate) fn entries(plan: &Plan, count: usize) -> Vec<Recorded> {
    let intended = Event::Intended { step: 0, direction: Direction::Do, attempt: 1, world_at: start() };
    let all = [
        Event::Planned { digest: plan.digest().unwrap() },
        Event::Approved { how: "--yes".to_owned() },
        intended,
        Event::Unknown { step: 0, direction: Direction::Do, attempt: 1, why: "reset".to_owned() },
    ];
    let entry = |(event, seq): (Event, u64)| Recorded {
        op_id: plan.id,
        seq,
        event_id: Ulid::new(100 + seq, 1),
        at: start(),
        actor: plan.actor.clone(),
        event,
    };
    all.into_iter().take(count).zip(1..).map(entry).collect()
}

/// Tells the ledger entries as a process would.
async fn tell(desk: &Desk, plan: &Plan, entries: &[Recorded], session: Ulid) {
    let rows_of = outbox_rows();
    let rows: Vec<_> = entries.iter().flat_map(|entry| rows_of(plan, entry, session)).collect();
    let rows: Vec<_> = rows.iter().map(|row| serde_json::from_str(&row.body).unwrap()).collect();
    let delivery = desk.ledger().append(&rows).await;
    assert!(delivery.trouble.is_none() && delivery.refused.is_empty(), "{delivery:?}");
}

async fn ask(desk: &Desk, plan: &Plan, here: Here) -> Result<Inquiry, NotTaken> {
    let ticks = Ticks::new(Arc::new(OfServer(desk.clone())));
    inquire(&desk.ledger(), &ticks, plan.id, "n9.1", here).await
}

fn home(folder: &tempfile::TempDir, session: Ulid) -> Journal {
    Journal::open(folder.path(), session, "bob@desk").unwrap()
}

fn bring(journal: &mut Journal, inquiry: &Inquiry) -> Adopted {
    let bob = Actor("bob@desk".to_owned());
    settle(journal, inquiry, &bob, Some("ana is away"), &mut SystemIds::default(), start()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_a_lease_is_gone_on_with_once_its_owner_is_quiet() {
    let desk = Desk::installed();
    let plan = plan(Danger::Costly, Repeat::Idempotent);
    tell(&desk.of("ana"), &plan, &entries(&plan, 2), ana_session()).await;
    let bob = desk.of("bob");
    desk.pass(149);
    let heard = ask(&bob, &plan, Here::default()).await.expect_err("she may be at it");
    assert!(heard.to_string().contains("in the hands of ana@laptop, who was heard of 149 s ago"), "{heard}");
    desk.pass(2);
    let inquiry = ask(&bob, &plan, Here::default()).await.expect("quiet");
    let folder = tempfile::tempdir().unwrap();
    let mut journal = home(&folder, bob_session());
    assert_eq!(bring(&mut journal, &inquiry), Adopted::Brought);
    let record = journal.record(plan.id, start()).unwrap().unwrap();
    assert_eq!((record.plan.known(), &record.journal[..2]), (Some(&plan), &entries(&plan, 2)[..]));
    let noted: Vec<_> = record.journal[2..].iter().map(|entry| entry.event.name()).collect();
    assert_eq!(noted, ["taken_up", "unknown"], "the cancel may have been asked without the ledger's knowledge");
    let (owner, health) = record.owner.unwrap();
    assert_eq!((owner.who.as_str(), health), ("ana@laptop", Health::Gone));
    assert_eq!(journal.take(plan.id, start()).unwrap().as_deref(), Some("ana@laptop"));
    let told = journal.pending(10, &[]).unwrap();
    assert!(told[0].body.contains("operation_taken_over") && told[0].body.contains("ana is away"), "{told:?}");
    assert!(told[1..].iter().all(|row| row.seq > Some(2)), "and nothing that the ledger has: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_could_happen_twice_goes_on_in_its_own_home_alone() {
    let desk = Desk::installed();
    let plan = plan(Danger::Costly, Repeat::AfterSettling);
    tell(&desk.of("ana"), &plan, &entries(&plan, 2), ana_session()).await;
    desk.pass(500);
    let blind = ask(&desk.of("bob"), &plan, Here::default()).await.expect_err("the ledger may lack the order");
    assert!(matches!(&blind, NotTaken::Blind { what, .. } if what == "cancel run 501"), "{blind}");
}

#[tokio::test(start_paused = true)]
async fn production_is_refused_by_name_while_its_lease_is_held_and_free_of_grace_after() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    let ana = desk.of("ana");
    tell(&ana, &plan, &entries(&plan, 3), ana_session()).await;
    let ticks = Arc::new(Ticks::new(Arc::new(OfServer(desk.clone()))));
    let mut captain = Captain::new(ana.ledger(), ticks, ana_session());
    captain.want(plan.id, "sales", ana_session());
    while let Some(errand) = captain.load() {
        captain.landed(errand.await);
    }
    captain.fence().pass(plan.id, Course::Ahead).await.expect("held");

    let bob = desk.of("bob");
    desk.pass(100);
    let led = ask(&bob, &plan, Here::default()).await.expect_err("she holds it");
    let said = led.to_string();
    assert!(
        said.contains("last in the hands of ana@laptop: the lease of sales is held by ana until 12:02:00"),
        "{said}"
    );
    desk.pass(21);
    let inquiry = ask(&bob, &plan, Here::default()).await.expect("over");
    assert!(inquiry.tenure.is_some(), "and held at once: its journal tells what may be in flight");
}

/// Two that make a missing row at once would make two, and two rows are no lock (databricks-api.md 10.5).
#[tokio::test(start_paused = true)]
async fn a_product_without_a_lease_is_refused_and_gets_none_by_use() {
    let desk = Desk::installed();
    let mut plan = plan(Danger::Production, Repeat::AfterSettling);
    plan.subject.product = Some("costs".to_owned());
    let ana = desk.of("ana");
    tell(&ana, &plan, &entries(&plan, 2), ana_session()).await;
    let missing = "the table of leases has 0 rows for costs, not one: `lakeshift ledger init --run` adds it";
    let refused = ask(&ana, &plan, Here::default()).await.expect_err("no lease").to_string();
    assert!(refused.contains(missing), "{refused}");
    let mut captain = Captain::new(ana.ledger(), Arc::new(Ticks::new(Arc::new(OfServer(desk.clone())))), ana_session());
    captain.want(plan.id, "costs", plan.id.0);
    while let Some(errand) = captain.load() {
        captain.landed(errand.await);
    }
    let refused = captain.fence().pass(plan.id, Course::Ahead).await.expect_err("nothing leaves");
    assert!(refused.contains(missing), "{refused}");
    let products: Vec<String> = lease::all(&ana.ledger()).await.unwrap().into_iter().map(|row| row.product).collect();
    assert_eq!(products, ["_fleet", "_ledger", "sales", "stock"], "and nobody has made one");
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_process_of_this_home_that_has_ended_is_not_waited_for() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    let ana = desk.of("ana");
    tell(&ana, &plan, &entries(&plan, 2), ana_session()).await;
    let ticks = Arc::new(Ticks::new(Arc::new(OfServer(desk.clone()))));
    let mut captain = Captain::new(ana.ledger(), ticks, ana_session());
    captain.want(plan.id, "sales", ana_session());
    while let Some(errand) = captain.load() {
        captain.landed(errand.await);
    }
    let of_another = Here { plan: Some(plan.clone()), ended: Some(bob_session()), is_ours: true };
    assert!(matches!(ask(&ana, &plan, of_another).await, Err(NotTaken::Led { .. })), "another process has it");
    let ours = Here { plan: Some(plan.clone()), ended: Some(ana_session()), is_ours: true };
    assert!(ask(&ana, &plan, ours).await.expect("it has ended").tenure.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_another_home_went_on_with_replaces_what_stands_here() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    let (all, ana) = (entries(&plan, 4), desk.of("ana"));
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), ana_session(), "ana@laptop").unwrap();
    let rows_of = outbox_rows();
    let rows: Vec<_> = all.iter().flat_map(|entry| rows_of(&plan, entry, ana_session())).collect();
    journal.begin(&plan, &all, &rows, start()).unwrap();
    journal.release(plan.id).unwrap();
    // The ledger has two of the four entries, and bob went on from there.
    tell(&ana, &plan, &all[..2], ana_session()).await;
    let by_bob = |seq: u64, event: Event| Recorded {
        seq,
        event_id: Ulid::new(900 + seq, 2),
        actor: Actor("bob@desk".to_owned()),
        event,
        ..all[0].clone()
    };
    let going_on = [by_bob(3, Event::TakenUp { from: None }), by_bob(4, Event::Failed { why: "closed".to_owned() })];
    let here = || Here { plan: Some(plan.clone()), ended: None, is_ours: true };
    tell(&desk.of("bob"), &plan, &going_on[..1], bob_session()).await;
    let inquiry = ask(&ana, &plan, here()).await.expect("free");
    assert_eq!(bring(&mut journal, &inquiry), Adopted::Brought);
    let record = journal.record(plan.id, start()).unwrap().unwrap();
    assert_eq!(record.journal, [&all[..2], &going_on[..1]].concat());
    let told = journal.pending(50, &[]).unwrap();
    assert!(told.iter().all(|row| row.seq.is_none_or(|seq| seq <= 2)), "nothing that contradicts the ledger: {told:?}");
    assert_eq!(bring(&mut journal, &inquiry), Adopted::Known, "once");

    tell(&desk.of("bob"), &plan, &going_on[1..], bob_session()).await;
    let inquiry = ask(&ana, &plan, here()).await.expect("free");
    bring(&mut journal, &inquiry);
    assert!(journal.record(plan.id, start()).unwrap().unwrap().is_over, "and it ended elsewhere");
}

fn refused(why: &str) -> lakeshift::operations::engine::Outcome {
    let (why, transient, retry_after_s) = (why.to_owned(), true, None);
    lakeshift::operations::engine::Outcome::Refused { why, transient, retry_after_s }
}

/// A platform that counts acts.
#[derive(Default)]
struct Counts(Mutex<usize>);

impl World for Counts {
    fn reaches(&self, _: &Subject) -> Result<(), String> {
        Ok(())
    }

    fn perform(
        &self,
        _: &Plan,
        _: &lakeshift::operations::engine::Effect,
        permit: Permit,
    ) -> futures::future::BoxFuture<'static, lakeshift::operations::engine::Outcome> {
        *self.0.lock().unwrap() += 1;
        Box::pin(async move {
            let outcome = lakeshift::operations::engine::Outcome::Missing;
            permit.check().map_or_else(|why| refused(&why), |()| outcome)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_sends_nothing_when_it_wakes() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    let ticks = Arc::new(Ticks::new(Arc::new(OfServer(desk.clone()))));
    let mut captain = Captain::new(desk.of("ana").ledger(), ticks, ana_session());
    captain.want(plan.id, "sales", ana_session());
    while let Some(errand) = captain.load() {
        captain.landed(errand.await);
    }
    let world = Fenced { world: Arc::new(Counts::default()), fence: captain.fence() };
    let effect = lakeshift::operations::engine::Effect::Act {
        step: 0,
        direction: Direction::Do,
        attempt: 1,
        action: plan.steps[0].action.clone(),
        token: None,
    };
    let sent = world.perform(&plan, &effect, Permit::always()).await;
    assert_eq!(sent, lakeshift::operations::engine::Outcome::Missing, "it was sent");
    // SIGSTOP between the intent and the request; the machine's clocks went on.
    let about_to = world.perform(&plan, &effect, Permit::always());
    desk.pass(110);
    tokio::time::advance(Duration::from_secs(110)).await;
    let kept = about_to.await;
    assert!(
        matches!(&kept, lakeshift::operations::engine::Outcome::Refused { why, transient: true, .. }
            if why.starts_with("never sent: the lease ran out")),
        "{kept:?}"
    );
    assert_eq!(captain.lost().len(), 1, "and the operation leaves its hands");
}

/// A look by token gives the order again.
#[tokio::test(start_paused = true)]
async fn a_look_that_may_act_is_kept_back_like_an_act() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::ByToken);
    let ticks = Arc::new(Ticks::new(Arc::new(OfServer(desk.clone()))));
    let captain = Captain::new(desk.of("ana").ledger(), ticks, ana_session());
    let counts = Arc::new(Counts::default());
    let world = Fenced { world: counts.clone(), fence: captain.fence() };
    let look = |probe| lakeshift::operations::engine::Effect::Look {
        step: 0,
        direction: Direction::Do,
        purpose: lakeshift::operations::engine::Purpose::Probe,
        probe,
        since: None,
        evidence: None,
        asked: Some((plan.steps[0].action.clone(), "token".to_owned())),
    };
    let by_token = world.perform(&plan, &look(Probe::RunOfToken { job: JobId(7) }), Permit::always()).await;
    assert!(matches!(&by_token, Outcome::Unreadable(why) if why.starts_with("never sent")), "{by_token:?}");
    let by_reading = world.perform(&plan, &look(Probe::RunEnded { run: RunId(501) }), Permit::always()).await;
    assert_eq!(by_reading, Outcome::Missing, "to read takes no lease");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_before_its_first_lease_lets_go_of_what_another_home_went_on_with() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    let (ana, all) = (desk.of("ana"), entries(&plan, 2));
    tell(&ana, &plan, &all, ana_session()).await;
    let by_bob =
        Recorded { seq: 3, event_id: Ulid::new(903, 2), event: Event::TakenUp { from: None }, ..all[0].clone() };
    let by_bob = Recorded { actor: Actor("bob@desk".to_owned()), ..by_bob };
    for (told, lost) in [(None, None), (Some(by_bob), Some("bob@desk has gone on with it meanwhile"))] {
        if let Some(entry) = &told {
            tell(&desk.of("bob"), &plan, std::slice::from_ref(entry), bob_session()).await;
        }
        let ticks = Arc::new(Ticks::new(Arc::new(OfServer(desk.clone()))));
        let mut captain = Captain::new(ana.ledger(), ticks, Ulid::new(1, u128::from(told.is_some())));
        // The lease is free again: bob has given it back.
        captain.want(plan.id, "sales", ana_session());
        while let Some(errand) = captain.load() {
            captain.landed(errand.await);
        }
        let found: Vec<String> = captain.lost().into_iter().map(|(_, lost)| words(&Standing::Lost(lost))).collect();
        assert_eq!(found.first().map(String::as_str), lost);
        captain.keep_only(&[]);
        while let Some(errand) = captain.load() {
            captain.landed(errand.await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_found_before_a_process_stood_still_does_not_hold_after() {
    let desk = Desk::installed();
    let plan = plan(Danger::Production, Repeat::AfterSettling);
    tell(&desk.of("ana"), &plan, &entries(&plan, 3), ana_session()).await;
    let (bob, ticks) = (desk.of("bob"), Arc::new(Ticks::new(Arc::new(OfServer(desk.clone())))));
    for stands_still_s in [0, 110] {
        let mut captain = Captain::new(bob.ledger(), Arc::clone(&ticks), bob_session());
        let nonce = format!("n9.{stands_still_s}");
        let mut found = inquire(&bob.ledger(), &ticks, plan.id, &nonce, Here::default()).await.expect("free");
        desk.pass(stands_still_s);
        let handed_over = found.hand_over(plan.id, &mut captain);
        assert_eq!(handed_over.is_ok(), stands_still_s == 0, "{handed_over:?}");
        captain.keep_only(&[]);
        while let Some(errand) = captain.load() {
            captain.landed(errand.await);
        }
        desk.pass(200);
    }
}
