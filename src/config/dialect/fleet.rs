//! The fleet as its file spells it: what a team shares and keeps in Git.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ledger::LedgerEntry;
use super::scalar::{Host, Letter, Name, Seconds, TimeOfDay, Zone};
use crate::domain::glob::Glob;
use crate::domain::inventory::{self, Inventory, ObjectKind, TagNames, WallTime};
use crate::domain::workspace::{self, Environment};

/// The fleet: workspaces, what their objects are, and what nobody's personal settings can loosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fleet {
    /// The workspaces, in the order in which the console shows them.
    pub workspaces: Vec<WorkspaceEntry>,
    /// What personal settings cannot loosen, by environment.
    pub policy: Policies,
    /// Products by name: what they say holds for their objects unless a rule says otherwise.
    pub products: BTreeMap<String, ProductEntry>,
    /// Tags on jobs and pipelines from which facts are read when no rule gives them.
    pub tags: TagEntry,
    /// How names are built.
    pub naming: Naming,
    /// How operations are carried out.
    pub operations: OperationsEntry,
    /// What objects are, read from top to bottom: for each fact the first rule that gives it counts.
    pub rules: Vec<RuleEntry>,
    /// The shared record. Without it nothing changes production state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerEntry>,
}

/// How names are built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Naming {
    /// Prefixes of the names of development copies (`*` stands for any text); the first that fits is taken off.
    pub dev_prefixes: Vec<String>,
}

impl Default for Naming {
    fn default() -> Self {
        Self { dev_prefixes: Inventory::default().dev_prefixes.iter().map(ToString::to_string).collect() }
    }
}

/// How operations are carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsEntry {
    /// How long a request whose answer was lost may still take effect. An operation waits it out and looks again before it
    /// asks anew for what no token names, and before it ends with such a doubt.
    #[schemars(extend("x-min" = "1s", "x-max" = "15m"))]
    pub late_bound: Seconds,
}

impl Default for OperationsEntry {
    /// Longer than gateways hold a request.
    fn default() -> Self {
        Self { late_bound: Seconds(90) }
    }
}

/// A Databricks workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceEntry {
    /// The name in tables, commands and `[auth]`.
    pub name: Name,
    /// What it is for.
    pub environment: EnvironmentName,
    /// The workspace's address.
    pub host: Host,
    /// The key that confirms an act there: `P`, `S` or `D` by environment unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
}

/// What a workspace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentName {
    /// Developers' own copies.
    Dev,
    /// The rehearsal of production.
    Staging,
    /// What consumers read.
    Prod,
}

impl From<EnvironmentName> for Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Dev => Self::Dev,
            EnvironmentName::Staging => Self::Staging,
            EnvironmentName::Prod => Self::Prod,
        }
    }
}

impl WorkspaceEntry {
    /// The workspace as the rest of the program names it.
    pub fn workspace(&self) -> workspace::Workspace {
        let environment = self.environment.into();
        let letter = self.letter.map_or_else(|| letter_of(environment), |letter| letter.0);
        let name = crate::domain::ids::WorkspaceName::new(self.name.as_str());
        workspace::Workspace { name, environment, letter, host: self.host.to_string() }
    }
}

fn letter_of(environment: Environment) -> char {
    match environment {
        Environment::Dev => 'D',
        Environment::Staging => 'S',
        Environment::Prod => 'P',
    }
}

/// Policies by environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// Of development workspaces.
    pub dev: Policy,
    /// Of staging workspaces.
    pub staging: Policy,
    /// Of production workspaces.
    pub prod: Policy,
}

/// What personal settings cannot loosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether everything that changes a workspace is refused until it is unlocked. Unless given: only in prod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// The most requests a second that one console may send to one workspace.
    #[schemars(range(min = 1, max = 30))]
    pub requests_per_s: u32,
}

impl Default for Policy {
    /// Well below the vendor's limits, well above what polling needs (domain.md 8.7).
    fn default() -> Self {
        Self { read_only: None, requests_per_s: 8 }
    }
}

impl Policies {
    /// The policy of an environment, with every default filled in.
    pub fn of(&self, environment: Environment) -> Policy {
        let policy = match environment {
            Environment::Dev => self.dev,
            Environment::Staging => self.staging,
            Environment::Prod => self.prod,
        };
        Policy { read_only: Some(policy.read_only.unwrap_or(environment == Environment::Prod)), ..policy }
    }

