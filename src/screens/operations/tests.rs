//! What the Operations screen shows and answers.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::Effect;
use crate::app::act::{Ask, Order, Steer, Wish};
use crate::app::fixture::{Console, plan, record};
use crate::app::message::Fact;
use crate::app::operations::{
    LeaseStanding, LedgerStanding, OperationRecord, OperationsSnapshot, OwnerHealth, OwnerView,
};
use crate::app::record::{LeaseView, RecordPage};
use crate::domain::danger::Danger;
use crate::domain::fixture::now;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::ids::{JobId, RunId};
use crate::domain::proof::{Check, Failed, Feature, Off, Subject};
use crate::operations::Event;
use crate::operations::journal::{Certainty, Direction, Evidence, Recorded, Thing};
use crate::operations::plan::Plan;
use crate::screens::Screen;
use crate::screens::audit::tests::page;
use crate::ui::drawn::{in_every_size, screen};

fn planned(number: u64, workspace: &str, wish: Wish) -> Plan {
    let object = ObjectId { workspace: workspace.into(), object: wish.object() };
    plan(&Ask { number, object, wish, reason: None, unlocked: false })
}

fn run_now(number: u64, workspace: &str) -> Plan {
    planned(number, workspace, Wish::RunNow { job: JobId(31), parameters: std::collections::BTreeMap::new() })
}

fn evidence(says: &str) -> Evidence {
    Evidence { thing: Thing::Run { run: RunId(501) }, certainty: Certainty::Answered, says: says.to_owned() }
}

fn approved() -> Event {
    Event::Approved { how: "confirmed with y in the console".to_owned() }
}

fn intended() -> Event {
    Event::Intended { step: 0, direction: Direction::Do, attempt: 1, world_at: now() }
}

fn owned(record: OperationRecord, who: &str, health: OwnerHealth) -> OperationRecord {
    let since = now() - TimeDelta::seconds(40);
    OperationRecord { owner: Some(OwnerView { who: who.to_owned(), since, health }), ..record }
}

/// One operation of every kind of fate, oldest first.
pub(crate) fn journals() -> Vec<OperationRecord> {
    let (direction, lost) = (Direction::Do, "no answer within 30 s");
    let done = Event::Confirmed { step: 0, direction, attempt: 1, evidence: evidence("run 501") };
    let seen = Event::Verified { step: 0, direction, evidence: evidence("run 501: running") };
    let unknown = Event::Unknown { step: 0, direction, attempt: 1, why: lost.to_owned() };
    let repair = Wish::Repair { job: JobId(11), run: RunId(501), task: None };
    let start = Wish::Start { pipeline: "6f-1".into() };
    let stop = Wish::Stop { pipeline: "6f-1".into() };
    let stuck = Event::Stuck {
        why: "updates u-8 and u-9 were both started by the API".to_owned(),
        runbook: vec![
            "Look at pipeline 6f-1 (orders) in prod: its start may have happened more than once.".to_owned(),
            "End by hand what should not run, then close the operation.".to_owned(),
        ],
    };
    vec![
        record(&run_now(1, "dev"), &[approved(), intended(), done, seen, Event::Completed]),
        owned(
            record(&planned(2, "prod", repair), &[approved(), intended()]),
            "ana@laptop, the console",
            OwnerHealth::Us,
        ),
        owned(
            record(&planned(3, "prod", start), &[approved(), intended(), unknown, stuck]),
            "bo@desk, lakeshift pipeline start",
            OwnerHealth::Gone,
        ),
        owned(
            record(&planned(4, "staging", stop), &[approved(), Event::AbortAsked { reason: None }]),
            "cy@desk, the console",
            OwnerHealth::Alive,
        ),
    ]
}

/// A console that shows its operations, of which none was read yet.
pub(crate) fn opened(columns: u16, rows: u16) -> Console {
    let mut console = Console::with_fleet(columns, rows);
    console.press("0");
    console
}

#[test]
fn operations_normal() {
    in_every_size("operations-normal", |columns, rows| {
        let mut console = opened(columns, rows);
        console.advance(journals());
        console.press("j");
        console
    });
}

#[test]
fn operations_closely() {
    in_every_size("operations-one", |columns, rows| {
        let mut console = opened(columns, rows);
        console.advance(journals());
        console.press("j enter");
        console
    });
}

#[test]
fn operations_loading_and_empty() {
    in_every_size("operations-loading", opened);
    in_every_size("operations-empty", |columns, rows| {
        let mut console = opened(columns, rows);
        console.advance(Vec::new());
        console
    });
}

