//! What the fleet's configuration says about an object: tier, product, owner, SOX scope, deadline.
//!
//! Databricks knows none of these. A team writes them down as rules in its fleet file, or as tags on the objects; this
//! module is the one place that decides between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::glob::Glob;
use super::workspace::{Environment, Workspace};

/// The least important tier that a rule may give. 1 is the most important.
pub const LOWEST_TIER: u8 = 5;

/// What kind of object is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A job.
    Job,
    /// A pipeline.
    Pipeline,
}

/// What Databricks tells about an object, as far as rules ask for it.
#[derive(Clone, Copy, Debug)]
pub struct ObjectFacts<'a> {
    /// Job or pipeline.
    pub kind: ObjectKind,
    /// Its id as the API spells it.
    pub id: &'a str,
    /// Its name, with the development prefix if it has one.
    pub name: &'a str,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// What the fleet says about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classification {
    /// The name without the development prefix. From outside: neutralize it before display.
    pub display_name: String,
    /// The development prefix that was taken off, such as `[dev ana] `: somebody's own copy, paused by design.
    pub dev_prefix: Option<String>,
    /// 1 is the most important.
    pub tier: Option<u8>,
    /// The product that it belongs to.
    pub product: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Whether it is in the scope of SOX.
    pub sox: bool,
    /// What was promised.
    pub sla: Option<Sla>,
}

/// What was promised to those who read the data (domain.md 8.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sla {
    /// Each planned start ends in a publish by a deadline; with both bounds, the earlier one counts.
    Finish {
        /// Seconds after the planned start (not the real one: a late start eats into them).
        within_s: Option<u64>,
        /// A time of day on the day of the planned start.
        by: Option<WallTime>,
    },
    /// Published data is never older than this.
    Freshness {
        /// Age in seconds.
        max_age_s: u64,
    },
}

/// A time of day in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallTime {
    /// Local time.
    pub time: chrono::NaiveTime,
    /// Where it is that time.
    #[serde(with = "zone_name")]
    pub zone: chrono_tz::Tz,
}

/// A product: a published schema with its pipelines. What it says holds for its objects unless a rule says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Who answers for it.
    pub owner: Option<String>,
    /// The tier of its objects.
    pub tier: Option<u8>,
    /// Whether it is in the scope of SOX. No rule takes an object out again.
    pub sox: bool,
}

/// For which objects a rule holds: all conditions that are given must hold, and one of each list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Only in workspaces of this environment.
    pub environment: Option<Environment>,
    /// Only in the workspaces that have one of these names.
    pub workspaces: Vec<Glob>,
    /// Only jobs or only pipelines.
    pub kind: Option<ObjectKind>,
    /// Names, without development prefix.
    pub names: Vec<Glob>,
    /// Ids as the API spells them.
    pub ids: Vec<String>,
    /// Tags that the object must have, with their values.
    pub tags: BTreeMap<String, Glob>,
}

/// A rule: what it says about the objects that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which objects.
    pub condition: Condition,
    /// 1 is the most important.
    pub tier: Option<u8>,
    /// The product that they belong to.
    pub product: Option<String>,
    /// Who answers for them.
    pub owner: Option<String>,
    /// Whether they are in the scope of SOX.
    pub sox: Option<bool>,
    /// What was promised.
    pub sla: Option<Sla>,
}

/// The tags from which facts are read when no rule gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagNames {
    /// Holds the tier: `1`, `tier1`, `tier-1`, `T1`.
    pub tier: Option<String>,
    /// Holds the product.
    pub product: Option<String>,
    /// Holds the owner.
    pub owner: Option<String>,
    /// Holds whether the object is in the scope of SOX: `true`, `yes` or `1`.
    pub sox: Option<String>,
}

/// The fleet's mapping from objects to facts.
///
/// For each fact the first of these that gives it counts: the rules from top to bottom, the object's tags, its product.
/// SOX alone works by "any": what the rules, the tags or the product put in scope stays in scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Read from top to bottom.
    pub rules: Vec<Rule>,
    /// By name.
    pub products: BTreeMap<String, Product>,
    /// Tags that carry facts.
    pub tags: TagNames,
    /// Prefixes of development copies' names; the first that fits is taken off.
    pub dev_prefixes: Vec<Glob>,
}

impl Default for Inventory {
    /// No rule; development copies are recognized by the prefix that bundles in development mode give them.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            products: BTreeMap::new(),
            tags: TagNames::default(),
            dev_prefixes: vec![Glob::new("[dev *] ")],
        }
    }
}

