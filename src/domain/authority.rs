//! What a principal may do: the rights that an act needs against the rights that were read. Pure.
//!
//! Three answers, since two would lie: the API tells only direct memberships (databricks-api.md 8), and whoever may not
//! manage an object may often not read who may use it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::permission::{Governed, Holder, Permission};
use super::sql::QualifiedName;
use super::text;
use super::unity::{Grant, Securable};

/// Groups in which everybody is.
const EVERYBODY: [&str; 2] = ["users", "account users"];

/// Privileges that `ALL PRIVILEGES` does not include (databricks-api.md 6.4).
const BEYOND_ALL: [&str; 3] = ["MANAGE", "EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION"];

/// A right that an act needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A level on a job, pipeline or warehouse.
    Level {
        /// The kind of the object.
        kind: Governed,
        /// Its id.
        id: String,
        /// The least level: `CAN_MANAGE_RUN`.
        level: String,
    },
    /// A privilege on an object of Unity Catalog.
    Privilege {
        /// The kind of the object.
        kind: Securable,
        /// Its name.
        name: QualifiedName,
        /// As SQL spells it: `MODIFY`.
        privilege: String,
    },
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { kind, id, level } => {
                let kind = match kind {
                    Governed::Job => "job",
                    Governed::Pipeline => "pipeline",
                    Governed::Warehouse => "warehouse",
                    Governed::ClusterPolicy => "cluster policy",
                };
                write!(f, "{level} on {kind} {}", text::line(id))
            }
            Self::Privilege { kind, name, privilege } => {
                let kind = match kind {
                    Securable::Catalog => "catalog",
                    Securable::Schema => "schema",
                    Securable::Table => "table",
                    Securable::Volume => "volume",
                    Securable::Function => "function",
                };
                write!(f, "{privilege} on {kind} {}", text::line(&name.to_string()))
            }
        }
    }
}

/// What was read of an object's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// The levels on a job, pipeline or warehouse, inherited ones included.
    Levels(Vec<Permission>),
    /// The effective grants on an object of Unity Catalog, and its owner.
    Grants {
        /// The grants.
        grants: Vec<Grant>,
        /// Who owns it; none if that is not told.
        owner: Option<String>,
    },
    /// They could not be read.
    Unreadable {
        /// Why, in a few words.
        why: String,
    },
}

/// Whether a need is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Allowed {
        /// By what: a name and a level or privilege.
        by: String,
    },
    /// It is not: nobody gives it to this principal.
    Refused,
    /// Nobody can tell before the act.
    Unknown {
        /// Why.
        why: String,
    },
}

/// A principal's name under which rights are looked up.
struct Names<'a> {
    identity: &'a Identity,
}

impl Names<'_> {
    fn is_me(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.identity.user_name)
    }

    fn is_group_of_mine(&self, name: &str) -> bool {
        EVERYBODY.iter().any(|everybody| name.eq_ignore_ascii_case(everybody))
            || self.identity.groups.iter().any(|group| group == name)
    }
}

/// Somebody who has enough for a need.
struct Holding<'a> {
    name: &'a str,
    right: &'a str,
    /// Whether it may be a group.
    is_group: bool,
    /// Whether it is this principal, or a group of which it is a direct member.
    is_mine: bool,
}

/// Who has enough for a need; none if other rights were read than are needed.
fn holdings<'a>(names: &Names<'_>, need: &Need, rights: &'a Rights) -> Option<Vec<Holding<'a>>> {
    match (need, rights) {
        (Need::Level { kind, level, .. }, Rights::Levels(permissions)) => {
            let enough = permissions.iter().filter(|held| kind.suffices(&held.level, level));
            let holding = |held: &'a Permission| {
                let (name, is_group) = (held.holder.name(), matches!(held.holder, Holder::Group(_)));
                let is_mine = if is_group { names.is_group_of_mine(name) } else { names.is_me(name) };
                Holding { name, right: held.level.as_str(), is_group, is_mine }
            };
            Some(enough.map(holding).collect())
        }
        (Need::Privilege { privilege, .. }, Rights::Grants { grants, owner }) => {
            let includes = |held: &str| {
                held.eq_ignore_ascii_case(privilege)
                    || (held.eq_ignore_ascii_case("ALL PRIVILEGES") && !BEYOND_ALL.contains(&privilege.as_str()))
            };
            // Grants do not say whether a principal is a group: what is not this principal may be one.
            let holding = |name: &'a str, right: &'a str| {
                let (me, group) = (names.is_me(name), names.is_group_of_mine(name));
                Holding { name, right, is_group: !me && !name.contains('@'), is_mine: me || group }
            };
            let granted = grants.iter().filter(|grant| includes(&grant.privilege));
            let granted = granted.map(|grant| holding(grant.principal.as_str(), grant.privilege.as_str()));
            Some(owner.as_deref().map(|owner| holding(owner, "ownership")).into_iter().chain(granted).collect())
        }
        _ => None,
    }
}

/// The groups that have enough for a need and in which this principal could be through another group: what is in them decides.
/// None where that is decided without them.
pub fn in_doubt(identity: &Identity, need: &Need, rights: &Rights) -> Vec<String> {
    let held = holdings(&Names { identity }, need, rights).unwrap_or_default();
    if held.iter().any(|holding| holding.is_mine) {
        return Vec::new();
    }
    held.into_iter().filter(|holding| holding.is_group).map(|holding| holding.name.to_owned()).collect()
}

