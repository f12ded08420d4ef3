//! How the Fleet screen is drawn: title, table, and what the row under the cursor has to say.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::State;
use crate::app::model::Shared;
use crate::domain::Instant;
use crate::domain::fleet::{FleetRow, Past, SortKey, Source};
use crate::domain::job::{Cadence, Job};
use crate::domain::measure;
use crate::domain::pipeline::Pipeline;
use crate::domain::run::Run;
use crate::domain::schedule::next_start;
use crate::domain::snapshot::{FailureNote, FlowWatch, Freshness};
use crate::domain::status::Status;
use crate::domain::text as outside;
use crate::keymap::GLOBAL;
use crate::theme::Role;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::teach;
use crate::ui::text::{age, bytes, count, duration, lag, width};
use crate::ui::widgets::scroll;
use crate::ui::widgets::sparkline::sparkline;
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width, fit};

/// From this height of the screen on, the row under the cursor has a third line.
const TALL: u16 = 26;

/// Fewer cells than this of a cut fact say nothing.
const READABLE: usize = 20;

/// A row with what its workspace's clock and feed say about it.
struct Shown {
    row: Arc<FleetRow>,
    /// The workspace's time.
    now: Instant,
    stale: bool,
    /// How far its lag can be trusted; none of what is no stream that runs.
    lag: Option<Freshness>,
}

const COLUMNS: [Column<Shown>; 10] = [
    column("ENV", Width::Exact(4), None, 0, |shown, look, _| look.environment(shown.row.environment).into()),
    Column { cut: Cut::Middle, ..column("PIPELINE", Width::Share { min: 23, max: 48 }, Some(SortKey::Name), 0, name) },
    right("TIER", 4, Some(SortKey::Tier), 5, |shown, _, _| {
        shown.row.tier.map_or_else(String::new, |tier| tier.to_string()).into()
    }),
    column("STATE", Width::Exact(15), Some(SortKey::Urgency), 0, state),
    right("SINCE", 6, Some(SortKey::Since), 0, since),
    column("LAST 12", Width::Exact(12), None, 2, past),
    right("TOOK", 6, Some(SortKey::Took), 4, took),
    column("VS USUAL", Width::Exact(8), Some(SortKey::Unusual), 3, unusual),
    column("OWNER", Width::Share { min: 10, max: 20 }, Some(SortKey::Owner), 6, |shown, look, _| {
        look.span(Role::Muted, shown.row.owner.clone().unwrap_or_default()).into()
    }),
    column("PRODUCT", Width::Share { min: 10, max: 20 }, None, 7, |shown, look, _| {
        look.span(Role::Muted, outside::line(shown.row.product.as_deref().unwrap_or_default())).into()
    }),
];

type Cell = fn(&Shown, &Look<'_>, u16) -> Line<'static>;

const fn column(header: &'static str, width: Width, sort: Option<SortKey>, drop: u8, cell: Cell) -> Column<Shown> {
    let sort = match sort {
        Some(key) => Some(key.label()),
        None => None,
    };
    Column {
        header: Header::Word(header),
        width,
        align: Align::Left,
        cut: Cut::End,
        role: Role::Text,
        sort,
        drop,
        cell,
    }
}

const fn right(header: &'static str, width: u16, sort: Option<SortKey>, drop: u8, cell: Cell) -> Column<Shown> {
    Column { align: Align::Right, ..column(header, Width::Exact(width), sort, drop, cell) }
}

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let banners = banners(shared, look, usize::from(area.width));
    let details = details(state.row(), shared, look, area);
    let [title, troubles, table, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(banners.len()).unwrap_or(0)),
        Constraint::Fill(1),
        Constraint::Length(u16::try_from(details.len()).unwrap_or(0)),
    ])
    .areas(area);
    bar(state, shared, look).draw(look, frame, title);
    frame.render_widget(Text::from(banners), troubles);
    if state.rows().is_empty() {
        teach::draw(&nothing(state, shared, look), look, frame, table);
        return;
    }
    let shown = scroll::window(state.rows().len(), state.index(), usize::from(table.height.saturating_sub(1)));
    let built: Vec<Shown> = state.rows()[shown.clone()].iter().map(|row| Shown::new(row, shared)).collect();
    let rows = Rows {
        len: state.rows().len(),
        at: &|index| built.get(index.checked_sub(shown.start)?),
        selected: Some(state.index()),
        stale: |shown| shown.stale,
    };
    Table { columns: &COLUMNS, sort: Some(state.order().0.label()), focused: true }.draw(frame, table, &rows, look);
    frame.render_widget(Text::from(details), below);
}

