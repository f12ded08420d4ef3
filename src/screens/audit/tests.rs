//! What the Audit screen shows and answers.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::act::Order;
use crate::app::fixture::Console;
use crate::app::operations::{LedgerStanding, OperationRecord, OperationsSnapshot, OwnerHealth, OwnerView};
use crate::app::record::{Proof, RecordPage, RecordRow, Sealed, Unsealed};
use crate::app::{Effect, Fact};
use crate::domain::fixture::now;
use crate::screens::Screen;
use crate::screens::operations::tests::{journals, opened};
use crate::ui::drawn::in_every_size;

fn audit(columns: u16, rows: u16) -> Console {
    let mut console = opened(columns, rows);
    console.press("8");
    console
}

#[test]
fn audit_normal() {
    in_every_size("audit-normal", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(journals());
        console
    });
}

#[test]
fn audit_of_one_entry() {
    in_every_size("audit-entry", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(journals());
        console.press("j j enter");
        console
    });
}

#[test]
fn audit_loading_and_empty() {
    in_every_size("audit-loading", audit);
    in_every_size("audit-empty", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(Vec::new());
        console
    });
}

#[test]
fn audit_of_a_record_that_was_altered() {
    in_every_size("audit-altered", |columns, rows| {
        let mut console = audit(columns, rows);
        let mut journals = journals();
        journals[0].journal.remove(1);
        console.advance(journals);
        console
    });
}

#[test]
fn a_filter_and_only_deeds_narrow_it_and_the_export_holds_what_is_shown() {
    let mut console = audit(120, 40);
    console.advance(journals());
    let rows = |console: &Console| match console.model.screen() {
        Screen::Audit(state) => state.list().rows().len(),
        other => panic!("{other:?}"),
    };
    let all = rows(&console);
    console.press("f");
    let deeds = rows(&console);
    assert!(deeds < all);
    console.press("f /");
    console.type_text("abort asked");
    console.press("enter");
    assert_eq!(rows(&console), 1);
    let effects = console.press("x");
    let Some(Effect::Export { name, text }) = effects.first() else { panic!("{effects:?}") };
    assert!(name.starts_with("audit-20261122T") && name.ends_with(".csv"), "{name}");
    assert_eq!(text.lines().count(), 2, "{text}");
    console.press("p");
    assert!(matches!(console.model.screen(), Screen::Operations(state) if state.is_zoomed()));
}

/// The operations of this home, where a ledger is configured.
pub(crate) fn with_ledger(console: &mut Console, operations: Vec<OperationRecord>) -> Vec<Effect> {
    let operations = operations.into_iter().map(Arc::new).collect();
    let ledger = LedgerStanding { configured: true, ..LedgerStanding::default() };
    console.happens(Fact::OperationsAdvanced(Arc::new(OperationsSnapshot {
        operations,
        ledger,
        ..OperationsSnapshot::default()
    })))
}

/// What the ledger tells: the operation that this home lacks, and a row that is no entry of a journal.
pub(crate) fn page(findings: Option<Vec<String>>) -> Arc<RecordPage> {
    let mut other = journals().remove(0);
    let since = now() - TimeDelta::seconds(90);
    other.owner = Some(OwnerView { who: "bob@desk".to_owned(), since, health: OwnerHealth::Elsewhere });
    (other.is_over, other.acknowledged) = (false, u64::MAX);
    other.journal.truncate(3);
    let row = RecordRow {
        id: "01J0000000000000000000TAKE".to_owned(),
        operation: Some(other.id),
        seq: None,
        verb: "operation_taken_over".to_owned(),
        target: "dev/job/31".to_owned(),
        outcome: "noted".to_owned(),
        by: "bob@desk".to_owned(),
        writer: "sp-ledger".to_owned(),
        at: now() - TimeDelta::seconds(80),
        detail: r#"{"v":1,"by":"bob@desk","from":"ana@laptop","reason":"ana's machine died"}"#.to_owned(),
        holds: true,
    };
    let forged = RecordRow { id: "x1".to_owned(), operation: None, holds: false, by: "eve".to_owned(), ..row.clone() };
    let proof = findings.map(|findings| Proof { at: now(), rows: 41, findings, unseen_commits: 0 });
    Arc::new(RecordPage {
        rows: vec![Arc::new(row), Arc::new(forged)],
        operations: vec![Arc::new(other)],
        reader: "sp-ledger".to_owned(),
        sealed: Some(Sealed { seq: 12, upto: now() - TimeDelta::minutes(9) }),
        unsealed: None,
        leases: Vec::new(),
        proof,
    })
}

