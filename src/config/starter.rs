//! A first configuration, made from the profiles of `.databrickscfg`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::dialect::fleet::EnvironmentName;
use super::dialect::scalar::{Host, Letter, Name};
use crate::domain::databrickscfg::{BadLine, Profiles};

/// A first configuration, and what was left out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starter {
    /// The text of the configuration.
    pub text: String,
    /// The workspaces in it: name, environment, and whether the environment was guessed from a name.
    pub workspaces: Vec<StarterWorkspace>,
    /// Profiles that are not in it, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// A workspace of a first configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StarterWorkspace {
    /// The profile that it was made from.
    pub profile: String,
    /// Its name in the configuration.
    pub name: String,
    /// Its address.
    pub host: String,
    /// What it is for.
    pub environment: String,
    /// Whether the profile's name tells the environment. If not, production is assumed: that is read-only.
    pub environment_known: bool,
    letter: char,
}

/// Makes a first configuration of the text of a `.databrickscfg`.
///
/// # Errors
/// When the text cannot be read or has no profile of a workspace.
pub fn starter(databrickscfg: &str) -> Result<Starter, String> {
    let profiles: Profiles = databrickscfg.parse().map_err(|error: BadLine| error.to_string())?;
    let mut workspaces: Vec<StarterWorkspace> = Vec::new();
    let mut left_out = Vec::new();
    for (profile, keys) in profiles.iter() {
        match workspace(profile, keys.get("host").map(String::as_str), &workspaces) {
            Ok(workspace) => workspaces.push(workspace),
            Err(reason) => left_out.push((profile.to_owned(), reason)),
        }
    }
    if workspaces.is_empty() {
        let reasons: String = left_out.iter().map(|(profile, reason)| format!("; [{profile}]: {reason}")).collect();
        return Err(format!("no profile names a workspace{reasons}"));
    }
    Ok(Starter { text: text(&workspaces), workspaces, left_out })
}

fn workspace(profile: &str, host: Option<&str>, others: &[StarterWorkspace]) -> Result<StarterWorkspace, String> {
    let host = host.filter(|host| !host.is_empty()).ok_or("it has no host")?;
    let host: Host = host.parse()?;
    let host = host.to_string();
    if host.starts_with("https://accounts.") {
        return Err("it is the account's, not a workspace's".to_owned());
    }
    if let Some(other) = others.iter().find(|other| other.host == host) {
        return Err(format!("it has the host of [{}]", other.profile));
    }
    let first_label = host.split("//").last().and_then(|name| name.split('.').next());
    let known = environment_in(profile).or_else(|| environment_in(first_label?));
    let environment = known.unwrap_or(EnvironmentName::Prod);
    let taken: BTreeSet<&str> = others.iter().map(|other| other.name.as_str()).collect();
    let name = name(profile, &taken);
    let letters: BTreeSet<char> = others.iter().map(|other| other.letter).collect();
    Ok(StarterWorkspace {
        letter: letter(environment, &name, &letters).ok_or("there is no letter left to confirm it with")?,
        profile: profile.to_owned(),
        name,
        host,
        environment: word(environment).to_owned(),
        environment_known: known.is_some(),
    })
}

fn word(environment: EnvironmentName) -> &'static str {
    match environment {
        EnvironmentName::Dev => "dev",
        EnvironmentName::Staging => "staging",
        EnvironmentName::Prod => "prod",
    }
}

/// The environment that a name tells by one of its words.
fn environment_in(name: &str) -> Option<EnvironmentName> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphabetic()).collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    if has(&["prod", "prd", "production", "live"]) {
        Some(EnvironmentName::Prod)
    } else if has(&["staging", "stage", "stg", "test", "tst", "qa", "uat", "preprod"]) {
        Some(EnvironmentName::Staging)
    } else if has(&["dev", "develop", "development", "sandbox", "lab"]) {
        Some(EnvironmentName::Dev)
    } else {
        None
    }
}

