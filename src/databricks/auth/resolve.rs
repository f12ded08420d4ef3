//! Finds the credential of a workspace: by what its configuration names, or along the SDK's chain (databricks-api.md 1.1 to 1.3).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::SecretString;

use super::cli::{CliLogin, Target, find_program};
use super::profile::ProfileFile;
use super::{AuthError, Credentials, Method};
use crate::databricks::host::normalized;
use crate::domain::credential::{CredentialSource, SecretSource};
use crate::domain::databrickscfg;

/// An attribute of the SDK's configuration: its name in a profile, its variable, the family of methods that it belongs to.
struct Attribute {
    name: &'static str,
    variable: &'static str,
    family: Option<&'static str>,
}

const fn attribute(name: &'static str, variable: &'static str, family: Option<&'static str>) -> Attribute {
    Attribute { name, variable, family }
}

/// Those that decide which method counts. The families that lakeshift does not know are here to be refused by name.
const ATTRIBUTES: [Attribute; 17] = [
    attribute("host", "DATABRICKS_HOST", None),
    attribute("auth_type", "DATABRICKS_AUTH_TYPE", None),
    attribute("token", "DATABRICKS_TOKEN", Some("pat")),
    attribute("username", "DATABRICKS_USERNAME", Some("basic")),
    attribute("password", "DATABRICKS_PASSWORD", Some("basic")),
    attribute("client_id", "DATABRICKS_CLIENT_ID", Some("oauth")),
    attribute("client_secret", "DATABRICKS_CLIENT_SECRET", Some("oauth")),
    attribute("azure_workspace_resource_id", "DATABRICKS_AZURE_RESOURCE_ID", Some("azure")),
    attribute("azure_client_id", "ARM_CLIENT_ID", Some("azure")),
    attribute("azure_client_secret", "ARM_CLIENT_SECRET", Some("azure")),
    attribute("azure_tenant_id", "ARM_TENANT_ID", Some("azure")),
    attribute("google_service_account", "DATABRICKS_GOOGLE_SERVICE_ACCOUNT", Some("google")),
    attribute("google_credentials", "GOOGLE_CREDENTIALS", Some("google")),
    attribute("metadata_service_url", "DATABRICKS_METADATA_SERVICE_URL", Some("metadata-service")),
    attribute("oidc_token_env", "DATABRICKS_OIDC_TOKEN_ENV", Some("env-oidc")),
    attribute("oidc_token_filepath", "DATABRICKS_OIDC_TOKEN_FILEPATH", Some("file-oidc")),
    attribute("oidc_token_filepath", "DATABRICKS_OIDC_TOKEN_FILE", Some("file-oidc")),
];

/// Finds the credential for the workspace at `host`. Reads files, once; `home` is the user's home folder.
///
/// # Errors
/// When a reference leads nowhere, when several methods are configured and none is chosen, when the method is not known, and
/// when the credential belongs to another host.
pub fn resolve(
    source: &CredentialSource,
    host: &str,
    environment: &BTreeMap<String, String>,
    home: Option<&Path>,
) -> Result<Credentials, AuthError> {
    let search = Search { host: normalized(host), environment, home };
    match source {
        CredentialSource::Token(token) => Ok(Credentials::token(search.secret(token)?)),
        CredentialSource::Client { id, secret } => Ok(Credentials::client_secret(id, search.secret(secret)?)),
        CredentialSource::DatabricksCli => search.cli(Target::Host(search.host.clone())),
        CredentialSource::Profile(name) => search.profile(name),
        CredentialSource::Default => search.chain(),
    }
}

/// Attributes found so far, the earlier place first.
struct Found {
    values: BTreeMap<&'static str, String>,
    profile: Option<String>,
    place: String,
}

struct Search<'a> {
    host: String,
    environment: &'a BTreeMap<String, String>,
    home: Option<&'a Path>,
}

