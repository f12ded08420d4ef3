//! The fleet of the three workspaces, made from `fleet.toml` and the seed.

mod catalog;
mod graph;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::json;

use crate::domain::Instant;
use crate::domain::workspace::Environment;

use super::draw::Draw;
use super::job::{CronSchedule, Job, JobParameter, JobSettings, PauseStatus, Payload, QueueSettings, Task};
use super::pipeline::{Pipeline, PipelineSpec};
use super::principal::{Access, ENGINEERS, FINANCE_OWNERS, Grantee, Level, Principal};
use super::site::{Clockwork, JobEntry, PipelineEntry};
use super::streams::Stream;
use super::temper::{Nature, Temper};
use super::time::{DAY, before};

pub(super) use catalog::Catalog;
use catalog::{JobPlan, PipelinePlan, Product};

/// What the team makes, by the names that its objects have as the tag `product`.
pub fn products() -> Vec<String> {
    Catalog::built_in().products.into_iter().map(|product| product.name).collect()
}

/// The developers who have copies in dev.
const DEVELOPERS: [&str; 4] = ["ana", "bo", "dalia", "emre"];
/// Jobs that each of them has deployed.
const JOBS_EACH: usize = 8;

/// Makes the jobs and pipelines of one workspace.
pub(super) struct Builder<'a> {
    pub(super) environment: Environment,
    pub(super) catalog: &'a Catalog,
    pub(super) people: &'a [Principal],
    pub(super) draw: Draw,
    pub(super) starts_at: Instant,
}

/// What a workspace begins with.
pub(super) struct Fleet {
    pub(super) jobs: Vec<JobEntry>,
    pub(super) pipelines: Vec<PipelineEntry>,
}

/// One object to make: whose copy it is, if it is a developer's.
struct Copy<'a, T> {
    plan: &'a T,
    product: &'a Product,
    developer: Option<&'static str>,
}

