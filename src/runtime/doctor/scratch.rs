//! A schema of the doctor's own, in which it may make what it likes: named so that everybody sees whose it is, and dropped
//! again whatever happened in between.

use crate::domain::sql::{BadName, NamedStatement, Part, QualifiedName, Rows};
use crate::domain::ulid::Ulid;
use crate::ledger::sql::Ask;
use crate::ledger::{Sql, SqlTrouble};

use super::statements::{CREATE_SCHEMA, DROP_SCHEMA};

/// How the names of such schemas begin.
pub const PREFIX: &str = "lakeshift_selftest_";

/// The schema, and what runs statements in it.
pub struct Scratch<'a, S> {
    sql: &'a S,
    schema: QualifiedName,
}

impl<'a, S: Sql> Scratch<'a, S> {
    /// The schema of one round, in a catalog. Nothing is made yet.
    ///
    /// # Errors
    /// When the catalog's name can be none.
    pub fn new(sql: &'a S, catalog: &str, round: Ulid) -> Result<Self, BadName> {
        let leaf = format!("{PREFIX}{}", round.to_string().to_lowercase());
        Ok(Self { sql, schema: QualifiedName::new([catalog, leaf.as_str()])? })
    }

    /// Its name.
    pub fn schema(&self) -> &QualifiedName {
        &self.schema
    }

    /// What runs its statements.
    pub fn sql(&self) -> &S {
        self.sql
    }

    /// The schema of another, its statements run elsewhere.
    pub fn of(sql: &'a S, schema: QualifiedName) -> Self {
        Self { sql, schema }
    }

    /// The name of an object in it.
    pub fn name(&self, leaf: &str) -> QualifiedName {
        // Our own leaves are names: none is refused.
        self.schema.child(leaf).unwrap_or_else(|_| self.schema.clone())
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make(&self) -> Result<(), SqlTrouble> {
        self.run(&CREATE_SCHEMA, &[]).await.map(drop)
    }

    /// Drops it with all that is in it.
    ///
    /// # Errors
    /// When it stays.
    pub async fn drop_all(&self) -> Result<(), SqlTrouble> {
        self.run(&DROP_SCHEMA, &[]).await.map(drop)
    }

    /// Runs a statement whose markers are objects of this schema, but for those that are given here as SQL.
    ///
    /// # Errors
    /// The statement's.
    pub async fn run(
        &self,
        named: &'static NamedStatement,
        given: &[(&'static str, &str)],
    ) -> Result<Rows, SqlTrouble> {
        let part = |marker: &'static str| match given.iter().find(|(name, _)| *name == marker) {
            Some((_, sql)) => (marker, Part::Sql((*sql).to_owned())),
            None if marker == "schema" => (marker, Part::Name(self.schema.clone())),
            None => (marker, Part::Name(self.name(marker))),
        };
        let parts = named.markers().into_iter().map(part).collect();
        self.sql.execute(&Ask { named, parts, parameters: Vec::new() }).await
    }
}