#[test]
fn operations_of_another_version_are_shown_as_they_are_stored() {
    in_every_size("operations-foreign", |columns, rows| {
        let mut console = opened(columns, rows);
        let mut record = record(&run_now(1, "dev"), &[]);
        record.plan = None;
        record.foreign = Some(serde_json::json!({"version": 9, "kind": "teleport"}));
        console.advance(vec![record]);
        console
    });
}

fn state(console: &Console) -> &super::State {
    match console.model.screen() {
        Screen::Operations(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cursor_holds_on_to_its_operation_while_others_come() {
    let mut console = opened(120, 40);
    console.advance(journals());
    console.press("j");
    let held = state(&console).list().rows()[1];
    let mut more = journals();
    more.push(record(&run_now(9, "dev"), &[approved()]));
    console.advance(more);
    assert_eq!((state(&console).list().index(), state(&console).list().rows()[2]), (2, held));
}

#[test]
fn only_what_is_in_flight_is_shown_on_wish() {
    let mut console = opened(120, 40);
    console.advance(journals());
    assert_eq!((state(&console).list().rows().len(), console.model.shared.operations.in_flight()), (4, 3));
    console.press("f");
    assert_eq!(state(&console).list().rows().len(), 3);
}

#[test]
fn an_abort_is_asked_for_and_confirmed_like_any_act() {
    let mut console = opened(120, 40);
    console.advance(journals());
    console.press("j j A");
    console.read();
    let effects = console.press("y");
    let [Effect::Act(Order::Steer { operation, steer: Steer::Abort, reason: None })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*operation, state(&console).list().rows()[2]);
}

#[test]
fn an_abort_that_is_refused_says_so_where_it_was_asked() {
    let mut console = opened(120, 40);
    console.advance(journals());
    console.press("j j A");
    console.read();
    let effects = console.press("y");
    let [Effect::Act(Order::Steer { operation, .. })] = effects.as_slice() else { panic!("{effects:?}") };
    let mut after = journals();
    let record = after.iter_mut().find(|record| record.id == *operation).expect("it is listed");
    let why = "stop pipeline 6f-1 was asked, and has no way back".to_owned();
    let last = record.journal.last().expect("an entry").clone();
    record.journal.push(Recorded { seq: last.seq + 1, event: Event::AbortRefused { why: why.clone() }, ..last });
    console.advance(after);
    let shown = screen(&console);
    assert!(shown.contains(&format!("it is not taken back: {why}")) && !shown.contains("was asked for"), "{shown}");
}

#[test]
fn what_cannot_be_steered_says_why() {
    let mut console = opened(120, 40);
    console.advance(journals());
    let mut told = |keys: &str| {
        assert!(console.press(keys).is_empty());
        assert!(console.model.modal().is_none(), "{keys}");
        console.model.notice().expect("a notice").to_owned()
    };
    assert_eq!(told("A"), "cy@desk, the console works on it: ask there");
    assert_eq!(told("j j +"), "it goes on already");
    assert_eq!(told("C"), "only what is paused or stuck is closed: abort it, or pause it first");
    assert_eq!(told("j A"), "it is over");
}

#[test]
fn a_stuck_operation_is_closed_only_with_a_reason() {
    let mut console = opened(120, 40);
    console.advance(journals());
    console.press("j C");
    console.read();
    console.now += TimeDelta::seconds(1);
    assert!(console.press("y").is_empty(), "why?");
    console.press("m");
    console.type_text("stopped u-9 by hand");
    console.press("enter");
    console.read();
    console.now += TimeDelta::seconds(1);
    let effects = console.press("y");
    let [Effect::Act(Order::Steer { steer: Steer::Close, reason: Some(reason), .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(reason, "stopped u-9 by hand");
}

#[test]
fn the_header_counts_what_is_in_flight_and_what_waits() {
    let mut console = Console::with_fleet(160, 45);
    console.advance(journals());
    let header = crate::ui::drawn::screen(&console);
    let header = header.lines().next().expect("a header");
    assert!(header.contains("1 waits for you (0)") && header.contains("2 in flight"), "{header}");
    let id = ObjectId { workspace: "dev".into(), object: Object::Job(JobId(31)) };
    assert!(console.model.shared.fleet.row(&id).is_some());
}

#[test]
fn what_is_off_for_production_stands_in_the_title() {
    let mut console = opened(120, 40);
    let failed = Failed { check: Check::LedgerTables, finding: "lease is missing".to_owned(), at: now() };
    let subject = Subject::ledger("ops.release", "prod", "w");
    let off = vec![Off { feature: Feature::ProductionActs, subject, failed }];
    console.happens(Fact::OperationsAdvanced(Arc::new(OperationsSnapshot { off, ..OperationsSnapshot::default() })));
    let shown = screen(&console);
    assert!(shown.contains("off: acts of tiers 3 and 4: ledger-tables failed"), "{shown}");
}

#[test]
fn an_operation_of_another_home_is_listed_as_such_and_taken_over_with_a_reason_only() {
    use crate::screens::audit::tests::with_ledger;
    let mut console = opened(120, 40);
    with_ledger(&mut console, journals().split_off(1));
    console.happens(crate::app::Fact::RecordRead(Ok(page(None))));
    assert_eq!(state(&console).list().rows().len(), 4);
    assert_eq!(console.model.shared.operations.in_flight(), 3, "what others do is not counted as ours");
    console.press("G +");
    console.read();
    console.now += TimeDelta::seconds(1);
    assert!(console.press("y").is_empty(), "why?");
    console.press("m");
    console.type_text("ana is away");
    console.press("enter");
    console.read();
    console.now += TimeDelta::seconds(1);
    let effects = console.press("y");
    let [Effect::Act(Order::Steer { steer: Steer::Resume, reason: Some(reason), operation })] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!((reason.as_str(), Some(operation)), ("ana is away", state(&console).list().rows().last()));
}

/// An operation on production state in this console, while the ledger says who holds the lease of its product.
fn under_a_lease(columns: u16, rows: u16, lease: Option<LeaseView>, here: Option<LeaseStanding>) -> Console {
    let mut console = opened(columns, rows);
    let mut plan = planned(5, "prod", Wish::Start { pipeline: "6f-1".into() });
    plan.tier = Danger::Production;
    let ours = owned(record(&plan, &[approved(), intended()]), "ana@laptop, the console", OwnerHealth::Us);
    let leases = here.map(|here| (plan.id, here)).into_iter().collect();
    let operations = vec![Arc::new(ours)];
    let ledger = LedgerStanding { configured: true, ..LedgerStanding::default() };
    let snapshot = OperationsSnapshot { operations, ledger, leases, ..OperationsSnapshot::default() };
    console.happens(Fact::OperationsAdvanced(Arc::new(snapshot)));
    let page =
        RecordPage { leases: lease.into_iter().collect(), operations: Vec::new(), ..RecordPage::clone(&page(None)) };
    console.happens(Fact::RecordRead(Ok(Arc::new(page))));
    console
}

fn lease_of_bob() -> LeaseView {
    LeaseView {
        product: "sales".to_owned(),
        holder: "bob@example.com".to_owned(),
        operation: Some("01J0000000000000000000BOBS".to_owned()),
        fence: 7,
        until: now() + TimeDelta::seconds(70),
        is_over: false,
    }
}

#[test]
fn who_holds_the_lease_is_on_screen() {
    let words = "the lease is held by bob@example.com for operation 01J0000000000000000000BOBS until 12:01:10 UTC";
    let waits = LeaseStanding { held: false, words: words.to_owned() };
    in_every_size("operations-lease", |columns, rows| {
        under_a_lease(columns, rows, Some(lease_of_bob()), Some(waits.clone()))
    });
    // The same of an operation that this console does not drive: as the ledger was read.
    let mut console = under_a_lease(160, 45, Some(lease_of_bob()), None);
    console.press("enter");
    let text = screen(&console);
    assert!(
        text.contains("lease of sales: held by bob@example.com for operation 01J0000000000000000000BOBS until ")
            && text.contains("(fence 7; read at "),
        "{text}"
    );
    let over = LeaseView { is_over: true, ..lease_of_bob() };
    let mut console = under_a_lease(160, 45, Some(over), None);
    assert!(!screen(&console).contains("leads sales"), "nobody does any more");
    console.press("enter");
    let text = screen(&console);
    assert!(text.contains("did not give it back (fence 7): it can be taken over"), "{text}");
    let mut console = under_a_lease(160, 45, None, None);
    console.press("enter");
    let text = screen(&console);
    assert!(text.contains("lease of sales: free when the ledger was read at "), "{text}");
    let held = LeaseStanding { held: true, words: "the lease is held here".to_owned() };
    let mut console = under_a_lease(160, 45, None, Some(held));
    console.press("enter");
    assert!(screen(&console).contains("lease of sales: held here"));
}
