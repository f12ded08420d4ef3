//! What every kind of plan has in common: who plans, on what knowledge, and which rules forbid it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::journal::Actor;
use super::kind::Kind;
use super::needs::Rights;
use super::plan::{Aim, Object, OperationId, Plan, Stored, Subject, VERSION};
use super::refusal::Refusal;
use super::step::Step;
use crate::domain::Instant;
use crate::domain::danger::Danger;
use crate::domain::ids::RunId;
use crate::domain::proof::Off;
use crate::domain::workspace::Workspace;

/// How old the knowledge may be on which a plan is made, in seconds (three polls of the busiest feed).
pub const MAX_AGE_S: u64 = 30;

/// How old it may be when a person confirms the plan and the operation begins, in seconds: time enough to read a dialog and
/// to ask somebody, and no more. An older one is read again, and the person is shown what changed.
pub const MAX_AGE_TO_BEGIN_S: u64 = 120;

/// Whether the workspace may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Open,
    /// Policy forbids it until somebody unlocks this object for this act.
    Locked,
    /// The person asked for read-only.
    ReadOnly,
}

/// An operation that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InHand {
    /// The operation.
    pub operation: OperationId,
    /// What it is; none if its plan is of another version of this program that has kinds which this one does not know.
    pub kind: Option<Kind>,
    /// What it is about.
    pub aim: Aim,
}

impl InHand {
    /// From a plan as it was read back. None if it does not tell what it is about in words that every version has.
    pub fn of(operation: OperationId, plan: Stored) -> Option<Self> {
        let (kind, aim) = match plan {
            Stored::Known(plan) => (Some(plan.kind), plan.subject.aim()),
            Stored::Foreign { json, .. } => {
                (Kind::deserialize(&json["kind"]).ok(), Aim::deserialize(&json["subject"]).ok()?)
            }
        };
        Some(Self { operation, kind, aim })
    }
}

/// Who plans, when, and on what knowledge.
#[derive(Clone, Debug)]
pub struct Planning<'a> {
    /// The new operation's id.
    pub id: OperationId,
    /// Who plans.
    pub actor: Actor,
    /// Why, in their words.
    pub reason: Option<String>,
    /// SHA-256 of the fleet's configuration.
    pub fleet_hash: String,
    /// Local time.
    pub now: Instant,
    /// When what is planned on was read, in local time.
    pub observed_at: Instant,
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The product that the object belongs to.
    pub product: Option<String>,
    /// Whether the workspace may be changed.
    pub access: Access,
    /// Whether a shared ledger is configured.
    pub has_ledger: bool,
    /// What is off because a proof failed.
    pub off: Vec<Off>,
    /// Whose rights are used, and whether they are enough.
    pub rights: Rights,
    /// Operations that are not over.
    pub in_hand: &'a [InHand],
    /// How long a request whose answer was lost may still take effect, in seconds.
    pub late_bound_s: u32,
}

