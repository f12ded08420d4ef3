//! Unity Catalog's objects: catalogs, schemas, tables, views and volumes with owners, grants and columns. No data: rows live in [`delta`](super::delta).

mod access;
pub(crate) mod information_schema;
mod privilege;

pub use access::EffectiveGrant;
pub use privilege::Privilege;

use super::error::{Result, SqlError};
use super::names::{Securable, TableName, quote};
use super::types::DataType;
use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Privileges by principal.
pub type Grants = BTreeMap<String, BTreeSet<Privilege>>;

/// What every object of the catalog has.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The object's id, kept over ALTER, new after a replacement.
    pub id: Uuid,
    /// A user, a service principal or a group.
    pub owner: String,
    /// The comment, if any.
    pub comment: Option<String>,
    /// Properties by key.
    pub properties: BTreeMap<String, String>,
    /// Direct grants.
    pub grants: Grants,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// When its metadata last changed.
    pub updated_at: DateTime<Utc>,
    /// Who changed it.
    pub updated_by: String,
}

/// A column of a table or a view.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Where the column lies in storage; stays with the column when others come and go.
    pub(crate) field: u32,
    /// Its name, as written.
    pub name: String,
    /// Its type.
    pub ty: DataType,
    /// Whether NULL is taken.
    pub nullable: bool,
    /// Its comment, if any.
    pub comment: Option<String>,
    /// The text of its default expression, if any.
    pub default: Option<String>,
}

impl Column {
    /// A nullable column without comment or default.
    #[must_use]
    pub fn new(name: &str, ty: DataType) -> Self {
        Self { field: 0, name: name.to_owned(), ty, nullable: true, comment: None, default: None }
    }

    /// The same column, refusing NULL.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }
}

/// What kind of relation a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum TableKind {
    /// A managed Delta table.
    Managed,
    /// A view: its text, and where unqualified names in it are looked up.
    View {
        /// The query, as written.
        text: String,
        /// Catalog at creation.
        catalog: String,
        /// Schema at creation.
        schema: String,
    },
    /// A streaming table of a pipeline.
    StreamingTable {
        /// The only writer.
        pipeline_id: String,
    },
    /// A materialized view of a pipeline.
    MaterializedView {
        /// The only writer.
        pipeline_id: String,
        /// The query that the pipeline declares.
        text: String,
    },
    /// A table whose rows the simulated world computes, such as a system table.
    Computed,
}

impl TableKind {
    /// The word in `table_type` of Unity Catalog.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Managed | Self::Computed => "MANAGED",
            Self::View { .. } => "VIEW",
            Self::StreamingTable { .. } => "STREAMING_TABLE",
            Self::MaterializedView { .. } => "MATERIALIZED_VIEW",
        }
    }
}

/// A table, a view, or what else can be selected from.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Owner, grants and the rest.
    pub facts: Facts,
    /// What it is.
    pub kind: TableKind,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// The next free field of its storage.
    pub(crate) next_field: u32,
}

/// A place for files.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Owner, grants and the rest.
    pub facts: Facts,
    /// Where its files are, for an external one.
    pub location: Option<String>,
}

/// A schema with its objects by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Owner, grants and the rest.
    pub facts: Facts,
    /// Tables and views.
    pub tables: BTreeMap<String, Table>,
    /// Volumes.
    pub volumes: BTreeMap<String, Volume>,
}

/// A catalog with its schemas by name.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogEntry {
    /// Owner, grants and the rest.
    pub facts: Facts,
    /// Schemas.
    pub schemas: BTreeMap<String, Schema>,
}

/// One metastore.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The metastore itself.
    pub metastore: Facts,
    /// Catalogs by name.
    pub catalogs: BTreeMap<String, CatalogEntry>,
    groups: BTreeMap<String, BTreeSet<String>>,
    random: ChaCha8Rng,
}

