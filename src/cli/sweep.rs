//! What `status`, `runs` and `pipelines` have in common: one complete look at the workspaces, and how to tell of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use chrono_tz::Tz;
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind};
use super::table::{Cell, Paint};
use crate::config::Config;
use crate::config::layers::Flags;
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::inventory::Inventory;
use crate::domain::snapshot::{FailureKind, PipelineWatch, Section, WorkspaceSnapshot};
use crate::domain::status::{Status, Tone};
use crate::domain::text::line;
use crate::domain::workspace::Environment;
use crate::runtime::clock::SystemClock;
use crate::runtime::session::{Session, executor};
use crate::ui::text;

/// Which workspaces to look at, and how closely.
#[derive(Args, Clone, Debug, Default)]
pub struct SweepFlags {
    /// Only this workspace; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workspace: Vec<String>,
    /// Read each job's older runs, if the cache lacks them, and each pipeline's settings as they are now, a request apiece.
    #[arg(long)]
    pub deep: bool,
}

/// The workspaces as they were at one instant.
pub(super) struct Swept {
    /// One a workspace, in the fleet's order.
    pub(super) snapshots: Vec<WorkspaceSnapshot>,
    /// What the fleet says about objects.
    pub(super) inventory: Arc<Inventory>,
    /// When the sweep was complete, in local time.
    pub(super) now: Instant,
    /// The zone in which instants are shown.
    pub(super) zone: Tz,
}

/// How much of what is listed was never read: it may want a person without our knowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unread {
    /// Jobs of which no run is known: they had none within the last hour, and older ones were not asked for.
    pub jobs: usize,
    /// Pipelines whose settings were not read, so that neither tier nor owner nor backlog is known.
    pub pipelines: usize,
    /// Running streams whose lag could not be read, so that they may be behind.
    pub lags: usize,
}

impl Unread {
    /// What of a snapshot was never read.
    fn of(snapshot: &WorkspaceSnapshot) -> Self {
        let jobs = snapshot.jobs.value.iter().flat_map(|jobs| jobs.iter());
        Self {
            // A job whose schedule is paused stands where it stands whatever ran before.
            jobs: jobs
                .filter(|watch| !watch.history_read && watch.runs.is_empty() && !watch.job.cadence.is_paused())
                .count(),
            pipelines: watches(snapshot).filter(|watch| watch.pipeline.continuous.is_none()).count(),
            lags: watches(snapshot).filter(|watch| watch.is_lag_unread()).count(),
        }
    }
}

/// The seed of jitter: two processes that start at once should not ask at once.
pub(super) fn seed() -> u64 {
    u64::from(std::process::id())
}

/// The configuration with the workspaces that were asked for.
pub(super) fn chosen(context: &Context<'_>, workspaces: &[String]) -> Result<Config, Failure> {
    let mut config = context.load(Flags::default())?;
    let known: Vec<String> = config.fleet.workspaces.iter().map(|entry| entry.name.to_string()).collect();
    if let Some(unknown) = workspaces.iter().find(|name| !known.contains(name)) {
        return Err(Failure::new(Kind::User, format!("the fleet has no workspace `{unknown}`"))
            .hint(format!("It has {}.", known.join(", "))));
    }
    if !workspaces.is_empty() {
        config.fleet.workspaces.retain(|entry| workspaces.iter().any(|name| name == entry.name.as_str()));
    }
    Ok(config)
}

/// Looks at the workspaces once.
pub(super) fn sweep(context: &Context<'_>, flags: &SweepFlags) -> Result<Swept, Failure> {
    let config = chosen(context, &flags.workspace)?;
    let session = Session { config: &config, environment: context.environment, record: None, seed: seed() };
    let snapshots = block_on(session.sweep(flags.deep))?;
    Ok(Swept {
        snapshots,
        inventory: Arc::new(config.inventory()),
        now: SystemClock.now(),
        zone: config.personal.time_zone.0,
    })
}

/// Waits for something asynchronous.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = executor().map_err(|error| Failure::of_system("no threads could be started", &error))?;
    Ok(runtime.block_on(future))
}

/// A workspace and how much of it could be read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownWorkspace {
    /// Its name.
    pub name: String,
    /// `dev`, `staging` or `prod`.
    pub environment: String,
    /// Its address.
    pub host: String,
    /// What could be read of its jobs and runs.
    pub jobs: ShownFeed,
    /// What could be read of its pipelines.
    pub pipelines: ShownFeed,
}

/// What could be read of a listing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownFeed {
    /// When what is told here was read; none if nothing ever was.
    pub observed_at: Option<String>,
    /// Why it could not be read now; then what is told is what an earlier look left.
    pub failure: Option<String>,
    /// The vendor's request id of that failure.
    pub request_id: Option<String>,
}

impl ShownFeed {
    fn of<T>(section: &Section<T>) -> Self {
        Self {
            observed_at: section.observed_at.map(instant),
            failure: section.failure.as_ref().map(|failure| failure.message.clone()),
            request_id: section.failure.as_ref().and_then(|failure| failure.request_id.clone()),
        }
    }
}

impl Swept {
    /// Every workspace and how much of it could be read.
    pub(super) fn workspaces(&self) -> Vec<ShownWorkspace> {
        let shown = |snapshot: &WorkspaceSnapshot| ShownWorkspace {
            name: snapshot.workspace.name.to_string(),
            environment: snapshot.workspace.environment.to_string(),
            host: snapshot.workspace.host.clone(),
            jobs: ShownFeed::of(&snapshot.jobs),
            pipelines: ShownFeed::of(&snapshot.pipelines),
        };
        self.snapshots.iter().map(shown).collect()
    }

