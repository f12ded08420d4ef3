//! What is on, off and assumed, by proofs.

use chrono::TimeDelta;

use super::*;
use crate::domain::fixture::now;

fn subject() -> Subject {
    Subject::ledger("ops.release", "prod", "w1")
}

fn proof(check: Check, verdict: Verdict) -> Proof {
    Proof {
        check,
        subject: subject(),
        verdict,
        finding: "as \u{1b}[31mfound".to_owned(),
        fix: None,
        figures: BTreeMap::new(),
        at: now(),
        fleet_hash: "f".to_owned(),
    }
}

fn standing(feature: Feature, proofs: &[Proof]) -> Standing {
    judge(feature, &subject(), proofs, now(), "f")
}

#[test]
fn what_was_never_tried_is_assumed_but_where_proof_is_wanted() {
    assert_eq!(standing(Feature::Leases, &[]), Standing::Assumed(vec![(Check::LeaseConflict, Doubt::Never)]));
    let switch = standing(Feature::ViewSwitch, &[proof(Check::LeaseConflict, Verdict::Proven)]);
    let Standing::Unproven(doubts) = &switch else { panic!("{switch:?}") };
    assert_eq!(doubts.len(), 2);
    assert!(!switch.is_usable());
}

#[test]
fn a_failure_turns_off_whatever_else_was_proven_and_does_not_grow_old() {
    let mut failed = proof(Check::LedgerTables, Verdict::Failed);
    failed.at -= KEPT * 3;
    failed.fleet_hash = "other".to_owned();
    let proven =
        [Check::Warehouse, Check::Permissions, Check::LeaseConflict].map(|check| proof(check, Verdict::Proven));
    let proofs = [&proven[..], &[failed.clone()]].concat();
    let Standing::Off(why) = standing(Feature::ProductionActs, &proofs) else { panic!("off") };
    assert_eq!(why, [Failed { check: Check::LedgerTables, finding: "as found".to_owned(), at: failed.at }]);
    assert!(why[0].to_string().starts_with("ledger-tables failed on "), "{}", why[0]);
}

#[test]
fn a_proof_counts_for_its_subject_its_time_and_its_fleet() {
    let proven = proof(Check::LeaseConflict, Verdict::Proven);
    assert_eq!(standing(Feature::Leases, std::slice::from_ref(&proven)), Standing::On);
    let elsewhere = Subject::ledger("ops.release", "prod", "w2");
    let judged = judge(Feature::Leases, &elsewhere, std::slice::from_ref(&proven), now(), "f");
    assert_eq!(judged, Standing::Assumed(vec![(Check::LeaseConflict, Doubt::Never)]));
    let later = now() + KEPT + TimeDelta::seconds(1);
    let judged = judge(Feature::Leases, &subject(), std::slice::from_ref(&proven), later, "f");
    assert_eq!(judged, Standing::Assumed(vec![(Check::LeaseConflict, Doubt::Old { at: now() })]));
    let judged = judge(Feature::Leases, &subject(), &[proven], now(), "g");
    assert_eq!(judged, Standing::Assumed(vec![(Check::LeaseConflict, Doubt::OtherFleet { at: now() })]));
}

#[test]
fn what_is_off_of_what_is_in_use_says_why_and_what_to_do() {
    let mut elsewhere = subject();
    elsewhere.name = "prod".to_owned();
    let of_workspace = Proof { subject: elsewhere.clone(), ..proof(Check::SignIn, Verdict::Failed) };
    let proofs = [proof(Check::LeaseConflict, Verdict::Failed), of_workspace];
    let in_use = [(Feature::ProductionActs, subject()), (Feature::Leases, subject()), (Feature::Acts, elsewhere)];
    let off = off(&in_use, &proofs, now(), "f");
    let features: Vec<Feature> = off.iter().map(|off| off.feature).collect();
    assert_eq!(features, [Feature::ProductionActs, Feature::Leases], "acts tell by themselves");
    let said = off[1].to_string();
    assert!(
        said.starts_with("off: leases: sealing, taking over (in ops.release): lease-conflict failed on "),
        "{said}"
    );
    assert!(off[0].hint().contains("--write"));
}

#[test]
fn the_newest_proof_counts() {
    let mut older = proof(Check::LeaseConflict, Verdict::Failed);
    older.at -= TimeDelta::hours(1);
    assert_eq!(standing(Feature::Leases, &[proof(Check::LeaseConflict, Verdict::Proven), older]), Standing::On);
}

#[test]
fn names_are_unique_and_read_back() {
    for check in Check::ALL {
        assert_eq!(check.name().parse::<Check>().as_ref(), Ok(check));
        assert_eq!(serde_json::to_value(check).expect("serializes"), check.name());
        assert!(!check.spec().facts.is_empty() && check.spec().fix.ends_with('.'), "{check}");
    }
    assert!("cutover".parse::<Check>().is_err());
}

/// A check on which nothing stands would be a measurement without a consequence: those are named here.
#[test]
fn every_check_but_the_measuring_ones_carries_a_feature() {
    let idle: Vec<Check> = Check::ALL
        .iter()
        .copied()
        .filter(|check| !Feature::ALL.iter().any(|feature| feature.stands_on().contains(check)))
        .collect();
    assert_eq!(idle, [Check::SignIn, Check::Clock, Check::ViewComments, Check::ViewMarker, Check::SecondWarehouse]);
}
