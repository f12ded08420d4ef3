//! `lakeshift watch`: says what changes in the fleet, as it changes, without a terminal.

use std::collections::BTreeMap;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::failure::{Failure, Kind};
use super::output::{Document, Format};
use super::status::{ShownObject, standing};
use super::sweep::{block_on, chosen, instant, seed, status_word};
use crate::config::Config;
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::fleet::{Change, Changed, FleetRow, changes, rows};
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::Inventory;
use crate::domain::snapshot::{FeedFailure, Section, WorkspaceSnapshot};
use crate::domain::text;
use crate::runtime::clock::SystemClock;
use crate::runtime::session::Session;

/// What `watch` is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct WatchFlags {
    /// Only this workspace; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workspace: Vec<String>,
    /// Tell every change, not only those that want a person and their end.
    #[arg(long)]
    pub all: bool,
}

/// Something that changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FleetChange {
    /// When it was seen (local time); a poll's interval after it happened at most.
    at: String,
    /// The workspace.
    workspace: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// An object: `found` (seen for the first time, not necessarily new), `moved`, `failed_again` (another run of it),
    /// `explained` (why it failed is known now), `gone`. A workspace: `read` (all of it for the first time), `lost` (it
    /// cannot be read now), `back`.
    change: String,
    /// Where the object stood, if it moved.
    from: Option<String>,
    /// The job or pipeline as it is now; as it was, if it is gone.
    object: Option<ShownObject>,
    /// Why the workspace cannot be read, if it is lost.
    failure: Option<String>,
}

impl Document for FleetChange {
    const SCHEMA: &'static str = "lakeshift.change/1";
}

/// What happened to a workspace as a whole.
enum Whole {
    /// All of it was read for the first time.
    Read,
    /// It cannot be read.
    Lost(FeedFailure),
    /// It can be read again.
    Back,
}

/// What was told of a workspace last.
#[derive(Default)]
struct Told {
    rows: Option<Vec<FleetRow>>,
    is_lost: bool,
}

impl Told {
    /// What to tell of a newer look. Until all of a workspace was read once, only that it cannot be read is told.
    fn next(
        &mut self,
        snapshot: &WorkspaceSnapshot,
        inventory: &Inventory,
        now: Instant,
    ) -> (Option<Whole>, Vec<Changed>) {
        let failure = snapshot.jobs.failure.as_ref().or(snapshot.pipelines.failure.as_ref());
        if let Some(failure) = failure {
            let is_news = !std::mem::replace(&mut self.is_lost, true);
            return (is_news.then(|| Whole::Lost(failure.clone())), Vec::new());
        }
        if !(is_read(&snapshot.jobs) && is_read(&snapshot.pipelines)) {
            return (None, Vec::new());
        }
        let was_lost = std::mem::take(&mut self.is_lost);
        let rows = rows(snapshot, inventory, now);
        let (whole, before) = match self.rows.replace(rows) {
            None => (Some(Whole::Read), Vec::new()),
            Some(before) => (was_lost.then_some(Whole::Back), before),
        };
        (whole, changes(&before, self.rows.as_deref().unwrap_or_default()))
    }
}

/// Whether this process has read it.
fn is_read<T>(section: &Section<T>) -> bool {
    section.value.is_some() && !section.cached
}

/// Runs `lakeshift watch` until SIGTERM, SIGINT, SIGHUP, or until nobody reads what it says.
pub(super) fn run(flags: &WatchFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.format == Format::Json {
        return Err(Failure::new(Kind::User, "what has no end is no JSON document")
            .hint("Use --output ndjson: a document a line."));
    }
    let config = chosen(context, &flags.workspace)?;
    let _log = super::log(&config);
    let session = Session { config: &config, environment: context.environment, record: None, seed: seed() };
    let inventory = config.inventory();
    let mut told: BTreeMap<WorkspaceName, Told> = BTreeMap::new();
    block_on(async {
        let listen = |kind| signal(kind).map_err(|error| Failure::of_system("cannot wait for signals", &error));
        let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let mut hang_up = listen(SignalKind::hangup())?;
        let until = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        let tell = |snapshot: &WorkspaceSnapshot| {
            let now = SystemClock.now();
            let (whole, mut changed) =
                told.entry(snapshot.workspace.name.clone()).or_default().next(snapshot, &inventory, now);
            changed.retain(|changed| flags.all || changed.is_problem);
            let look = Look { snapshot, config: &config, now };
            if let Some(whole) = &whole {
                look.whole(whole, context)?;
            }
            changed.iter().try_for_each(|changed| look.object(changed, context))?;
            // A line that waits in a buffer is news to nobody.
            Ok(context.output.out.flush()?)
        };
        session.watch(until, tell).await
    })?
}

