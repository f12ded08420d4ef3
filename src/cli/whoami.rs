//! `lakeshift whoami`: who we are in each workspace, and what we may do there.

use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind as FailureKind};
use super::output::{Document, Format};
use super::sweep::{block_on, chosen, environment_cell, seed};
use super::table::{Align, Cell, Paint, Table};
use crate::config::Config;
use crate::databricks::Observer;
use crate::domain::authority::{Need, Verdict};
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::{JobId, PipelineId};
use crate::domain::workspace::Environment;
use crate::operations::Kind;
use crate::operations::needs::needs;
use crate::operations::plan::Object;
use crate::runtime::authority::judge_all;
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::{Link, connect};
use crate::runtime::ledger::{needs as ledger_needs, place};

/// What `whoami` is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct WhoamiFlags {
    /// Only this workspace; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workspace: Vec<String>,
    /// What the operator may do with this job. Needs one workspace.
    #[arg(long, value_name = "ID", conflicts_with = "pipeline")]
    pub job: Option<JobId>,
    /// What the operator may do with this pipeline. Needs one workspace.
    #[arg(long, value_name = "ID")]
    pub pipeline: Option<String>,
}

/// Who we are, and what we may do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Whoami {
    /// One entry a workspace and role.
    identities: Vec<ShownIdentity>,
    /// The rights that were asked for.
    rights: Vec<ShownRight>,
}

impl Document for Whoami {
    const SCHEMA: &'static str = "lakeshift.whoami/1";
}

/// For whom a credential speaks.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownIdentity {
    /// The workspace.
    workspace: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// `reader`, `operator`, `publisher` or `ledger`.
    role: String,
    /// An e-mail address, or a service principal's application id; none if it could not be told.
    user_name: Option<String>,
    /// The name that a person recognizes.
    name: Option<String>,
    /// Whether it may sign in.
    active: Option<bool>,
    /// Groups of which it is a direct member.
    groups: Vec<String>,
    /// Why it could not be told.
    failure: Option<String>,
    #[serde(skip)]
    place: Option<Environment>,
}

/// A right that is needed.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownRight {
    /// The workspace.
    workspace: String,
    /// The role whose credential needs it.
    role: String,
    /// For what.
    purpose: String,
    /// The right: `CAN_RUN on pipeline 6f1e`.
    need: String,
    /// `allowed`, `refused`, or `unknown`.
    verdict: String,
    /// By what it is allowed, or why it is unknown.
    because: Option<String>,
}

/// Runs `lakeshift whoami`.
pub(super) fn run(flags: &WhoamiFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let config = chosen(context, &flags.workspace)?;
    let object = match (flags.job, &flags.pipeline) {
        (Some(job), _) => Some(Object::Job(job)),
        (None, Some(id)) => Some(Object::Pipeline(PipelineId::new(id))),
        (None, None) => None,
    };
    if object.is_some() && config.fleet.workspaces.len() != 1 {
        return Err(Failure::new(FailureKind::User, "an id is unique within one workspace only")
            .hint("Say which: --workspace NAME."));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let observer: Observer = Arc::new(|_| {});
    let links = connect(&config, context.environment, &clock, &observer, seed());
    let found = block_on(look(&config, &links, object.as_ref()))?;
    print(&found, context)?;
    let failed: Vec<&ShownIdentity> = found.identities.iter().filter(|shown| shown.failure.is_some()).collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            FailureKind::Auth,
            format!(
                "{} of {} credentials do not sign in, the {} of {} first",
                failed.len(),
                found.identities.len(),
                first.role,
                first.workspace
            ),
        )
        .hint("`lakeshift config show` tells which credential each role uses.")),
    }
}

async fn look(config: &Config, links: &[Link], object: Option<&Object>) -> Whoami {
    let mut found = Whoami { identities: Vec::new(), rights: Vec::new() };
    for link in links {
        for role in Role::ALL {
            look_as(config, link, role, object, &mut found).await;
        }
    }
    found
}

