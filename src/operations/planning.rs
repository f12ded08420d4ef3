//! What every kind of plan has in common: who plans, on what knowledge, and which rules forbid it.

use std::collections::BTreeMap;

use super::journal::Actor;
use super::kind::Kind;
use super::plan::{Object, OperationId, Plan, Subject, VERSION};
use super::refusal::Refusal;
use super::step::Step;
use crate::domain::Instant;
use crate::domain::danger::Danger;
use crate::domain::ids::RunId;
use crate::domain::proof::Off;
use crate::domain::workspace::Workspace;

/// How old the knowledge may be on which a plan is made, in seconds (three polls of the busiest feed).
pub const MAX_AGE_S: u64 = 30;

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
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject: Subject,
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
        let in_the_way = self.in_hand.iter().filter(|other| collides(kind, subject, other));
        refusals.extend(in_the_way.map(|other| Refusal::InHand { operation: other.operation, kind: other.kind }));
        refusals
    }

    /// What forbids an act of a tier here and now, whatever it is about.
    pub fn forbids(&self, danger: Danger) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let age_s = u64::try_from(self.now.signed_duration_since(self.observed_at).num_seconds()).unwrap_or(0);
        if age_s > MAX_AGE_S {
            refusals.push(Refusal::Stale { age_s, at_most_s: MAX_AGE_S });
        }
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
    let same_place = other.subject.workspace == subject.workspace && other.subject.host == subject.host;
    let same_run = other.subject.run.is_none() || subject.run.is_none() || other.subject.run == subject.run;
    let ends_it = kind == Kind::Cancel && other.kind == Kind::RunNow;
    same_place && other.subject.object == subject.object && same_run && !ends_it
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
}