impl Shown {
    fn new(row: &Arc<FleetRow>, shared: &Shared) -> Self {
        let stale = !matches!(shared.fleet.freshness(&row.id, shared.now), Freshness::Fresh { .. });
        let lag = row.lag_freshness(shared.now);
        Self { row: Arc::clone(row), now: shared.fleet.world_now(&row.id.workspace, shared.now), stale, lag }
    }
}

/// The title line: what is here, how it is sorted, what is filtered.
fn bar(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let all = shared.fleet.counts();
    let hidden = state.hidden(shared);
    let filter = outside::line(&state.filter);
    let objects = shared.fleet.objects();
    let mut left = vec![Part::fixed([look.span(Role::Heading, "Fleet")])];
    if filter.is_empty() {
        left.push(Part::fixed([Span::raw(format!("{objects} jobs and pipelines"))]));
        if objects > all.total {
            let rows = format!("in {} rows; a pipeline that a job updates is in the job's", all.total);
            left.push(Part::dropped(4, [look.span(Role::Muted, rows)]).glued());
        }
    } else {
        left.push(Part::fixed([Span::raw(format!("{} of {} rows", all.total - hidden.total, all.total))]));
    }
    if all.reading > 0 {
        let words = format!("older runs of {} jobs still to be read", all.reading);
        left.push(Part::dropped(3, [look.span(Role::Muted, words)]));
    }
    if all.unreadable > 0 {
        let streams = if all.unreadable == 1 { "stream" } else { "streams" };
        let words = format!("the lag of {} {streams} cannot be read", all.unreadable);
        left.push(Part::dropped(1, [look.span(Role::Warning, words)]));
    }
    for (count, word, role) in [(hidden.failing, "failing", Role::Danger), (hidden.lagging, "lagging", Role::Warning)] {
        if count > 0 {
            left.push(Part::dropped(2, [look.span(role, format!("{count} {word} outside the filter"))]));
        }
    }
    let (sort, reversed) = state.order();
    let order = format!("sort {}{}", sort.label(), if reversed { ", reversed" } else { "" });
    let mut right = vec![Part::dropped(3, [look.span(Role::Muted, order)])];
    if !filter.is_empty() {
        right.push(Part::fixed([look.span(Role::Muted, "filter "), look.span(Role::Matched, filter)]));
    }
    Bar { left, right }
}

/// For each workspace whose feed fails: what happened, how old what is shown is, and what to do; two rows at most.
fn banners(shared: &Shared, look: &Look<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for watched in shared.fleet.workspaces() {
        let Freshness::Failed { failure, age_s } = watched.freshness(shared.now) else { continue };
        let environment = look.environment(watched.snapshot.workspace.environment);
        let indent = 2 + environment.width();
        let kept = match age_s {
            Some(age_s) => format!("{} data is {} old:", look.glyphs().failed, age(age_s)),
            None => format!("{} nothing was seen yet:", look.glyphs().failed),
        };
        let rows = measure::wrap(&format!("{kept} {}", outside::line(&failure.message)), width.saturating_sub(indent));
        let (first, rest) = rows.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
        let mut head = vec![Span::raw(" "), environment, Span::raw(" ")];
        match first.strip_prefix(kept.as_str()) {
            Some(message) => head.extend([look.span(Role::Danger, kept), Span::raw(message.to_owned())]),
            None => head.push(look.span(Role::Danger, first.to_owned())),
        }
        lines.push(Line::from(head));
        if !rest.is_empty() {
            let spans = vec![Span::raw(" ".repeat(indent)), Span::raw(rest.join(" "))];
            lines.push(Line::from(fit(spans, width, Cut::End, look.glyphs().ellipsis)));
        }
    }
    lines
}

/// Why there is no row, and what to do about it.
fn nothing(state: &State, shared: &Shared, look: &Look<'_>) -> Vec<String> {
    let workspaces = shared.fleet.workspaces();
    let words = || {
        let words: Vec<&str> =
            workspaces.iter().map(|watched| watched.snapshot.workspace.environment.label()).collect();
        words.join(", ")
    };
    if !state.filter.is_empty() {
        return vec![
            format!("Nothing holds \"{}\".", outside::line(&state.filter)),
            format!("{} shows everything again.", shared.key(GLOBAL, "back")),
        ];
    }
    if workspaces.is_empty() {
        return vec![
            "No workspace is configured.".to_owned(),
            "`lakeshift init` writes a first configuration from ~/.databrickscfg; `lakeshift demo` needs none."
                .to_owned(),
        ];
    }
    let freshness = || workspaces.iter().map(|watched| watched.freshness(shared.now));
    if freshness().any(|freshness| freshness == Freshness::Loading) {
        return vec![format!("Asking {} for jobs, runs and pipelines{}", words(), look.glyphs().ellipsis)];
    }
    if freshness().any(|freshness| matches!(freshness, Freshness::Failed { age_s: None, .. })) {
        return vec![
            "Nothing to show until a workspace answers.".to_owned(),
            format!(
                "`lakeshift config show` tells which credentials are used; {} shows every request.",
                shared.key(GLOBAL, "go-log")
            ),
        ];
    }
    vec![
        format!("{} hold no job and no pipeline that we may see.", words()),
        "Jobs need \"Can View\" and pipelines \"Can View\" for the user or service principal of the configuration."
            .to_owned(),
    ]
}