    /// How much of what is listed was never read.
    pub(super) fn unread(&self) -> Unread {
        self.snapshots.iter().map(Unread::of).fold(Unread::default(), |all, next| Unread {
            jobs: all.jobs + next.jobs,
            pipelines: all.pipelines + next.pipelines,
            lags: all.lags + next.lags,
        })
    }

    /// Tells a person what was never read, if anything: silence would pass for good news.
    pub(super) fn note_unread(&self, of_jobs: bool, of_pipelines: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let Unread { jobs, pipelines, lags } = self.unread();
        let (jobs, pipelines) = (jobs * usize::from(of_jobs), pipelines * usize::from(of_pipelines));
        let jobs = (jobs > 0).then(|| format!("no run of {} is known", counted(jobs, "job")));
        let pipelines =
            (pipelines > 0).then(|| format!("the settings of {} are unread", counted(pipelines, "pipeline")));
        let parts: Vec<String> = [jobs, pipelines].into_iter().flatten().collect();
        if !parts.is_empty() {
            writeln!(out, "\nnot looked at: {}; --deep reads them, a request apiece", parts.join(", "))?;
        }
        if of_pipelines && lags > 0 {
            let streams = counted(lags, "running stream");
            writeln!(out, "\nunread: the lag of {streams}, since the event log could not be read; they may be behind")?;
            for (brief, names) in self.unread_lags() {
                writeln!(out, "  {brief}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }

    /// The running streams whose lag could not be read, by the reason.
    fn unread_lags(&self) -> BTreeMap<String, Vec<String>> {
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for watch in self.snapshots.iter().flat_map(watches).filter(|watch| watch.is_lag_unread()) {
            let brief = watch.events.failure.as_ref().map_or("not asked for", |failure| failure.brief.as_str());
            reasons.entry(line(brief)).or_default().push(line(&watch.pipeline.name));
        }
        reasons
    }

    /// An error if what was needed could not be read: a listing, or the event log of a stream. A log that is closed to us is
    /// told and counted, and no error: it is its owner's until somebody grants it, and every look would fail for it.
    /// What could be read has been printed by then.
    pub(super) fn verdict(&self, jobs: bool, pipelines: bool) -> Result<(), Failure> {
        let mut kind = None;
        let mut lines = Vec::new();
        for snapshot in &self.snapshots {
            let of_jobs = snapshot.jobs.failure.as_ref().filter(|_| jobs);
            let of_pipelines = snapshot.pipelines.failure.as_ref().filter(|_| pipelines);
            let (what, failure) = match of_jobs.or(of_pipelines) {
                Some(failure) => (String::new(), failure),
                None => {
                    let of_lags = watches(snapshot).filter(|watch| pipelines && watch.pipeline.is_streaming());
                    let failed = of_lags.filter_map(|watch| watch.events.failure.as_ref());
                    let mut failed = failed.filter(|failure| failure.kind != FailureKind::Denied);
                    let Some(first) = failed.next() else { continue };
                    (format!(": the lag of {}", counted(1 + failed.count(), "stream")), first)
                }
            };
            lines.push(format!("{}{what} could not be read: {}", snapshot.workspace.name, failure.message));
            kind = kind.max(Some(kind_of(failure.kind)));
        }
        match kind {
            None => Ok(()),
            Some(kind) => Err(Failure::new(kind, lines.join("\n"))
                .hint("What was read before, if anything, is shown above with its age.")),
        }
    }
}

fn watches(snapshot: &WorkspaceSnapshot) -> impl Iterator<Item = &PipelineWatch> {
    snapshot.pipelines.value.iter().flat_map(|pipelines| pipelines.iter())
}

/// A number of things, in words.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn kind_of(failure: FailureKind) -> Kind {
    match failure {
        FailureKind::Config => Kind::Config,
        FailureKind::Auth => Kind::Auth,
        FailureKind::Denied | FailureKind::Remote => Kind::Remote,
    }
}

/// An instant for programs: RFC 3339 in UTC.
pub(super) fn instant(at: Instant) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant for people, in their zone; the zone stands in the column's header.
pub(super) fn local(at: Option<Instant>, zone: Tz) -> String {
    at.map(|at| at.with_timezone(&zone).format("%m-%d %H:%M").to_string()).unwrap_or_default()
}

/// How long ago something was.
pub(super) fn ago(at: Option<Instant>, now: Instant) -> String {
    let age_s = |at: Instant| u64::try_from(now.signed_duration_since(at).num_seconds()).unwrap_or(0);
    at.map(|at| text::age(age_s(at))).unwrap_or_default()
}

/// A duration in milliseconds for people.
pub(super) fn took(ms: Option<u64>) -> String {
    ms.map(text::duration).unwrap_or_default()
}

/// The environment's word.
pub(super) fn environment_cell(environment: Environment) -> Cell {
    let paint = if environment == Environment::Prod { Paint::Loud } else { Paint::Plain };
    Cell::painted(environment.label(), paint)
}

/// A status's word.
pub(super) fn status_cell(status: Status) -> Cell {
    Cell::painted(status.word(), status_paint(status))
}

/// How a status is colored.
pub(super) fn status_paint(status: Status) -> Paint {
    match status.tone() {
        Tone::Danger => Paint::Bad,
        Tone::Warning => Paint::Warning,
        Tone::Active | Tone::Waiting => Paint::Active,
        Tone::Good => Paint::Good,
        Tone::Quiet => Paint::Muted,
    }
}

/// A status for programs: its word with underscores.
pub(super) fn status_word(status: Status) -> String {
    serde_json::to_value(status).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_word_for_programs() {
        assert_eq!(status_word(Status::TimedOut), "timed_out");
        assert!(Status::ALL.iter().all(|status| !status_word(*status).is_empty()));
    }
}
