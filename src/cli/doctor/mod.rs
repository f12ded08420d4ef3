//! `lakeshift doctor`: what holds of the workspaces and of the platform, and which features are on because of it.

pub mod docs;
mod page;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind};
use super::output::{Document, Format};
use super::sweep::{block_on, chosen, instant, seed};
use crate::config::Config;
use crate::databricks::Observer;
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ids::WarehouseId;
use crate::domain::proof::{Check, Feature, Off, Proof, Standing, Subject, Verdict, judge, off};
use crate::domain::workspace::Environment;
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::connect;
use crate::runtime::doctor::{Round, WINDOW_MS, in_use, ledger_subject, subjects};
use crate::runtime::entropy::{Ids, SystemIds};
use record::Kept;

/// What `doctor` is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorFlags {
    /// Only this workspace; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workspace: Vec<String>,
    /// Only this check; may be given several times. `docs/doctor.md` lists them.
    #[arg(long, value_name = "CHECK")]
    pub check: Vec<Check>,
    /// Try what needs objects of its own too: a schema is made in the ledger's catalog, and dropped again.
    #[arg(long)]
    pub write: bool,
    /// With --write: another warehouse of the ledger's workspace, through which changes are looked for.
    #[arg(long, value_name = "ID", requires = "write")]
    pub second_warehouse: Option<String>,
    /// With --write: how long a change of a view may take, and another warehouse to see it, in milliseconds.
    #[arg(long, value_name = "MS", requires = "write", default_value_t = WINDOW_MS)]
    pub window_ms: u64,
    /// Try nothing: tell what was found last.
    #[arg(long, conflicts_with_all = ["write", "check"])]
    pub last: bool,
}

/// What a round found, and what follows from it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Examination {
    /// When it ended, in local time.
    at: String,
    /// SHA-256 of the fleet's file.
    fleet_hash: String,
    /// The checks in their order, workspace by workspace and then the ledger's. Without `--last` only those of this round.
    checks: Vec<ShownCheck>,
    /// What is on and off, by all that is known: what earlier rounds found counts too.
    features: Vec<ShownFeature>,
    /// Where it was kept.
    kept: Kept,
}

impl Document for Examination {
    const SCHEMA: &'static str = "lakeshift.doctor/1";
}

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownCheck {
    /// Its name: `docs/doctor.md` has a section of it.
    check: String,
    /// Its number among the self-tests of the design, if it is one.
    test: Option<&'static str>,
    /// The workspace, or the ledger's schema.
    subject: String,
    /// Where that is.
    place: String,
    /// `proven`, `failed` or `undecided`.
    verdict: String,
    /// What was found.
    finding: String,
    /// What to do; none unless it failed.
    fix: Option<String>,
    /// What was measured, by name with its unit last.
    figures: BTreeMap<String, i64>,
    /// When, in local time.
    at: String,
}

/// One feature.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownFeature {
    /// Its name.
    feature: String,
    /// The workspace, or the ledger's schema.
    subject: String,
    /// `on`, `assumed` (on, and not all of it proven), `unproven` (off until it is proven) or `off` (a proof failed).
    standing: &'static str,
    /// By which checks, and why.
    because: Vec<String>,
    #[serde(skip)]
    words: &'static str,
    /// The same as `because` in few words.
    #[serde(skip)]
    brief: Vec<String>,
    #[serde(skip)]
    of_workspace: bool,
}

impl ShownCheck {
    fn of(proof: &Proof) -> Self {
        let spec = proof.check.spec();
        let fix = || proof.fix.clone().unwrap_or_else(|| spec.fix.to_owned());
        Self {
            check: spec.name.to_owned(),
            test: spec.test,
            subject: proof.subject.name.clone(),
            place: proof.subject.place.clone(),
            verdict: serde_json::to_value(proof.verdict)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
            finding: proof.finding.clone(),
            fix: (proof.verdict == Verdict::Failed).then(fix),
            figures: proof.figures.clone(),
            at: instant(proof.at),
        }
    }
}

impl ShownFeature {
    fn of(feature: Feature, subject: &Subject, standing: &Standing) -> Self {
        let of_doubts = |doubts: &[(Check, crate::domain::proof::Doubt)]| {
            doubts.iter().map(|(check, doubt)| format!("{check}: {doubt}")).collect::<Vec<_>>()
        };
        let brief = match standing {
            Standing::On => Vec::new(),
            Standing::Assumed(doubts) | Standing::Unproven(doubts) => {
                doubts.iter().map(|(check, doubt)| format!("{check} {doubt}")).collect()
            }
            Standing::Off(failed) => failed.iter().map(|failed| format!("{} failed", failed.check)).collect(),
        };
        let (word, because) = match standing {
            Standing::On => ("on", Vec::new()),
            Standing::Assumed(doubts) => ("assumed", of_doubts(doubts)),
            Standing::Unproven(doubts) => ("unproven", of_doubts(doubts)),
            Standing::Off(failed) => ("off", failed.iter().map(ToString::to_string).collect()),
        };
        let name = serde_json::to_value(feature).ok().and_then(|word| word.as_str().map(str::to_owned));
        Self {
            feature: name.unwrap_or_default(),
            subject: subject.name.clone(),
            standing: word,
            because,
            words: feature.words(),
            brief,
            of_workspace: feature.is_of_workspace(),
        }
    }
}

