//! An operation as it is told: to programs as a document, to people as a page.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::failure::Failure;
use super::output::Document;
use super::sweep::instant;
use super::table::{Align, Cell, Paint, Table};
use crate::domain::Instant;
use crate::domain::text;
use crate::operations::engine::{End, Moment, Standing, State, fold, phase};
use crate::operations::journal::Recorded;
use crate::operations::plan::{Object, Plan, Stored};
use crate::store::{Health, Record};

/// An operation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownOperation {
    /// Its id.
    pub operation_id: String,
    /// What it is: `run_now`, `cancel`, `repair`, `start_pipeline`, `stop_pipeline`.
    kind: String,
    /// Its danger tier: `0` to `4`, or `R`.
    tier: String,
    /// Where it stands: `planned`, `awaiting_ledger`, `running`, `probing`, `settling`, `waiting`, `paused`, `undoing`,
    /// `stuck`, `completed`, `aborted`, `failed`; `foreign` if another version of lakeshift planned it.
    pub phase: String,
    /// Why it waits for a person, or how it failed.
    pub why: Option<String>,
    /// What a person should do, in order, when it is stuck.
    pub runbook: Vec<String>,
    /// What it does, in words.
    sentence: String,
    /// Its workspace.
    workspace: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// The job, if it is about one.
    job_id: Option<u64>,
    /// The pipeline, if it is about one.
    pipeline_id: Option<String>,
    /// The run, if it is about one.
    run_id: Option<u64>,
    /// The object's name.
    name: String,
    /// Who planned it.
    actor: String,
    /// Why, in their words.
    reason: Option<String>,
    /// When it was planned (local time).
    planned_at: Option<String>,
    /// SHA-256 of the plan.
    plan_digest: String,
    /// Who has it in hand, unless nobody has.
    owner: Option<ShownOwner>,
    /// Its steps.
    pub steps: Vec<ShownStep>,
    /// Its journal; empty in lists.
    pub journal: Vec<ShownEntry>,
}

impl Document for ShownOperation {
    const SCHEMA: &'static str = "lakeshift.operation/1";
}

/// Who has an operation in hand.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownOwner {
    /// Who a person would ask.
    who: String,
    /// `us`, `alive`, `hung` or `gone`; `elsewhere` for one of another home, of whom only the newest entry is known.
    health: String,
    /// Since when (local time).
    since: String,
}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownStep {
    /// What it asks.
    action: String,
    /// `todo`, `requested`, `unknown`, `absent`, `refused`, `done` (an answer says so), `verified` (it was seen), `undone`.
    pub status: String,
    /// How often it was asked.
    pub attempts: u32,
    /// What it led to, in words.
    pub evidence: Option<String>,
}

/// An entry of the journal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownEntry {
    /// From 1.
    seq: u64,
    /// When (local time of the recorder).
    at: String,
    /// What happened: `planned`, `approved`, `intended`, `confirmed`, `verified`, `completed`, ...
    event: String,
    /// The step, from 1, if it is about one.
    step: Option<usize>,
    /// More of it, in words.
    detail: String,
    /// Who was at the console.
    actor: String,
}

impl From<&Recorded> for ShownEntry {
    fn from(entry: &Recorded) -> Self {
        Self {
            seq: entry.seq,
            at: instant(entry.at),
            event: entry.event.name().to_owned(),
            step: entry.event.step().map(|step| step + 1),
            detail: entry.event.detail(),
            actor: entry.actor.to_string(),
        }
    }
}

impl ShownOperation {
    /// An operation as it is stored.
    pub fn of(record: &Record, acknowledged: u64, now: Instant) -> Self {
        let mut shown = match &record.plan {
            Stored::Known(plan) => {
                let state = fold(plan, &record.journal);
                Self::of_state(plan, &state, Moment { at: now, acknowledged }, record.digest.clone())
            }
            Stored::Foreign { json, .. } => Self::foreign(record, json),
        };
        shown.owner = record.owner.as_ref().map(|(owner, health)| ShownOwner {
            who: owner.who.clone(),
            health: match health {
                Health::Us => "us",
                Health::Alive => "alive",
                Health::Hung => "hung",
                Health::Gone => "gone",
            }
            .to_owned(),
            since: instant(owner.taken_at),
        });
        shown.journal = record.journal.iter().map(ShownEntry::from).collect();
        shown
    }

