//! One workspace: what is in it, what has happened, what is to come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use chrono::{NaiveTime, TimeZone, Utc};

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::scenario::{Offset, Scenario};

use super::course::Course;
use super::draw::Draw;
use super::files::Tree;
use super::fleet::{Builder, Catalog, Fleet};
use super::ids::RunKey;
use super::job::Job;
use super::pipeline::Pipeline;
use super::principal::{Access, Object, Principal};
use super::quartz::Quartz;
use super::secrets::Scope;
use super::shelf::Shelf;
use super::streams::Stream;
use super::temper::Temper;
use super::time::{DAY, HOUR, MINUTE, after, before};
use super::updates::UpdateCourse;
use super::warehouse::Warehouse;

/// For how long history goes back, in days.
pub(super) const HISTORY_DAYS: u64 = 21;

/// What holds for the whole life of a world.
#[derive(Debug)]
pub(super) struct Laws {
    pub(super) draw: Draw,
    pub(super) started_at: Instant,
    pub(super) scenario: Scenario,
    pub(super) people: Vec<Principal>,
}

impl Laws {
    /// An instant of the scenario.
    pub(super) fn at(&self, offset: Offset) -> Instant {
        let ms = offset.0.unsigned_abs();
        if offset.0 < 0 { before(self.started_at, ms) } else { after(self.started_at, ms) }
    }

    /// Since when there are runs.
    pub(super) fn history_from(&self) -> Instant {
        before(self.started_at, HISTORY_DAYS * DAY)
    }

    /// Whether nothing fails by chance then.
    pub(super) fn is_quiet(&self, at: Instant) -> bool {
        at >= before(self.started_at, self.scenario.quiet_before.0.unsigned_abs())
            && at < self.at(self.scenario.quiet_after)
    }

    /// The user name of one who holds a role.
    pub(super) fn user(&self, role: &str) -> String {
        self.people.iter().find(|person| person.role == role).map(|person| person.user_name.clone()).unwrap_or_default()
    }
}

/// What makes a job run by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clockwork {
    /// Nothing.
    None,
    /// Its schedule.
    Cron(Quartz),
    /// So often, counted from when it was said.
    Every {
        /// Milliseconds between two runs.
        interval_ms: u64,
        /// From when on they count.
        since: Instant,
    },
    /// Files that somebody outside brings, a few times an hour.
    Arrivals {
        /// At least so long after the run before.
        least_ms: u64,
    },
    /// The end of the run before.
    Continuous,
    /// A developer, some times on a working day.
    Habit {
        /// How often on a working day.
        per_day: u64,
    },
}

/// A job, and what only the world knows of it.
#[derive(Clone, Debug)]
pub(super) struct JobEntry {
    pub(super) job: Job,
    pub(super) clockwork: Clockwork,
    pub(super) temper: Temper,
    pub(super) access: Vec<Access>,
    /// Full names of tables that it reads.
    pub(super) reads: Vec<String>,
    /// The job, and the index of its task, that runs it.
    pub(super) caller: Option<(usize, usize)>,
    /// Whether it ran before the world began.
    pub(super) has_history: bool,
    pub(super) deleted: bool,
    /// Made by `runs/submit` for one run: no list has it, and it takes no orders.
    pub(super) one_time: bool,
}

/// A pipeline, and what only the world knows of it.
#[derive(Clone, Debug)]
pub(super) struct PipelineEntry {
    pub(super) pipeline: Pipeline,
    pub(super) stream: Stream,
    pub(super) access: Vec<Access>,
}

/// Something that is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A job's schedule fires, or its developer runs it.
    Fires(usize),
    /// A run is over.
    Ends(RunKey),
    /// Somebody pauses a schedule.
    Pauses(usize),
    /// Somebody starts a job.
    Launches(usize),
}

/// Runs that one day launched: newest first.
pub(super) type DayOfRuns = Arc<[(Instant, RunKey)]>;