impl Search<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn secret(&self, source: &SecretSource) -> Result<SecretString, AuthError> {
        match source {
            SecretSource::Environment(name) => {
                let value = self.variable(name).map(str::trim).filter(|value| !value.is_empty());
                value.map(SecretString::from).ok_or_else(|| AuthError::NoVariable { name: name.clone() })
            }
            SecretSource::File(path) => {
                let no = |reason: String| AuthError::NoFile { path: path.clone(), reason };
                let text = std::fs::read_to_string(path).map_err(|error| no(error.to_string()))?;
                let text = text.trim();
                if text.is_empty() { Err(no("the file is empty".into())) } else { Ok(text.into()) }
            }
        }
    }

    fn cli(&self, target: Target) -> Result<Credentials, AuthError> {
        let program = find_program(self.environment)?;
        Ok(Credentials { method: Method::Cli(CliLogin { program, target, environment: self.environment.clone() }) })
    }

    fn profile_file(&self) -> Result<ProfileFile, AuthError> {
        ProfileFile::read(&databrickscfg::place(self.variable("DATABRICKS_CONFIG_FILE"), self.home))
    }

    /// A profile that the workspace's configuration names: the environment adds nothing to it.
    fn profile(&self, name: &str) -> Result<Credentials, AuthError> {
        let file = self.profile_file()?;
        let mut found = Found { values: BTreeMap::new(), profile: None, place: format!("profile {name}") };
        if let Some((name, values)) = file.choose(Some(name))? {
            found.profile = Some(name);
            found.fill(|attribute| values.get(attribute.name).cloned());
        }
        self.check_host(&found)?;
        self.credentials(&found)
    }

    /// The SDK's order: environment, then the file. The file is not read when the environment says enough and names no profile.
    fn chain(&self) -> Result<Credentials, AuthError> {
        let mut found = Found { values: BTreeMap::new(), profile: None, place: "the environment".into() };
        found.fill(|attribute| self.variable(attribute.variable).map(str::to_owned));
        self.check_host(&found)?;
        let asked = self.variable("DATABRICKS_CONFIG_PROFILE");
        if asked.is_some() || (found.families().is_empty() && !found.values.contains_key("host")) {
            let file = self.profile_file()?;
            if let Some((name, values)) = file.choose(asked)? {
                let theirs = values.get("host").is_none_or(|host| normalized(host) == self.host);
                // A default profile of another workspace is no mistake: it is only not meant for this one.
                if theirs || asked.is_some() {
                    found.place = format!("profile {name}");
                    found.profile = Some(name);
                    found.fill(|attribute| values.get(attribute.name).cloned());
                    self.check_host(&found)?;
                }
            }
        }
        self.credentials(&found)
    }

    fn check_host(&self, found: &Found) -> Result<(), AuthError> {
        match found.values.get("host").map(|host| normalized(host)) {
            Some(host) if host != self.host => {
                Err(AuthError::OtherHost { place: found.place.clone(), found: host, expected: self.host.clone() })
            }
            _ => Ok(()),
        }
    }

    fn credentials(&self, found: &Found) -> Result<Credentials, AuthError> {
        let families = found.families();
        let method = match found.values.get("auth_type").map(String::as_str) {
            Some(chosen) => chosen,
            None if families.len() > 1 => {
                return Err(AuthError::SeveralMethods { methods: families.into_iter().map(str::to_owned).collect() });
            }
            None => match families.first().copied() {
                Some("oauth") => "oauth-m2m",
                Some(family) => family,
                None => "databricks-cli",
            },
        };
        let need = |method: &'static str, name: &'static str| {
            let missing = || AuthError::Incomplete { method, missing: name, place: found.place.clone() };
            found.values.get(name).cloned().ok_or_else(missing)
        };
        match method {
            "pat" => Ok(Credentials::token(need("pat", "token")?.into())),
            "oauth-m2m" => {
                let client_id = need("oauth-m2m", "client_id")?;
                Ok(Credentials::client_secret(client_id, need("oauth-m2m", "client_secret")?.into()))
            }
            "databricks-cli" => self.cli(match &found.profile {
                Some(name) => Target::Profile(name.clone()),
                None => Target::Host(self.host.clone()),
            }),
            other => Err(AuthError::Unsupported { method: other.to_owned() }),
        }
    }
}

impl Found {
    /// Takes what is not set yet.
    fn fill(&mut self, value: impl Fn(&Attribute) -> Option<String>) {
        for attribute in &ATTRIBUTES {
            if let Some(value) = value(attribute).filter(|value| !value.is_empty()) {
                self.values.entry(attribute.name).or_insert(value);
            }
        }
    }

    fn families(&self) -> BTreeSet<&'static str> {
        ATTRIBUTES
            .iter()
            .filter(|attribute| self.values.contains_key(attribute.name))
            .filter_map(|attribute| attribute.family)
            .collect()
    }
}

#[cfg(test)]
mod tests;