    /// A plan before anything was recorded.
    pub fn of_plan(plan: &Plan, now: Instant) -> Self {
        let digest = plan.digest().unwrap_or_default();
        Self::of_state(plan, &State::new(plan), Moment { at: now, acknowledged: 0 }, digest)
    }

    fn of_state(plan: &Plan, state: &State, moment: Moment, plan_digest: String) -> Self {
        let phase = phase(plan, state, moment);
        let subject = &plan.subject;
        let (job_id, pipeline_id) = match &subject.object {
            Object::Job(job) => (Some(job.0), None),
            Object::Pipeline(pipeline) => (None, Some(pipeline.to_string())),
        };
        let (stuck, pause) = (state.stuck.as_ref(), state.pause.as_ref());
        let why = match &state.end {
            Some(End::Failed { why }) => Some(why.clone()),
            _ => stuck.map(|stuck| stuck.why.clone()).or_else(|| pause.map(ToString::to_string)),
        };
        Self {
            operation_id: plan.id.to_string(),
            kind: plan.kind.name().to_owned(),
            tier: plan.tier.tier().to_string(),
            phase: phase.word().replace(' ', "_"),
            why,
            runbook: stuck.map(|stuck| stuck.runbook.clone()).unwrap_or_default(),
            sentence: plan.sentence(),
            workspace: subject.workspace.to_string(),
            environment: subject.environment.to_string(),
            job_id,
            pipeline_id,
            run_id: subject.run.map(|run| run.0),
            name: subject.name.clone(),
            actor: plan.actor.to_string(),
            reason: plan.reason.clone(),
            planned_at: state.planned_at.map(instant),
            plan_digest,
            owner: None,
            steps: plan.steps.iter().zip(&state.steps).map(|(step, at)| shown_step(&step.action.words(), at)).collect(),
            journal: Vec::new(),
        }
    }