/// One workspace.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) environment: Environment,
    pub(super) laws: Arc<Laws>,
    pub(super) draw: Draw,
    pub(super) now: Instant,
    /// By index, which never changes; a deleted job keeps its place.
    pub(super) jobs: Vec<JobEntry>,
    pub(super) pipelines: Vec<PipelineEntry>,
    pub(super) warehouses: Vec<Warehouse>,
    /// Folders, files and notebooks.
    pub(super) files: Tree,
    /// Access lists of what has none of its own here: all but jobs and pipelines.
    pub(super) access: BTreeMap<Object, Vec<Access>>,
    /// All runs that were launched since the start, ran at the start, or were touched since.
    pub(super) courses: BTreeMap<RunKey, Course>,
    /// The same, by when they were launched.
    pub(super) order: BTreeSet<(Instant, RunKey)>,
    /// Those of them that are not over.
    pub(super) active: BTreeSet<RunKey>,
    /// What is to come, in order; the number keeps the order of what comes at the same instant.
    pub(super) agenda: BTreeMap<(Instant, u64), Happening>,
    pub(super) agenda_number: u64,
    pub(super) runs_launched: u64,
    pub(super) pipelines_made: u64,
    /// Policies, pools, clusters.
    pub(super) shelf: Shelf,
    pub(super) items_made: u64,
    /// Secret scopes by name.
    pub(super) scopes: BTreeMap<String, Scope>,
    /// Which run a job's idempotency token stands for.
    pub(super) tokens: HashMap<(u64, String), u64>,
    /// Updates that no job's task started, by pipeline id, oldest first.
    pub(super) updates: BTreeMap<String, Vec<UpdateCourse>>,
    /// A cache: the launches of past days, each a pure function of the seed.
    pub(super) days: Arc<Mutex<HashMap<i64, DayOfRuns>>>,
}

/// The id of a workspace's warehouse.
pub(super) fn warehouse_id(environment: Environment, number: u64) -> String {
    format!("{:016x}", Draw::new(0).named("warehouse").named(&environment.to_string()).at(number).bits())
}

impl Site {
    /// A workspace as it stands when the world begins.
    pub(super) fn new(environment: Environment, catalog: &Catalog, laws: Arc<Laws>) -> Self {
        let draw = laws.draw.named(&environment.to_string());
        let started_at = laws.started_at;
        let fleet = if laws.scenario.fleet {
            Builder { environment, catalog, people: &laws.people, draw, starts_at: started_at }.build()
        } else {
            Fleet { jobs: Vec::new(), pipelines: Vec::new() }
        };
        let owner = laws.user("ci");
        let warehouses = vec![
            Warehouse::running(warehouse_id(environment, 0), "jobs", "Small", 0, &owner, started_at),
            Warehouse::running(warehouse_id(environment, 1), "console", "2X-Small", 10, &owner, started_at),
        ];
        let mut site = Self {
            environment,
            draw,
            now: started_at,
            jobs: fleet.jobs,
            pipelines: fleet.pipelines,
            warehouses,
            files: Tree::new(laws.people.iter().map(|person| person.user_name.as_str()), started_at),
            access: BTreeMap::new(),
            courses: BTreeMap::new(),
            order: BTreeSet::new(),
            active: BTreeSet::new(),
            agenda: BTreeMap::new(),
            agenda_number: 0,
            runs_launched: 0,
            pipelines_made: 0,
            shelf: Shelf::new(),
            items_made: 0,
            scopes: BTreeMap::new(),
            tokens: HashMap::new(),
            updates: BTreeMap::new(),
            days: Arc::default(),
            laws,
        };
        site.give_homes();
        site.fill_shelf();
        site.retime();
        site.open_streams();
        site.take_over();
        site.write_agenda();
        site
    }

    /// The index of a job by name, without developers' copies.
    pub(super) fn job_named(&self, name: &str) -> Option<usize> {
        self.jobs.iter().position(|entry| entry.job.settings.name == name)
    }

