//! A console for tests: a model to which facts happen at one fixed instant, one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::act::{Answer, Ask, Order, Preview, Rights, Wish};
use crate::app::interlock::READING_MS;
use crate::app::message::{Fact, Feed, Message, Observed};
use crate::app::operations::{OperationRecord, OperationsSnapshot};
use crate::app::{Effect, Model, Settings, update, vocabulary};
use crate::domain::Instant;
use crate::domain::authority::Verdict;
use crate::domain::danger::Danger;
use crate::domain::fixture::{fleet, now, workspace};
use crate::domain::inventory::{Inventory, TagNames};
use crate::domain::job::Parameter;
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Environment;
use crate::keymap::{Keymap, Table};
use crate::operations::fixture as operations;
use crate::operations::plan::{OperationId, Plan, Stored};
use crate::operations::{Planning, Recorded, cancel, pipeline, repair, run_now};

/// A model and the present.
pub(crate) struct Console {
    /// The model.
    pub(crate) model: Model,
    /// The present: facts happen now.
    pub(crate) now: Instant,
}

impl Console {
    /// A console of three workspaces that were not asked yet.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        Self::of(&Environment::ALL, columns, rows)
    }

    /// A console of workspaces that were not asked yet.
    pub(crate) fn of(environments: &[Environment], columns: u16, rows: u16) -> Self {
        let tags = TagNames { owner: Some("owner".to_owned()), ..TagNames::default() };
        let settings = Settings {
            workspaces: environments.iter().copied().map(workspace).collect(),
            inventory: Arc::new(Inventory { tags, ..Inventory::default() }),
            keymap: Keymap::load(&vocabulary(), &Table::new()).expect("the built-in keys"),
            zone: chrono_tz::UTC,
            read_only: BTreeSet::from(["prod".into()]),
            unlockable: true,
            size: (columns, rows),
            now: now(),
        };
        Self { model: Model::new(settings), now: now() }
    }

    /// A console to which all workspaces have answered.
    pub(crate) fn with_fleet(columns: u16, rows: u16) -> Self {
        let mut console = Self::new(columns, rows);
        for snapshot in fleet() {
            console.observe(snapshot);
        }
        console
    }

    /// A fact happens.
    pub(crate) fn happens(&mut self, fact: Fact) -> Vec<Effect> {
        update(&mut self.model, Message { at: self.now, fact })
    }

    /// A workspace answers.
    pub(crate) fn observe(&mut self, snapshot: WorkspaceSnapshot) {
        let feed = Feed::Fleet(snapshot.workspace.name.clone());
        self.happens(Fact::Observed { feed, epoch: 0, result: Ok(Observed::Fleet(Arc::new(snapshot))) });
    }

    /// Keys are pressed, as spelled, one after the other; the effects of all of them.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Effect> {
        keys.split(' ').flat_map(|key| self.happens(Fact::KeyPressed(key.parse().expect("a key")))).collect()
    }

    /// Text is typed, a key a character.
    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.happens(Fact::KeyPressed(crate::keymap::Key::char(c)));
        }
    }

    /// The screen is drawn, and read for a while.
    pub(crate) fn read(&mut self) {
        self.happens(Fact::Drawn);
        self.now += TimeDelta::milliseconds(READING_MS);
        self.happens(Fact::Ticked);
    }

    /// The newest ask among effects.
    pub(crate) fn asked(effects: &[Effect]) -> Ask {
        let mut asks = effects.iter().filter_map(|effect| match effect {
            Effect::Act(Order::Prepare(ask)) => Some(ask.clone()),
            _ => None,
        });
        asks.next_back().expect("an ask")
    }

    /// The runtime answers an ask with a plan of a tier.
    pub(crate) fn plans(&mut self, ask: &Ask, tier: Danger) {
        let answer = Answer::Ready(Box::new(preview(ask, tier)));
        self.happens(Fact::Answered { number: ask.number, answer });
    }

    /// The runtime tells how operations stand.
    pub(crate) fn advance(&mut self, operations: Vec<OperationRecord>) -> Vec<Effect> {
        let operations = operations.into_iter().map(Arc::new).collect();
        let snapshot = OperationsSnapshot { operations, ..OperationsSnapshot::default() };
        self.happens(Fact::OperationsAdvanced(Arc::new(snapshot)))
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        self.happens(Fact::Ticked);
    }
}

