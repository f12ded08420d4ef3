//! Scenarios: what happens in a simulated world, as data. A new scenario is a new TOML file and one line here.

mod breaks;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::domain::workspace::Environment;

use super::world::principal::Principal;
pub use breaks::Breaks;

/// Every scenario that is built in: its name and its text.
const BUILT_IN: [(&str, &str); 4] = [
    ("calm", include_str!("calm.toml")),
    ("incident", include_str!("incident.toml")),
    ("bundle", include_str!("bundle.toml")),
    ("contrary", include_str!("contrary.toml")),
];

/// What happens in a world, relative to its start.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name; the file's.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub about: String,
    /// For how long before the start no run failed by chance.
    pub quiet_before: Offset,
    /// For how long after the start no run fails by chance.
    pub quiet_after: Offset,
    /// Whether the workspaces begin with the team's jobs and pipelines; if not, they begin empty.
    #[serde(default = "yes")]
    pub fleet: bool,
    /// What the platform does otherwise than it promises.
    #[serde(default)]
    pub breaks: Breaks,
    /// People who are somebody else here.
    #[serde(default)]
    pub person: Vec<Person>,
    /// What groups hold on catalogs beside what they hold in every scenario.
    #[serde(default)]
    pub grant: Vec<Grant>,
    /// Of the fleet, only the jobs and pipelines of these names; all when empty. A small world is a fast one.
    #[serde(default)]
    pub only: Vec<String>,
    /// Schedules that are moved to suit the start.
    #[serde(default)]
    pub retime: Vec<Retime>,
    /// Tasks that fail.
    #[serde(default)]
    pub fail: Vec<Fail>,
    /// Jobs that are slow.
    #[serde(default)]
    pub slow: Vec<Slow>,
    /// Streams that take in less than they could.
    #[serde(default)]
    pub throttle: Vec<Throttle>,
    /// Schedules that somebody pauses.
    #[serde(default)]
    pub pause: Vec<Order>,
    /// Jobs that somebody starts.
    #[serde(default)]
    pub launch: Vec<Order>,
}

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No built-in scenario has this name.
    #[error("scenario '{name}' is unknown; there are {known}")]
    Unknown {
        /// As asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// The text is not a scenario.
    #[error("scenario '{name}' cannot be read: {message}")]
    Invalid {
        /// Which.
        name: String,
        /// Where and why.
        message: String,
    },
}

impl Scenario {
    /// The names of the built-in scenarios.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in scenario.
    ///
    /// # Errors
    /// When none has that name.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name).ok_or_else(|| ScenarioError::Unknown {
            name: name.to_owned(),
            known: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(name, text)
    }

    /// A scenario from its text.
    ///
    /// # Errors
    /// When the text is not TOML or says something that a scenario cannot say.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)
            .map_err(|error| ScenarioError::Invalid { name: name.to_owned(), message: error.to_string() })?;
        Ok(Self { name: name.to_owned(), ..scenario })
    }

    /// The people of this scenario, made from those of every scenario.
    pub(super) fn people(&self, mut everybody: Vec<Principal>) -> Vec<Principal> {
        for person in &self.person {
            for found in everybody.iter_mut().filter(|found| found.role == person.role) {
                found.user_name.clone_from(&person.user_name);
                found.display_name.clone_from(&person.display_name);
            }
        }
        everybody
    }
}

/// Gives the holder of a role another name; what the role may do stays.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Whose.
    pub role: String,
    /// An e-mail address.
    pub user_name: String,
    /// For people.
    pub display_name: String,
}

/// Privileges of a group on a catalog.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which catalog.
    pub catalog: String,
    /// Who.
    pub group: String,
    /// By their names in the API, such as `CREATE_SCHEMA`.
    pub privileges: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Moves a job's schedule, so that the scenario finds it where it needs it whatever the wall clock says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retime {
    /// Where.
    #[serde(default = "prod")]
    pub environment: Environment,
    /// The job's name.
    pub job: String,
    /// Its last fire was this long before the start.
    pub ago: Option<Offset>,
    /// Or: its last fire was such that this task runs at the start, and for some minutes more.
    pub running: Option<String>,
}

/// Makes every attempt of a task fail.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// Where.
    #[serde(default = "prod")]
    pub environment: Environment,
    /// The job's name.
    pub job: String,
    /// The task's key.
    pub task: String,
    /// From when on.
    pub from: Offset,
    /// Until when, not included.
    pub until: Offset,
    /// How: a family of errors.
    pub error: ErrorFamily,
    /// Only the first so many attempts of a run; all when absent.
    pub attempts: Option<u32>,
    /// What the error's text speaks of.
    #[serde(default, rename = "with")]
    pub details: BTreeMap<String, String>,
}

/// Makes a job slow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// Where.
    #[serde(default = "prod")]
    pub environment: Environment,
    /// The job's name.
    pub job: String,
    /// Only this task; all when absent.
    pub task: Option<String>,
    /// Attempts that begin from then on.
    pub from: Offset,
    /// And before then.
    pub until: Offset,
    /// How many times as long they take.
    pub factor: f64,
}

/// Makes a stream take in less.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Where.
    #[serde(default = "prod")]
    pub environment: Environment,
    /// The pipeline's name.
    pub pipeline: String,
    /// From when on.
    pub from: Offset,
    /// Until when, not included.
    pub until: Offset,
    /// What is left of what comes in at the time of the start: below 1, the backlog grows.
    pub capacity: f64,
}

/// Something that happens to a job at one instant.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Where.
    #[serde(default = "prod")]
    pub environment: Environment,
    /// The job's name.
    pub job: String,
    /// When.
    pub at: Offset,
}

fn prod() -> Environment {
    Environment::Prod
}

/// Families of errors, each with the texts that the platform gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorFamily {
    /// Spark's analyzer does not find a column.
    UnresolvedColumn,
    /// The object store asks to slow down.
    S3SlowDown,
    /// An executor was lost: out of memory.
    ExecutorLost,
    /// What is written does not fit the table's schema.
    SchemaMismatch,
    /// The run's identity may not do it.
    Permission,
    /// The notebook's own code raised.
    PythonError,
}

impl ErrorFamily {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UnresolvedColumn,
        Self::S3SlowDown,
        Self::ExecutorLost,
        Self::SchemaMismatch,
        Self::Permission,
        Self::PythonError,
    ];
}

/// A span relative to the start of the world, in milliseconds; written `-9m`, `40s`, `12h`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read_offset(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no span such as 40s, -9m, 12h, 2d")))
    }
}

fn read_offset(text: &str) -> Option<Offset> {
    let unit_ms = match text.chars().last()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    text[..text.len() - 1].parse::<i64>().ok()?.checked_mul(unit_ms).map(Offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_can_be_read() {
        for name in Scenario::names() {
            let scenario = Scenario::named(name).expect("reads");
            assert_eq!(scenario.name, name);
        }
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = Scenario::named("clam").expect_err("unknown").to_string();
        assert!(error.contains("'clam'") && error.contains("calm, incident"), "{error}");
    }

    #[test]
    fn a_scenario_that_says_nonsense_is_refused_with_the_place() {
        let text = "about = 'x'\nquiet_before = '1h'\nquiet_after = '1 hour'\n";
        let error = Scenario::parse("mine", text).expect_err("refused").to_string();
        assert!(error.contains("1 hour") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn spans_have_signs_and_units() {
        assert_eq!(read_offset("-9m"), Some(Offset(-540_000)));
        assert_eq!(read_offset("2d"), Some(Offset(172_800_000)));
        assert_eq!(read_offset("9"), None);
    }
}
