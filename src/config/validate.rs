//! What the types cannot say: names that must agree, values that contradict each other, personal settings that would
//! loosen a policy, files that others can read.

use std::collections::BTreeMap;
use std::path::Path;

use super::dialect::fleet::{Fleet, SlaEntry, WorkspaceEntry};
use super::dialect::personal::{Credential, Personal};
use super::nearest::nearest;
use super::origin::Problem;
use super::source::{Source, Step};
use crate::domain::credential::{CredentialSource, Role, SecretSource};
use crate::domain::workspace::Workspace;

/// What was found: problems forbid the start, warnings do not.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

macro_rules! steps {
    ($($step:expr),*) => { &[$(Step::from($step)),*] };
}

/// Checks the fleet's tables.
pub(super) fn fleet(fleet: &Fleet, source: &Source<'_>, found: &mut Found) {
    if fleet.workspaces.is_empty() {
        let mut problem = source.problem(&[], "there is no workspace: expected at least one [[workspaces]]");
        problem.hint = Some("`lakeshift init` writes a first configuration from your .databrickscfg".to_owned());
        found.problems.push(problem);
    }
    let workspaces: Vec<Workspace> = fleet.workspaces.iter().map(WorkspaceEntry::workspace).collect();
    for (index, workspace) in workspaces.iter().enumerate() {
        for other in &workspaces[..index] {
            if other.name == workspace.name {
                let message = format!("another workspace is named `{}`", workspace.name);
                found.problems.push(source.problem(steps!["workspaces", index, "name"], message));
            }
            if other.host == workspace.host {
                let message = format!("`{}` has the same host", other.name);
                found.problems.push(source.problem(steps!["workspaces", index, "host"], message));
            }
            if other.letter == workspace.letter {
                let message = format!(
                    "`{}` is confirmed by `{}` too: give one of them another `letter`",
                    other.name, workspace.letter
                );
                found.problems.push(source.problem(steps!["workspaces", index, "letter"], message));
            }
        }
    }
    rules(fleet, &workspaces, source, found);
    ledger(fleet, &workspaces, source, found);
}

fn ledger(fleet: &Fleet, workspaces: &[Workspace], source: &Source<'_>, found: &mut Found) {
    let Some(ledger) = &fleet.ledger else { return };
    let name = ledger.workspace.as_str();
    if !workspaces.iter().any(|workspace| workspace.name.as_str() == name) {
        let near = did_you_mean(name, workspaces.iter().map(|workspace| workspace.name.as_str()));
        let message = format!("`ledger.workspace`: the fleet has no workspace `{name}`{near}");
        found.problems.push(source.problem(steps!["ledger", "workspace"], message));
    }
}

fn rules(fleet: &Fleet, workspaces: &[Workspace], source: &Source<'_>, found: &mut Found) {
    for (index, rule) in fleet.rules.iter().enumerate() {
        if let Some(Err(message)) = rule.sla.as_ref().map(SlaEntry::sla) {
            found
                .problems
                .push(source.problem(steps!["rules", index, "sla"], format!("`rules[{index}].sla`: {message}")));
        }
        let says_nothing = rule.tier.is_none()
            && rule.product.is_none()
            && rule.owner.is_none()
            && rule.sox.is_none()
            && rule.sla.is_none();
        if says_nothing {
            let message = "this rule says nothing: expected `tier`, `product`, `owner`, `sox` or `sla`";
            found.problems.push(source.problem(steps!["rules", index], message));
        }
        if let Some(product) = &rule.product
            && !fleet.products.is_empty()
            && !fleet.products.contains_key(product)
        {
            let near = did_you_mean(product, fleet.products.keys().map(String::as_str));
            let message = format!("no [products] table is named `{product}`{near}");
            found.warnings.push(source.problem(steps!["rules", index, "product"], message));
        }
        for (at, pattern) in rule.when.workspaces.iter().enumerate() {
            let glob = crate::domain::glob::Glob::new(pattern);
            if !workspaces.iter().any(|workspace| glob.matches(workspace.name.as_str())) {
                let near = did_you_mean(pattern, workspaces.iter().map(|workspace| workspace.name.as_str()));
                let message = format!("no workspace is named `{pattern}`{near}");
                found.warnings.push(source.problem(steps!["rules", index, "when", "workspaces", at], message));
            }
        }
    }
}

/// Checks the personal settings against the fleet. Paths in them are absolute already.
pub(super) fn personal(personal: &Personal, fleet: &Fleet, source: &Source<'_>, found: &mut Found) {
    let by_name: BTreeMap<&str, Workspace> =
        fleet.workspaces.iter().map(|entry| (entry.name.as_str(), entry.workspace())).collect();
    let unknown = |table: &str, name: &str| {
        let near = did_you_mean(name, by_name.keys().copied());
        source.problem(steps![table, name], format!("`{table}.{name}`: the fleet has no workspace of this name{near}"))
    };
    for (name, roles) in &personal.auth {
        if !by_name.contains_key(name.as_str()) {
            found.problems.push(unknown("auth", name));
        }
        for role in Role::ALL {
            let Some(entry) = roles.of(role) else { continue };
            let role = role.to_string();
            credential(
                entry,
                &format!("auth.{name}.{role}"),
                steps!["auth", name.as_str(), role.as_str()],
                source,
                found,
            );
        }
    }
    for (name, connection) in &personal.connections {
        let Some(workspace) = by_name.get(name.as_str()) else {
            found.problems.push(unknown("connections", name));
            continue;
        };
        let allowed = fleet.policy.of(workspace.environment).requests_per_s;
        if let Some(wanted) = connection.requests_per_s.filter(|wanted| *wanted > allowed) {
            let message = format!(
                "`connections.{name}.requests_per_s`: {wanted} would loosen the fleet's policy for {}, which allows {allowed}",
                workspace.environment
            );
            found.problems.push(source.problem(steps!["connections", name.as_str(), "requests_per_s"], message));
        }
        if let Some(bundle) = connection.ca_bundle.as_ref().filter(|bundle| !bundle.is_file()) {
            let message = format!("there is no file {}", bundle.display());
            found.problems.push(source.problem(steps!["connections", name.as_str(), "ca_bundle"], message));
        }
    }
}

fn credential(entry: &Credential, path: &str, steps: &[Step], source: &Source<'_>, found: &mut Found) {
    let credential = match entry.source() {
        Ok(credential) => credential,
        Err(message) => return found.problems.push(source.problem(steps, format!("`{path}`: {message}"))),
    };
    let file = match &credential {
        CredentialSource::Token(SecretSource::File(file))
        | CredentialSource::Client { secret: SecretSource::File(file), .. } => file,
        _ => return,
    };
    if !file.is_file() {
        let message = format!("`{path}`: there is no file {}", file.display());
        found.problems.push(source.problem(steps, message));
    } else if readable_by_others(file) {
        let mut warning = source.problem(steps, format!("`{path}`: others can read {}", file.display()));
        warning.hint = Some(format!("chmod 600 {}", file.display()));
        found.warnings.push(warning);
    }
}

#[cfg(unix)]
fn readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
