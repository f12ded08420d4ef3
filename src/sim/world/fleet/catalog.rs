//! The fleet's plans as `fleet.toml` holds them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono_tz::Tz;
use serde::Deserialize;

use crate::domain::workspace::Environment;
use crate::sim::world::draw::Draw;

const TEXT: &str = include_str!("fleet.toml");

/// All plans.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::world) struct Catalog {
    /// Graphs by name.
    pub(super) shapes: BTreeMap<String, String>,
    /// What the team makes.
    #[serde(rename = "product")]
    pub(super) products: Vec<Product>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) jobs: Vec<JobPlan>,
    pub(super) pipelines: Vec<PipelinePlan>,
    /// What its developers try in dev and nobody has released.
    #[serde(default)]
    pub(super) trials: Vec<JobPlan>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobPlan {
    pub(super) name: String,
    pub(super) tier: u8,
    pub(super) owner: String,
    pub(super) cadence: String,
    #[serde(default)]
    pub(super) sox: bool,
    pub(super) sla: Option<String>,
    shape: Option<String>,
    graph: Option<String>,
    pub(super) minutes: Option<f64>,
    table: Option<String>,
    /// Tables of its product that it reads: lineage.
    #[serde(default)]
    pub(super) reads: Vec<String>,
    pub(super) drift: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelinePlan {
    pub(super) name: String,
    pub(super) tier: u8,
    pub(super) owner: String,
    #[serde(default)]
    pub(super) sox: bool,
    pub(super) sla: Option<String>,
    #[serde(default)]
    pub(super) continuous: bool,
    /// Events a second at the busiest hour.
    pub(super) peak: Option<f64>,
    pub(super) schema: Option<String>,
    pub(super) flows: Vec<String>,
}

/// Read once: simulations make worlds by the thousand.
static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| {
    toml::from_str(TEXT).unwrap_or_else(|_| Catalog { shapes: BTreeMap::new(), products: Vec::new() })
});

impl Catalog {
    /// The built-in plans. The text is part of the program and a test reads it; were it broken, the fleet would be empty.
    pub(in crate::sim::world) fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// Of all plans, only those of these names; all if there are none.
    pub(in crate::sim::world) fn only(mut self, names: &[String]) -> Self {
        if !names.is_empty() {
            for product in &mut self.products {
                product.jobs.retain(|plan| names.contains(&plan.name));
                product.pipelines.retain(|plan| names.contains(&plan.name));
                product.trials.retain(|plan| names.contains(&plan.name));
            }
        }
        self
    }
}

impl JobPlan {
    /// The graph's text.
    pub(super) fn graph(&self, catalog: &Catalog) -> String {
        let shape = || catalog.shapes.get(self.shape.as_deref().unwrap_or("single")).cloned().unwrap_or_default();
        self.graph.clone().unwrap_or_else(shape)
    }

    /// The table that it publishes.
    pub(super) fn table(&self) -> &str {
        let bare = || self.name.trim_end_matches("_hourly").trim_end_matches("_daily").trim_end_matches("_weekly");
        self.table.as_deref().unwrap_or_else(bare)
    }

    /// How often it runs. Staging runs by the hour what production runs by the quarter.
    pub(super) fn cadence_in(&self, environment: Environment) -> Cadence {
        let cadence = match (environment, self.cadence.as_str()) {
            (Environment::Staging, "every 15m") => "hourly",
            (_, cadence) => cadence,
        };
        Cadence(cadence.to_owned())
    }
}

/// How often a job runs, in the words of `fleet.toml`.
pub(super) struct Cadence(String);

impl Cadence {
    /// Whether it runs so seldom that it gets machines of its own.
    pub(super) fn is_heavy(&self) -> bool {
        let often = ["every 15m", "every 30m", "hourly", "every 2h", "called"];
        !often.contains(&self.0.as_str())
    }

    /// The quartz expression and its zone. Jobs that run often begin at a minute of their own.
    pub(super) fn expression(&self, draw: Draw) -> Option<(String, Tz)> {
        let words: Vec<&str> = self.0.split_whitespace().collect();
        let minute = draw.below(60);
        let often = |expression: String| Some((expression, Tz::UTC));
        let timed = |at: &str, zone: &str, days: &str| {
            let (hour, minute) = at.split_once(':')?;
            let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
            let days = if days == "*" { "* * ?".to_owned() } else { format!("? * {days}") };
            Some((format!("0 {minute} {hour} {days}"), zone.parse().ok()?))
        };
        match words[..] {
            ["hourly"] => often(format!("0 {minute} * * * ?")),
            ["every", "15m"] => often(format!("0 {}/15 * * * ?", minute % 15)),
            ["every", "30m"] => often(format!("0 {}/30 * * * ?", minute % 30)),
            ["every", "2h"] => often(format!("0 {minute} {}/2 * * ?", draw.at(1).below(2))),
            ["every", "6h"] => often(format!("0 {minute} {}/6 * * ?", draw.at(1).below(6))),
            ["daily", at, zone] => timed(at, zone, "*"),
            ["weekdays", at, zone] => timed(at, zone, "MON-FRI"),
            ["weekly", day, at, zone] => timed(at, zone, day),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_plans_can_be_read_and_every_cadence_is_a_schedule() {
        let catalog: Catalog = toml::from_str(TEXT).expect("fleet.toml reads");
        for plan in catalog.products.iter().flat_map(|product| product.jobs.iter().chain(&product.trials)) {
            let expression = plan.cadence_in(Environment::Prod).expression(Draw::new(1));
            assert_eq!(expression.is_none(), plan.cadence == "called", "{}", plan.name);
            if let Some((expression, zone)) = expression {
                crate::sim::world::quartz::Quartz::parse(&expression, zone.name()).expect("a schedule");
            }
            assert!(plan.shape.as_ref().is_none_or(|shape| catalog.shapes.contains_key(shape)), "{}", plan.name);
        }
    }

    #[test]
    fn the_fleet_has_the_size_that_the_team_has() {
        let catalog = Catalog::built_in();
        let jobs = catalog.products.iter().flat_map(|product| product.jobs.iter().map(|plan| plan.tier));
        let pipelines = catalog.products.iter().flat_map(|product| product.pipelines.iter().map(|plan| plan.tier));
        let tiers: Vec<u8> = jobs.chain(pipelines).collect();
        assert_eq!(tiers.len(), 120);
        assert_eq!(tiers.iter().filter(|tier| **tier <= 2).count(), 40);
    }

    #[test]
    fn what_a_job_reads_another_job_of_its_product_writes() {
        let catalog = Catalog::built_in();
        for product in &catalog.products {
            for table in product.jobs.iter().flat_map(|plan| &plan.reads) {
                assert!(product.jobs.iter().any(|plan| plan.table() == table), "{}.{table}", product.name);
            }
        }
    }
}
