//! The configuration: what the fleet is (shared, kept in Git), and how you like to look at it (personal).
//!
//! Layers, later ones win: defaults, files, environment, flags. Each value remembers where it came from. A wrong file is
//! refused as a whole, with every problem's line and column.

mod check;
pub mod dialect;
pub mod environment;
pub mod layers;
mod nearest;
pub mod origin;
pub mod paths;
pub mod schema;
mod source;
pub mod starter;
mod validate;
pub mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dialect::fleet::Fleet;
use dialect::personal::{Connection, Personal, Roles};
use layers::Flags;
use origin::{ConfigError, Origin, Problem};
use paths::Paths;
use source::{Source, Text};
use validate::Found;

use crate::domain::credential::{CredentialSource, Role};
use crate::domain::inventory::Inventory;
use crate::domain::workspace::Workspace;

/// From what a configuration is loaded. Nothing else is read but the files that these name.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// `--config`
    pub file: Option<PathBuf>,
    /// Flags that set a personal setting.
    pub flags: Flags,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Folders.
    pub paths: Paths,
}

/// A configuration without problems.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the team shares, with every default filled in.
    pub fleet: Fleet,
    /// What is yours, with environment and flags laid over it and paths made absolute.
    pub personal: Personal,
    /// SHA-256 of the file that holds the fleet, as `sha256sum` prints it.
    pub fleet_hash: String,
    /// The file of the personal settings.
    pub file: PathBuf,
    /// The file that holds the fleet; the same unless it names another.
    pub fleet_file: PathBuf,
    /// Where each value came from that is not a default, by its dotted path.
    pub origins: BTreeMap<String, Origin>,
    /// What is doubtful but no obstacle.
    pub warnings: Vec<Problem>,
    /// Folders.
    pub paths: Paths,
}

/// A workspace with how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceConfig {
    /// The workspace.
    pub workspace: Workspace,
    /// How to sign in, for every role.
    pub credentials: BTreeMap<Role, CredentialSource>,
    /// Whether everything that changes it is refused until it is unlocked: by policy, or because you asked for it.
    pub read_only: bool,
    /// The most requests a second.
    pub requests_per_s: u32,
    /// Certificates (PEM) to trust beside the usual ones.
    pub ca_bundle: Option<PathBuf>,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest that one attempt of a request may take.
    pub timeout: Duration,
}

/// Loads the configuration.
///
/// # Errors
/// When there is no file, or with all problems at once when something in one is wrong.
pub fn load(options: &LoadOptions) -> Result<Config, ConfigError> {
    let (path, named_by) = file_to_read(options);
    let text = Text::read(&path, &named_by)?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = Source::parse(&text).map_err(ConfigError::Invalid)?;

    let names_fleet = source.text_at("fleet");
    let fleet_text = match names_fleet {
        None => None,
        Some(fleet) => {
            let named_by = source.locate(&["fleet".into()]);
            let fleet_path = options.paths.expand(&folder, Path::new(fleet));
            Some(Text::read(&fleet_path, &named_by)?)
        }
    };
    let fleet_source = fleet_text.as_ref().map(Source::parse).transpose().map_err(ConfigError::Invalid)?;
    let (mut personal, fleet) = read(&source, fleet_source.as_ref()).map_err(ConfigError::Invalid)?;

    let holds_fleet = fleet_source.as_ref().unwrap_or(&source);
    let mut origins: BTreeMap<String, Origin> = holds_fleet.leaves().into_iter().collect();
    origins.extend(source.leaves());
    make_absolute(&mut personal, &options.paths, &folder);

    let mut found = Found::default();
    found.problems.extend(layers::apply(&mut personal, &options.environment, &options.flags, &mut origins));
    validate::fleet(&fleet, holds_fleet, &mut found);
    validate::personal(&personal, &fleet, &source, &mut found);
    if !found.problems.is_empty() {
        return Err(ConfigError::Invalid(found.problems));
    }
    found.warnings.extend(layers::misspelled(&options.environment));
    Ok(Config {
        fleet_hash: holds_fleet.text.sha256(),
        fleet_file: holds_fleet.text.path.clone(),
        fleet: Fleet { policy: fleet.policy.filled(), ..fleet },
        personal,
        file: path,
        origins,
        warnings: found.warnings,
        paths: options.paths.clone(),
    })
}

