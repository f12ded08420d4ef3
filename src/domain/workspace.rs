//! Workspaces and the environments that they serve.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::WorkspaceName;

/// What a workspace is for. The order is that of rising danger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Developers' own copies.
    Dev,
    /// The rehearsal of production.
    Staging,
    /// What consumers read.
    Prod,
}

impl Environment {
    /// All environments, in order of rising danger.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// The word that stands in every row of a table: a word before it is a color (screens.md 1).
    pub fn label(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "stg",
            Self::Prod => "PROD",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        })
    }
}

/// One workspace as the rest of the program names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// The name in the fleet's configuration.
    pub name: WorkspaceName,
    /// What it is for.
    pub environment: Environment,
    /// The key that confirms an act in this workspace (console.md 5: `P`, `S`, `D`).
    pub letter: char,
    /// Scheme and authority, without a trailing slash.
    pub host: String,
}
