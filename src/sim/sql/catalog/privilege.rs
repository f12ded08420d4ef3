//! The privileges of Unity Catalog.

use std::fmt;

/// A privilege by its REST name (`USE_CATALOG`); SQL writes spaces for the underscores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Privilege(&'static str);

/// Every name that this simulator knows.
const NAMES: [&str; 52] = [
    "ACCESS",
    "ALL_PRIVILEGES",
    "APPLY_TAG",
    "BROWSE",
    "CREATE",
    "CREATE_CATALOG",
    "CREATE_CLEAN_ROOM",
    "CREATE_CONNECTION",
    "CREATE_EXTERNAL_LOCATION",
    "CREATE_EXTERNAL_TABLE",
    "CREATE_EXTERNAL_VOLUME",
    "CREATE_FEATURE",
    "CREATE_FOREIGN_CATALOG",
    "CREATE_FOREIGN_SECURABLE",
    "CREATE_FUNCTION",
    "CREATE_MANAGED_STORAGE",
    "CREATE_MATERIALIZED_VIEW",
    "CREATE_MODEL",
    "CREATE_PROVIDER",
    "CREATE_RECIPIENT",
    "CREATE_SCHEMA",
    "CREATE_SERVICE_CREDENTIAL",
    "CREATE_SHARE",
    "CREATE_STORAGE_CREDENTIAL",
    "CREATE_TABLE",
    "CREATE_VOLUME",
    "EXECUTE",
    "EXECUTE_CLEAN_ROOM_TASK",
    "EXTERNAL_USE_LOCATION",
    "EXTERNAL_USE_SCHEMA",
    "MANAGE",
    "MANAGE_ALLOWLIST",
    "MODIFY",
    "MODIFY_CLEAN_ROOM",
    "READ_FEATURE",
    "READ_FILES",
    "READ_METADATA",
    "READ_PRIVATE_FILES",
    "READ_VOLUME",
    "REFRESH",
    "SELECT",
    "SET_SHARE_PERMISSION",
    "USE_CATALOG",
    "USE_CONNECTION",
    "USE_MARKETPLACE_ASSETS",
    "USE_PROVIDER",
    "USE_RECIPIENT",
    "USE_SCHEMA",
    "USE_SHARE",
    "WRITE_FILES",
    "WRITE_PRIVATE_FILES",
    "WRITE_VOLUME",
];

impl Privilege {
    /// Everything but MANAGE and the EXTERNAL_USE family.
    pub const ALL: Self = Self("ALL_PRIVILEGES");
    /// Grant, rename, drop, own.
    pub const MANAGE: Self = Self("MANAGE");
    /// Write rows.
    pub const MODIFY: Self = Self("MODIFY");
    /// Read rows.
    pub const SELECT: Self = Self("SELECT");
    /// See metadata.
    pub const BROWSE: Self = Self("BROWSE");
    /// Read files.
    pub const READ_VOLUME: Self = Self("READ_VOLUME");
    /// Write files.
    pub const WRITE_VOLUME: Self = Self("WRITE_VOLUME");
    /// Reach into a catalog.
    pub const USE_CATALOG: Self = Self("USE_CATALOG");
    /// Reach into a schema.
    pub const USE_SCHEMA: Self = Self("USE_SCHEMA");
    /// Make catalogs.
    pub const CREATE_CATALOG: Self = Self("CREATE_CATALOG");
    /// Make schemas.
    pub const CREATE_SCHEMA: Self = Self("CREATE_SCHEMA");
    /// Make tables and views.
    pub const CREATE_TABLE: Self = Self("CREATE_TABLE");
    /// Make volumes.
    pub const CREATE_VOLUME: Self = Self("CREATE_VOLUME");

    /// Reads a name in SQL's or REST's spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_uppercase().replace(' ', "_");
        let name = match name.as_str() {
            "CREATE_VIEW" => "CREATE_TABLE",
            "USAGE" => "USE_SCHEMA",
            "ALL" => "ALL_PRIVILEGES",
            other => other,
        };
        NAMES.iter().find(|known| **known == name).map(|known| Self(known))
    }

    /// The name with underscores, as REST has it.
    #[must_use]
    pub fn rest(self) -> &'static str {
        self.0
    }

    /// Whether ALL PRIVILEGES stands for this one too.
    #[must_use]
    pub fn in_all(self) -> bool {
        !matches!(self.0, "ALL_PRIVILEGES" | "MANAGE" | "EXTERNAL_USE_SCHEMA" | "EXTERNAL_USE_LOCATION")
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('_', " "))
    }
}
