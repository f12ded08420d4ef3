//! `lakeshift doctor`'s round: tries every check on the workspaces and on the ledger, and says what it found.
//!
//! Nothing here judges what may be used: that is [`crate::domain::proof::judge`]. Checks that only read run always; those
//! that make objects of their own run when they are asked for, in a schema of their own that is dropped again.

mod finding;
mod ledger;
pub mod scratch;
pub mod selftest;
pub mod statements;
mod system;
mod views;
mod workspace;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

pub use finding::Finding;

use crate::config::Config;
use crate::config::dialect::ledger::LedgerForm;
use crate::databricks::Client;
use crate::domain::clock::Clock;
use crate::domain::ids::WarehouseId;
use crate::domain::proof::{Check, Feature, Proof, Subject, Verdict};
use crate::domain::ulid::Ulid;
use crate::runtime::connect::Link;
use crate::runtime::ledger::Warehouse;
use scratch::Scratch;

/// The window of a switch (domain.md 3.2), in milliseconds: a change of a view must fit it, and be seen everywhere within it.
pub const WINDOW_MS: u64 = 30_000;

/// What is to be tried, and on what.
pub struct Round<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The ways to its workspaces.
    pub links: &'a [Link],
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Only these checks; all if it is empty.
    pub only: Vec<Check>,
    /// The id of a schema in which objects may be made; none if nothing may be made.
    pub write: Option<Ulid>,
    /// A second warehouse of the ledger's workspace, through which changes are looked for.
    pub second: Option<WarehouseId>,
    /// The window of a switch; see [`WINDOW_MS`].
    pub window: Duration,
}