impl Inventory {
    /// What the fleet says about one object.
    pub fn classify(&self, workspace: &Workspace, object: ObjectFacts<'_>) -> Classification {
        let (dev_prefix, name) = self.split_dev_prefix(object.name);
        let rules: Vec<&Rule> =
            self.rules.iter().filter(|rule| rule.condition.holds(workspace, object, name)).collect();
        let tag = |tag: &Option<String>| {
            let value = object.tags.get(tag.as_ref()?)?.trim();
            (!value.is_empty()).then_some(value)
        };
        let product =
            rules.iter().find_map(|rule| rule.product.clone()).or_else(|| tag(&self.tags.product).map(str::to_owned));
        let of_product = product.as_ref().and_then(|name| self.products.get(name));
        Classification {
            display_name: name.to_owned(),
            dev_prefix: dev_prefix.map(str::to_owned),
            tier: rules
                .iter()
                .find_map(|rule| rule.tier)
                .or_else(|| tag(&self.tags.tier).and_then(tier_of_tag))
                .or_else(|| of_product.and_then(|product| product.tier)),
            owner: rules
                .iter()
                .find_map(|rule| rule.owner.clone())
                .or_else(|| tag(&self.tags.owner).map(str::to_owned))
                .or_else(|| of_product.and_then(|product| product.owner.clone())),
            sox: rules.iter().any(|rule| rule.sox == Some(true))
                || tag(&self.tags.sox).is_some_and(is_yes)
                || of_product.is_some_and(|product| product.sox),
            sla: rules.iter().find_map(|rule| rule.sla.clone()),
            product,
        }
    }

    fn split_dev_prefix<'a>(&self, name: &'a str) -> (Option<&'a str>, &'a str) {
        for prefix in &self.dev_prefixes {
            match prefix.strip_from(name) {
                Some(rest) if !rest.is_empty() => return (Some(&name[..name.len() - rest.len()]), rest),
                _ => {}
            }
        }
        (None, name)
    }
}

impl Condition {
    fn holds(&self, workspace: &Workspace, object: ObjectFacts<'_>, name: &str) -> bool {
        fn one_of(patterns: &[Glob], text: &str) -> bool {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(text))
        }
        self.environment.is_none_or(|environment| environment == workspace.environment)
            && self.kind.is_none_or(|kind| kind == object.kind)
            && one_of(&self.workspaces, workspace.name.as_str())
            && one_of(&self.names, name)
            && (self.ids.is_empty() || self.ids.iter().any(|id| id == object.id))
            && self.tags.iter().all(|(tag, value)| object.tags.get(tag).is_some_and(|found| value.matches(found)))
    }
}

/// Reads `1`, `tier1`, `tier-1`, `Tier 1`, `T1`; none for all else.
fn tier_of_tag(value: &str) -> Option<u8> {
    let value = value.to_ascii_lowercase();
    let number = value.strip_prefix("tier").or_else(|| value.strip_prefix('t')).unwrap_or(&value);
    let tier = number.trim_start_matches(['-', '_', ' ']).parse().ok()?;
    (1..=LOWEST_TIER).contains(&tier).then_some(tier)
}