/// Runs `lakeshift doctor`.
pub(super) fn run(flags: &DoctorFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let config = chosen(context, &flags.workspace)?;
    // The ledger is reached through its own workspace, whichever is looked at.
    let whole = chosen(context, &[])?;
    if let Some(check) = flags.check.iter().find(|check| check.spec().writes && !flags.write) {
        return Err(Failure::new(Kind::User, format!("{check} needs objects of its own")).hint("Add --write."));
    }
    let mut journal = record::journal(&config)?;
    let found = if flags.last { Vec::new() } else { block_on(examine(flags, &config, context))? };
    let kept = if flags.last {
        Kept::default()
    } else {
        block_on(record::keep(&found, &mut journal, &whole, context.environment))??
    };
    let all = journal.proofs().map_err(|error| record::of_store(&error))?;
    let ours = subjects(&config);
    let known: Vec<Proof> = all.into_iter().filter(|proof| ours.contains(&proof.subject)).collect();
    let now = SystemClock.now();
    let mut shown = if flags.last { known.clone() } else { found };
    let place = |proof: &Proof| {
        let subject = ours.iter().position(|subject| *subject == proof.subject);
        (subject, Check::ALL.iter().position(|check| *check == proof.check))
    };
    shown.sort_by_key(place);
    let examination = Examination {
        at: instant(now),
        fleet_hash: config.fleet_hash.clone(),
        checks: shown.iter().map(ShownCheck::of).collect(),
        features: features(&config, &known, now),
        kept,
    };
    match context.output.format {
        Format::Text => page::print(&examination, &environments(&config), &mut context.output)?,
        Format::Json | Format::Ndjson => context.output.document(&examination)?,
    }
    verdict(&shown)
}

async fn examine(flags: &DoctorFlags, config: &Config, context: &Context<'_>) -> Vec<Proof> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let observer: Observer = Arc::new(|_| {});
    let links = connect(config, context.environment, &clock, &observer, seed());
    let write = flags.write.then(|| SystemIds::default().ulid(clock.now()));
    let second = flags.second_warehouse.as_ref().map(WarehouseId::new);
    let (only, window) = (flags.check.clone(), Duration::from_millis(flags.window_ms));
    Round { config, links: &links, clock, only, write, second, window }.examine().await
}

/// What is on and off, by all that is known.
fn features(config: &Config, proofs: &[Proof], now: Instant) -> Vec<ShownFeature> {
    let workspaces: Vec<Subject> =
        config.workspaces().iter().map(|known| Subject::workspace(&known.workspace)).collect();
    let ledger = ledger_subject(config);
    let mut shown = Vec::new();
    for feature in Feature::ALL {
        let of = if feature.is_of_workspace() { workspaces.as_slice() } else { ledger.as_slice() };
        for subject in of {
            let standing = judge(feature, subject, proofs, now, &config.fleet_hash);
            shown.push(ShownFeature::of(feature, subject, &standing));
        }
    }
    shown
}

/// Where a feature is off by what is known in this home. A journal that cannot be read tells of itself when it is used.
pub(super) fn off_here(feature: Feature, config: &Config) -> Vec<Off> {
    let proofs = record::journal(config).ok().and_then(|journal| journal.proofs().ok()).unwrap_or_default();
    let all = off(&in_use(config), &proofs, SystemClock.now(), &config.fleet_hash);
    all.into_iter().filter(|off| off.feature == feature).collect()
}

fn environments(config: &Config) -> BTreeMap<String, Environment> {
    config
        .workspaces()
        .into_iter()
        .map(|known| (known.workspace.name.to_string(), known.workspace.environment))
        .collect()
}

fn verdict(found: &[Proof]) -> Result<(), Failure> {
    let failed: Vec<&Proof> = found.iter().filter(|proof| proof.verdict == Verdict::Failed).collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            Kind::Finding,
            format!("{} of {} checks failed, {} of {} first", failed.len(), found.len(), first.check, first.subject),
        )
        .hint("What each means, and what is off while it fails, stands in docs/doctor.md.")),
    }
}