fn name(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let role = if shown.row.urgency.is_problem() { Role::Heading } else { Role::Text };
    look.span(role, shown.row.name.clone()).into()
}

fn state(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let row = &shown.row;
    let behind = row.lag_s().filter(|_| row.status == Status::Lagging).map(lag);
    look.status(row.status, behind.as_deref().unwrap_or_default()).into()
}

fn since(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let Some(since) = shown.row.since else { return Line::default() };
    let ms = u64::try_from(shown.now.signed_duration_since(since).num_milliseconds()).unwrap_or(0);
    let role = if shown.row.urgency.is_problem() { Role::Text } else { Role::Muted };
    look.span(role, duration(ms)).into()
}

fn past(shown: &Shown, look: &Look<'_>, width: u16) -> Line<'static> {
    match &shown.row.past {
        Past::Runs { cells, reading } => {
            // Where older runs are still to come, their place is marked: one cell alone is no short history.
            let unread = (*reading && cells.len() < usize::from(width)).then_some(Status::Unread);
            Line::from_iter(unread.iter().chain(cells).map(|cell| look.cell(*cell)))
        }
        Past::Lag { readings, .. } if readings.is_empty() => match &shown.lag {
            Some(Freshness::Failed { .. }) => look.span(Role::Warning, "lag unread").into(),
            _ => Line::default(),
        },
        Past::Lag { readings, rising } => {
            let role = if *rising || shown.row.status == Status::Lagging { Role::Warning } else { Role::Muted };
            let role = if is_old(shown) { Role::Stale } else { role };
            look.span(role, sparkline(readings, usize::from(width), Some(highest(&shown.row, readings)), look.glyphs()))
                .into()
        }
    }
}

/// Whether a stream's lag is not of now.
fn is_old(shown: &Shown) -> bool {
    shown.lag.as_ref().is_some_and(|lag| !matches!(lag, Freshness::Fresh { .. }))
}

/// The top of a lag's scale: what is allowed, so that a calm stream is drawn low, or the highest reading above it.
fn highest(row: &FleetRow, readings: &[Option<f64>]) -> f64 {
    let allowed = match &row.source {
        // Readings are seconds only where the source tells seconds.
        Source::Pipeline { allowed_s: Some(allowed_s), lag_s: Some(_), .. } => {
            f64::from(u32::try_from(*allowed_s).unwrap_or(u32::MAX))
        }
        _ => 0.0,
    };
    readings.iter().flatten().copied().fold(allowed, f64::max)
}

fn took(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let role = if shown.row.timing.running_since.is_some() { Role::Text } else { Role::Muted };
    look.span(role, shown.row.took_ms(shown.now).map_or_else(String::new, duration)).into()
}

fn unusual(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let glyphs = look.glyphs();
    match &shown.lag {
        Some(Freshness::Stale { age_s } | Freshness::Failed { age_s: Some(age_s), .. }) => {
            return look.span(Role::Stale, format!("{} old", age(*age_s))).into();
        }
        Some(Freshness::Failed { age_s: None, .. } | Freshness::Loading) => {
            return look.span(Role::Stale, "unread").into();
        }
        Some(Freshness::Fresh { .. }) | None => {}
    }
    if let Past::Lag { rising: true, .. } = shown.row.past {
        return look.span(Role::Warning, format!("{} lag", glyphs.up)).into();
    }
    match shown.row.unusual(shown.now) {
        Some(ratio) if ratio > 1.0 => look.span(Role::Warning, format!("{}{ratio:.1}x", glyphs.up)).into(),
        Some(ratio) => look.span(Role::Warning, format!("{}{ratio:.1}x", glyphs.down)).into(),
        None => Line::default(),
    }
}

/// What the row under the cursor has to say: a rule, then two lines, and one more where there is room.
fn details(row: Option<&Arc<FleetRow>>, shared: &Shared, look: &Look<'_>, area: Rect) -> Vec<Line<'static>> {
    let Some(row) = row else { return Vec::new() };
    let shown = Shown::new(row, shared);
    let room = usize::from(area.width);
    let mut lines = vec![look.span(Role::Border, look.glyphs().line.repeat(room)).into()];
    let mut facts = match &row.source {
        Source::Job { job, latest, failure } => job_facts(&shown, job, latest.as_deref(), failure.as_ref(), look),
        Source::Pipeline { pipeline, worst, allowed_s, .. } => {
            pipeline_facts(&shown, pipeline, worst.as_ref(), *allowed_s, look)
        }
    };
    let opens = match (&row.source, row.status.is_failure()) {
        (Source::Job { .. }, true) => "error, trace and tasks",
        (Source::Job { .. }, false) => "tasks of the newest run",
        (Source::Pipeline { .. }, _) => "flows, expectations, updates and events",
    };
    let open = shared.key(GLOBAL, "open");
    facts[1].push(look.span(Role::Muted, format!("{open} opens {opens}")));
    facts[0].insert(0, look.span(Role::Heading, row.name.clone()));
    if shown.stale
        && let Freshness::Stale { age_s } | Freshness::Failed { age_s: Some(age_s), .. } =
            shared.fleet.freshness(&row.id, shared.now)
    {
        facts[0].insert(1, look.span(Role::Stale, format!("{} old", age(age_s))));
    }
    if let Some(Freshness::Failed { failure, age_s }) = &shown.lag {
        let since = age_s.map_or_else(|| "was never read".to_owned(), |age_s| format!("was read {} ago", age(age_s)));
        let words = format!("its lag {since}: {}", outside::line(&failure.brief));
        facts[0].insert(1, look.span(Role::Warning, words));
    }
    let count = if area.height >= TALL { 3 } else { 2 };
    lines.extend(facts.into_iter().take(count).map(|facts| sentence(facts, look, room)));
    lines
}

/// Facts side by side: the first that finds no room is cut, if enough of it would be left to read, and the rest left out.
fn sentence(facts: Vec<Span<'static>>, look: &Look<'_>, room: usize) -> Line<'static> {
    let dot = look.span(Role::Muted, format!(" {} ", look.glyphs().dot));
    let mut spans = vec![Span::raw(" ")];
    for (index, fact) in facts.into_iter().enumerate() {
        let left =
            room.saturating_sub(spans.iter().map(|span| width(&span.content)).sum::<usize>() + width(&dot.content));
        if index > 0 && left < width(&fact.content).min(READABLE) {
            break;
        }
        if index > 0 {
            spans.push(dot.clone());
        }
        spans.push(fact);
    }
    fit(spans, room, Cut::End, look.glyphs().ellipsis).into()
}

/// Lines of facts about a job: what is so, when, who and what it is.
fn job_facts(
    shown: &Shown,
    job: &Job,
    latest: Option<&Run>,
    failure: Option<&FailureNote>,
    look: &Look<'_>,
) -> [Vec<Span<'static>>; 3] {
    let row = &shown.row;
    let mut what = Vec::new();
    match (failure, latest) {
        (Some(note), _) => {
            what.push(look.span(Role::Danger, format!("task {} failed", outside::line(&note.task))));
            what.push(Span::raw(outside::line(&note.error)));
        }
        (None, Some(run)) if row.status.is_failure() && !run.message.is_empty() => {
            what.push(look.span(Role::Danger, row.status.word()));
            what.push(Span::raw(outside::line(&run.message)));
        }
        (None, None) => what.push(Span::raw("no run of it is known")),
        (None, Some(_)) => what.push(look.status(row.status, "")),
    }
    let mut when = Vec::new();
    if let Some(run) = latest {
        when.push(Span::raw(times(shown, run, look)));
    }
    // Read here, for one row, rather than for every row of every snapshot: reading a schedule costs more than the row.
    if let Some(next) = next_start(&job.cadence, shown.now) {
        let ms = u64::try_from(next.signed_duration_since(shown.now).num_milliseconds()).unwrap_or(0);
        when.push(Span::raw(format!("next start {} in {}", look.instant(next), duration(ms))));
    } else if row.status == Status::Paused {
        when.push(Span::raw(if row.development {
            "a development copy: paused by design"
        } else {
            "its schedule is paused"
        }));
    }
    let mut who = vec![Span::raw(format!("job {}", job.id)), Span::raw(cadence(&job.cadence))];
    who.extend(facts_of_the_fleet(row));
    [what, when, who]
}

/// When the newest run began and ended, and how long such a run usually takes.
fn times(shown: &Shown, run: &Run, look: &Look<'_>) -> String {
    let usual = shown.row.timing.usual_ms.map_or_else(String::new, |ms| format!(", usually {}", duration(ms)));
    match (run.started_at, run.ended_at) {
        (_, Some(ended)) => {
            let took = run.took_ms(shown.now).map_or_else(String::new, |ms| format!(" after {}", duration(ms)));
            format!("{} {}{took}{usual}", shown.row.status.word(), look.instant(ended))
        }
        (Some(started), None) => {
            let ms = u64::try_from(shown.now.signed_duration_since(started).num_milliseconds()).unwrap_or(0);
            format!("since {} for {}{usual}", look.instant(started), duration(ms))
        }
        (None, None) => "waits for a slot".to_owned(),
    }
}

/// What starts a job, in words.
fn cadence(cadence: &Cadence) -> String {
    match cadence {
        Cadence::Manual => "started by hand".to_owned(),
        Cadence::Cron { expression, zone, .. } => {
            format!("cron {} {}", outside::line(expression), outside::line(zone))
        }
        Cadence::Continuous { .. } => "continuous".to_owned(),
        Cadence::Trigger { kind, .. } => format!("started by {}", outside::line(&kind.replace('_', " "))),
    }
}

/// Lines of facts about a pipeline: how far behind, what waits, since when, who and what it is.
fn pipeline_facts(
    shown: &Shown,
    pipeline: &Pipeline,
    worst: Option<&FlowWatch>,
    allowed_s: Option<u64>,
    look: &Look<'_>,
) -> [Vec<Span<'static>>; 3] {
    let row = &shown.row;
    let mut what = Vec::new();
    match (worst, row.lag_s()) {
        (Some(flow), Some(behind_s)) => {
            let allowed = allowed_s.map_or_else(String::new, |allowed_s| format!(", allowed {}", lag(allowed_s)));
            let role = if row.status == Status::Lagging { Role::Warning } else { Role::Text };
            let words = format!("flow {} is {} behind{allowed}", outside::line(&flow.name), lag(behind_s));
            what.push(look.span(role, words));
        }
        _ => what.push(look.status(row.status, "")),
    }
    what.extend(worst.into_iter().flat_map(flow_facts).map(Span::raw));
    let mut when: Vec<Span<'static>> = scale(row, allowed_s).map(Span::raw).into_iter().collect();
    if let Some(since) = row.since {
        when.push(Span::raw(format!("{} since {}", row.status.word(), look.instant(since))));
    }
    if let Some(cause) = pipeline.cause.as_deref().filter(|cause| !cause.is_empty()) {
        when.push(Span::raw(outside::line(cause)));
    }
    let mut who = vec![Span::raw(format!("pipeline {}", pipeline.id))];
    who.extend(facts_of_the_fleet(row));
    [what, when, who]
}

/// What the strip of a stream's row is drawn to.
fn scale(row: &FleetRow, allowed_s: Option<u64>) -> Option<String> {
    let Past::Lag { readings, .. } = &row.past else { return None };
    let peak = readings.iter().flatten().copied().reduce(f64::max)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a lag is never negative")]
    let seconds = peak.round() as u64;
    Some(match (row.lag_s(), allowed_s) {
        (Some(_), Some(allowed_s)) => format!("LAST 12 peak {} of {} allowed", lag(seconds), lag(allowed_s)),
        (Some(_), None) => format!("LAST 12 peak {}", lag(seconds)),
        (None, _) => format!("LAST 12 peak {} records", count(peak)),
    })
}

/// What waits in a flow's source, and how fast it is written.
fn flow_facts(flow: &FlowWatch) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "shown in three digits")]
    let records = flow.backlog.records.map(|records| format!("{} records", count(records as f64)));
    let waits: Vec<String> = records.into_iter().chain(flow.backlog.bytes.map(bytes)).collect();
    let mut facts = Vec::new();
    if !waits.is_empty() {
        facts.push(format!("backlog {}", waits.join(", ")));
    }
    facts.extend(flow.output_rows_per_s.map(|rate| format!("out {} rows/s", count(rate))));
    facts
}

/// What the fleet's configuration says about a row.
fn facts_of_the_fleet(row: &FleetRow) -> Vec<Span<'static>> {
    let mut facts = vec![format!("workspace {}", outside::line(row.id.workspace.as_str()))];
    facts.extend(row.tier.map(|tier| format!("tier {tier}")));
    facts.extend(row.product.as_deref().map(|product| format!("product {}", outside::line(product))));
    facts.extend(row.owner.as_deref().map(|owner| format!("owner {owner}")));
    facts.extend(row.sox.then(|| "SOX".to_owned()));
    facts.into_iter().map(Span::raw).collect()
}