    /// What can be told of a plan of another version.
    fn foreign(record: &Record, json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            operation_id: record.id.to_string(),
            kind: text(&json["kind"]),
            tier: String::new(),
            phase: "foreign".to_owned(),
            why: Some(format!(
                "another version of lakeshift planned it (plan version {}): it can be exported, not gone on with",
                json["version"]
            )),
            runbook: Vec::new(),
            sentence: String::new(),
            workspace: text(&json["subject"]["workspace"]),
            environment: text(&json["subject"]["environment"]),
            job_id: json["subject"]["object"]["job"].as_u64(),
            pipeline_id: json["subject"]["object"]["pipeline"].as_str().map(str::to_owned),
            run_id: json["subject"]["run"].as_u64(),
            name: text(&json["subject"]["name"]),
            actor: text(&json["actor"]),
            reason: json["reason"].as_str().map(str::to_owned),
            planned_at: None,
            plan_digest: record.digest.clone(),
            owner: None,
            steps: Vec::new(),
            journal: Vec::new(),
        }
    }

    /// The same of another home, where somebody wrote the newest entry at an instant.
    pub(super) fn elsewhere(self, by: String, at: Option<Instant>) -> Self {
        let since = at.map(instant).unwrap_or_default();
        Self { owner: Some(ShownOwner { who: by, health: "elsewhere".to_owned(), since }), ..self }
    }

    /// The same for a list, where journals would be too much.
    pub(super) fn without_journal(self) -> Self {
        Self { journal: Vec::new(), ..self }
    }

    /// Its row in a table.
    pub(super) fn row(&self) -> [Cell; 7] {
        [
            Cell::from(&self.operation_id),
            Cell::from(self.kind.replace('_', " ")),
            Cell::from(&self.workspace),
            Cell::from(&self.name),
            self.phase_cell(),
            Cell::from(
                self.owner.as_ref().map(|owner| format!("{} ({})", owner.who, owner.health)).unwrap_or_default(),
            ),
            Cell::from(&self.actor),
        ]
    }

    fn phase_cell(&self) -> Cell {
        let paint = match self.phase.as_str() {
            "stuck" | "failed" => Paint::Bad,
            "planned" | "paused" | "settling" | "waiting" | "foreign" => Paint::Warning,
            "completed" => Paint::Good,
            "aborted" => Paint::Muted,
            _ => Paint::Active,
        };
        Cell::painted(self.phase.replace('_', " "), paint)
    }

    /// Its page for people: what it is, steps, journal.
    pub(super) fn print(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let (out, color) = (&mut context.output.out, context.output.color);
        let mut head = Table::new(&[("", Align::Left), ("", Align::Left)]);
        head.row([Cell::from("operation"), Cell::from(&self.operation_id)]);
        head.row([Cell::from("does"), Cell::from(&self.sentence)]);
        head.row([Cell::from("to"), Cell::from(format!("{} in {} ({})", self.name, self.workspace, self.environment))]);
        head.row([Cell::from("phase"), self.phase_cell()]);
        let owner = self.owner.as_ref().map(|owner| format!("{} ({}, since {})", owner.who, owner.health, owner.since));
        for (name, text) in [("why", &self.why), ("reason", &self.reason), ("owner", &owner)] {
            if let Some(text) = text {
                head.row([Cell::from(name), Cell::from(text)]);
            }
        }
        head.row([Cell::from("by"), Cell::from(&self.actor)]);
        head.row([Cell::from("plan"), Cell::from(&self.plan_digest)]);
        head.print_rows(out, color)?;
        for line in &self.runbook {
            writeln!(out, "  - {}", text::line(line))?;
        }
        if !self.journal.is_empty() {
            writeln!(out)?;
            let mut table = Table::new(&[
                ("#", Align::Right),
                ("AT", Align::Left),
                ("EVENT", Align::Left),
                ("STEP", Align::Right),
                ("DETAIL", Align::Left),
                ("BY", Align::Left),
            ]);
            for entry in &self.journal {
                table.row([
                    Cell::from(entry.seq.to_string()),
                    Cell::from(&entry.at),
                    Cell::from(entry.event.replace('_', " ")),
                    Cell::from(entry.step.map(|step| step.to_string()).unwrap_or_default()),
                    Cell::from(&entry.detail),
                    Cell::from(&entry.actor),
                ]);
            }
            table.print(out, color)?;
        }
        Ok(())
    }
}

fn shown_step(action: &str, at: &crate::operations::engine::StepState) -> ShownStep {
    let (forward, back) = (&at.forward, &at.back);
    let status = match &forward.standing {
        _ if back.verified => "undone",
        Standing::Todo => "todo",
        Standing::Intended => "requested",
        Standing::Unknown => "unknown",
        Standing::Absent => "absent",
        Standing::NotDone { .. } => "refused",
        Standing::Done if forward.verified => "verified",
        Standing::Done => "done",
    };
    ShownStep {
        action: action.to_owned(),
        status: status.to_owned(),
        attempts: forward.attempts,
        evidence: forward.evidence.as_ref().map(|evidence| evidence.says.clone()),
    }
}

/// One entry as a line, as it is recorded.
pub(super) fn line(entry: &Recorded, zone: Tz) -> String {
    let at = entry.at.with_timezone(&zone).format("%H:%M:%S");
    let step = entry.event.step().map(|step| format!(" step {}", step + 1)).unwrap_or_default();
    let detail = text::line(&entry.event.detail());
    format!("{at}  {}{step}  {detail}", entry.event.name().replace('_', " ")).trim_end().to_owned()
}
