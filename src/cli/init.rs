//! `lakeshift init`: a first configuration from `.databrickscfg`.

use std::io::Write;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind};
use super::output::{Document, Format};
use crate::config::starter::{Starter, StarterWorkspace, starter};
use crate::domain::databrickscfg;

/// What `init` wrote.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Made {
    /// The new configuration.
    file: String,
    /// The workspaces in it.
    workspaces: Vec<MadeWorkspace>,
    /// Profiles that are not in it.
    left_out: Vec<LeftOut>,
}

impl Document for Made {
    const SCHEMA: &'static str = "lakeshift.init/1";
}

/// A workspace of the new configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct MadeWorkspace {
    /// Its name in the configuration.
    name: String,
    /// The profile that it was made from.
    profile: String,
    /// Its address.
    host: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// Whether a name told the environment; if not, prod was assumed, which is read-only.
    environment_known: bool,
}

/// A profile that no workspace was made from.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftOut {
    /// The profile.
    profile: String,
    /// Why.
    reason: String,
}

/// Writes a first configuration. It never overwrites one, and it asks nothing.
pub(super) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let paths = context.paths()?;
    let named = context.environment.get("DATABRICKS_CONFIG_FILE").map(String::as_str);
    let profiles_path = databrickscfg::place(named, Some(&paths.home));
    let target = context.global.config.clone().unwrap_or_else(|| paths.config_file());
    let profiles = std::fs::read_to_string(&profiles_path).map_err(|error| {
        Failure::of_system(format!("cannot read {}", profiles_path.display()), &error)
            .hint(
                "`databricks auth login --host https://...` writes one. By hand: a line [NAME], then host = ... and token = ...",
            )
            .hint("Without any, begin with config.example.toml, or look at `lakeshift demo` first.")
    })?;
    let starter = starter(&profiles)
        .map_err(|error| Failure::new(Kind::Config, format!("{}: {error}", profiles_path.display())))?;
    write_new(&target, &starter.text)?;
    report(&starter, &target, context)
}

fn write_new(target: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::of_system(format!("cannot make the folder {}", folder.display()), &error))?;
    }
    let written = std::fs::File::create_new(target)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(Kind::Refused, format!("there is a configuration already: {}", target.display()))
                .hint("Edit it, or write another with `lakeshift init --config FILE`.")
        }
        _ => Failure::of_system(format!("cannot write {}", target.display()), &error),
    })
}

fn report(starter: &Starter, target: &Path, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.format != Format::Text {
        let workspace = |made: &StarterWorkspace| MadeWorkspace {
            name: made.name.clone(),
            profile: made.profile.clone(),
            host: made.host.clone(),
            environment: made.environment.clone(),
            environment_known: made.environment_known,
        };
        let left_out =
            |(profile, reason): &(String, String)| LeftOut { profile: profile.clone(), reason: reason.clone() };
        return context.output.document(&Made {
            file: target.display().to_string(),
            workspaces: starter.workspaces.iter().map(workspace).collect(),
            left_out: starter.left_out.iter().map(left_out).collect(),
        });
    }
    let out = &mut context.output.out;
    writeln!(out, "wrote {}", target.display())?;
    for made in &starter.workspaces {
        let doubt = if made.environment_known { "" } else { "  (assumed: please check)" };
        writeln!(out, "  {:<20} {:<8} {}{doubt}", made.name, made.environment, made.host)?;
    }
    for (profile, reason) in &starter.left_out {
        writeln!(out, "  left out [{profile}]: {reason}")?;
    }
    writeln!(out, "\nnext:")?;
    writeln!(out, "  look at the environments in it; prod is read-only, whatever your personal settings say")?;
    writeln!(out, "  lakeshift config check    is it right?")?;
    writeln!(out, "  lakeshift status          can the workspaces be reached?")?;
    writeln!(out, "  lakeshift                 open the console")?;
    Ok(())
}
