//! The layers above the file: environment, then flags.

use std::collections::BTreeMap;

use super::dialect::personal::Personal;
use super::environment::{LOG, READ_ONLY, THEME, TIME_ZONE, VARIABLES};
use super::nearest::nearest;
use super::origin::{Origin, Problem};

/// Flags of the command line that set a personal setting for once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--theme`
    pub theme: Option<String>,
    /// `--read-only`
    pub read_only: bool,
}

/// A variable that sets a personal setting: its name, the setting, and how.
type Setter = (&'static str, &'static str, fn(&mut Personal, &str) -> Result<(), String>);

const SETTERS: [Setter; 4] = [
    (THEME, "theme", |personal, value| {
        value.clone_into(&mut personal.theme);
        Ok(())
    }),
    (READ_ONLY, "read_only", |personal, value| {
        personal.read_only = match value {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(format!("expected `true` or `false`, found `{value}`")),
        };
        Ok(())
    }),
    (TIME_ZONE, "time_zone", |personal, value| {
        personal.time_zone = value.parse()?;
        Ok(())
    }),
    (LOG, "log", |personal, value| {
        value.clone_into(&mut personal.log);
        Ok(())
    }),
];

/// Lays the environment and the flags over the settings of the file, and notes where each value came from.
pub(super) fn apply(
    personal: &mut Personal,
    environment: &BTreeMap<String, String>,
    flags: &Flags,
    origins: &mut BTreeMap<String, Origin>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (variable, setting, set) in SETTERS {
        let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) else { continue };
        match set(personal, value) {
            Ok(()) => {
                origins.insert(setting.to_owned(), Origin::Variable(variable.into()));
            }
            Err(message) => problems.push(Problem { origin: Origin::Variable(variable.into()), message, hint: None }),
        }
    }
    if let Some(theme) = &flags.theme {
        personal.theme.clone_from(theme);
        origins.insert("theme".to_owned(), Origin::Flag("--theme"));
    }
    if flags.read_only {
        personal.read_only = true;
        origins.insert("read_only".to_owned(), Origin::Flag("--read-only"));
    }
    problems
}

/// Variables that look like ours and are misspelled: each with the nearest that exists.
pub(super) fn misspelled(environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let ours = || VARIABLES.iter().map(|(name, _)| *name).filter(|name| name.starts_with("LAKESHIFT_"));
    environment
        .keys()
        .filter(|name| name.starts_with("LAKESHIFT_") && !ours().any(|known| known == name.as_str()))
        .filter_map(|name| {
            let near = nearest(name, ours())?;
            let message = format!("not read; did you mean ${near}?");
            Some(Problem { origin: Origin::Variable(name.clone().into()), message, hint: None })
        })
        .collect()
}