fn is_yes(value: &str) -> bool {
    ["true", "yes", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// A zone by its IANA name, for serde.
mod zone_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(zone: &chrono_tz::Tz, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<chrono_tz::Tz, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::WorkspaceName;

    fn workspace(environment: Environment) -> Workspace {
        Workspace {
            name: WorkspaceName::new(environment.to_string()),
            environment,
            letter: 'X',
            host: "https://example.test".to_owned(),
        }
    }

    fn named(name: &str) -> Condition {
        Condition { names: vec![Glob::new(name)], ..Condition::default() }
    }

    fn classify(inventory: &Inventory, environment: Environment, name: &str, tags: &[(&str, &str)]) -> Classification {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let object = ObjectFacts { kind: ObjectKind::Job, id: "42", name, tags: &tags };
        inventory.classify(&workspace(environment), object)
    }

    #[test]
    fn the_first_rule_that_gives_a_fact_counts() {
        let inventory = Inventory {
            rules: vec![
                Rule { condition: named("sales_close"), tier: Some(1), ..Rule::default() },
                Rule {
                    condition: named("sales_*"),
                    tier: Some(3),
                    owner: Some("sales-data".to_owned()),
                    ..Rule::default()
                },
            ],
            ..Inventory::default()
        };
        let close = classify(&inventory, Environment::Prod, "sales_close", &[]);
        assert_eq!((close.tier, close.owner.as_deref()), (Some(1), Some("sales-data")));
        let other = classify(&inventory, Environment::Prod, "orders", &[]);
        assert_eq!((other.tier, other.owner), (None, None));
    }

    #[test]
    fn rules_come_before_tags_and_tags_before_the_product() {
        let inventory = Inventory {
            rules: vec![Rule { condition: named("a"), tier: Some(1), ..Rule::default() }],
            products: BTreeMap::from([(
                "sales".to_owned(),
                Product { owner: Some("sales-data".to_owned()), tier: Some(3), sox: true },
            )]),
            tags: TagNames {
                tier: Some("tier".to_owned()),
                product: Some("product".to_owned()),
                owner: Some("team".to_owned()),
                sox: Some("sox".to_owned()),
            },
            ..Inventory::default()
        };
        let by_rule = classify(&inventory, Environment::Prod, "a", &[("tier", "2")]);
        assert_eq!(by_rule.tier, Some(1));
        let by_tag =
            classify(&inventory, Environment::Prod, "b", &[("tier", "Tier-2"), ("product", "sales"), ("team", "x")]);
        assert_eq!((by_tag.tier, by_tag.owner.as_deref(), by_tag.sox), (Some(2), Some("x"), true));
        let by_product =
            classify(&inventory, Environment::Prod, "b", &[("tier", "gold"), ("product", "sales"), ("team", " ")]);
        assert_eq!((by_product.tier, by_product.owner.as_deref()), (Some(3), Some("sales-data")));
    }

    #[test]
    fn no_rule_takes_an_object_out_of_the_scope_of_sox() {
        let inventory = Inventory {
            rules: vec![
                Rule { condition: named("gl_*"), sox: Some(false), ..Rule::default() },
                Rule { condition: named("*"), sox: Some(true), ..Rule::default() },
            ],
            ..Inventory::default()
        };
        assert!(classify(&inventory, Environment::Prod, "gl_post", &[]).sox);
    }

    #[test]
    fn a_development_copy_is_known_by_its_prefix_and_matched_without_it() {
        let inventory = Inventory {
            rules: vec![Rule { condition: named("load"), tier: Some(2), ..Rule::default() }],
            ..Inventory::default()
        };
        let copy = classify(&inventory, Environment::Dev, "[dev ana] load", &[]);
        assert_eq!(copy.display_name, "load");
        assert_eq!(copy.dev_prefix.as_deref(), Some("[dev ana] "));
        assert_eq!(copy.tier, Some(2));
        let bare = classify(&inventory, Environment::Dev, "[dev ana] ", &[]);
        assert_eq!(bare.display_name, "[dev ana] ", "a name never becomes empty");
    }

    #[test]
    fn every_condition_of_a_rule_must_hold() {
        let object_tags = BTreeMap::from([("layer".to_owned(), "gold".to_owned())]);
        let object = ObjectFacts { kind: ObjectKind::Pipeline, id: "7-a", name: "n", tags: &object_tags };
        let all = Condition {
            environment: Some(Environment::Prod),
            workspaces: vec![Glob::new("p*")],
            kind: Some(ObjectKind::Pipeline),
            names: vec![Glob::new("x"), Glob::new("n")],
            ids: vec!["7-a".to_owned()],
            tags: BTreeMap::from([("layer".to_owned(), Glob::new("g*"))]),
        };
        let prod = workspace(Environment::Prod);
        assert!(all.holds(&prod, object, "n"));
        for broken in [
            Condition { environment: Some(Environment::Dev), ..all.clone() },
            Condition { workspaces: vec![Glob::new("s*")], ..all.clone() },
            Condition { kind: Some(ObjectKind::Job), ..all.clone() },
            Condition { names: vec![Glob::new("x")], ..all.clone() },
            Condition { ids: vec!["7".to_owned()], ..all.clone() },
            Condition { tags: BTreeMap::from([("layer".to_owned(), Glob::new("silver"))]), ..all.clone() },
            Condition { tags: BTreeMap::from([("other".to_owned(), Glob::new("*"))]), ..all.clone() },
        ] {
            assert!(!broken.holds(&prod, object, "n"), "{broken:?}");
        }
    }

    #[test]
    fn tiers_are_read_from_the_spellings_that_teams_use() {
        for (tag, tier) in [
            ("1", Some(1)),
            ("tier3", Some(3)),
            ("Tier 2", Some(2)),
            ("T-5", Some(5)),
            ("6", None),
            ("0", None),
            ("gold", None),
        ] {
            assert_eq!(tier_of_tag(tag), tier, "{tag}");
        }
    }

    #[test]
    fn a_deadline_survives_serialization() {
        let sla = Sla::Finish {
            within_s: Some(7200),
            by: Some(WallTime {
                time: chrono::NaiveTime::from_hms_opt(6, 30, 0).expect("a time"),
                zone: chrono_tz::Europe::Berlin,
            }),
        };
        let text = serde_json::to_string(&sla).expect("serializes");
        assert!(text.contains("Europe/Berlin"), "{text}");
        assert_eq!(serde_json::from_str::<Sla>(&text).expect("reads back"), sla);
    }
}