impl Planning<'_> {
    /// The subject of a plan about an object of this workspace.
    pub fn subject(&self, object: Object, name: &str, run: Option<RunId>) -> Subject {
        Subject {
            workspace: self.workspace.name.clone(),
            environment: self.workspace.environment,
            host: self.workspace.host.clone(),
            object,
            name: name.to_owned(),
            run,
            product: self.product.clone(),
        }
    }

    /// What forbids an operation of this kind, whatever the kind's own rules say.
    pub fn refusals(&self, kind: Kind, subject: &Subject) -> Vec<Refusal> {
        let mut refusals = self.forbids(kind.danger());
        refusals.extend(self.rights.lacking());
        let in_the_way = self.in_hand.iter().filter(|other| collides(kind, subject, other));
        refusals.extend(in_the_way.map(|other| Refusal::InHand { operation: other.operation, kind: other.kind }));
        refusals
    }

    /// What forbids an act of a tier here and now, whatever it is about.
    pub fn forbids(&self, danger: Danger) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        refusals.extend(stale(self.observed_at, self.now, MAX_AGE_S));
        if !danger.is_permitted(self.access != Access::Open) {
            let unlockable = self.access == Access::Locked;
            refusals.push(Refusal::ReadOnly { workspace: self.workspace.name.clone(), unlockable });
        }
        if danger.waits_for_ledger() && !self.has_ledger {
            refusals.push(Refusal::NoLedger { tier: danger });
        }
        if danger.waits_for_ledger() {
            let off = self.off.iter().filter(|off| off.feature.carries_production());
            refusals.extend(off.map(|off| Refusal::Off { off: off.clone() }));
        }
        if danger.wants_reason() && self.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            refusals.push(Refusal::NoReason);
        }
        refusals
    }

    /// The plan, or all that forbids it.
    ///
    /// # Errors
    /// All refusals at once.
    pub fn plan(
        &self,
        kind: Kind,
        subject: Subject,
        observed: BTreeMap<String, String>,
        refusals: Vec<Refusal>,
        steps: Vec<Step>,
    ) -> Result<Plan, Vec<Refusal>> {
        let mut all = self.refusals(kind, &subject);
        all.extend(refusals);
        if !all.is_empty() {
            return Err(all);
        }
        Ok(Plan {
            version: VERSION,
            id: self.id,
            kind,
            tier: kind.danger(),
            subject,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            release_id: None,
            fleet_hash: self.fleet_hash.clone(),
            made_at: whole_ms(self.now),
            observed,
            observed_at: whole_ms(self.observed_at),
            late_bound_s: self.late_bound_s,
            steps,
        })
    }
}

/// Whether an unfinished operation on the same subject excludes a further one. Two on one run, one job or one pipeline do;
/// but what was started may be canceled.
pub fn collides(kind: Kind, subject: &Subject, other: &InHand) -> bool {
    let Aim { workspace, host, object, run } = &other.aim;
    let same_place = *workspace == subject.workspace && *host == subject.host;
    let same_run = run.is_none() || subject.run.is_none() || *run == subject.run;
    let ends_it = kind == Kind::Cancel && other.kind == Some(Kind::RunNow);
    same_place && *object == subject.object && same_run && !ends_it
}

/// Whether what a plan was made on is too old by now for the operation to begin.
pub fn outdated(plan: &Plan, now: Instant) -> Option<Refusal> {
    stale(plan.observed_at, now, MAX_AGE_TO_BEGIN_S)
}

fn stale(observed_at: Instant, now: Instant, at_most_s: u64) -> Option<Refusal> {
    let age_s = u64::try_from(now.signed_duration_since(observed_at).num_seconds()).unwrap_or(0);
    (age_s > at_most_s).then_some(Refusal::Stale { age_s, at_most_s })
}