/// The profile's name in the form that names of workspaces have, with a number if it is taken.
fn name(profile: &str, taken: &BTreeSet<&str>) -> String {
    let plain: String =
        profile.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let plain: String = plain.trim_matches('-').chars().take(20).collect();
    let plain = if plain.parse::<Name>().is_ok() { plain } else { "workspace".to_owned() };
    let numbered = (2..).map(|number: u32| format!("{plain}-{number}"));
    let mut candidates = std::iter::once(plain.clone()).chain(numbered);
    candidates.find(|name| !taken.contains(name.as_str())).unwrap_or(plain)
}

/// The environment's own letter, else one of the name, else any that is free.
fn letter(environment: EnvironmentName, name: &str, taken: &BTreeSet<char>) -> Option<char> {
    let own = word(environment).chars().next().into_iter();
    let candidates = own.chain(name.chars()).map(|c| c.to_ascii_uppercase()).chain('A'..='Z');
    candidates.into_iter().find(|c| c.to_string().parse::<Letter>().is_ok() && !taken.contains(c))
}

fn text(workspaces: &[StarterWorkspace]) -> String {
    let mut text = String::from(
        "# lakeshift's configuration. Every setting is described in docs/config.md; `lakeshift config check` checks this file.\n\
         # The fleet's tables ([[workspaces]], [policy], [tags], [[rules]] ...) can move to a file that your team keeps in Git:\n\
         # then name it here with `fleet = \"path\"`.\n",
    );
    for workspace in workspaces {
        let _ = write!(
            text,
            "\n[[workspaces]]\nname = {}\nenvironment = {}{}\nhost = {}\nletter = {}\n",
            quoted(&workspace.name),
            quoted(&workspace.environment),
            if workspace.environment_known { "" } else { "   # assumed: dev, staging or prod?" },
            quoted(&workspace.host),
            quoted(&workspace.letter.to_string()),
        );
    }
    text.push_str("\n# How you sign in, by workspace and role.\n");
    for workspace in workspaces {
        let _ = write!(text, "[auth.{}]\nreader = {{ profile = {} }}\n", workspace.name, quoted(&workspace.profile));
    }
    text.push_str(
        "\n# Which jobs and pipelines matter most, and whose they are. If your objects carry tags for that, name them:\n\
         [tags]\n#tier = \"tier\"\n#product = \"product\"\n#owner = \"team\"\n",
    );
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = "\
; written by the vendor's tool
[DEFAULT]
[__settings__]
default_profile = PROD
[PROD]
host = \"https://prod.example.test/\" # the real one
token = dapi00c0ffee
[acme staging]
host = https://stg.example.test
[stg-copy]
host = https://stg.example.test
[lake]
host = lake.example.test
auth_type = databricks-cli
[account]
host = https://accounts.cloud.databricks.com
";

    #[test]
    fn every_profile_of_a_workspace_becomes_one_and_the_rest_is_named() {
        let starter = starter(PROFILES).expect("profiles");
        let made: Vec<_> = starter
            .workspaces
            .iter()
            .map(|made| (made.name.as_str(), made.environment.as_str(), made.environment_known, made.letter))
            .collect();
        assert_eq!(
            made,
            [("prod", "prod", true, 'P'), ("acme-staging", "staging", true, 'S'), ("lake", "prod", false, 'L')]
        );
        let left_out: Vec<&str> = starter.left_out.iter().map(|(profile, _)| profile.as_str()).collect();
        assert_eq!(left_out, ["DEFAULT", "stg-copy", "account"]);
        assert!(!starter.text.contains("c0ffee"), "no secret is copied");
    }

    #[test]
    fn an_error_says_where_and_repeats_no_line() {
        let error = starter("[PROD]\nhost = x\ntoken dapi00c0ffee\n").expect_err("not a profile");
        assert!(!error.contains("c0ffee"), "{error}");
        assert!(starter("").expect_err("nothing").contains("no profile names a workspace"));
    }

    #[test]
    fn a_letter_is_found_for_every_workspace() {
        let profiles: String = (0..20).map(|n| format!("[prod {n}]\nhost = https://prod{n}.example.test\n")).collect();
        let starter = starter(&profiles).expect("profiles");
        let letters: BTreeSet<char> = starter.workspaces.iter().map(|made| made.letter).collect();
        assert_eq!(letters.len(), 20);
        assert!(!letters.contains(&'R'));
    }
}
