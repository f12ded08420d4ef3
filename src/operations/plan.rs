//! A plan: what an operation will do, immutable, fully specific, serializable and hashed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{Unhashable, canonical, digest_of_text};
use super::journal::Actor;
use super::kind::Kind;
use super::step::Step;
use crate::domain::Instant;
use crate::domain::danger::Danger;
use crate::domain::ids::{JobId, PipelineId, RunId, WorkspaceName};
use crate::domain::ulid::{NoUlid, Ulid};
use crate::domain::workspace::{Environment, Workspace};

/// The version of plans that this program makes. It rises when an older program would carry a plan out wrongly.
pub const VERSION: u32 = 1;

/// An operation, unique everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub Ulid);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OperationId {
    type Err = NoUlid;

    fn from_str(text: &str) -> Result<Self, NoUlid> {
        text.trim().parse().map(Self)
    }
}

/// What an operation will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// See [`VERSION`].
    pub version: u32,
    /// The operation.
    pub id: OperationId,
    /// What it is.
    pub kind: Kind,
    /// How dangerous it is.
    pub tier: Danger,
    /// What it is about.
    pub subject: Subject,
    /// Who planned it.
    pub actor: Actor,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The release that it belongs to.
    pub release_id: Option<String>,
    /// SHA-256 of the fleet's configuration that was in force.
    pub fleet_hash: String,
    /// When it was made, in local time.
    pub made_at: Instant,
    /// What was seen of the subject when it was made, in words: a person confirms on the strength of it.
    pub observed: BTreeMap<String, String>,
    /// When that was read, in local time.
    pub observed_at: Instant,
    /// How long a request whose answer was lost may still take effect, in seconds.
    pub late_bound_s: u32,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The workspace, by the fleet's name for it.
    pub workspace: WorkspaceName,
    /// What it is for.
    pub environment: Environment,
    /// Its address: a workspace of the same name elsewhere is another one.
    pub host: String,
    /// The object.
    pub object: Object,
    /// The object's name. From outside.
    pub name: String,
    /// The run, where it is about one.
    pub run: Option<RunId>,
    /// The product that the object belongs to.
    pub product: Option<String>,
}

/// The object of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A job.
    Job(JobId),
    /// A pipeline.
    Pipeline(PipelineId),
}

/// What an operation is about, in the words that every version of this program has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Aim {
    /// The workspace, by the fleet's name for it.
    pub workspace: WorkspaceName,
    /// Its address.
    pub host: String,
    /// The object.
    pub object: Object,
    /// The run, where it is about one.
    #[serde(default)]
    pub run: Option<RunId>,
}

impl Subject {
    /// What others are compared with.
    pub fn aim(self) -> Aim {
        Aim { workspace: self.workspace, host: self.host, object: self.object, run: self.run }
    }

    /// Whether this is the workspace that the plan was made for.
    pub fn is_in(&self, workspace: &Workspace) -> bool {
        self.workspace == workspace.name && self.host == workspace.host
    }

    /// `workspace/job/123`: how logs and the ledger name it.
    pub fn target(&self) -> String {
        match &self.object {
            Object::Job(job) => format!("{}/job/{job}", self.workspace),
            Object::Pipeline(pipeline) => format!("{}/pipeline/{pipeline}", self.workspace),
        }
    }
}

/// The lease of what belongs to no product.
pub const NO_PRODUCT: &str = "_fleet";

impl Plan {
    /// Whose lease must be held while it goes on: its product's. None for what does not change production state.
    pub fn lease(&self) -> Option<&str> {
        self.tier.waits_for_ledger().then(|| self.subject.product.as_deref().unwrap_or(NO_PRODUCT))
    }

    /// The plan's one spelling, which is what is stored and hashed.
    ///
    /// # Errors
    /// Never for the plans that this program makes: they hold no floats.
    pub fn canonical(&self) -> Result<String, Unhashable> {
        canonical(self)
    }

    /// SHA-256 of [`Plan::canonical`].
    ///
    /// # Errors
    /// As [`Plan::canonical`].
    pub fn digest(&self) -> Result<String, Unhashable> {
        Ok(digest_of_text(&self.canonical()?))
    }

    /// What differs from an earlier plan of the same act, in words: what a person who read that one must know.
    pub fn news_since(&self, before: &Self) -> Vec<String> {
        let mut news = Vec::new();
        let keys = self.observed.keys().chain(before.observed.keys().filter(|key| !self.observed.contains_key(*key)));
        for key in keys {
            let (was, is) = (before.observed.get(key), self.observed.get(key));
            if was != is {
                let word = |value: Option<&String>| match value.map(String::as_str) {
                    None | Some("") => "nothing".to_owned(),
                    Some(value) => value.to_owned(),
                };
                news.push(format!("{key}: was {}, is {}", word(was), word(is)));
            }
        }
        if self.sentence() != before.sentence() {
            news.push(format!("it would {}, and would have: {}", self.sentence(), before.sentence()));
        }
        news
    }

    /// What it will do, in one sentence of a few words.
    pub fn sentence(&self) -> String {
        let mut parts: Vec<String> = self.steps.iter().map(|step| step.action.words()).collect();
        if parts.len() > 3 {
            let rest = parts.len() - 2;
            parts.truncate(2);
            parts.push(format!("{rest} more"));
        }
        parts.join(", ")
    }
}

/// A plan as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// One that this program can carry out.
    Known(Box<Plan>),
    /// One of another version or with words that this program does not know: it is shown and exported, never resumed.
    Foreign {
        /// The version that it claims, if it claims one.
        version: Option<u64>,
        /// All of it.
        json: Value,
    },
}

impl Stored {
    /// Reads a plan.
    ///
    /// # Errors
    /// When the text is not JSON at all.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let json: Value = serde_json::from_str(text)?;
        let version = json["version"].as_u64();
        if version == Some(u64::from(VERSION))
            && let Ok(plan) = serde_json::from_value(json.clone())
        {
            return Ok(Self::Known(Box::new(plan)));
        }
        Ok(Self::Foreign { version, json })
    }

    /// The plan, if this program can carry it out.
    pub fn known(&self) -> Option<&Plan> {
        match self {
            Self::Known(plan) => Some(plan),
            Self::Foreign { .. } => None,
        }
    }
}
