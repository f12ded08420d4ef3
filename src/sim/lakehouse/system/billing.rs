//! `system.billing`: a year of usage, hour by hour where runs are known and day by day before, late and restated.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::Value;
use crate::sim::world::World;
use crate::sim::world::job::Job;

use super::cell::{ACCOUNT, at, below, date, decimal, hour_of, hours, id, map, maybe, text};
use super::facts::{Facts, RunFact};
use super::lakeflow::workspace_id;
use super::{Rows, Window};

/// How far usage reaches back.
pub(super) const RETENTION: TimeDelta = TimeDelta::days(365);
/// How soon, and how late, an hour's usage is told after the hour began.
const SOONEST: TimeDelta = TimeDelta::hours(3);
/// The latest.
const LATEST: TimeDelta = TimeDelta::hours(7);
/// When a correction comes.
const RESTATED_AFTER: TimeDelta = TimeDelta::hours(44);
/// One in so many rows is corrected.
const RESTATED_ONE_IN: u64 = 50;

/// What is sold: sku, price in millionths of a dollar a DBU, and a year ago.
const SKUS: [(&str, i128, i128); 4] = [
    (JOBS, 350_000, 390_000),
    (JOBS_CLASSIC, 150_000, 150_000),
    (PIPELINES, 350_000, 390_000),
    (SQL, 700_000, 700_000),
];
const JOBS: &str = "PREMIUM_JOBS_SERVERLESS_COMPUTE_US_EAST_N_VIRGINIA";
const JOBS_CLASSIC: &str = "PREMIUM_JOBS_COMPUTE";
const PIPELINES: &str = "PREMIUM_DLT_SERVERLESS_COMPUTE_US_EAST_N_VIRGINIA";
const SQL: &str = "PREMIUM_SERVERLESS_SQL_COMPUTE_US_EAST_N_VIRGINIA";

/// Two prices each: until half a year before the world began, and since.
pub(super) fn prices(window: Window, world: &World) -> Rows {
    if window.after.is_some() {
        return Rows::new();
    }
    let changed_at = hour_of(world.started_at() - TimeDelta::days(182));
    let begun_at = changed_at - TimeDelta::days(1_000);
    let price = |sku: &str, from: Instant, to: Option<Instant>, millionths: i128| {
        let one = || Value::List(vec![decimal(millionths)]);
        vec![
            text(ACCOUNT),
            at(from),
            to.map_or(Value::Null, at),
            text(sku),
            text("AWS"),
            text("USD"),
            text("DBU"),
            Value::List(vec![decimal(millionths), Value::Null, one()]),
        ]
    };
    SKUS.iter()
        .flat_map(|(sku, now, then)| {
            [price(sku, begun_at, Some(changed_at), *then), price(sku, changed_at, None, *now)]
        })
        .collect()
}

/// One hour's usage of one thing.
struct Usage<'a> {
    environment: Environment,
    hour: Instant,
    sku: &'a str,
    product: &'a str,
    millionths: i128,
    job: Option<(u64, &'a str, u64)>,
    pipeline: Option<(&'a str, &'a str)>,
    warehouse: Option<&'a str>,
    run_as: &'a str,
    tags: &'a BTreeMap<String, String>,
}

/// What of a job its usage tells.
#[derive(Default)]
struct Payer {
    classic: bool,
    tags: BTreeMap<String, String>,
    run_as: String,
}

/// What a day of each job costs, for the time before runs are known.
#[derive(Debug)]
pub(super) struct Daily {
    /// When the first known run was launched.
    first: Instant,
    /// By job: millionths of a DBU, a run, and the job's name.
    costs: BTreeMap<(Environment, u64), (i128, u64, String)>,
}

impl Daily {
    pub(super) fn of(facts: &Facts, world: &World) -> Self {
        let first = facts.all().map(|fact| fact.launched_at).min().unwrap_or(world.started_at());
        let known_days = i128::from((world.started_at() - first).num_days().max(1));
        let mut costs = BTreeMap::new();
        let before = facts.all().filter(|fact| fact.ended_at.is_some() && fact.launched_at < world.started_at());
        for fact in before {
            let sum: i128 = costs_by_hour(fact).map(|(_, millionths)| millionths).sum();
            let cost = costs.entry((fact.environment, fact.job_id)).or_insert((0, fact.run_id, fact.name.clone()));
            cost.0 += sum;
        }
        costs.retain(|_, (sum, ..)| *sum > 0);
        costs.values_mut().for_each(|(sum, ..)| *sum /= known_days);
        Self { first, costs }
    }
}

