//! Who may do what: grants that inherit downwards, ownership, groups.

use super::{Catalog, Privilege};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::names::{Securable, TableName};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// A privilege with the securable that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectiveGrant {
    /// Who holds it.
    pub principal: String,
    /// What is held.
    pub privilege: Privilege,
    /// Where it was granted, when that is above.
    pub inherited_from: Option<Securable>,
}

impl Catalog {
    /// The names under which a principal acts: itself, its groups, and everybody's group.
    #[must_use]
    pub fn identities(&self, principal: &str) -> BTreeSet<String> {
        let mut names = self.groups_of(principal);
        names.insert(principal.to_owned());
        names.insert("account users".to_owned());
        names
    }

    /// Whether the principal, or a group of it, owns the securable. Metastore admins are owners of the metastore.
    #[must_use]
    pub fn owns(&self, principal: &str, securable: &Securable) -> bool {
        self.facts(securable)
            .is_ok_and(|facts| facts.owner == principal || self.identities(principal).contains(&facts.owner))
    }

    /// Whether the principal holds a privilege by ownership or by a grant here or above.
    #[must_use]
    pub fn holds(&self, principal: &str, privilege: Privilege, securable: &Securable) -> bool {
        if self.owns(principal, securable) {
            return true;
        }
        let identities = self.identities(principal);
        let mut at = Some(securable.clone());
        while let Some(level) = at {
            let granted = self.facts(&level).is_ok_and(|facts| {
                let mut held =
                    facts.grants.iter().filter(|(name, _)| identities.contains(*name)).flat_map(|(_, set)| set);
                held.any(|p| *p == privilege || (*p == Privilege::ALL && privilege.in_all()))
            });
            if granted {
                return true;
            }
            at = level.parent();
        }
        false
    }

    /// Whether the principal may grant, transfer and drop: owner here or above, or holder of MANAGE.
    #[must_use]
    pub fn manages(&self, principal: &str, securable: &Securable) -> bool {
        let mut at = Some(securable.clone());
        while let Some(level) = at {
            if self.owns(principal, &level) {
                return true;
            }
            at = level.parent();
        }
        self.holds(principal, Privilege::MANAGE, securable)
    }

    /// Refuses a principal that lacks a privilege, naming both.
    pub fn require(&self, principal: &str, privilege: Privilege, securable: &Securable) -> Result<()> {
        if self.holds(principal, privilege, securable) {
            return Ok(());
        }
        Err(SqlError::lacks_privilege(&privilege.to_string(), securable.noun(), &securable.to_string()))
    }

    /// Refuses a principal that cannot reach into the schema: USE CATALOG, then USE SCHEMA.
    pub fn require_reach(&self, principal: &str, catalog: &str, schema: &str) -> Result<()> {
        self.require(principal, Privilege::USE_CATALOG, &Securable::Catalog(catalog.to_owned()))?;
        self.require(principal, Privilege::USE_SCHEMA, &Securable::Schema(catalog.to_owned(), schema.to_owned()))
    }

    /// Refuses a principal that cannot read the table.
    pub fn require_select(&self, principal: &str, name: &TableName) -> Result<()> {
        self.require_reach(principal, &name.catalog, &name.schema)?;
        self.require(principal, Privilege::SELECT, &Securable::Table(name.clone()))
    }

    /// Refuses a principal that cannot write the table; writing also needs reading.
    pub fn require_modify(&self, principal: &str, name: &TableName) -> Result<()> {
        self.require_select(principal, name)?;
        self.require(principal, Privilege::MODIFY, &Securable::Table(name.clone()))
    }

    /// Refuses a principal that is not the owner, by name or by group.
    pub fn require_owner(&self, principal: &str, securable: &Securable) -> Result<()> {
        if self.owns(principal, securable) {
            Ok(())
        } else {
            Err(SqlError::not_owner(securable.noun(), &securable.to_string()))
        }
    }

    /// Refuses a principal that neither owns nor manages.
    pub fn require_manage(&self, principal: &str, securable: &Securable) -> Result<()> {
        if self.manages(principal, securable) {
            Ok(())
        } else {
            Err(SqlError::not_owner(securable.noun(), &securable.to_string()))
        }
    }

