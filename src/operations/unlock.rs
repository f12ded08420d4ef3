//! Unlocking: a workspace that is read-only by policy is opened for one object and one act, for a short time. A global
//! "armed" mode is a trap (console.md 4), so there is none.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::plan::Object;
use super::planning::Access;
use crate::domain::Instant;
use crate::domain::ids::WorkspaceName;

/// How long an unlocking lasts.
pub const LASTS: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// One object opened for one act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlock {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The object.
    pub object: Object,
    /// The act.
    pub kind: Kind,
    /// Until when, in local time.
    pub until: Instant,
}

/// What is unlocked at present. It lives in one process and dies with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocks(Vec<Unlock>);

impl Unlocks {
    /// Unlocks one object for one act; an earlier unlocking of the same begins anew.
    pub fn open(&mut self, workspace: WorkspaceName, object: Object, kind: Kind, now: Instant) {
        self.0.retain(|open| {
            now < open.until && !(open.workspace == workspace && open.object == object && open.kind == kind)
        });
        self.0.push(Unlock { workspace, object, kind, until: now + LASTS });
    }

    /// Locks everything again.
    pub fn lock(&mut self) {
        self.0.clear();
    }

    /// What is unlocked now, so that the screen can show it with the time left.
    pub fn at(&self, now: Instant) -> impl Iterator<Item = &Unlock> {
        self.0.iter().filter(move |open| now < open.until)
    }

    /// Whether an act on an object may be planned, given what policy and person say of its workspace. What the person
    /// asked for themselves is not unlocked here: they lift it where they asked for it.
    pub fn access(
        &self,
        locked: Access,
        workspace: &WorkspaceName,
        object: &Object,
        kind: Kind,
        now: Instant,
    ) -> Access {
        let fits = |open: &Unlock| open.workspace == *workspace && open.object == *object && open.kind == kind;
        match locked {
            Access::Locked if self.at(now).any(fits) => Access::Open,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::now;
    use crate::domain::ids::JobId;

    #[test]
    fn one_object_is_unlocked_for_one_act_in_one_workspace_for_a_while() {
        let mut unlocks = Unlocks::default();
        let (job, other) = (Object::Job(JobId(7)), Object::Job(JobId(8)));
        unlocks.open("prod".into(), job.clone(), Kind::RunNow, now());
        let access = |workspace: &str, object: &Object, kind, at| {
            unlocks.access(Access::Locked, &workspace.into(), object, kind, at)
        };
        assert_eq!(access("prod", &job, Kind::RunNow, now()), Access::Open);
        assert_eq!(access("prod", &other, Kind::RunNow, now()), Access::Locked);
        assert_eq!(access("prod", &job, Kind::Cancel, now()), Access::Locked);
        assert_eq!(access("staging", &job, Kind::RunNow, now()), Access::Locked);
        assert_eq!(access("prod", &job, Kind::RunNow, now() + LASTS), Access::Locked);
        let own_wish = unlocks.access(Access::ReadOnly, &"prod".into(), &job, Kind::RunNow, now());
        assert_eq!(own_wish, Access::ReadOnly);
        assert_eq!(unlocks.at(now()).count(), 1);
        unlocks.lock();
        assert_eq!(unlocks.at(now()).count(), 0);
    }

    #[test]
    fn unlocking_again_begins_anew_and_leaves_no_double() {
        let mut unlocks = Unlocks::default();
        let job = Object::Job(JobId(7));
        let later = now() + LASTS / 2;
        unlocks.open("prod".into(), job.clone(), Kind::RunNow, now());
        unlocks.open("prod".into(), job, Kind::RunNow, later);
        assert_eq!(unlocks.at(later).map(|open| open.until).collect::<Vec<_>>(), [later + LASTS]);
    }
}
