//! Changes of objects and rights that come by REST: the same rules and the same objects as by SQL.

use std::collections::BTreeMap;

use crate::domain::Instant;
use crate::sim::sql::catalog::{Catalog, Column, Privilege};
use crate::sim::sql::{Commit, Result, Securable, Session, SqlError, TableName, quote};

use super::Lakehouse;
use super::system::Act;

/// What may be changed of an object besides its name.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Changes {
    /// A new owner.
    pub(in crate::sim) owner: Option<String>,
    /// A new comment.
    pub(in crate::sim) comment: Option<String>,
    /// All properties.
    pub(in crate::sim) properties: Option<BTreeMap<String, String>>,
}

impl Lakehouse {
    /// Catalogs, schemas, tables and grants.
    pub(in crate::sim) fn catalog(&self) -> &Catalog {
        self.engine.catalog()
    }

    /// The commits of a table, oldest first; empty for a view.
    pub(in crate::sim) fn history(&self, name: &TableName) -> &[Commit] {
        self.engine.history(name).unwrap_or_default()
    }

    /// The tables and views that a view names; none where that cannot be told.
    pub(in crate::sim) fn dependencies(&self, name: &TableName, now: Instant) -> Option<Vec<TableName>> {
        self.engine.dependencies(name, now).ok()
    }

    /// Makes a catalog, a schema or a volume.
    ///
    /// # Errors
    /// As the statement that does the same.
    pub(in crate::sim) fn create(
        &mut self,
        user: &str,
        securable: &Securable,
        changes: &Changes,
        at: Instant,
    ) -> Result<()> {
        self.run(user, &format!("CREATE {} {}", securable.kind(), name(securable)), at)?;
        let facts = self.engine.catalog_mut().facts_mut(securable)?;
        facts.comment.clone_from(&changes.comment);
        facts.properties.extend(changes.properties.clone().unwrap_or_default());
        Ok(())
    }

    /// Says where the files of a volume are.
    pub(in crate::sim) fn place_volume(&mut self, name: &TableName, location: Option<String>) -> Result<()> {
        let schema = self.engine.catalog_mut().schema_mut(&name.catalog, &name.schema)?;
        if let Some(volume) = schema.volumes.get_mut(&name.table) {
            volume.location = location;
        }
        Ok(())
    }

    /// Removes an object; with what is in it where `force` says so.
    ///
    /// # Errors
    /// As the statement that does the same.
    pub(in crate::sim) fn remove(&mut self, user: &str, securable: &Securable, force: bool, at: Instant) -> Result<()> {
        let kind = match securable {
            Securable::Table(name) if self.catalog().table(name)?.kind.word() == "VIEW" => "VIEW",
            other => other.kind(),
        };
        let cascade =
            if force && matches!(securable, Securable::Catalog(_) | Securable::Schema(..)) { " CASCADE" } else { "" };
        self.run(user, &format!("DROP {kind} {}{cascade}", name(securable)), at)
    }

    /// Changes an object.
    ///
    /// # Errors
    /// When it is not there, or the user does not manage it.
    pub(in crate::sim) fn change(
        &mut self,
        user: &str,
        securable: &Securable,
        changes: Changes,
        at: Instant,
    ) -> Result<()> {
        let catalog = self.engine.catalog_mut();
        catalog.facts(securable)?;
        catalog.require_manage(user, securable)?;
        let facts = catalog.facts_mut(securable)?;
        let Changes { owner, comment, properties } = changes;
        if let Some(owner) = owner {
            facts.owner = owner;
        }
        if let Some(comment) = comment {
            facts.comment = Some(comment);
        }
        if let Some(properties) = properties {
            facts.properties = properties;
        }
        facts.updated_at = at;
        user.clone_into(&mut facts.updated_by);
        Ok(())
    }

    /// Gives a catalog or a schema another name; what is in it goes with it.
    ///
    /// # Errors
    /// When it is not there, the name is taken, or the user does not manage it.
    pub(in crate::sim) fn rename(&mut self, user: &str, securable: &Securable, to: &str) -> Result<Securable> {
        let catalog = self.engine.catalog_mut();
        catalog.facts(securable)?;
        catalog.require_manage(user, securable)?;
        let to = to.to_lowercase();
        let renamed = match securable {
            Securable::Catalog(_) => Securable::Catalog(to.clone()),
            Securable::Schema(of, _) => Securable::Schema(of.clone(), to.clone()),
            other => return Err(SqlError::unsupported(format!("a new name for {other}"))),
        };
        if catalog.facts(&renamed).is_ok() {
            let class = format!("{}_ALREADY_EXISTS", securable.kind());
            return Err(SqlError::new(&class, "42P06", format!("{} '{renamed}' already exists.", securable.noun())));
        }
        match securable {
            Securable::Catalog(from) => {
                let entry = catalog.catalogs.remove(from);
                catalog.catalogs.extend(entry.map(|entry| (to, entry)));
            }
            Securable::Schema(of, from) => {
                let entry = catalog.catalog_mut(of)?;
                let schema = entry.schemas.remove(from);
                entry.schemas.extend(schema.map(|schema| (to, schema)));
            }
            _ => {}
        }
        Ok(renamed)
    }

    /// Takes privileges from a principal, then gives it others.
    ///
    /// # Errors
    /// When the object is not there, or the user does not manage it.
    pub(in crate::sim) fn regrant(
        &mut self,
        user: &str,
        securable: &Securable,
        principal: &str,
        remove: &[Privilege],
        add: &[Privilege],
        at: Instant,
    ) -> Result<()> {
        let catalog = self.engine.catalog_mut();
        catalog.facts(securable)?;
        catalog.require_manage(user, securable)?;
        catalog.revoke(securable, principal, remove)?;
        if !add.is_empty() {
            catalog.grant(securable, principal, add)?;
        }
        let words = |all: &[Privilege]| all.iter().map(|privilege| privilege.rest()).collect::<Vec<_>>().join(",");
        let detail = format!("{principal}: +[{}] -[{}]", words(add), words(remove));
        self.note(user, "updatePermissions", &securable.to_string(), detail, at);
        Ok(())
    }

    /// Notes a change for the audit.
    pub(super) fn note(&mut self, user: &str, action: &'static str, subject: &str, detail: String, at: Instant) {
        self.log.acts.push(Act { user: user.to_owned(), action, subject: subject.to_owned(), detail, at });
    }

    fn run(&mut self, user: &str, sql: &str, at: Instant) -> Result<()> {
        self.engine.execute(&mut Session::new(user), sql, &[], at).map(|_| ())
    }
}

/// The columns by which a table is partitioned, in order.
pub(in crate::sim) fn partition_index(properties: &BTreeMap<String, String>, column: &Column) -> Option<usize> {
    let columns = properties.get(crate::sim::sql::PARTITIONS)?;
    columns.split(',').position(|name| name.eq_ignore_ascii_case(&column.name))
}

/// Properties as outsiders see them.
pub(in crate::sim) fn public(properties: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    properties
        .iter()
        .filter(|(key, _)| *key != crate::sim::sql::PARTITIONS)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// The quoted name of an object, for a statement.
fn name(securable: &Securable) -> String {
    match securable {
        Securable::Metastore => String::new(),
        Securable::Catalog(name) => quote(&[name]),
        Securable::Schema(catalog, schema) => quote(&[catalog, schema]),
        Securable::Table(name) | Securable::Volume(name) => name.quoted(),
    }
}
