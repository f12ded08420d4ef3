//! What a screen reads of the shared record: much at first, then what is new, and who leads.

use lakeshift::domain::proof::{Check, Proof, Subject, Verdict};
use lakeshift::ledger::lease::{self, Tenure, Tick};
use lakeshift::ledger::{LedgerRow, Table, Value, seal};
use lakeshift::runtime::acts::Reader;

use super::{Desk, block_on, event};

#[test]
fn a_second_visit_reads_what_is_new_and_nothing_else() {
    let desk = Desk::installed();
    let ledger = desk.ledger();
    for part in 0..4 {
        let rows: Vec<LedgerRow> = (0..250).map(|n| event(&format!("a{}", part * 250 + n), "intended")).collect();
        block_on(ledger.append(&rows));
        desk.pass(900);
        block_on(seal::seal(&ledger, &format!("s{part}"), None)).unwrap();
    }
    let mut reader = Reader::default();
    let mut visit = || {
        desk.take_asked();
        let page = block_on(reader.read(&ledger, false)).unwrap();
        let asked = desk.take_asked();
        let statements: Vec<&str> = asked.iter().map(|asked| asked.statement).collect();
        (page, statements, asked.iter().map(|asked| asked.bytes).sum::<usize>())
    };
    let (page, _, first) = visit();
    assert_eq!((page.rows.len(), page.reader.as_str()), (1_000, "root"));
    assert_eq!((page.sealed.map(|sealed| sealed.seq), page.unsealed), (Some(4), None));
    let (page, statements, bytes) = visit();
    assert_eq!(statements, ["ledger.history.audit_event", "ledger.seal_ends", "ledger.leases"]);
    assert!(page.rows.len() == 1_000 && bytes < 2_000 && first > 50 * bytes, "{first} and then {bytes} bytes");
    desk.pass(1);
    block_on(ledger.append(&[event("b1", "planned")]));
    let (page, statements, bytes) = visit();
    assert_eq!((page.rows.len(), page.rows[0].id.as_str(), statements.len()), (1_001, "b1", 4));
    assert!(bytes < 3_000, "{bytes} bytes");
    let unsealed = page.unsealed.expect("not sealed yet");
    assert_eq!((unsealed.rows, unsealed.oldest, unsealed.overdue), (1, desk.now(), false));
    desk.pass(20 * 60 + 1);
    assert!(visit().0.unsealed.is_some_and(|unsealed| unsealed.overdue), "a quarter of an hour and a grace");
}

#[test]
fn who_leads_is_read_with_the_record() {
    let desk = Desk::installed();
    let ledger = desk.of("ana").ledger();
    let mut reader = Reader::default();
    assert!(block_on(reader.read(&ledger, false)).unwrap().leases.is_empty(), "all are free");
    let mut tenure = Tenure::new("sales", "op-1", "n1");
    let tick = || Tick { monotonic_ms: 0, at: desk.now() };
    while block_on(lease::step(&mut tenure, &ledger, &tick)) {}
    let [lease] = &block_on(reader.read(&ledger, false)).unwrap().leases[..] else { panic!("one is held") };
    assert_eq!((lease.product.as_str(), lease.holder.as_str(), lease.fence), ("sales", "ana", 1));
    assert_eq!((lease.operation.as_deref(), lease.is_over), (Some("op-1"), false));
    assert_eq!(lease.until, desk.now() + chrono::TimeDelta::seconds(120));
    desk.pass(121);
    assert!(block_on(reader.read(&ledger, false)).unwrap().leases[0].is_over, "and was not given back");
}

#[test]
fn what_the_doctor_of_another_home_has_shown_is_read_with_the_record() {
    let desk = Desk::installed();
    let proof = |check, verdict, second| Proof {
        check,
        subject: Subject { name: "ops.release".to_owned(), place: "prod, warehouse w".to_owned() },
        verdict,
        finding: "both".to_owned(),
        fix: None,
        figures: std::collections::BTreeMap::new(),
        at: desk.now() + chrono::TimeDelta::seconds(second),
        fleet_hash: "f".to_owned(),
    };
    let round = |id: &str, proofs: &[Proof]| {
        let detail = serde_json::json!({"v": 1, "fleet_hash": "f", "by": "bob@desk", "proofs": proofs});
        let text = |text: &str| Value::Text(text.to_owned());
        let values = [
            ("audit_id", text(id)),
            ("verb", text("doctor")),
            ("outcome", text("failed")),
            ("detail_json", text(&detail.to_string())),
        ];
        LedgerRow::new(Table::AuditEvent, values).unwrap()
    };
    let failed = proof(Check::LeaseConflict, Verdict::Failed, 60);
    let rows = [
        round("d2", &[failed.clone(), proof(Check::Connectivity, Verdict::Failed, 60)]),
        round("d1", &[proof(Check::LeaseConflict, Verdict::Proven, 0)]),
        round("d3", &[proof(Check::LeaseConflict, Verdict::Undecided, 90)]),
    ];
    block_on(desk.of("bob").ledger().append(&rows));
    let mut reader = Reader::default();
    block_on(reader.read(&desk.of("ana").ledger(), false)).unwrap();
    assert_eq!(reader.proofs(), [failed], "the newest decision, and nothing that is of bob's machine alone");
}