async fn look_as(config: &Config, link: &Link, role: Role, object: Option<&Object>, found: &mut Whoami) {
    let workspace = link.workspace();
    let mut shown = ShownIdentity {
        workspace: workspace.name.to_string(),
        environment: workspace.environment.to_string(),
        role: role.to_string(),
        user_name: None,
        name: None,
        active: None,
        groups: Vec::new(),
        failure: None,
        place: Some(workspace.environment),
    };
    let client = match link.client(role) {
        Ok(client) => client,
        Err(error) => {
            shown.failure = Some(error.to_string());
            return found.identities.push(shown);
        }
    };
    let identity = match client.me().await {
        Ok(identity) => identity,
        Err(error) => {
            shown.failure = Some(error.to_string());
            return found.identities.push(shown);
        }
    };
    (shown.user_name, shown.name) = (Some(identity.user_name.clone()), Some(identity.name().to_owned()));
    (shown.active, shown.groups) = (Some(identity.active), identity.groups.clone());
    found.identities.push(shown);

    let mut wanted: Vec<(String, Vec<Need>)> = Vec::new();
    if let (Role::Operator, Some(object)) = (role, object) {
        let kinds = Kind::ALL.iter().filter(|kind| fits(**kind, object));
        wanted.extend(kinds.map(|kind| (kind.words().to_owned(), needs(*kind, object))));
    }
    if let (Role::Ledger, Ok((entry, place))) = (role, place(config))
        && entry.workspace.as_str() == workspace.name.as_str()
    {
        wanted.push(("the ledger".to_owned(), ledger_needs(entry, &place)));
    }
    for (purpose, needs) in wanted {
        for (need, verdict) in judge_all(&client, &identity, &needs).await {
            let (word, because) = match verdict {
                Verdict::Allowed { by } => ("allowed", Some(by)),
                Verdict::Refused => ("refused", None),
                Verdict::Unknown { why } => ("unknown", Some(why)),
            };
            found.rights.push(ShownRight {
                workspace: workspace.name.to_string(),
                role: role.to_string(),
                purpose: purpose.clone(),
                need: need.to_string(),
                verdict: word.to_owned(),
                because,
            });
        }
    }
}

/// Whether an act is one on this kind of object.
fn fits(kind: Kind, object: &Object) -> bool {
    match kind {
        Kind::RunNow | Kind::Cancel | Kind::Repair => matches!(object, Object::Job(_)),
        Kind::StartPipeline | Kind::StopPipeline => matches!(object, Object::Pipeline(_)),
    }
}

fn print(found: &Whoami, context: &mut Context<'_>) -> Result<(), Failure> {
    let output = &mut context.output;
    if output.format != Format::Text {
        return output.document(found);
    }
    let mut table = Table::new(&[
        ("ENV", Align::Left),
        ("WORKSPACE", Align::Left),
        ("ROLE", Align::Left),
        ("WHO", Align::Left),
        ("GROUPS", Align::Left),
    ]);
    for shown in &found.identities {
        let who = match (&shown.failure, &shown.name, shown.active) {
            (Some(failure), _, _) => Cell::painted(failure, Paint::Bad),
            (None, name, Some(false)) => {
                Cell::painted(format!("{} (deactivated)", name.as_deref().unwrap_or_default()), Paint::Bad)
            }
            (None, name, _) => Cell::from(name.as_deref().unwrap_or_default()),
        };
        let environment = shown.place.map_or_else(|| Cell::from(&shown.environment), environment_cell);
        table.row([
            environment,
            Cell::from(&shown.workspace),
            Cell::from(&shown.role),
            who,
            Cell::from(shown.groups.join(", ")),
        ]);
    }
    table.print(output.out, output.color)?;
    if found.rights.is_empty() {
        return Ok(());
    }
    writeln!(output.out)?;
    let mut table = Table::new(&[
        ("ROLE", Align::Left),
        ("FOR", Align::Left),
        ("NEEDS", Align::Left),
        ("VERDICT", Align::Left),
        ("BECAUSE", Align::Left),
    ]);
    for right in &found.rights {
        let paint = match right.verdict.as_str() {
            "allowed" => Paint::Good,
            "refused" => Paint::Bad,
            _ => Paint::Warning,
        };
        table.row([
            Cell::from(&right.role),
            Cell::from(&right.purpose),
            Cell::from(&right.need),
            Cell::painted(&right.verdict, paint),
            Cell::from(right.because.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(output.out, output.color)
}
