//! The metastore as it stands when the world begins: catalogs, groups, and who may do what.

use crate::sim::sql::catalog::Privilege;
use crate::sim::sql::{Engine, Result, Securable};
use crate::sim::world::World;
use crate::sim::world::principal::{ENGINEERS, FINANCE_OWNERS};

/// Who owns the metastore and what is in it from the beginning.
pub(super) const ADMINS: &str = "admins";

/// Catalogs that are there from the beginning, with what they are for.
const CATALOGS: [(&str, &str); 6] = [
    ("main", "Main catalog (auto-created)"),
    ("prod", "Published and production data"),
    ("staging", "The last stop before production"),
    ("dev", "Everybody's workbench"),
    ("ops", "Records of releases and operations"),
    ("system", "System catalog (auto-created)"),
];

/// Who holds what from the beginning: group, privileges by their REST names, catalog.
///
/// Viewers read records and what the platform tells of itself; engineers own dev, read and operate the rest; publishers
/// make and move what production publishes (domain.md 6.7).
const GRANTS: [(&str, &str, &str); 20] = [
    ("account users", "USE_CATALOG BROWSE", "main"),
    ("account users", "USE_CATALOG BROWSE", "prod"),
    ("account users", "USE_CATALOG BROWSE", "staging"),
    ("account users", "USE_CATALOG BROWSE", "dev"),
    ("account users", "USE_CATALOG USE_SCHEMA SELECT", "ops"),
    ("account users", "USE_CATALOG BROWSE", "system"),
    (ENGINEERS, "USE_SCHEMA SELECT", "prod"),
    (ENGINEERS, "USE_SCHEMA SELECT MODIFY CREATE_SCHEMA CREATE_TABLE CREATE_VOLUME", "staging"),
    (ENGINEERS, "ALL_PRIVILEGES MANAGE", "dev"),
    (ENGINEERS, "ALL_PRIVILEGES", "main"),
    (ENGINEERS, "CREATE_SCHEMA CREATE_TABLE MODIFY EXECUTE", "ops"),
    (ENGINEERS, "USE_SCHEMA SELECT", "system"),
    ("publishers", "ALL_PRIVILEGES MANAGE", "prod"),
    ("publishers", "ALL_PRIVILEGES MANAGE", "staging"),
    ("publishers", "ALL_PRIVILEGES MANAGE", "ops"),
    ("publishers", "USE_SCHEMA SELECT", "system"),
    (FINANCE_OWNERS, "USE_SCHEMA SELECT", "prod"),
    (FINANCE_OWNERS, "USE_SCHEMA SELECT", "system"),
    ("auditors", "USE_SCHEMA SELECT", "ops"),
    ("auditors", "USE_SCHEMA SELECT", "system"),
];

/// An engine with the founding catalogs.
pub(super) fn engine(world: &World, seed: u64) -> Result<Engine> {
    let now = world.started_at();
    let mut engine = Engine::new(seed, ADMINS, now)?;
    let catalog = engine.catalog_mut();
    for principal in world.principals() {
        catalog.set_groups(&principal.user_name, principal.groups.iter().map(|group| (*group).to_owned()));
    }
    for (name, comment) in CATALOGS {
        let owner = if name == "system" { "System user" } else { ADMINS };
        catalog.create_catalog(name, owner, now)?;
        catalog.catalog_mut(name)?.facts.comment = Some(comment.to_owned());
        if name != "system" {
            catalog.create_schema(name, "default", owner, now)?;
        }
    }
    for (group, privileges, name) in GRANTS {
        let privileges: Vec<Privilege> = privileges.split(' ').filter_map(Privilege::parse).collect();
        catalog.grant(&Securable::Catalog(name.to_owned()), group, &privileges)?;
    }
    for grant in &world.scenario().grant {
        let privileges: Vec<Privilege> = grant.privileges.iter().filter_map(|name| Privilege::parse(name)).collect();
        catalog.grant(&Securable::Catalog(grant.catalog.clone()), &grant.group, &privileges)?;
    }
    Ok(engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;
    use crate::sim::scenario::Scenario;

    #[test]
    fn engineers_own_dev_and_read_prod_and_readers_read_records() {
        let world = World::new(&Scenario::named("calm").expect("built in"), 7, Instant::UNIX_EPOCH);
        let engine = engine(&world, 7).expect("founded");
        let catalog = engine.catalog();
        let ci = world.principals().iter().find(|principal| principal.role == "ci").expect("ci").user_name.clone();
        let at = |name: &str| Securable::Catalog(name.to_owned());
        let holds = |user: &str, privilege, name: &str| catalog.holds(user, privilege, &at(name));
        assert!(catalog.manages("ana@example.com", &at("dev")));
        assert!(holds("ana@example.com", Privilege::SELECT, "prod"));
        assert!(!holds("ana@example.com", Privilege::MODIFY, "prod"));
        assert!(catalog.owns(&ci, &at("prod")));
        assert!(holds("kiri@example.com", Privilege::SELECT, "ops"));
        assert!(!holds("kiri@example.com", Privilege::CREATE_SCHEMA, "dev"));
        for (_, privileges, _) in GRANTS {
            assert!(privileges.split(' ').all(|name| Privilege::parse(name).is_some()), "{privileges}");
        }
    }
}