/// Judges one need. `flat` are groups that are known to hold no other groups: who is in one is in it directly, and is told so.
pub fn judge(identity: &Identity, need: &Need, rights: &Rights, flat: &BTreeSet<String>) -> Verdict {
    if !identity.active {
        return Verdict::Refused;
    }
    if let Rights::Unreadable { why } = rights {
        return Verdict::Unknown { why: why.clone() };
    }
    let Some(held) = holdings(&Names { identity }, need, rights) else {
        return Verdict::Unknown { why: "other rights were read than are needed".to_owned() };
    };
    if let Some(mine) = held.iter().find(|holding| holding.is_mine) {
        return Verdict::Allowed { by: text::line(&format!("{} of {}", mine.right, mine.name)) };
    }
    let others = held.iter().filter(|holding| holding.is_group && !flat.contains(holding.name));
    let mut others: Vec<String> = others.map(|holding| text::line(holding.name)).collect();
    if others.is_empty() {
        return Verdict::Refused;
    }
    others.sort();
    others.dedup();
    Verdict::Unknown {
        why: format!("only {} may; whether you are in it through another group is not told", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Identity {
        Identity {
            id: "1".into(),
            user_name: "ana@example.test".into(),
            display_name: None,
            active: true,
            groups: vec!["sales-oncall".into()],
        }
    }

    fn none() -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn level(level: &str) -> Need {
        Need::Level { kind: Governed::Job, id: "7".into(), level: level.into() }
    }

    fn held(holder: Holder, level: &str) -> Permission {
        Permission { holder, level: level.into(), inherited_from: Vec::new() }
    }

    #[test]
    fn a_level_is_had_by_name_by_group_or_by_everybody() {
        for holder in [
            Holder::User("Ana@example.test".into()),
            Holder::Group("sales-oncall".into()),
            Holder::Group("users".into()),
        ] {
            let rights = Rights::Levels(vec![held(holder.clone(), "CAN_MANAGE_RUN")]);
            assert!(
                matches!(judge(&ana(), &level("CAN_MANAGE_RUN"), &rights, &none()), Verdict::Allowed { .. }),
                "{holder:?}"
            );
            assert_eq!(judge(&ana(), &level("CAN_MANAGE"), &rights, &none()), Verdict::Refused);
        }
        let others = Rights::Levels(vec![held(Holder::User("bob@example.test".into()), "IS_OWNER")]);
        assert_eq!(judge(&ana(), &level("CAN_VIEW"), &others, &none()), Verdict::Refused);
        assert_eq!(level("CAN_VIEW").to_string(), "CAN_VIEW on job 7");
    }

    #[test]
    fn a_group_that_may_contain_a_group_of_mine_is_neither_yes_nor_no() {
        let rights = Rights::Levels(vec![held(Holder::Group("admins".into()), "CAN_MANAGE")]);
        let Verdict::Unknown { why } = judge(&ana(), &level("CAN_MANAGE_RUN"), &rights, &none()) else {
            panic!("unknown")
        };
        assert!(why.starts_with("only admins may"), "{why}");
        assert_eq!(in_doubt(&ana(), &level("CAN_MANAGE_RUN"), &rights), ["admins"]);
        let flat = BTreeSet::from(["admins".to_owned()]);
        assert_eq!(
            judge(&ana(), &level("CAN_MANAGE_RUN"), &rights, &flat),
            Verdict::Refused,
            "nobody is in it by a group"
        );
        let mine = Rights::Levels(vec![held(Holder::Group("sales-oncall".into()), "CAN_MANAGE")]);
        assert_eq!(in_doubt(&ana(), &level("CAN_MANAGE_RUN"), &mine), Vec::<String>::new());
        let unreadable = Rights::Unreadable { why: "403 permission denied".into() };
        assert!(matches!(judge(&ana(), &level("CAN_VIEW"), &unreadable, &none()), Verdict::Unknown { .. }));
    }

    fn privilege(privilege: &str) -> Need {
        let name = "ops.release.audit_event".parse().expect("a name");
        Need::Privilege { kind: Securable::Table, name, privilege: privilege.into() }
    }

    #[test]
    fn privileges_come_by_grant_by_all_privileges_or_by_ownership() {
        let grant = |principal: &str, privilege: &str| Grant {
            principal: principal.into(),
            privilege: privilege.into(),
            inherited_from: None,
        };
        let rights =
            |grants: Vec<Grant>, owner: Option<&str>| Rights::Grants { grants, owner: owner.map(str::to_owned) };
        let allowed =
            |need: &Need, rights: &Rights| matches!(judge(&ana(), need, rights, &none()), Verdict::Allowed { .. });
        assert!(allowed(&privilege("MODIFY"), &rights(vec![grant("sales-oncall", "MODIFY")], None)));
        let all = rights(vec![grant("ana@example.test", "ALL PRIVILEGES")], None);
        assert!(allowed(&privilege("MODIFY"), &all));
        assert!(!allowed(&privilege("MANAGE"), &all));
        assert!(allowed(&privilege("MANAGE"), &rights(Vec::new(), Some("ana@example.test"))));
        let others = rights(vec![grant("bob@example.test", "MODIFY"), grant("ana@example.test", "SELECT")], None);
        assert_eq!(judge(&ana(), &privilege("MODIFY"), &others, &none()), Verdict::Refused);
        assert_eq!(privilege("MODIFY").to_string(), "MODIFY on table ops.release.audit_event");
    }

    #[test]
    fn who_was_deactivated_may_nothing() {
        let rights = Rights::Levels(vec![held(Holder::Group("users".into()), "CAN_MANAGE")]);
        let gone = Identity { active: false, ..ana() };
        assert_eq!(judge(&gone, &level("CAN_VIEW"), &rights, &none()), Verdict::Refused);
    }
}
