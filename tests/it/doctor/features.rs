//! What stands on a proof that failed is off where it is used, and says why.

use std::collections::BTreeMap;

use lakeshift::domain::clock::Clock;
use lakeshift::domain::danger::Danger;
use lakeshift::domain::proof::{Check, Proof, Subject, Verdict};
use lakeshift::domain::ulid::Ulid;
use lakeshift::operations::step::Repeat;
use lakeshift::runtime::clock::SystemClock;
use lakeshift::store::Journal;

use super::{Bench, standing};
use crate::ledger::takeover::{entries, plan};

impl Bench {
    fn journal(&self) -> Journal {
        let state = self.folder.path().join("home/.local/state/lakeshift");
        Journal::open(&state, Ulid::new(1, 1), "test").unwrap()
    }

    /// What an earlier round came to.
    fn found_before(&self, check: Check, verdict: Verdict) {
        let proof = Proof {
            check,
            subject: Subject::ledger("ops.release", "prod", &self.warehouse),
            verdict,
            finding: "as it was found".to_owned(),
            fix: None,
            figures: BTreeMap::new(),
            at: SystemClock.now(),
            fleet_hash: "whatever it was".to_owned(),
        };
        self.journal().keep_proofs(&[proof]).unwrap();
    }
}

#[test]
fn what_needs_a_lease_is_refused_while_leases_are_disproven() {
    let bench = Bench::with_ledger();
    bench.found_before(Check::LeaseConflict, Verdict::Failed);
    let refused = bench.run(&["ledger", "seal"]);
    assert_eq!(refused.code, 6, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("off: leases: sealing, taking over"), "{}", refused.err);
    assert!(
        refused.err.contains("lease-conflict failed on ") && refused.err.contains("doctor --write"),
        "{}",
        refused.err
    );
    let round = bench.round(&["--last"]).1;
    assert_eq!(standing(&round, "view_switch", "ops.release").0, "off");
    bench.found_before(Check::LeaseConflict, Verdict::Proven);
    assert_eq!(bench.run(&["ledger", "seal"]).code, 0);
}

#[test]
fn production_is_not_gone_on_with_on_a_ledger_that_was_found_broken() {
    let bench = Bench::with_ledger();
    let production = plan(Danger::Production, Repeat::Idempotent);
    bench.journal().begin(&production, &entries(&production, 1), &[], SystemClock.now()).unwrap();
    bench.journal().release(production.id).unwrap();
    bench.found_before(Check::LedgerTables, Verdict::Failed);
    let id = production.id.to_string();
    let refused = bench.run(&["operations", "resume", &id, "--reason", "it waits"]);
    assert_eq!(refused.code, 6, "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("off: acts of tiers 3 and 4 (in ops.release): ledger-tables failed"),
        "{}",
        refused.err
    );
    bench.found_before(Check::LedgerTables, Verdict::Proven);
    let further = bench.run(&["operations", "resume", &id, "--reason", "it waits"]);
    assert!(!further.err.contains("off:"), "{}", further.err);
}

#[test]
fn procedures_that_cannot_be_made_are_not_relied_on() {
    let bench = Bench::with_ledger();
    let (code, round) = bench.round(&["--write", "--check", "procedures"]);
    let check = super::found(&round, "procedures", "ops.release");
    assert_eq!((code, check["verdict"].as_str()), (8, Some("failed")), "the simulator makes no procedures: {check}");
    assert_eq!(standing(&round, "ledger_procedures", "ops.release").0, "off");
    let refused = bench.run(&["ledger", "init", "--procedures", "--run"]);
    assert_eq!(refused.code, 6, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("off: the ledger through procedures"), "{}", refused.err);
    assert_eq!(bench.run(&["ledger", "init", "--procedures"]).code, 0, "printing changes nothing");
}