    /// The next time a job runs by itself after an instant.
    pub(super) fn next_fire(&self, job: usize, at: Instant) -> Option<Instant> {
        match &self.jobs[job].clockwork {
            Clockwork::None => None,
            Clockwork::Cron(quartz) => quartz.next_after(at),
            Clockwork::Every { interval_ms, since } => {
                let gone = super::time::span_ms(*since, at) / interval_ms;
                Some(after(*since, (gone + 1) * interval_ms))
            }
            Clockwork::Arrivals { least_ms } => {
                let draw = self.draw.named("arrival").at(self.jobs[job].job.job_id).at(at.timestamp().unsigned_abs());
                Some(after(at, (8 * MINUTE + draw.below(20 * MINUTE)).max(*least_ms)))
            }
            // Its end is an event of its own.
            Clockwork::Continuous => None,
            Clockwork::Habit { .. } => (0..5).find_map(|days| {
                let day = after(at, days * DAY);
                self.fires_between(job, day, after(day, DAY)).into_iter().find(|fire| *fire > at)
            }),
        }
    }

    /// When a job runs by itself in `[from, to)`.
    pub(super) fn fires_between(&self, job: usize, from: Instant, to: Instant) -> Vec<Instant> {
        match &self.jobs[job].clockwork {
            // What was made since the start has no past.
            Clockwork::None | Clockwork::Every { .. } | Clockwork::Arrivals { .. } | Clockwork::Continuous => {
                Vec::new()
            }
            Clockwork::Cron(quartz) => quartz.fires_between(from, to),
            Clockwork::Habit { per_day } => self.habit(job, *per_day, from, to),
        }
    }

    /// A developer runs a job at odd minutes of working hours, four hours apart so that runs never meet.
    fn habit(&self, job: usize, per_day: u64, from: Instant, to: Instant) -> Vec<Instant> {
        let draw = self.draw.named("habit").at(self.jobs[job].job.job_id);
        let mut fires = Vec::new();
        let mut date = from.date_naive();
        while date <= to.date_naive() {
            let midnight = Utc.from_utc_datetime(&date.and_time(NaiveTime::MIN));
            let day = u64::try_from(midnight.timestamp() / 86_400).unwrap_or(0);
            let weekend = matches!((day + 4) % 7, 0 | 6);
            for turn in 0..if weekend { 0 } else { per_day } {
                let minute = (8 + turn * 4) * 60 + draw.at(day).at(turn).below(150);
                let at = after(midnight, minute * MINUTE);
                if from <= at && at < to {
                    fires.push(at);
                }
            }
            let Some(next) = date.succ_opt() else { break };
            date = next;
        }
        fires
    }

    /// Puts something on the agenda.
    pub(super) fn expect(&mut self, at: Instant, happening: Happening) {
        self.agenda_number += 1;
        self.agenda.insert((at, self.agenda_number), happening);
    }

    fn write_agenda(&mut self) {
        for job in 0..self.jobs.len() {
            if let Some(at) = self.next_fire(job, before(self.laws.started_at, 1)) {
                self.expect(at, Happening::Fires(job));
            }
        }
        let laws = Arc::clone(&self.laws);
        let here = self.environment;
        for (orders, make) in [
            (&laws.scenario.pause, Happening::Pauses as fn(usize) -> Happening),
            (&laws.scenario.launch, Happening::Launches),
        ] {
            for order in orders.iter().filter(|order| order.environment == here) {
                if let Some(job) = self.job_named(&order.job) {
                    self.expect(laws.at(order.at), make(job));
                }
            }
        }
    }

    /// Runs that began before the world did and are not over.
    fn take_over(&mut self) {
        let started_at = self.laws.started_at;
        let recent = self.launches_between(before(started_at, 6 * HOUR), started_at);
        for (_, key) in recent {
            if let Some(course) = self.past_course(key).filter(|course| course.phase_at(started_at).is_active()) {
                self.adopt(course);
            }
        }
    }

    /// Takes a run into the living world.
    pub(super) fn adopt(&mut self, course: Course) {
        let key = course.key;
        self.order.insert((course.launched_at, key));
        if course.phase_at(self.now).is_active() {
            self.active.insert(key);
            if let Some(at) = course.ended_at() {
                self.expect(at, Happening::Ends(key));
            }
        }
        self.courses.insert(key, course);
    }
}