/// What a run that is over cost in each of its hours, in millionths of a DBU.
fn costs_by_hour(fact: &RunFact) -> impl Iterator<Item = (Instant, i128)> {
    let ended_at = fact.ended_at.unwrap_or(fact.launched_at);
    let dbu_an_hour = 2_000_000 + i128::from(below(6_000_000, &["dbu", &fact.job_id.to_string()]));
    let compute_ms: u64 = fact.tasks.iter().map(|task| task.setup_ms + task.execution_ms).sum();
    let span_ms = i128::from((ended_at - fact.launched_at).num_milliseconds().max(1));
    let parts = hours(fact.launched_at, ended_at).into_iter().map(move |(from, to)| {
        let part = i128::from((to - from).num_milliseconds()) * i128::from(compute_ms) / span_ms;
        (hour_of(from), dbu_an_hour * part / 3_600_000)
    });
    parts.filter(|(_, millionths)| *millionths > 0)
}

/// What became available in a window.
pub(super) fn usage(facts: &Facts, daily: &Daily, window: Window, world: &World, seed: u64) -> Rows {
    let mut books = Books { window, world, seed: seed.to_string(), rows: Rows::new() };
    let payer = |job: &Job| Payer {
        classic: !job.settings.job_clusters.is_empty(),
        tags: job.settings.tags.clone(),
        run_as: job.run_as_user_name.clone(),
    };
    let jobs: BTreeMap<(Environment, u64), Payer> = world
        .workspaces()
        .iter()
        .flat_map(|workspace| world.jobs(workspace.environment).into_iter().map(|job| (workspace.environment, job)))
        .map(|(environment, job)| ((environment, job.job_id), payer(job)))
        .collect();
    let gone = Payer::default();
    let late = LATEST + RESTATED_AFTER + TimeDelta::hours(1);
    for fact in facts.within(window, late).filter(|fact| fact.ended_at.is_some()) {
        let payer = jobs.get(&(fact.environment, fact.job_id)).unwrap_or(&gone);
        for (hour, millionths) in costs_by_hour(fact) {
            books.job((fact.environment, fact.job_id), (&fact.name, fact.run_id), hour, millionths, payer);
        }
    }
    books.pipelines(late);
    books.warehouses(late);
    // The time before runs are known, newest day first.
    let last = (world.started_at() - RETENTION).max(books.oldest(late) - TimeDelta::days(1));
    let mut at = hour_of(daily.first) - TimeDelta::days(1);
    while at > window.to {
        at -= TimeDelta::days(1);
    }
    while at > last {
        for ((environment, job_id), (cost, run_id, name)) in &daily.costs {
            let job = job_id.to_string();
            let day = at.timestamp() / 86_400;
            let noise = 85 + i128::from(below(30, &["day", &job, &day.to_string()]));
            // The fleet has grown by a third within the year.
            let age = (world.started_at() - at).num_days();
            let millionths = cost * noise / 100 * (1_460 - i128::from(age)) / 1_460;
            let hour = at + TimeDelta::hours(i64::try_from(below(24, &["hour", &job])).unwrap_or(0));
            let older_run = run_id.wrapping_sub(u64::try_from(age).unwrap_or(0) * 7);
            let payer = jobs.get(&(*environment, *job_id)).unwrap_or(&gone);
            books.job((*environment, *job_id), (name, older_run), hour_of(hour), millionths.max(1), payer);
        }
        at -= TimeDelta::days(1);
    }
    books.rows
}

/// Rows as they are entered.
struct Books<'a> {
    window: Window,
    world: &'a World,
    seed: String,
    rows: Rows,
}

