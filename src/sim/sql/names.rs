//! Names of one to three levels, folded to lower case as Unity Catalog does.

use std::fmt;

/// A full name of a table, view or volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The catalog.
    pub catalog: String,
    /// The schema in it.
    pub schema: String,
    /// The object in that.
    pub table: String,
}

impl TableName {
    /// A name from its three levels, folded to lower case.
    #[must_use]
    pub fn new(catalog: &str, schema: &str, table: &str) -> Self {
        Self { catalog: catalog.to_lowercase(), schema: schema.to_lowercase(), table: table.to_lowercase() }
    }

    /// Reads `a.b.c`; none when there are not three levels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut levels = text.split('.');
        let name = Self::new(levels.next()?, levels.next()?, levels.next()?);
        levels.next().is_none().then_some(name)
    }

    /// The name with every level in backticks, as errors show it.
    #[must_use]
    pub fn quoted(&self) -> String {
        quote(&[&self.catalog, &self.schema, &self.table])
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.schema, self.table)
    }
}

/// Levels in backticks, joined by dots.
pub(crate) fn quote<S: AsRef<str>>(levels: &[S]) -> String {
    levels.iter().map(|level| format!("`{}`", level.as_ref().replace('`', "``"))).collect::<Vec<_>>().join(".")
}

/// Something that has an owner and grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Securable {
    /// The metastore itself.
    Metastore,
    /// A catalog.
    Catalog(String),
    /// A schema: catalog, then schema.
    Schema(String, String),
    /// A table or a view.
    Table(TableName),
    /// A volume.
    Volume(TableName),
}

impl Securable {
    /// What it is, as in error texts and `SHOW GRANTS`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Metastore => "METASTORE",
            Self::Catalog(_) => "CATALOG",
            Self::Schema(..) => "SCHEMA",
            Self::Table(_) => "TABLE",
            Self::Volume(_) => "VOLUME",
        }
    }

    /// What it is in the sentence of a refusal.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Metastore => "Metastore",
            Self::Catalog(_) => "Catalog",
            Self::Schema(..) => "Schema",
            Self::Table(_) => "Table",
            Self::Volume(_) => "Volume",
        }
    }

    /// The securable above, whose grants this one inherits.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Metastore => None,
            Self::Catalog(_) => Some(Self::Metastore),
            Self::Schema(catalog, _) => Some(Self::Catalog(catalog.clone())),
            Self::Table(name) | Self::Volume(name) => Some(Self::Schema(name.catalog.clone(), name.schema.clone())),
        }
    }
}

impl fmt::Display for Securable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metastore => f.write_str("metastore"),
            Self::Catalog(name) => f.write_str(name),
            Self::Schema(catalog, schema) => write!(f, "{catalog}.{schema}"),
            Self::Table(name) | Self::Volume(name) => name.fmt(f),
        }
    }
}