/// A look at a workspace, to be told of.
struct Look<'a> {
    snapshot: &'a WorkspaceSnapshot,
    config: &'a Config,
    now: Instant,
}

impl Look<'_> {
    fn whole(&self, whole: &Whole, context: &mut Context<'_>) -> Result<(), Failure> {
        let (change, words, failure) = match whole {
            Whole::Read => ("read", "read; what wants a person follows".to_owned(), None),
            Whole::Back => ("back", "can be read again".to_owned(), None),
            Whole::Lost(failure) => {
                ("lost", format!("cannot be read: {}", failure.message), Some(failure.message.clone()))
            }
        };
        if context.output.format == Format::Text {
            return self.line(&format!("{}  {words}", self.snapshot.workspace.name), context);
        }
        context.output.document(&self.document(change, None, None, failure))
    }

    fn object(&self, changed: &Changed, context: &mut Context<'_>) -> Result<(), Failure> {
        let Changed { row, change, .. } = changed;
        let object = ShownObject::of(row, self.snapshot.world_now(self.now));
        if context.output.format == Format::Text {
            let state = standing(row);
            let words = match change {
                Change::Found => state.to_owned(),
                Change::Moved { from } => format!("{} -> {state}", from.word()),
                Change::FailedAgain => format!("{state} again"),
                Change::Explained => "failed because".to_owned(),
                Change::Gone => "gone".to_owned(),
            };
            let about = [
                row.tier.map(|tier| format!("tier {tier}")),
                row.owner.clone(),
                object.failure().map(|failure| format!("run {}, {}: {}", failure.run_id, failure.task, failure.error)),
            ];
            let about: Vec<String> = about.into_iter().flatten().collect();
            return self.line(&format!("{}  {words}  {}", row.name, about.join(", ")), context);
        }
        let (word, from) = match change {
            Change::Found => ("found", None),
            Change::Moved { from } => ("moved", Some(status_word(*from))),
            Change::FailedAgain => ("failed_again", None),
            Change::Explained => ("explained", None),
            Change::Gone => ("gone", None),
        };
        context.output.document(&self.document(word, from, Some(object), None))
    }

    fn document(
        &self,
        change: &str,
        from: Option<String>,
        object: Option<ShownObject>,
        failure: Option<String>,
    ) -> FleetChange {
        FleetChange {
            at: instant(self.now),
            workspace: self.snapshot.workspace.name.to_string(),
            environment: self.snapshot.workspace.environment.to_string(),
            change: change.to_owned(),
            from,
            object,
            failure,
        }
    }

    fn line(&self, words: &str, context: &mut Context<'_>) -> Result<(), Failure> {
        let at = self.now.with_timezone(&self.config.personal.time_zone.0).format("%H:%M:%S");
        let environment = self.snapshot.workspace.environment.label();
        Ok(writeln!(context.output.out, "{at}  {environment:4}  {}", text::line(words).trim_end())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::{FAILED, OK, failure, job, now, run, snapshot, watch};
    use crate::domain::run::RunState;

    fn look(state: RunState) -> WorkspaceSnapshot {
        snapshot(vec![watch(job(1, "hourly"), vec![run(1, state, 30, 10)])], Vec::new())
    }

    fn next(told: &mut Told, snapshot: &WorkspaceSnapshot) -> (Option<&'static str>, usize) {
        let (whole, changed) = told.next(snapshot, &Inventory::default(), now());
        let word = whole.map(|whole| match whole {
            Whole::Read => "read",
            Whole::Lost(_) => "lost",
            Whole::Back => "back",
        });
        (word, changed.len())
    }

    #[test]
    fn a_workspace_is_told_once_it_was_read_and_then_only_what_changes() {
        let mut told = Told::default();
        let mut cached = look(OK);
        cached.jobs.cached = true;
        assert_eq!(next(&mut told, &cached), (None, 0), "an earlier process read that");
        assert_eq!(next(&mut told, &look(OK)), (Some("read"), 1));
        assert_eq!(next(&mut told, &look(OK)), (None, 0));
        assert_eq!(next(&mut told, &look(FAILED)), (None, 1));
    }

    #[test]
    fn a_workspace_is_lost_once_and_back_once_and_what_changed_meanwhile_is_told_then() {
        let mut told = Told::default();
        assert_eq!(next(&mut told, &look(OK)), (Some("read"), 1));
        let mut lost = look(OK);
        lost.pipelines.failure = Some(failure(1));
        assert_eq!(next(&mut told, &lost), (Some("lost"), 0));
        assert_eq!(next(&mut told, &lost), (None, 0));
        assert_eq!(next(&mut told, &look(FAILED)), (Some("back"), 1));
        assert_eq!(next(&mut told, &look(FAILED)), (None, 0));
    }
}
