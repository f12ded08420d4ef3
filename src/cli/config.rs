//! `lakeshift config`: is it right, what is in force and why, what may stand in it.

use std::path::Path;

use clap::{Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind};
use super::output::{Document, Format};
use super::table::{Align, Table};
use crate::app::vocabulary;
use crate::config::layers::Flags;
use crate::config::origin::{ConfigError, Origin, Problem};
use crate::config::values::ShownValue;
use crate::config::{Config, schema};
use crate::domain::credential::{CredentialSource, SecretSource};
use crate::keymap::{Keymap, KeymapError};
use crate::telemetry;
use crate::theme::{Choice, Depth, Theme};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and list everything that is wrong with it.
    Check,
    /// Show every value that is in force and where it came from.
    Show,
    /// Print the JSON schema of the configuration's files, for your editor.
    Schema {
        /// Which file's schema.
        #[arg(long, value_enum, default_value_t = Part::Both, value_name = "PART")]
        part: Part,
    },
}

/// Which file of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// A file that holds the fleet and personal settings.
    Both,
    /// The fleet's own file.
    Fleet,
    /// Personal settings beside a fleet's own file.
    Personal,
}

/// Runs `lakeshift config`.
pub(super) fn run(command: &ConfigCommand, context: &mut Context<'_>) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check => check(context),
        ConfigCommand::Show => show(context),
        ConfigCommand::Schema { part } => {
            let schema = match part {
                Part::Both => schema::both(),
                Part::Fleet => schema::fleet(),
                Part::Personal => schema::personal(),
            };
            context.output.json(&schema)
        }
    }
}

/// What `config check` found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// Whether the configuration can be used.
    ok: bool,
    /// The file of the personal settings, if it could be used.
    file: Option<String>,
    /// What forbids its use.
    problems: Vec<ShownProblem>,
    /// What is doubtful.
    warnings: Vec<ShownProblem>,
}

impl Document for Checked {
    const SCHEMA: &'static str = "lakeshift.config-check/1";
}

/// Something that is wrong with the configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownProblem {
    /// The file, if it is one's fault.
    file: Option<String>,
    /// The line in it, counted from 1.
    line: Option<usize>,
    /// The column in characters, counted from 1.
    column: Option<usize>,
    /// Where, in words.
    origin: String,
    /// What is wrong, and what was expected.
    message: String,
    /// What to do.
    hint: Option<String>,
}

