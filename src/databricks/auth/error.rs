//! Why no credential, or no token, could be had.

use std::path::PathBuf;

/// What went wrong with a credential. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A variable that should hold a secret is not set or empty.
    #[error("the environment variable {name} is not set or empty")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// A file that should hold a secret cannot be read or is empty.
    #[error("{} gives no secret: {reason}", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The profile that was asked for is not in the file.
    #[error("{} has no {name} profile configured", path.display())]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        name: String,
    },
    /// The file of profiles is not written as it should be.
    #[error("{} line {line}: expected `[profile]`, `key = value` or a comment", path.display())]
    BadProfileFile {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Attributes of several methods are set and nothing says which counts.
    #[error("more than one authorization method configured: {}", methods.join(" and "))]
    SeveralMethods {
        /// The vendor's names of the families, sorted.
        methods: Vec<String>,
    },
    /// A method needs an attribute that is not set.
    #[error("{method} needs {missing}, which neither {place} nor the environment sets")]
    Incomplete {
        /// The method.
        method: &'static str,
        /// The attribute.
        missing: &'static str,
        /// The profile.
        place: String,
    },
    /// The credential is for another host than the workspace's: using it would hand it to a stranger.
    #[error("{place} is for {found}, but the workspace's host is {expected}")]
    OtherHost {
        /// Where the credential comes from.
        place: String,
        /// Its host.
        found: String,
        /// The workspace's host.
        expected: String,
    },
    /// A method that the vendor's SDKs know and lakeshift does not.
    #[error("the method {method} is not supported: lakeshift knows pat, oauth-m2m and databricks-cli")]
    Unsupported {
        /// The method.
        method: String,
    },
    /// The vendor's command line program is not there.
    #[error("the databricks command was not found{}", searched.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default())]
    NoCli {
        /// Where `DATABRICKS_CLI_PATH` says it is, if set.
        searched: Option<PathBuf>,
    },
    /// The vendor's command line program gave no token.
    #[error("`databricks auth token` failed: {reason}")]
    CliFailed {
        /// Its own words.
        reason: String,
    },
    /// A token endpoint or its discovery did not answer.
    #[error("{what} did not answer: {reason}")]
    Unreachable {
        /// What was asked.
        what: String,
        /// Why.
        reason: String,
    },
    /// The token endpoint refused the client.
    #[error("the token endpoint refused the client: {reason}")]
    Refused {
        /// Its own words.
        reason: String,
    },
    /// A token answer that cannot be read.
    #[error("{what} is not what OAuth documents: {reason}")]
    Garbled {
        /// Which answer.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl AuthError {
    /// A few words for the header.
    pub fn brief(&self) -> String {
        let words = match self {
            Self::NoCli { .. } => "no databricks command",
            Self::CliFailed { .. } => "sign in again",
            Self::Unreachable { .. } => "no token: no answer",
            Self::Refused { .. } => "client refused",
            Self::Garbled { .. } => "no token: unreadable",
            _ => "no credential",
        };
        words.to_owned()
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CliFailed { .. } => Some("sign in with `databricks auth login`"),
            Self::NoCli { .. } => Some("install the Databricks CLI, or set DATABRICKS_CLI_PATH to it"),
            Self::SeveralMethods { .. } => Some("set auth_type in the profile, or DATABRICKS_AUTH_TYPE"),
            Self::Refused { .. } => Some("check the client id and whether its secret has expired"),
            Self::NoProfile { .. } => Some("`databricks auth profiles` lists the profiles that there are"),
            _ => None,
        }
    }

    /// Whether the same may work a little later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
