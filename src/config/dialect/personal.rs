//! Personal settings as the file spells them: how you sign in, and how you like to look at the fleet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Seconds, VariableName, Zone};
use crate::domain::credential::{CredentialSource, Role, SecretSource};

/// Personal settings. They can tighten the fleet's policies, never loosen them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Personal {
    /// The fleet's file, relative to this one. Without it the fleet's tables stand in this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<PathBuf>,
    /// Theme, by name: one that comes with lakeshift, or a file in `themes/` beside this one.
    pub theme: String,
    /// Refuse everything that changes a workspace. `false` leaves it to the fleet's policy.
    pub read_only: bool,
    /// The zone in which instants are shown.
    pub time_zone: Zone,
    /// What goes to the log file: `error`, `warn`, `info`, `debug`, or a filter such as `lakeshift::databricks=debug`.
    pub log: String,
    /// How often workspaces are asked.
    pub polling: Polling,
    /// Keys by context and command; a list replaces the command's keys, an empty one takes them away.
    pub keys: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// How you sign in, by workspace and role. A workspace that is not named here uses what the vendor's SDK would.
    pub auth: BTreeMap<String, Roles>,
    /// How a workspace is reached, by workspace.
    pub connections: BTreeMap<String, Connection>,
}

impl Default for Personal {
    fn default() -> Self {
        Self {
            fleet: None,
            theme: "terminal".to_owned(),
            read_only: false,
            time_zone: Zone(chrono_tz::UTC),
            log: "info".to_owned(),
            polling: Polling::default(),
            keys: BTreeMap::new(),
            auth: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }
}

/// How often workspaces are asked. Intervals grow by themselves while nothing happens or a workspace fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Polling {
    /// Active runs and those that just ended.
    #[schemars(extend("x-min" = "5s", "x-max" = "2m"))]
    pub runs: Seconds,
    /// Backlog of tier-1 and continuous pipelines.
    #[schemars(extend("x-min" = "10s", "x-max" = "5m"))]
    pub streams: Seconds,
    /// All pipelines.
    #[schemars(extend("x-min" = "30s", "x-max" = "30m"))]
    pub pipelines: Seconds,
    /// Definitions of jobs.
    #[schemars(extend("x-min" = "1m", "x-max" = "1h"))]
    pub jobs: Seconds,
}

impl Default for Polling {
    /// A change of a run on screen within 10 s, a tier-1 backlog within 20 s, under one request a second (issue 3).
    fn default() -> Self {
        Self { runs: Seconds(8), streams: Seconds(15), pipelines: Seconds(60), jobs: Seconds(300) }
    }
}

/// Credentials by role. A role that is not named uses the reader's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Roles {
    /// Watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<Credential>,
    /// Runs, repairs, cancels, starts and stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Credential>,
    /// Owns the published views, and so switches them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<Credential>,
    /// Writes the shared record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Credential>,
}

impl Roles {
    /// The credential that a role has of its own.
    pub fn of(&self, role: Role) -> Option<&Credential> {
        match role {
            Role::Reader => self.reader.as_ref(),
            Role::Operator => self.operator.as_ref(),
            Role::Publisher => self.publisher.as_ref(),
            Role::Ledger => self.ledger.as_ref(),
        }
    }
}

/// How to sign in: exactly one way. Secrets never stand in a configuration file; it names where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    /// A profile of `.databrickscfg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The environment variable that holds a personal access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<VariableName>,
    /// The file that holds a personal access token, relative to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The application id of a service principal (OAuth machine-to-machine).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The environment variable that holds the service principal's secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<VariableName>,
    /// The file that holds the service principal's secret, relative to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// Whether to use the login of the Databricks CLI (`databricks auth login --host ...` before).
    #[serde(skip_serializing_if = "is_false")]
    pub databricks_cli: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Credential {
    /// How the client finds the credential.
    ///
    /// # Errors
    /// When no way or more than one way is given, or a service principal lacks its id or secret.
    pub fn source(&self) -> Result<CredentialSource, String> {
        let client = [
            self.client_id.is_some().then_some("client_id"),
            self.client_secret_env.is_some().then_some("client_secret_env"),
            self.client_secret_file.is_some().then_some("client_secret_file"),
        ];
        let ways: Vec<&str> = [
            self.profile.is_some().then_some("profile"),
            self.token_env.is_some().then_some("token_env"),
            self.token_file.is_some().then_some("token_file"),
            client.into_iter().flatten().next(),
            self.databricks_cli.then_some("databricks_cli"),
        ]
        .into_iter()
        .flatten()
        .collect();
        match ways[..] {
            [] => Err("expected one of `profile`, `token_env`, `token_file`, `client_id` with its secret, \
                       `databricks_cli = true`"
                .to_owned()),
            [_, _, ..] => Err(format!("expected one way to sign in, found {}", in_words(&ways))),
            [_] => self.only_source(),
        }
    }

    fn only_source(&self) -> Result<CredentialSource, String> {
        let secret = |variable: &Option<VariableName>, file: &Option<PathBuf>| {
            let variable = variable.as_ref().map(|name| SecretSource::Environment(name.to_string()));
            variable.or_else(|| file.clone().map(SecretSource::File))
        };
        if let Some(profile) = &self.profile {
            return Ok(CredentialSource::Profile(profile.clone()));
        }
        if let Some(token) = secret(&self.token_env, &self.token_file) {
            return Ok(CredentialSource::Token(token));
        }
        if self.databricks_cli {
            return Ok(CredentialSource::DatabricksCli);
        }
        match (&self.client_id, secret(&self.client_secret_env, &self.client_secret_file)) {
            (Some(_), Some(_)) if self.client_secret_env.is_some() && self.client_secret_file.is_some() => {
                Err("expected one of `client_secret_env` and `client_secret_file`, found both".to_owned())
            }
            (Some(id), Some(secret)) => Ok(CredentialSource::Client { id: id.clone(), secret }),
            (Some(_), None) => Err("`client_id` needs `client_secret_env` or `client_secret_file`".to_owned()),
            (None, _) => Err("a client secret needs its `client_id`".to_owned()),
        }
    }
}

fn in_words(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// How a workspace is reached. Proxies come from `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// Certificates (PEM) to trust beside the usual ones, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// Fewer requests a second than the fleet's policy allows.
    #[schemars(range(min = 1, max = 30))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<u32>,
    /// The longest wait for a connection.
    #[schemars(extend("x-min" = "1s", "x-max" = "1m"))]
    pub connect_timeout: Seconds,
    /// The longest that one attempt of a request may take.
    #[schemars(extend("x-min" = "2s", "x-max" = "10m"))]
    pub timeout: Seconds,
}

impl Default for Connection {
    fn default() -> Self {
        Self { ca_bundle: None, requests_per_s: None, connect_timeout: Seconds(10), timeout: Seconds(60) }
    }
}