impl From<&Problem> for ShownProblem {
    fn from(problem: &Problem) -> Self {
        let (line, column) = match problem.origin {
            Origin::File { line, column, .. } => (Some(line), Some(column)),
            _ => (None, None),
        };
        Self {
            file: problem.origin.path().map(|path| path.display().to_string()),
            line,
            column,
            origin: problem.origin.to_string(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

fn check(context: &mut Context<'_>) -> Result<(), Failure> {
    let loaded = context.load(Flags::default()).and_then(usable);
    if context.output.format != Format::Text {
        let problems = match &loaded {
            Ok(_) => Vec::new(),
            Err(ConfigError::Invalid(problems)) => problems.iter().map(ShownProblem::from).collect(),
            Err(missing @ ConfigError::Missing { path, .. }) => {
                let origin = Origin::WholeFile(path.clone());
                vec![ShownProblem::from(&Problem { origin, message: missing.to_string(), hint: None })]
            }
        };
        let config = loaded.as_ref().ok();
        context.output.document(&Checked {
            ok: config.is_some(),
            file: config.map(|config| config.file.display().to_string()),
            problems,
            warnings: config.into_iter().flat_map(|config| &config.warnings).map(ShownProblem::from).collect(),
        })?;
    }
    let config = loaded?;
    if context.output.format == Format::Text {
        let out = &mut context.output.out;
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        let fleet = &config.fleet;
        writeln!(
            out,
            "ok: {}, {}, {} in {}",
            count(fleet.workspaces.len(), "workspace"),
            count(fleet.rules.len(), "rule"),
            count(fleet.products.len(), "product"),
            config.fleet_file.display()
        )?;
    }
    Ok(())
}

/// What the configuration names must be there: its theme, commands for its keys, a filter of the log.
pub(super) fn usable(config: Config) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let folder = config.paths.config_dir.join("themes");
    let choice = Choice { name: &config.personal.theme, folder: Some(&folder), depth: Depth::Full, unicode: true };
    if let Err(error) = Theme::load(&choice) {
        problems.push(Problem { origin: config.origin("theme").clone(), message: error.to_string(), hint: None });
    }
    if let Err(error) = telemetry::check(&config.personal.log) {
        problems.push(Problem { origin: config.origin("log").clone(), message: format!("`log`: {error}"), hint: None });
    }
    if let Err(errors) = Keymap::load(&vocabulary(), &config.personal.keys) {
        let problem = |error: KeymapError| {
            let setting = error.setting();
            let below = format!("{setting}.");
            let written = config.origins.iter().find(|(path, _)| **path == setting || path.starts_with(&below));
            let whole = || Origin::WholeFile(config.file.clone());
            let origin = written.map_or_else(whole, |(_, origin)| origin.clone());
            Problem { origin, message: error.to_string(), hint: None }
        };
        problems.extend(errors.into_iter().map(problem));
    }
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
}

/// What is in force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// The file of the personal settings.
    file: String,
    /// The file that holds the fleet.
    fleet_file: String,
    /// SHA-256 of that file.
    fleet_sha256: String,
    /// The folder of the last-good cache and the logs.
    state_dir: String,
    /// Every value with its origin.
    values: Vec<ShownValue>,
    /// How each role signs in to each workspace.
    credentials: Vec<ShownCredential>,
}

impl Document for Shown {
    const SCHEMA: &'static str = "lakeshift.config-show/1";
}

/// A credential of a workspace as `config show` tells it.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownCredential {
    /// The workspace.
    workspace: String,
    /// The role: `reader`, `operator`, `publisher`, `ledger`.
    role: String,
    /// Where the credential comes from, in words.
    source: String,
    /// Whether the secret is there; none where only the client can tell.
    present: Option<bool>,
}

fn show(context: &mut Context<'_>) -> Result<(), Failure> {
    let config = context.load(Flags::default())?;
    let credentials = credentials(&config, context);
    let values = config.values();
    if context.output.format == Format::Text {
        return show_text(&config, &values, &credentials, context);
    }
    context.output.document(&Shown {
        file: config.file.display().to_string(),
        fleet_file: config.fleet_file.display().to_string(),
        fleet_sha256: config.fleet_hash,
        state_dir: config.paths.state_dir.display().to_string(),
        values,
        credentials,
    })
}

fn credentials(config: &Config, context: &Context<'_>) -> Vec<ShownCredential> {
    let present = |source: &CredentialSource| match source {
        CredentialSource::Token(secret) | CredentialSource::Client { secret, .. } => Some(match secret {
            SecretSource::Environment(name) => context.environment.get(name).is_some_and(|value| !value.is_empty()),
            SecretSource::File(path) => path.is_file(),
        }),
        CredentialSource::Default | CredentialSource::Profile(_) | CredentialSource::DatabricksCli => None,
    };
    let mut shown = Vec::new();
    for workspace in config.workspaces() {
        for (role, source) in workspace.credentials {
            shown.push(ShownCredential {
                workspace: workspace.workspace.name.to_string(),
                role: role.to_string(),
                present: present(&source),
                source: source.to_string(),
            });
        }
    }
    shown
}

fn show_text(
    config: &Config,
    values: &[ShownValue],
    credentials: &[ShownCredential],
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let out = &mut context.output.out;
    writeln!(out, "personal settings  {}", config.file.display())?;
    writeln!(out, "fleet              {}", config.fleet_file.display())?;
    writeln!(out, "fleet sha256       {}", config.fleet_hash)?;
    writeln!(out, "state              {}", config.paths.state_dir.display())?;
    writeln!(out)?;
    let mut table = Table::new(&[("SETTING", Align::Left), ("VALUE", Align::Left), ("FROM", Align::Left)]);
    for value in values {
        table.row([value.path.clone(), value.value.to_string(), short(config, &value.origin)]);
    }
    table.print(out, context.output.color)?;
    writeln!(out)?;
    let mut table = Table::new(&[
        ("WORKSPACE", Align::Left),
        ("ROLE", Align::Left),
        ("SIGNS IN WITH", Align::Left),
        ("SECRET", Align::Left),
    ]);
    for credential in credentials {
        let secret = match credential.present {
            Some(true) => "******",
            Some(false) => "missing",
            None => "",
        };
        table.row([
            credential.workspace.clone(),
            credential.role.clone(),
            credential.source.clone(),
            secret.to_owned(),
        ]);
    }
    table.print(out, context.output.color)
}

/// An origin with the bare name of the configuration's files: where they are stands above the table.
fn short(config: &Config, origin: &str) -> String {
    let name_of = |file: &Path| {
        let rest = origin.strip_prefix(&file.display().to_string())?;
        Some(format!("{}{rest}", file.file_name()?.to_string_lossy()))
    };
    name_of(&config.fleet_file).or_else(|| name_of(&config.file)).unwrap_or_else(|| origin.to_owned())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let problems = error.to_string();
        match error {
            ConfigError::Missing { named_by: Origin::Default, .. } => Self::new(Kind::Config, problems)
                .hint("`lakeshift init` writes a first one from your .databrickscfg.")
                .hint("`lakeshift demo` shows the console on simulated workspaces, without any."),
            ConfigError::Missing { named_by, .. } => {
                Self::new(Kind::Config, problems).hint(format!("It is named by {named_by}."))
            }
            ConfigError::Invalid(several) if several.len() > 1 => {
                Self::new(Kind::Config, format!("{} problems in the configuration\n{problems}", several.len()))
            }
            ConfigError::Invalid(_) => Self::new(Kind::Config, problems),
        }
    }
}