/// The plan of an ask, as the runtime would make it.
pub(crate) fn plan(ask: &Ask) -> Plan {
    let id = OperationId(crate::domain::ulid::Ulid::new(1_763_790_130_000, u128::from(ask.number)));
    let environment = Environment::ALL.into_iter().find(|each| each.to_string() == ask.object.workspace.as_str());
    let place = workspace(environment.expect("one of the fixture's workspaces"));
    let planning = Planning { id, workspace: &place, now: now(), observed_at: now(), ..operations::planning() };
    let planned = match &ask.wish {
        Wish::RunNow { job, parameters } => {
            let job = crate::domain::job::Job { id: *job, ..operations::job() };
            let order = run_now::Order { job: &job, active_runs: 0, parameters: parameters.clone(), only: Vec::new() };
            run_now::plan(&planning, &order)
        }
        Wish::Cancel { .. } => cancel::plan(&planning, &operations::active_run()),
        Wish::Repair { task, .. } => {
            let run = operations::failed_run();
            let tasks: Vec<String> = task.iter().map(|_| "load".to_owned()).collect();
            repair::plan(&planning, &repair::Order { run: &run, dependents: task.is_some(), tasks })
        }
        Wish::Start { .. } => {
            let found = operations::idle_pipeline();
            let start = pipeline::Start { pipeline: &found, validate_only: false, tables: Vec::new() };
            pipeline::start(&planning, &start)
        }
        Wish::Stop { .. } => pipeline::stop(&planning, &operations::running_pipeline()),
    };
    planned.expect("nothing forbids it")
}

/// What the runtime answers to an ask, with a plan of any tier.
pub(crate) fn preview(ask: &Ask, tier: Danger) -> Preview {
    let is_run = matches!(ask.wish, Wish::RunNow { .. });
    let parameter = |name: &str, default: &str| Parameter { name: name.to_owned(), default: default.to_owned() };
    Preview {
        plan: Plan { tier, ..plan(ask) },
        parameters: if is_run { vec![parameter("day", ""), parameter("region", "emea")] } else { Vec::new() },
        effects: vec!["2 tasks: extract, load".to_owned()],
        warnings: Vec::new(),
        upcoming: None,
        rights: Rights {
            who: "ana@example.com".to_owned(),
            needed: "CAN_MANAGE_RUN on job 31".to_owned(),
            verdict: Verdict::Allowed { by: "oncall: CAN_MANAGE".to_owned() },
        },
        approved_by: (tier >= Danger::Production).then(|| "bo@example.com".to_owned()),
    }
}

/// An operation whose journal is so far.
pub(crate) fn record(plan: &Plan, events: &[crate::operations::Event]) -> OperationRecord {
    let digest = plan.digest().expect("hashable");
    let planned = crate::operations::Event::Planned { digest: digest.clone() };
    let entries = std::iter::once(&planned).chain(events).zip(1..).map(|(event, seq)| Recorded {
        op_id: plan.id,
        seq,
        event_id: crate::domain::ulid::Ulid::new(seq, 7),
        at: now() + TimeDelta::seconds(i64::try_from(seq).expect("small")),
        actor: plan.actor.clone(),
        event: event.clone(),
    });
    let journal: Vec<Recorded> = entries.collect();
    let is_over = journal.iter().any(|entry| {
        use crate::operations::Event::{Aborted, Completed, Failed};
        matches!(entry.event, Completed | Aborted | Failed { .. })
    });
    let stored = Stored::Known(Box::new(plan.clone()));
    OperationRecord { is_over, ..OperationRecord::new(plan.id, stored, digest, journal) }
}
