//! Where a workspace's credentials come from. Never the secrets themselves: those exist in memory alone, as
//! `SecretString`, from the moment when the client reads them.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a credential is used for, so that what only reads cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Watches: polling and looking.
    Reader,
    /// Runs, repairs, cancels, starts and stops.
    Operator,
    /// Owns the published views, and so switches them.
    Publisher,
    /// Writes the shared record.
    Ledger,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Operator, Self::Publisher, Self::Ledger];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Publisher => "publisher",
            Self::Ledger => "ledger",
        })
    }
}

/// How the client finds a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// As the vendor's SDK does: environment, then `.databrickscfg`, then the CLI's login for the workspace's host.
    #[default]
    Default,
    /// A profile of `.databrickscfg`, by its name.
    Profile(String),
    /// A personal access token.
    Token(SecretSource),
    /// OAuth machine-to-machine.
    Client {
        /// The service principal's application id.
        id: String,
        /// Its secret.
        secret: SecretSource,
    },
    /// The user login of the Databricks CLI (`databricks auth login` before), for the workspace's host.
    DatabricksCli,
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The environment variable of this name.
    Environment(String),
    /// The content of this file, without white space around it.
    File(PathBuf),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the SDK's default chain"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Token(from) => write!(f, "token from {from}"),
            Self::Client { id, secret } => write!(f, "client {id}, secret from {secret}"),
            Self::DatabricksCli => f.write_str("login of the Databricks CLI"),
        }
    }
}