impl Books<'_> {
    /// The earliest hour of which something may become available in the window.
    fn oldest(&self, late: TimeDelta) -> Instant {
        let oldest = self.world.started_at() - RETENTION;
        self.window.after.map_or(oldest, |after| oldest.max(after - late))
    }

    fn job(
        &mut self,
        (environment, job_id): (Environment, u64),
        (name, run_id): (&str, u64),
        hour: Instant,
        millionths: i128,
        payer: &Payer,
    ) {
        self.enter(&Usage {
            environment,
            hour,
            sku: if payer.classic { JOBS_CLASSIC } else { JOBS },
            product: "JOBS",
            millionths,
            job: Some((job_id, name, run_id)),
            pipeline: None,
            warehouse: None,
            run_as: &payer.run_as,
            tags: &payer.tags,
        });
    }

    /// Hours of a continuous pipeline, and those of updates.
    fn pipelines(&mut self, late: TimeDelta) {
        let (world, oldest) = (self.world, self.oldest(late));
        for workspace in world.workspaces() {
            for view in world.pipelines(workspace.environment) {
                let id = view.pipeline.pipeline_id.as_str();
                let dbu = 4_000_000 + i128::from(below(8_000_000, &["dbu", id]));
                let updates = world.updates(workspace.environment, id, usize::MAX).unwrap_or_default();
                for update in &updates {
                    let until = update.ended_at.unwrap_or_else(|| world.now());
                    let from = update.creation_time.max(hour_of(oldest));
                    if from > until || from > self.window.to {
                        continue;
                    }
                    for (from, to) in hours(from, until.min(hour_of(self.window.to) + TimeDelta::hours(1))) {
                        self.enter(&Usage {
                            environment: workspace.environment,
                            hour: hour_of(from),
                            sku: PIPELINES,
                            product: "DLT",
                            millionths: dbu * i128::from((to - from).num_milliseconds()) / 3_600_000,
                            job: None,
                            pipeline: Some((id, &update.update_id)),
                            warehouse: None,
                            run_as: &view.pipeline.run_as_user_name,
                            tags: &view.pipeline.spec.tags,
                        });
                    }
                }
            }
        }
    }

    /// Hours of warehouses that never stop.
    fn warehouses(&mut self, late: TimeDelta) {
        let (world, oldest) = (self.world, self.oldest(late));
        let none = BTreeMap::new();
        for workspace in world.workspaces() {
            for warehouse in world.warehouses(workspace.environment).iter().filter(|w| w.auto_stop_mins == 0) {
                let now = hour_of(world.now().min(self.window.to));
                let mut hour = hour_of(oldest);
                while hour < now {
                    self.enter(&Usage {
                        environment: workspace.environment,
                        hour,
                        sku: SQL,
                        product: "SQL",
                        millionths: 12_000_000,
                        job: None,
                        pipeline: None,
                        warehouse: Some(&warehouse.id),
                        run_as: &warehouse.creator_name,
                        tags: &none,
                    });
                    hour += TimeDelta::hours(1);
                }
            }
        }
    }

    /// Enters a usage, and its correction where there is one, as far as they are available in the window.
    fn enter(&mut self, usage: &Usage<'_>) {
        let (soonest, latest) = (usage.hour + SOONEST, usage.hour + LATEST + RESTATED_AFTER);
        if soonest > self.window.to || self.window.after.is_some_and(|after| latest <= after) {
            return;
        }
        let subject = match (usage.job, usage.pipeline, usage.warehouse) {
            (Some((job, _, run)), ..) => format!("job {job} {run}"),
            (_, Some((_, update)), _) => format!("update {update}"),
            (_, _, warehouse) => format!("warehouse {}", warehouse.unwrap_or_default()),
        };
        let hour = usage.hour.timestamp().to_string();
        let seed = self.seed.clone();
        let key = [seed.as_str(), &subject, &hour];
        let late = TimeDelta::minutes(i64::try_from(below(240, &key)).unwrap_or(0));
        let available_at = usage.hour + SOONEST + late;
        if self.window.takes(available_at) {
            self.row(usage, &key, "ORIGINAL", usage.millionths, available_at);
        }
        if below(RESTATED_ONE_IN, &[&seed, "restated", &subject, &hour]) == 0 {
            let restated_at = available_at + RESTATED_AFTER;
            if self.window.takes(restated_at) {
                self.row(usage, &key, "RETRACTION", -usage.millionths, restated_at);
                self.row(usage, &key, "RESTATEMENT", usage.millionths * 98 / 100, restated_at);
            }
        }
    }

    fn row(&mut self, usage: &Usage<'_>, key: &[&str; 3], kind: &str, millionths: i128, ingested_at: Instant) {
        let (job_id, job_name, run_id) = usage.job.map_or_else(Default::default, |(job_id, name, run_id)| {
            (job_id.to_string(), name.to_owned(), run_id.to_string())
        });
        let (pipeline_id, update_id) = usage.pipeline.unwrap_or_default();
        let metadata = [
            (1, job_id.as_str()),
            (2, &run_id),
            (3, &job_name),
            (5, usage.warehouse.unwrap_or_default()),
            (9, pipeline_id),
            (10, update_id),
        ];
        let metadata = (0..20)
            .map(|field| metadata.iter().find(|(at, _)| *at == field).map_or(Value::Null, |(_, value)| maybe(value)));
        let classic = usage.sku == JOBS_CLASSIC;
        self.rows.push(vec![
            text(id(&[key[0], key[1], key[2], kind])),
            text(ACCOUNT),
            text(workspace_id(self.world, usage.environment)),
            text(usage.sku),
            text("AWS"),
            at(usage.hour),
            at(usage.hour + TimeDelta::hours(1)),
            date(usage.hour),
            map(usage.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
            text("DBU"),
            decimal(millionths),
            Value::List(metadata.collect()),
            Value::List(vec![maybe(usage.run_as), Value::Null, Value::Null, Value::Null]),
            text(kind),
            date(ingested_at),
            text(usage.product),
            Value::List(vec![
                if usage.product == "JOBS" { text(if classic { "CLASSIC" } else { "LIGHT" }) } else { Value::Null },
                if usage.product == "SQL" { text("PRO") } else { Value::Null },
                if usage.product == "DLT" { text("ADVANCED") } else { Value::Null },
                (!classic).into(),
                true.into(),
                Value::Null,
                if classic { Value::Null } else { text("PERFORMANCE_OPTIMIZED") },
            ]),
            text("COMPUTE_TIME"),
        ]);
    }
}