#[test]
fn audit_of_journal_and_ledger() {
    in_every_size("audit-ledger", |columns, rows| {
        let mut console = audit(columns, rows);
        with_ledger(&mut console, journals().split_off(1));
        console.happens(Fact::RecordRead(Ok(page(Some(Vec::new())))));
        console
    });
    in_every_size("audit-unsealed", |columns, rows| {
        let mut console = audit(columns, rows);
        with_ledger(&mut console, journals().split_off(1));
        let oldest = now() - TimeDelta::minutes(31);
        let unsealed = Some(Unsealed { rows: 1_204, oldest, overdue: true });
        let proof = Some(Proof { at: now(), rows: 41, findings: Vec::new(), unseen_commits: 312 });
        let read = RecordPage { unsealed, proof, ..RecordPage::clone(&page(None)) };
        console.happens(Fact::RecordRead(Ok(Arc::new(read))));
        console.press("enter");
        console
    });
    in_every_size("audit-findings", |columns, rows| {
        let mut console = audit(columns, rows);
        with_ledger(&mut console, journals().split_off(1));
        let finding = "audit_event x1: edited since it was sealed by 1".to_owned();
        console.happens(Fact::RecordRead(Ok(page(Some(vec![finding])))));
        console.press("G k enter");
        console
    });
}

#[test]
fn the_ledger_is_read_once_a_visit_again_on_wish_and_verified_on_wish() {
    let mut console = Console::with_fleet(120, 40);
    let asks = |effects: Vec<Effect>, verify: bool| effects.contains(&Effect::Act(Order::ReadRecord { verify }));
    assert!(!asks(with_ledger(&mut console, journals()), false), "nobody looks");
    assert!(asks(console.press("8"), false));
    assert!(!asks(console.press("j k"), false));
    assert!(!asks(with_ledger(&mut console, journals()), false));
    assert!(asks(console.press("f5"), false));
    assert!(asks(console.press("v"), true));
    console.happens(Fact::RecordRead(Ok(page(Some(Vec::new())))));
    console.happens(Fact::RecordRead(Ok(page(None))));
    let proof = console.model.shared.operations.shared_record.page.as_ref().and_then(|page| page.proof.clone());
    assert!(proof.is_some(), "a look without one does not forget it");
    console.happens(Fact::RecordRead(Err("the warehouse does not answer".to_owned())));
    assert!(console.model.shared.operations.shared_record.page.is_some(), "what was read stays");
    assert!(!asks(console.press("8"), false), "already here");
    console.press("1");
    assert!(asks(console.press("8"), false), "another visit");
}

#[test]
fn what_nobody_has_sealed_is_not_called_verified() {
    let mut console = audit(120, 40);
    with_ledger(&mut console, journals());
    let read = RecordPage { sealed: None, ..RecordPage::clone(&page(Some(Vec::new()))) };
    console.happens(Fact::RecordRead(Ok(Arc::new(read))));
    let shown = crate::ui::drawn::screen(&console);
    assert!(shown.contains("nothing is sealed yet: nothing to verify") && !shown.contains("verified 05:"), "{shown}");
}

#[test]
fn rows_of_others_are_found_by_who_and_exported_with_the_rest() {
    let mut console = audit(120, 40);
    with_ledger(&mut console, journals().split_off(1));
    console.happens(Fact::RecordRead(Ok(page(None))));
    let rows = |console: &Console| match console.model.screen() {
        Screen::Audit(state) => state.list().rows().len(),
        other => panic!("{other:?}"),
    };
    let all = rows(&console);
    console.press("/");
    console.type_text("who:bob what:taken");
    console.press("enter");
    assert_eq!((rows(&console), all > 3), (1, true));
    for (key, extension, holds) in [
        ("x", ".csv", ",ledger,"),
        ("X", ".json", "\"reason\": \"ana's machine died\""),
        ("e", ".md", "operation taken over"),
    ] {
        let effects = console.press(key);
        let Some(Effect::Export { name, text }) = effects.first() else { panic!("{effects:?}") };
        assert!(name.ends_with(extension) && text.contains(holds), "{name}: {text}");
    }
}