/// Milliseconds are what the store and the ledger keep: a plan must read back as it was hashed.
pub fn whole_ms(at: Instant) -> Instant {
    Instant::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

/// The token of a step: the same for all of its attempts, and 64 characters at most.
pub fn token(operation: OperationId, step: usize) -> String {
    format!("lakeshift-{operation}-{step}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authority::Verdict;
    use crate::domain::fixture::now;
    use crate::domain::proof::{Check, Failed, Feature, Subject};
    use crate::operations::fixture::planning;

    fn off(feature: Feature, check: Check) -> Off {
        let failed = Failed { check, finding: "as found".to_owned(), at: now() };
        Off { feature, subject: Subject::ledger("ops.release", "prod", "w"), failed }
    }

    #[test]
    fn without_a_ledger_production_is_not_changed() {
        let refusals = Planning { has_ledger: false, ..planning() }.forbids(Danger::Production);
        assert_eq!(refusals, [Refusal::NoLedger { tier: Danger::Production }]);
        assert_eq!(Planning { has_ledger: false, ..planning() }.forbids(Danger::Costly), []);
        assert_eq!(Planning { has_ledger: true, ..planning() }.forbids(Danger::Production), []);
    }

    #[test]
    fn production_is_not_changed_on_what_failed_and_all_else_goes_on() {
        let lease = off(Feature::ProductionActs, Check::LeaseConflict);
        let figures = off(Feature::FlowFigures, Check::PipelineEvents);
        let planning = Planning { has_ledger: true, off: vec![figures, lease.clone()], ..planning() };
        let refusals = planning.forbids(Danger::Production);
        assert_eq!(refusals, [Refusal::Off { off: lease }]);
        assert!(refusals[0].to_string().contains("lease-conflict failed on "), "{}", refusals[0]);
        assert!(refusals[0].hint().is_some_and(|hint| hint.contains("doctor --write")));
        assert_eq!(planning.forbids(Danger::Costly), []);
        assert_eq!(planning.forbids(Danger::Rollback), []);
    }

    #[test]
    fn production_and_data_want_a_ledger_and_a_reason_and_nothing_else_does() {
        let bare = Planning { has_ledger: false, reason: Some("  ".to_owned()), ..planning() };
        for danger in Danger::ALL {
            let refusals = bare.forbids(danger);
            if matches!(danger, Danger::Production | Danger::Loss) {
                assert_eq!(refusals, [Refusal::NoLedger { tier: danger }, Refusal::NoReason]);
                let said = refusals[0].to_string();
                assert!(said.ends_with("needs a shared ledger, and none is configured"), "{said}");
                assert!(refusals[0].hint().is_some_and(|hint| hint.contains("[ledger]")));
            } else {
                assert_eq!(refusals, [], "{danger:?}");
            }
        }
    }

    #[test]
    fn a_right_that_is_surely_lacking_is_named_and_an_unknown_one_is_left_to_the_platform() {
        let rights = |verdict| Rights { who: "ana".into(), needed: "CAN_RUN on pipeline p".into(), verdict };
        let with = |verdict| {
            let planning = Planning { rights: rights(verdict), ..planning() };
            let subject = planning.subject(Object::Pipeline("p".into()), "p", None);
            planning.refusals(Kind::StartPipeline, &subject)
        };
        let lacks = Refusal::Lacks { who: "ana".into(), needed: "CAN_RUN on pipeline p".into() };
        assert_eq!(with(Verdict::Refused), [lacks]);
        assert_eq!(with(Verdict::Unknown { why: "403".into() }), []);
    }

    #[test]
    fn what_is_confirmed_too_late_is_outdated() {
        let planning = planning();
        let subject = planning.subject(Object::Pipeline("p".into()), "p", None);
        let plan = planning.plan(Kind::StopPipeline, subject, BTreeMap::new(), Vec::new(), Vec::new());
        let plan = plan.expect("planned");
        let after = |s: u64| outdated(&plan, plan.observed_at + chrono::TimeDelta::seconds(s.cast_signed()));
        assert_eq!(after(MAX_AGE_TO_BEGIN_S), None);
        assert_eq!(
            after(MAX_AGE_TO_BEGIN_S + 1),
            Some(Refusal::Stale { age_s: MAX_AGE_TO_BEGIN_S + 1, at_most_s: MAX_AGE_TO_BEGIN_S })
        );
    }

    /// A newer program on the same machine has begun something on the same pipeline.
    #[test]
    fn an_operation_of_another_version_is_in_the_way_by_what_it_is_about() {
        let planning = planning();
        let subject = planning.subject(Object::Pipeline("p".into()), "p", None);
        let foreign = |object: serde_json::Value| {
            let (workspace, host) = (&subject.workspace, &subject.host);
            let subject = serde_json::json!({"workspace": workspace, "host": host, "object": object, "mood": "calm"});
            let json = serde_json::json!({"version": 99, "kind": "reset_pipeline", "subject": subject});
            InHand::of(planning.id, Stored::Foreign { version: Some(99), json })
        };
        let same = foreign(serde_json::json!({"pipeline": "p"})).expect("it tells what it is about");
        assert_eq!((same.kind, collides(Kind::StartPipeline, &subject, &same)), (None, true));
        let in_hand = [same];
        let planning = Planning { in_hand: &in_hand, ..planning.clone() };
        let refusal = &planning.refusals(Kind::StartPipeline, &subject)[0];
        assert!(refusal.to_string().contains("of another version of lakeshift"), "{refusal}");
        assert!(refusal.hint().is_some_and(|hint| hint.contains("version")));
        let other = foreign(serde_json::json!({"pipeline": "q"})).expect("it tells what it is about");
        assert!(!collides(Kind::StartPipeline, &subject, &other));
        assert_eq!(foreign(serde_json::json!({"warehouse": "w"})), None, "no act of this program is about one");
    }
}