    /// Every policy with its defaults filled in.
    #[must_use]
    pub fn filled(&self) -> Self {
        Self {
            dev: self.of(Environment::Dev),
            staging: self.of(Environment::Staging),
            prod: self.of(Environment::Prod),
        }
    }
}

/// A product: a published schema with its pipelines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProductEntry {
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The tier of its objects; 1 is the most important.
    #[schemars(range(min = 1, max = 5))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    /// Whether it is in the scope of SOX. No rule takes an object out again.
    pub sox: bool,
}

/// Names of tags that carry facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagEntry {
    /// The tag that holds the tier: `1`, `tier1`, `T1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The tag that holds the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The tag that holds the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The tag that holds whether the object is in the scope of SOX: `true`, `yes` or `1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sox: Option<String>,
}

/// What the objects are for which all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleEntry {
    /// For which objects. Without conditions: for all.
    pub when: ConditionEntry,
    /// 1 is the most important.
    #[schemars(range(min = 1, max = 5))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    /// The product that they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Who answers for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether they are in the scope of SOX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sox: Option<bool>,
    /// What was promised to those who read the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla: Option<SlaEntry>,
}

/// Conditions: all that are given must hold, and one of each list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionEntry {
    /// Only in workspaces of this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Only in workspaces with one of these names (`*` stands for any text).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<String>,
    /// Only jobs or only pipelines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindName>,
    /// Names without development prefix (`*` stands for any text, `?` for one character).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Ids as the vendor spells them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Tags that the object must have, with their values (`*` stands for any text).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Job or pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindName {
    /// A job.
    Job,
    /// A pipeline.
    Pipeline,
}

/// A deadline after each planned start (`within`, `by`; the earlier one counts), or a bound on the data's age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlaEntry {
    /// Finished this long after the planned start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Seconds>,
    /// Finished by this time on the day of the planned start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<TimeOfDay>,
    /// The zone of `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Published data is never older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_within: Option<Seconds>,
}

impl SlaEntry {
    /// The promise as the rest of the program understands it.
    ///
    /// # Errors
    /// When the keys contradict each other or promise nothing.
    pub fn sla(&self) -> Result<inventory::Sla, &'static str> {
        match (self.within, self.by, self.zone, self.fresh_within) {
            (None, None, None, Some(age)) => Ok(inventory::Sla::Freshness { max_age_s: age.0 }),
            (_, _, _, Some(_)) => Err("`fresh_within` stands alone: data is fresh or a run has a deadline, not both"),
            (_, Some(_), None, None) => Err("`by` needs a `zone`: at which place is it that time?"),
            (_, None, Some(_), None) => Err("`zone` belongs to `by`, which is missing"),
            (None, None, None, None) => Err("expected one of `within`, `by` and `fresh_within`"),
            (within, by, zone, None) => Ok(inventory::Sla::Finish {
                within_s: within.map(|span| span.0),
                by: by.zip(zone).map(|(time, zone)| WallTime { time: time.0, zone: zone.0 }),
            }),
        }
    }
}

impl Fleet {
    /// The mapping from objects to facts. Promises that contradict themselves are left out: `load` has refused them.
    pub fn inventory(&self) -> Inventory {
        let globs = |patterns: &[String]| patterns.iter().map(Glob::new).collect();
        let rule = |rule: &RuleEntry| inventory::Rule {
            condition: inventory::Condition {
                environment: rule.when.environment.map(Into::into),
                workspaces: globs(&rule.when.workspaces),
                kind: rule.when.kind.map(|kind| match kind {
                    KindName::Job => ObjectKind::Job,
                    KindName::Pipeline => ObjectKind::Pipeline,
                }),
                names: globs(&rule.when.names),
                ids: rule.when.ids.clone(),
                tags: rule.when.tags.iter().map(|(tag, value)| (tag.clone(), Glob::new(value))).collect(),
            },
            tier: rule.tier,
            product: rule.product.clone(),
            owner: rule.owner.clone(),
            sox: rule.sox,
            sla: rule.sla.as_ref().and_then(|sla| sla.sla().ok()),
        };
        let product =
            |entry: &ProductEntry| inventory::Product { owner: entry.owner.clone(), tier: entry.tier, sox: entry.sox };
        let TagEntry { tier, product: product_tag, owner, sox } = self.tags.clone();
        Inventory {
            rules: self.rules.iter().map(rule).collect(),
            products: self.products.iter().map(|(name, entry)| (name.clone(), product(entry))).collect(),
            tags: TagNames { tier, product: product_tag, owner, sox },
            dev_prefixes: globs(&self.naming.dev_prefixes),
        }
    }
}