impl Round<'_> {
    /// Tries everything, and gives what was found in the order of workspaces and checks.
    pub async fn examine(&self) -> Vec<Proof> {
        let workspaces = self.links.iter().map(|link| workspace::examine(self, link));
        let mut proofs: Vec<Proof> = join_all(workspaces).await.into_iter().flatten().collect();
        if let Some(subject) = ledger_subject(self.config).filter(|_| self.reaches_ledger()) {
            proofs.extend(self.of_ledger(&subject).await);
        }
        proofs
    }

    /// Whether the ledger's workspace is among those that are looked at.
    fn reaches_ledger(&self) -> bool {
        let entry = self.config.fleet.ledger.as_ref();
        entry.is_some_and(|entry| {
            self.links.iter().any(|link| link.workspace().name.as_str() == entry.workspace.as_str())
        })
    }

    /// The checks that go through the ledger's warehouse.
    async fn of_ledger(&self, subject: &Subject) -> Vec<Proof> {
        let mut proofs = ledger::examine(self, subject).await;
        let reading: Vec<Check> =
            [Check::SystemTables, Check::EventLogTables].into_iter().filter(|check| self.wants(*check)).collect();
        let writing: Vec<Check> =
            Check::ALL.iter().copied().filter(|check| check.spec().writes && self.wants(*check)).collect();
        let told = |checks: &[Check], finding: &Finding| {
            checks.iter().map(|check| self.proof(*check, subject, finding.clone())).collect::<Vec<_>>()
        };
        let answers = proofs.iter().all(|proof| proof.check != Check::Warehouse || proof.verdict == Verdict::Proven);
        let ways = if answers {
            ledger::way(self)
        } else {
            Err(Finding::undecided("not tried: the warehouse does not answer"))
        };
        let (client, ledger, place) = match &ways {
            Ok(ways) => ways,
            Err(finding) => {
                let finding = Finding { verdict: Verdict::Undecided, ..finding.clone() };
                proofs.extend(told(&reading, &finding));
                if self.write.is_some() {
                    proofs.extend(told(&writing, &finding));
                }
                return proofs;
            }
        };
        for check in reading {
            let finding = match check {
                Check::SystemTables => system::tables(ledger.sql()).await,
                _ => system::event_logs(client, ledger.sql()).await,
            };
            proofs.push(self.proof(check, subject, finding));
        }
        let Some(round) = self.write.filter(|_| !writing.is_empty()) else { return proofs };
        let catalog = place.schema().levels().first().map(String::as_str).unwrap_or_default();
        let found = match Scratch::new(ledger.sql(), catalog, round) {
            Err(error) => writing.iter().map(|check| (*check, Finding::undecided(error.to_string()))).collect(),
            Ok(scratch) => self.in_scratch(&scratch, client, &writing).await,
        };
        proofs.extend(found.into_iter().map(|(check, finding)| self.proof(check, subject, finding)));
        proofs
    }

    /// Makes the schema, tries what is wanted in it, and drops it.
    async fn in_scratch(
        &self,
        scratch: &Scratch<'_, Warehouse>,
        client: &Client,
        wanted: &[Check],
    ) -> Vec<(Check, Finding)> {
        if let Err(trouble) = scratch.make().await {
            let finding = selftest::undecided(&trouble);
            return wanted.iter().map(|check| (*check, finding.clone())).collect();
        }
        let mut found = self.tried(scratch, client, wanted).await;
        if let Err(trouble) = scratch.drop_all().await {
            let left = format!("{} could not be dropped: {trouble}", scratch.schema());
            for (_, finding) in &mut found {
                finding.fix = Some(format!("Drop the schema {}: {left}.", scratch.schema()));
            }
        }
        found
    }

    async fn tried(
        &self,
        scratch: &Scratch<'_, Warehouse>,
        client: &Client,
        wanted: &[Check],
    ) -> Vec<(Check, Finding)> {
        let mut found = Vec::new();
        let of_view = [Check::ViewIdentity, Check::ViewComments, Check::ViewMarker];
        // What is tried on a view needs one.
        let on_views = of_view.into_iter().chain([Check::AlterLatency, Check::SecondWarehouse]);
        if on_views.into_iter().any(|check| wanted.contains(&check)) {
            found.extend(views::kept(scratch, client).await);
        }
        for check in wanted.iter().copied() {
            let finding = match check {
                Check::LeaseConflict => selftest::lease_conflict(scratch).await,
                Check::TimeTravel => selftest::time_travel(scratch).await,
                Check::Procedures => selftest::procedures(scratch).await,
                Check::PinnedRoute => selftest::pinned_route(scratch).await,
                Check::AlterLatency => views::latency(scratch, self.window).await,
                Check::SecondWarehouse => match &self.second {
                    None => Finding::undecided("not tried: --second-warehouse names none"),
                    Some(id) => {
                        let second = Warehouse::new(client.clone(), id.clone());
                        views::lag(scratch, &second, self.window).await
                    }
                },
                _ => continue,
            };
            found.push((check, finding));
        }
        found.retain(|(check, _)| wanted.contains(check));
        found
    }

    /// Whether a check is to be tried.
    fn wants(&self, check: Check) -> bool {
        self.only.is_empty() || self.only.contains(&check)
    }

    fn proof(&self, check: Check, subject: &Subject, finding: Finding) -> Proof {
        let Finding { verdict, says, fix, figures } = finding;
        Proof {
            check,
            subject: subject.clone(),
            verdict,
            finding: says,
            fix,
            figures,
            at: self.clock.now(),
            fleet_hash: self.config.fleet_hash.clone(),
        }
    }
}

/// Whatever is in use and stands on proofs, and of what.
pub fn in_use(config: &Config) -> Vec<(Feature, Subject)> {
    let mut features: Vec<(Feature, Subject)> = config
        .workspaces()
        .iter()
        .map(|configured| (Feature::FlowFigures, Subject::workspace(&configured.workspace)))
        .collect();
    if let (Some(entry), Some(subject)) = (&config.fleet.ledger, ledger_subject(config)) {
        features.extend([Feature::ProductionActs, Feature::Leases].map(|feature| (feature, subject.clone())));
        if entry.form == LedgerForm::Procedures {
            features.push((Feature::LedgerProcedures, subject));
        }
    }
    features
}

/// Every subject that the configuration has: its workspaces, and its ledger if it has one. What was proven of others says
/// nothing of these.
pub fn subjects(config: &Config) -> Vec<Subject> {
    let workspaces = config.workspaces().into_iter().map(|configured| Subject::workspace(&configured.workspace));
    workspaces.chain(ledger_subject(config)).collect()
}

/// The ledger, if there is one.
pub fn ledger_subject(config: &Config) -> Option<Subject> {
    let entry = config.fleet.ledger.as_ref()?;
    let schema = format!("{}.{}", entry.catalog.as_str(), entry.schema.as_str());
    Some(Subject::ledger(&schema, entry.workspace.as_str(), &entry.warehouse))
}