    /// Whether the principal sees the object in listings: any privilege on it or under it, ownership, or BROWSE.
    #[must_use]
    pub fn sees(&self, principal: &str, securable: &Securable) -> bool {
        if self.manages(principal, securable) || self.holds(principal, Privilege::BROWSE, securable) {
            return true;
        }
        let identities = self.identities(principal);
        let granted = |level: &Securable, counts: &dyn Fn(Privilege) -> bool| {
            self.facts(level).is_ok_and(|facts| {
                let mut held =
                    facts.grants.iter().filter(|(name, _)| identities.contains(*name)).flat_map(|(_, set)| set);
                held.any(|privilege| counts(*privilege))
            })
        };
        if granted(securable, &|_| true) {
            return true;
        }
        // From above, reaching through is not seeing: USE on a parent shows none of its children.
        let mut at = securable.parent();
        while let Some(level) = at {
            if granted(&level, &|p| {
                p != Privilege::USE_CATALOG
                    && (p != Privilege::USE_SCHEMA || matches!(securable, Securable::Schema(..)))
            }) {
                return !matches!(level, Securable::Metastore);
            }
            at = level.parent();
        }
        false
    }

    /// Adds privileges for a principal.
    pub fn grant(&mut self, securable: &Securable, principal: &str, privileges: &[Privilege]) -> Result<()> {
        let facts = self.facts_mut(securable)?;
        facts.grants.entry(principal.to_owned()).or_default().extend(privileges);
        Ok(())
    }

    /// Takes privileges from a principal; ALL PRIVILEGES takes those that it stands for too.
    pub fn revoke(&mut self, securable: &Securable, principal: &str, privileges: &[Privilege]) -> Result<()> {
        let facts = self.facts_mut(securable)?;
        if let Some(held) = facts.grants.get_mut(principal) {
            held.retain(|p| !(privileges.contains(p) || privileges.contains(&Privilege::ALL) && p.in_all()));
            if held.is_empty() {
                facts.grants.remove(principal);
            }
        }
        Ok(())
    }

    /// Direct and inherited grants on a securable, in order of principal and privilege.
    pub fn effective_grants(&self, securable: &Securable) -> Result<Vec<EffectiveGrant>> {
        let mut found = Vec::new();
        let mut at = Some(securable.clone());
        while let Some(level) = at {
            let inherited_from = (level != *securable).then(|| level.clone());
            for (principal, set) in &self.facts(&level)?.grants {
                found.extend(set.iter().map(|privilege| EffectiveGrant {
                    principal: principal.clone(),
                    privilege: *privilege,
                    inherited_from: inherited_from.clone(),
                }));
            }
            at = level.parent();
        }
        found.sort();
        Ok(found)
    }

    /// Gives a securable to another owner and notes who did.
    pub fn set_owner(&mut self, securable: &Securable, owner: &str, by: &str, now: DateTime<Utc>) -> Result<()> {
        let facts = self.facts_mut(securable)?;
        owner.clone_into(&mut facts.owner);
        facts.updated_at = now;
        by.clone_into(&mut facts.updated_by);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let mut catalog = Catalog::new(1, "root", now);
        catalog.create_catalog("prod", "root", now).unwrap();
        catalog.create_schema("prod", "sales", "root", now).unwrap();
        catalog.set_groups("ana", ["analysts".to_owned()]);
        catalog
    }

    #[test]
    fn grants_inherit_and_reach_members() {
        let mut catalog = catalog();
        let schema = Securable::Schema("prod".into(), "sales".into());
        assert!(!catalog.holds("ana", Privilege::USE_SCHEMA, &schema));
        catalog.grant(&Securable::Catalog("prod".into()), "analysts", &[Privilege::USE_SCHEMA]).unwrap();
        assert!(catalog.holds("ana", Privilege::USE_SCHEMA, &schema));
        assert!(!catalog.holds("ben", Privilege::USE_SCHEMA, &schema));
        let effective = catalog.effective_grants(&schema).unwrap();
        assert_eq!(effective[0].inherited_from, Some(Securable::Catalog("prod".into())));
    }

    #[test]
    fn all_privileges_does_not_manage_and_takes_all_with_it() {
        let mut catalog = catalog();
        let schema = Securable::Schema("prod".into(), "sales".into());
        catalog.grant(&schema, "ana", &[Privilege::ALL, Privilege::SELECT, Privilege::MANAGE]).unwrap();
        assert!(catalog.holds("ana", Privilege::MODIFY, &schema));
        catalog.revoke(&schema, "ana", &[Privilege::ALL]).unwrap();
        assert!(!catalog.holds("ana", Privilege::SELECT, &schema));
        assert!(catalog.manages("ana", &schema));
        catalog.revoke(&schema, "ana", &[Privilege::MANAGE]).unwrap();
        assert!(catalog.facts(&schema).unwrap().grants.is_empty());
    }
}