impl Builder<'_> {
    /// The fleet of the workspace. The same seed gives the same ids.
    pub(super) fn build(&self) -> Fleet {
        let (jobs, pipelines) = self.choose();
        let pipelines: Vec<PipelineEntry> = pipelines.iter().map(|copy| self.pipeline(copy)).collect();
        let pipeline_ids: HashMap<String, String> = pipelines
            .iter()
            .map(|entry| (entry.pipeline.spec.name.clone(), entry.pipeline.pipeline_id.clone()))
            .collect();
        let mut entries: Vec<JobEntry> = jobs.iter().map(|copy| self.job(copy, &pipeline_ids)).collect();
        self.adopt(&mut entries);
        Fleet { jobs: entries, pipelines }
    }

    fn choose(&self) -> (Vec<Copy<'_, JobPlan>>, Vec<Copy<'_, PipelinePlan>>) {
        let (mut jobs, mut pipelines) = (Vec::new(), Vec::new());
        let products = || self.catalog.products.iter();
        match self.environment {
            Environment::Prod | Environment::Staging => {
                let wanted = |tier: u8| self.environment == Environment::Prod || tier <= 2;
                for product in products() {
                    let chosen = product.jobs.iter().filter(|plan| wanted(plan.tier));
                    jobs.extend(chosen.map(|plan| Copy { plan, product, developer: None }));
                    let chosen = product.pipelines.iter().filter(|plan| wanted(plan.tier));
                    pipelines.extend(chosen.map(|plan| Copy { plan, product, developer: None }));
                }
            }
            Environment::Dev => {
                for name in DEVELOPERS {
                    let mut all: Vec<(&Product, &JobPlan)> =
                        products().flat_map(|product| product.jobs.iter().map(move |plan| (product, plan))).collect();
                    all.retain(|(_, plan)| !plan.graph(self.catalog).contains(":job/") && plan.cadence != "called");
                    // Mostly what they own, then whatever their colleagues own.
                    let draw = self.draw.named(name);
                    all.sort_by_key(|(_, plan)| (plan.owner != name, draw.named(&plan.name).bits()));
                    for (product, plan) in all.into_iter().take(JOBS_EACH) {
                        jobs.push(Copy { plan, product, developer: Some(name) });
                        for pipeline in products().flat_map(|product| &product.pipelines) {
                            if plan.graph(self.catalog).contains(&format!(":dlt/{}@", pipeline.name)) {
                                pipelines.push(Copy { plan: pipeline, product, developer: Some(name) });
                            }
                        }
                    }
                }
                for product in products() {
                    for plan in &product.trials {
                        let developer = DEVELOPERS.into_iter().find(|name| *name == plan.owner);
                        jobs.push(Copy { plan, product, developer });
                    }
                    let streams = product.pipelines.iter().filter(|plan| plan.name == "orders_green");
                    pipelines.extend(streams.map(|plan| Copy { plan, product, developer: Some("ana") }));
                }
            }
        }
        (jobs, pipelines)
    }

    /// Fills in who calls whom: a job's id is known once all jobs are there.
    fn adopt(&self, entries: &mut [JobEntry]) {
        let ids: HashMap<String, (usize, u64)> = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.job.settings.name.clone(), (at, entry.job.job_id)))
            .collect();
        let mut callers = Vec::new();
        for (caller, entry) in entries.iter_mut().enumerate() {
            let mut settings = JobSettings::clone(&entry.job.settings);
            let mut changed = false;
            for (at, task) in settings.tasks.iter_mut().enumerate() {
                let Some(Payload::RunJob(call)) = &mut task.payload else { continue };
                let Some(serde_json::Value::String(name)) = call.extra.shift_remove("name") else { continue };
                if let Some((called, id)) = ids.get(&name) {
                    call.job_id = *id;
                    callers.push((*called, caller, at));
                }
                changed = true;
            }
            if changed {
                entry.job.settings = Arc::new(settings);
            }
        }
        for (called, caller, task) in callers {
            entries[called].caller = Some((caller, task));
        }
    }

    fn display_name(name: &str, developer: Option<&str>) -> String {
        developer.map_or_else(|| name.to_owned(), |developer| format!("[dev {developer}] {name}"))
    }

    fn tags(
        &self,
        product: &Product,
        owner: &str,
        tier: u8,
        sox: bool,
        sla: Option<&str>,
        developer: Option<&str>,
    ) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::from([
            ("product".to_owned(), product.name.clone()),
            ("owner".to_owned(), owner.to_owned()),
            ("tier".to_owned(), tier.to_string()),
        ]);
        if sox {
            tags.insert("sox".to_owned(), "true".to_owned());
        }
        if let Some(sla) = sla {
            tags.insert("sla".to_owned(), sla.to_owned());
        }
        if let Some(developer) = developer {
            tags.insert("dev".to_owned(), developer.to_owned());
        }
        tags
    }

    fn deployer(&self, developer: Option<&str>) -> &Principal {
        let found = match developer {
            Some(name) => self.people.iter().find(|person| person.user_name == format!("{name}@example.com")),
            None => self.people.iter().find(|person| person.role == "ci"),
        };
        found.unwrap_or(&self.people[0])
    }

    fn access(&self, owner: &Principal, sox: bool) -> Vec<Access> {
        let owner = if owner.service {
            Grantee::ServicePrincipal(owner.user_name.clone())
        } else {
            Grantee::User(owner.user_name.clone())
        };
        let mut access = vec![
            Access { grantee: owner, level: Level::Owner },
            Access { grantee: Grantee::Group(ENGINEERS.to_owned()), level: Level::Run },
            Access { grantee: Grantee::Group("users".to_owned()), level: Level::View },
        ];
        if sox {
            access.push(Access { grantee: Grantee::Group(FINANCE_OWNERS.to_owned()), level: Level::Run });
        }
        access
    }

    /// How much of production's data there is.
    fn scale(&self) -> f64 {
        match self.environment {
            Environment::Prod => 1.0,
            Environment::Staging => 0.55,
            Environment::Dev => 0.3,
        }
    }

    fn job(&self, copy: &Copy<'_, JobPlan>, pipelines: &HashMap<String, String>) -> JobEntry {
        let Copy { plan, product, developer } = copy;
        let name = Self::display_name(&plan.name, *developer);
        let draw = self.draw.named("job").named(&name);
        let owner = self.deployer(*developer);
        let cadence = plan.cadence_in(self.environment);
        let heavy = cadence.is_heavy();
        let table = format!("{}.{}.{}", self.environment, product.name, plan.table());
        let graph = graph::read(&plan.graph(self.catalog), plan.minutes.unwrap_or(1.0));
        let leaf_keys: Vec<&str> = graph
            .iter()
            .map(|node| node.key.as_str())
            .filter(|key| !graph.iter().any(|node| node.upstream.iter().any(|(on, _)| on == key)))
            .collect();
        let rows = draw.named("rows").log_normal(180_000.0, 0.9) * if heavy { 40.0 } else { 1.0 };
        let natures = graph
            .iter()
            .map(|node| Nature {
                minutes: node.minutes * self.scale(),
                table: table.clone(),
                commits: leaf_keys.contains(&node.key.as_str()) && node.writes(),
                rows: rows * self.scale(),
            })
            .collect();
        let site = graph::Site {
            environment: self.environment,
            product: &product.name,
            job: &plan.name,
            developer: *developer,
            heavy,
            retries: if plan.tier <= 2 { 2 } else { i64::from(draw.named("retries").chance(0.8)) },
            pipelines,
        };
        let mut tasks: Vec<Task> = graph.iter().map(|node| node.task(&site)).collect();
        if plan.sox {
            // Finance would rather know soon than wait for a third attempt.
            for task in tasks.iter_mut().filter(|task| task.retries() > 0) {
                (task.max_retries, task.min_retry_interval_millis) = (Some(1), Some(15_000));
            }
        }
        let schedule = cadence.expression(draw.named("minute")).map(|(expression, zone)| CronSchedule {
            quartz_cron_expression: expression,
            timezone_id: zone.name().to_owned(),
            pause_status: Some(if developer.is_some() { PauseStatus::Paused } else { PauseStatus::Unpaused }),
            extra: serde_json::Map::new(),
        });
        let mut settings = JobSettings {
            name,
            description: Some(format!("{} of the {} product", plan.name.replace('_', " "), product.name)),
            tags: self.tags(product, &plan.owner, plan.tier, plan.sox, plan.sla.as_deref(), *developer),
            schedule: schedule.clone(),
            tasks,
            job_clusters: if heavy { vec![graph::job_cluster(draw)] } else { Vec::new() },
            parameters: vec![
                parameter("catalog", &self.environment.to_string()),
                parameter("as_of", "{{job.trigger.time.iso_date}}"),
            ],
            max_concurrent_runs: 1,
            timeout_seconds: if heavy { 4 * 3_600 } else { 3_300 },
            queue: Some(QueueSettings { enabled: true, extra: serde_json::Map::new() }),
            extra: serde_json::Map::new(),
        };
        settings.extra.insert("format".to_owned(), json!("MULTI_TASK"));
        settings.extra.insert("edit_mode".to_owned(), json!("UI_LOCKED"));
        settings.extra.insert(
            "deployment".to_owned(),
            json!({"kind": "BUNDLE", "metadata_file_path": format!("/Workspace/bundles/{}/{}/state/metadata.json", product.name, self.environment)}),
        );
        settings
            .extra
            .insert("email_notifications".to_owned(), json!({"on_failure": [format!("{}@example.com", plan.owner)]}));
        settings.extra.insert("webhook_notifications".to_owned(), json!({}));
        let clockwork = match (developer, &schedule) {
            (Some(_), _) => Clockwork::Habit { per_day: 1 + draw.named("habit").below(3) },
            (None, Some(schedule)) => Clockwork::of(schedule),
            (None, None) => Clockwork::None,
        };
        JobEntry {
            job: Job {
                job_id: 100_000_000_000_000 + draw.named("id").below(899_999_999_999_999),
                created_time: before(self.starts_at, (60 + draw.named("age").below(400)) * DAY),
                creator_user_name: owner.user_name.clone(),
                run_as_user_name: owner.user_name.clone(),
                settings: Arc::new(settings),
            },
            clockwork,
            temper: Temper {
                tasks: natures,
                sigma: draw.named("sigma").between(0.08, 0.2),
                flake: 0.006,
                doom: 0.0009 * if heavy { 6.0 } else { 1.0 } * if developer.is_some() { 40.0 } else { 1.0 },
                drift: plan.drift.unwrap_or(1.0),
                drifted_at: self.starts_at,
            },
            access: self.access(owner, plan.sox),
            reads: plan.reads.iter().map(|table| format!("{}.{}.{table}", self.environment, product.name)).collect(),
            caller: None,
            has_history: true,
            deleted: false,
            one_time: false,
        }
    }

    fn pipeline(&self, copy: &Copy<'_, PipelinePlan>) -> PipelineEntry {
        let Copy { plan, product, developer } = copy;
        let name = Self::display_name(&plan.name, *developer);
        let draw = self.draw.named("pipeline").named(&name);
        let owner = self.deployer(*developer);
        let pipeline_id = draw.named("id").uuid();
        let schema = plan.schema.clone().unwrap_or_else(|| product.name.clone());
        let continuous = plan.continuous && developer.is_none();
        let mut spec = PipelineSpec {
            id: pipeline_id.clone(),
            name,
            catalog: Some(self.environment.to_string()),
            schema: Some(schema.clone()),
            continuous: Some(continuous),
            development: Some(developer.is_some()),
            serverless: Some(!continuous),
            configuration: BTreeMap::from([("lakeshift.product".to_owned(), product.name.clone())]),
            tags: self.tags(product, &plan.owner, plan.tier, plan.sox, plan.sla.as_deref(), *developer),
            extra: serde_json::Map::new(),
        };
        spec.extra.insert("channel".to_owned(), json!("CURRENT"));
        spec.extra.insert("edition".to_owned(), json!("ADVANCED"));
        spec.extra.insert("photon".to_owned(), json!(true));
        let source = format!("/Workspace/bundles/{}/{}/files/{}/**", product.name, self.environment, plan.name);
        spec.extra.insert("libraries".to_owned(), json!([{"glob": {"include": source}}]));
        PipelineEntry {
            stream: Stream {
                draw: draw.named("stream"),
                flows: plan.flows.iter().map(|flow| format!("{}.{schema}.{flow}", self.environment)).collect(),
                peak: plan.peak.unwrap_or(0.0) * if self.environment == Environment::Prod { 1.0 } else { 0.05 },
                since: before(self.starts_at, DAY + draw.named("since").below(6 * DAY)),
            },
            pipeline: Pipeline {
                pipeline_id,
                creator_user_name: owner.user_name.clone(),
                run_as_user_name: owner.user_name.clone(),
                last_modified: before(self.starts_at, (1 + draw.named("age").below(30)) * DAY),
                beside: serde_json::Map::from_iter([(
                    "run_as".to_owned(),
                    json!({if owner.service { "service_principal_name" } else { "user_name" }: owner.user_name}),
                )]),
                spec,
            },
            access: self.access(owner, plan.sox),
        }
    }
}

fn parameter(name: &str, default: &str) -> JobParameter {
    JobParameter { name: name.to_owned(), default: default.to_owned(), extra: serde_json::Map::new() }
}