impl Catalog {
    /// An empty metastore owned by `owner`; ids come from the seed.
    #[must_use]
    pub fn new(seed: u64, owner: &str, now: DateTime<Utc>) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let metastore = facts(&mut random, owner, now);
        Self { metastore, catalogs: BTreeMap::new(), groups: BTreeMap::new(), random }
    }

    /// Says of which groups a principal is a member; replaces what was said before.
    pub fn set_groups(&mut self, principal: &str, groups: impl IntoIterator<Item = String>) {
        self.groups.insert(principal.to_owned(), groups.into_iter().collect());
    }

    /// Groups of a principal, `account users` not counted.
    #[must_use]
    pub fn groups_of(&self, principal: &str) -> BTreeSet<String> {
        self.groups.get(principal).cloned().unwrap_or_default()
    }

    /// Facts of a new object with a fresh id.
    pub fn new_facts(&mut self, owner: &str, now: DateTime<Utc>) -> Facts {
        facts(&mut self.random, owner, now)
    }

    /// Adds a catalog. Errors: `CATALOG_ALREADY_EXISTS`.
    pub fn create_catalog(&mut self, name: &str, owner: &str, now: DateTime<Utc>) -> Result<()> {
        let name = name.to_lowercase();
        if self.catalogs.contains_key(&name) {
            let text = format!(
                "Cannot create catalog {} because it already exists. Choose a different name or use IF NOT EXISTS.",
                quote(&[&name])
            );
            return Err(SqlError::new("CATALOG_ALREADY_EXISTS", "42710", text));
        }
        let facts = self.new_facts(owner, now);
        self.catalogs.insert(name, CatalogEntry { facts, schemas: BTreeMap::new() });
        Ok(())
    }

    /// Adds a schema. Errors: `SCHEMA_ALREADY_EXISTS`, or no such catalog.
    pub fn create_schema(&mut self, catalog: &str, name: &str, owner: &str, now: DateTime<Utc>) -> Result<()> {
        let name = name.to_lowercase();
        let facts = self.new_facts(owner, now);
        let entry = self.catalog_mut(catalog)?;
        if entry.schemas.contains_key(&name) {
            let text = format!(
                "Cannot create schema {} because it already exists. Choose a different name, drop the existing schema, or add the IF NOT EXISTS clause to tolerate pre-existing schema.",
                quote(&[&catalog.to_lowercase(), &name])
            );
            return Err(SqlError::new("SCHEMA_ALREADY_EXISTS", "42P06", text));
        }
        entry.schemas.insert(name, Schema { facts, tables: BTreeMap::new(), volumes: BTreeMap::new() });
        Ok(())
    }

    /// Adds a volume. Errors: `VOLUME_ALREADY_EXISTS`, or no such schema.
    pub fn create_volume(&mut self, name: &TableName, owner: &str, now: DateTime<Utc>) -> Result<()> {
        let facts = self.new_facts(owner, now);
        let schema = self.schema_mut(&name.catalog, &name.schema)?;
        if schema.volumes.contains_key(&name.table) {
            return Err(SqlError::new(
                "VOLUME_ALREADY_EXISTS",
                "42000",
                format!("Cannot create volume {} because it already exists.", name.quoted()),
            ));
        }
        schema.volumes.insert(name.table.clone(), Volume { facts, location: None });
        Ok(())
    }

    /// The catalog of a name.
    pub fn catalog(&self, name: &str) -> Result<&CatalogEntry> {
        self.catalogs.get(&name.to_lowercase()).ok_or_else(|| SqlError::catalog_not_found(name))
    }

    /// The catalog of a name, to change it.
    pub fn catalog_mut(&mut self, name: &str) -> Result<&mut CatalogEntry> {
        self.catalogs.get_mut(&name.to_lowercase()).ok_or_else(|| SqlError::catalog_not_found(name))
    }

    /// The schema of a name.
    pub fn schema(&self, catalog: &str, name: &str) -> Result<&Schema> {
        let schemas = &self.catalog(catalog)?.schemas;
        schemas.get(&name.to_lowercase()).ok_or_else(|| SqlError::schema_not_found(&quote(&[catalog, name])))
    }

    /// The schema of a name, to change it.
    pub fn schema_mut(&mut self, catalog: &str, name: &str) -> Result<&mut Schema> {
        let schemas = &mut self.catalog_mut(catalog)?.schemas;
        schemas.get_mut(&name.to_lowercase()).ok_or_else(|| SqlError::schema_not_found(&quote(&[catalog, name])))
    }

    /// The table or view of a name; a missing schema or catalog also reads as a missing table, as in Spark.
    pub fn table(&self, name: &TableName) -> Result<&Table> {
        let schema = self.catalogs.get(&name.catalog).and_then(|c| c.schemas.get(&name.schema));
        schema.and_then(|s| s.tables.get(&name.table)).ok_or_else(|| SqlError::table_not_found(&name.quoted()))
    }

    /// The table or view of a name, to change it.
    pub fn table_mut(&mut self, name: &TableName) -> Result<&mut Table> {
        let schema = self.catalogs.get_mut(&name.catalog).and_then(|c| c.schemas.get_mut(&name.schema));
        schema.and_then(|s| s.tables.get_mut(&name.table)).ok_or_else(|| SqlError::table_not_found(&name.quoted()))
    }

    /// Facts of any securable.
    pub fn facts(&self, securable: &Securable) -> Result<&Facts> {
        Ok(match securable {
            Securable::Metastore => &self.metastore,
            Securable::Catalog(name) => &self.catalog(name)?.facts,
            Securable::Schema(catalog, name) => &self.schema(catalog, name)?.facts,
            Securable::Table(name) => &self.table(name)?.facts,
            Securable::Volume(name) => {
                let volumes = &self.schema(&name.catalog, &name.schema)?.volumes;
                &volumes.get(&name.table).ok_or_else(|| volume_not_found(name))?.facts
            }
        })
    }

    /// Facts of any securable, to change them.
    pub fn facts_mut(&mut self, securable: &Securable) -> Result<&mut Facts> {
        Ok(match securable {
            Securable::Metastore => &mut self.metastore,
            Securable::Catalog(name) => &mut self.catalog_mut(name)?.facts,
            Securable::Schema(catalog, name) => &mut self.schema_mut(catalog, name)?.facts,
            Securable::Table(name) => &mut self.table_mut(name)?.facts,
            Securable::Volume(name) => {
                let volumes = &mut self.schema_mut(&name.catalog, &name.schema)?.volumes;
                &mut volumes.get_mut(&name.table).ok_or_else(|| volume_not_found(name))?.facts
            }
        })
    }

    /// Every table with its full name, in the order of names.
    pub fn tables(&self) -> impl Iterator<Item = (TableName, &Table)> {
        self.catalogs.iter().flat_map(|(catalog, entry)| {
            entry.schemas.iter().flat_map(move |(schema, s)| {
                s.tables.iter().map(move |(table, t)| (TableName::new(catalog, schema, table), t))
            })
        })
    }
}

fn volume_not_found(name: &TableName) -> SqlError {
    SqlError::new("VOLUME_DOES_NOT_EXIST", "42704", format!("Volume {} does not exist.", name.quoted()))
}

fn facts(random: &mut ChaCha8Rng, owner: &str, now: DateTime<Utc>) -> Facts {
    let mut bytes = [0_u8; 16];
    random.fill_bytes(&mut bytes);
    Facts {
        id: uuid::Builder::from_random_bytes(bytes).into_uuid(),
        owner: owner.to_owned(),
        comment: None,
        properties: BTreeMap::new(),
        grants: BTreeMap::new(),
        created_at: now,
        created_by: owner.to_owned(),
        updated_at: now,
        updated_by: owner.to_owned(),
    }
}