/// The file to read and what names it: flag, environment, or the user's configuration folder.
fn file_to_read(options: &LoadOptions) -> (PathBuf, Origin) {
    if let Some(path) = &options.file {
        return (path.clone(), Origin::Flag("--config"));
    }
    match options.environment.get(environment::CONFIG).filter(|path| !path.is_empty()) {
        Some(path) => (PathBuf::from(path), Origin::Variable(environment::CONFIG.into())),
        None => (options.paths.config_file(), Origin::Default),
    }
}

/// Checks the file, or the two files, and reads them as types.
fn read(source: &Source<'_>, fleet_source: Option<&Source<'_>>) -> Result<(Personal, Fleet), Vec<Problem>> {
    let fleet_keys = schema::fleet_keys();
    let is_fleet = |key: &str| fleet_keys.iter().any(|fleet_key| fleet_key == key);
    let mut problems = match fleet_source {
        None => source.check(&schema::both(), &|_| None),
        Some(fleet) => {
            let elsewhere = |key: &str| {
                let there = fleet.text.path.display();
                is_fleet(key).then(|| format!("`{key}` belongs to the fleet: move it to {there}, which `fleet` names"))
            };
            let personal_keys = schema::personal();
            let not_shared = |key: &str| {
                let personal = personal_keys["properties"].get(key).is_some();
                personal.then(|| format!("`{key}` is a personal setting: it does not belong in the fleet's file"))
            };
            let mut problems = source.check(&schema::personal(), &elsewhere);
            problems.extend(fleet.check(&schema::fleet(), &not_shared));
            problems
        }
    };
    if problems.is_empty() {
        let personal = source.typed::<Personal>(|key| !is_fleet(key));
        let fleet = fleet_source.unwrap_or(source).typed::<Fleet>(is_fleet);
        match (personal, fleet) {
            (Ok(personal), Ok(fleet)) => return Ok((personal, fleet)),
            (personal, fleet) => problems.extend([personal.err(), fleet.err()].into_iter().flatten()),
        }
    }
    Err(problems)
}

/// Paths in a file are relative to it.
fn make_absolute(personal: &mut Personal, paths: &Paths, folder: &Path) {
    let absolute = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = paths.expand(folder, path);
        }
    };
    absolute(&mut personal.fleet);
    for roles in personal.auth.values_mut() {
        let Roles { reader, operator, publisher, ledger } = roles;
        for credential in [reader, operator, publisher, ledger].into_iter().flatten() {
            absolute(&mut credential.token_file);
            absolute(&mut credential.client_secret_file);
        }
    }
    for connection in personal.connections.values_mut() {
        absolute(&mut connection.ca_bundle);
    }
}

impl Config {
    /// The mapping from objects to what the fleet says about them.
    pub fn inventory(&self) -> Inventory {
        self.fleet.inventory()
    }

    /// The workspaces in the fleet's order, each with how to reach it.
    pub fn workspaces(&self) -> Vec<WorkspaceConfig> {
        self.fleet.workspaces.iter().map(|entry| self.workspace(entry.workspace())).collect()
    }

    fn workspace(&self, workspace: Workspace) -> WorkspaceConfig {
        let policy = self.fleet.policy.of(workspace.environment);
        let name = workspace.name.as_str();
        let connection = self.personal.connections.get(name).cloned().unwrap_or_default();
        let Connection { ca_bundle, requests_per_s, connect_timeout, timeout } = connection;
        WorkspaceConfig {
            credentials: Role::ALL.into_iter().map(|role| (role, self.credential(name, role))).collect(),
            // Personal settings only ever tighten: one yes is enough.
            read_only: policy.read_only == Some(true) || self.personal.read_only,
            requests_per_s: requests_per_s.unwrap_or(policy.requests_per_s).min(policy.requests_per_s),
            ca_bundle,
            connect_timeout: connect_timeout.into(),
            timeout: timeout.into(),
            workspace,
        }
    }

    /// The role's own credential, else the reader's, else what the vendor's SDK would use.
    fn credential(&self, workspace: &str, role: Role) -> CredentialSource {
        let roles = self.personal.auth.get(workspace);
        let entry = roles.and_then(|roles| roles.of(role).or(roles.reader.as_ref()));
        entry.and_then(|entry| entry.source().ok()).unwrap_or_default()
    }

    /// Where the value at a dotted path came from, such as `polling.runs`.
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }
}

#[cfg(test)]
mod tests;
