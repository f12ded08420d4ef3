//! How the Pipeline screen is drawn: how it stands, its updates, flows, expectations and events.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::flows::Flow;
use super::layout;
use super::prose::level as level_word;
use super::state::{Guard, Pane, State};
use crate::app::model::Shared;
use crate::domain::Instant;
use crate::domain::fleet::FleetRow;
use crate::domain::pipeline::{Backlog, Level, PipelineEvent, PipelineState, Update};
use crate::domain::proof::{Feature, Off};
use crate::domain::snapshot::{FlowWatch, Freshness, PipelineWatch};
use crate::domain::status::Status;
use crate::domain::text as outside;
use crate::theme::Role;
use crate::ui::age;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::{self, Look};
use crate::ui::place::within;
use crate::ui::teach;
use crate::ui::text::{self as words, bytes, count, cut_end, duration, lag, percent, thousands, wrap};
use crate::ui::widgets::prose;
use crate::ui::widgets::scroll;
use crate::ui::widgets::sparkline::{peaks, sparkline};
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width};

const fn column<R>(
    header: &'static str,
    width: Width,
    drop: u8,
    cell: fn(&R, &Look<'_>, u16) -> Line<'static>,
) -> Column<R> {
    let header = Header::Word(header);
    Column { header, width, align: Align::Left, cut: Cut::End, role: Role::Text, sort: None, drop, cell }
}

const fn right<R>(
    header: &'static str,
    width: u16,
    drop: u8,
    cell: fn(&R, &Look<'_>, u16) -> Line<'static>,
) -> Column<R> {
    Column { align: Align::Right, ..column(header, Width::Exact(width), drop, cell) }
}

/// A name is cut in its middle.
const fn name<R>(header: &'static str, min: u16, cell: fn(&R, &Look<'_>, u16) -> Line<'static>) -> Column<R> {
    Column { cut: Cut::Middle, ..column(header, Width::Share { min, max: 40 }, 0, cell) }
}

/// Above the readings: over how long they were taken.
fn span_of_lag(row: &FlowRow, look: &Look<'_>, _: u16) -> Line<'static> {
    let from = row.flow.watch.history.first().map(|sample| sample.at);
    let ms = from.and_then(|from| u64::try_from(look.now.signed_duration_since(from).num_milliseconds()).ok());
    let word = ms.map_or_else(|| "LAG".to_owned(), |ms| format!("LAST {}", duration(ms)));
    look.span(Role::Muted, word).into()
}

/// A flow as a row.
struct FlowRow {
    flow: Flow,
    /// How far behind it may be, in seconds.
    allowed_s: Option<u64>,
}

const FLOWS: [Column<FlowRow>; 8] = [
    name("FLOW", 16, |row, look, _| {
        let role = if row.flow.is_problem() { Role::Heading } else { Role::Text };
        look.span(role, row.flow.name.clone()).into()
    }),
    column("STATE", Width::Exact(11), 2, |row, look, _| flow_status(&row.flow, look).into()),
    right("OUT/S", 7, 0, |row, _, _| row.flow.watch.output_rows_per_s.map_or_else(String::new, count).into()),
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    right("BACKLOG", 8, 0, |row, _, _| {
        row.flow.watch.backlog.records.map_or_else(String::new, |records| count(records as f64)).into()
    }),
    right("BYTES", 9, 6, |row, _, _| row.flow.watch.backlog.bytes.map_or_else(String::new, bytes).into()),
    right("BEHIND", 7, 0, |row, look, _| {
        let role = if row.flow.is_problem() { Role::Warning } else { Role::Text };
        let sign = if row.flow.is_rising { look.glyphs().up } else { "" };
        look.span(role, row.flow.watch.backlog.seconds.map_or_else(String::new, |s| format!("{sign}{}", seconds(s))))
            .into()
    }),
    Column {
        header: Header::Drawn(span_of_lag),
        ..column("", Width::Share { min: 12, max: 60 }, 3, |row, look, width| {
            let Some((measure, readings)) = readings(&row.flow.watch) else { return Line::default() };
            let samples = peaks(&readings, usize::from(width));
            // In seconds, what is allowed is the least that fills a cell: a calm stream is drawn low.
            let allowed_s = row.allowed_s.filter(|_| measure == Measure::Seconds).and_then(|s| u32::try_from(s).ok());
            let top = allowed_s.map(|allowed_s| samples.iter().flatten().copied().fold(f64::from(allowed_s), f64::max));
            let role = if row.flow.is_problem() { Role::Warning } else { Role::Accent };
            look.span(role, sparkline(&samples, usize::from(width), top, look.glyphs())).into()
        })
    },
    right("PEAK", 11, 4, |row, look, _| {
        let peak = readings(&row.flow.watch).and_then(|(measure, readings)| {
            let peak = readings.into_iter().flatten().reduce(f64::max)?;
            Some(measure.write(peak))
        });
        look.span(Role::Muted, peak.unwrap_or_default()).into()
    }),
];

/// An expectation as a row.
struct GuardRow {
    guard: Guard,
    /// What it guards, without the path that all flows share.
    on: String,
}

const GUARDS: [Column<GuardRow>; 6] = [
    name("EXPECTATION", 16, |row, _, _| outside::line(&row.guard.expectation.name).into()),
    Column {
        cut: Cut::Middle,
        ..column("ON", Width::Share { min: 14, max: 30 }, 0, |row, look, _| {
            look.span(Role::Muted, row.on.clone()).into()
        })
    },
    right("PASS", 9, 0, |row, look, _| {
        let expectation = &row.guard.expectation;
        let role = if expectation.failed == 0 { Role::Muted } else { Role::Warning };
        let passed = percent(expectation.passed, expectation.passed + expectation.failed);
        look.span(role, passed.unwrap_or_default()).into()
    }),
    right("FAILED", 10, 0, |row, _, _| thousands(row.guard.expectation.failed).into()),
    right("FLOW DROPS", 10, 2, |row, _, _| thousands(row.guard.dropped).into()),
    column("FAILING", Width::Share { min: 12, max: 60 }, 1, |row, look, width| {
        let samples = peaks(&row.guard.failing, usize::from(width));
        look.span(Role::Accent, sparkline(&samples, usize::from(width), None, look.glyphs())).into()
    }),
];

/// An event as a row.
struct EventRow {
    event: PipelineEvent,
    /// Its flow, without the path that all flows share.
    flow: String,
}

const EVENTS: [Column<EventRow>; 5] = [
    column("TIME", Width::Exact(11), 0, |row, look, _| look.span(Role::Muted, moment(row.event.at, look)).into()),
    column("LEVEL", Width::Exact(7), 0, |row, look, _| {
        look.span(level_role(row.event.level), level_word(row.event.level)).into()
    }),
    column("KIND", Width::Exact(18), 2, |row, look, _| look.span(Role::Muted, outside::line(&row.event.kind)).into()),
    Column { cut: Cut::Middle, ..column("FLOW", Width::Exact(20), 3, |row, _, _| row.flow.clone().into()) },
    column("MESSAGE", Width::Share { min: 56, max: 400 }, 0, |row, _, _| outside::line(&row.event.message).into()),
];

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    // Times here are the workspace's own, which a simulated one may run ahead of ours.
    let look = &Look { now: shared.fleet.world_now(&state.workspace, shared.now), ..*look };
    let size = (area.width, area.height);
    let flows = state.flows();
    let layout = layout::divide(size, flows.len(), state.guards().len());
    title(state, shared, look).draw(look, frame, within(area, layout.title));
    let Some(watch) = state.watch(shared) else {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        teach::draw(&nothing(state, shared, look), look, frame, below);
        return;
    };
    updates(state, watch, look).draw(look, frame, within(area, layout.updates));
    if state.is_zoomed() {
        prose::draw(frame, within(area, layout::text(size)), &state.prose(shared), state.scroll(), look);
        return;
    }
    let freshness = state.freshness_of_figures(shared.now);
    let (flow, guard, event) = state.cursors();
    let place = within(area, layout.flows);
    if flows.is_empty() {
        let text = match &watch.events.failure {
            Some(_) => " Flows are told by the event log, which cannot be read.",
            None => " No flow has reported yet: flows appear with the first events of an update.",
        };
        frame.render_widget(Line::from(look.span(Role::Muted, text)), place);
    } else {
        let allowed_s = state.allowed_s(shared);
        let row = |at: usize| flows.get(at).map(|flow| FlowRow { flow: flow.clone(), allowed_s });
        let pane = Panel { columns: &FLOWS, len: flows.len(), cursor: flow, focused: state.pane() == Pane::Flows };
        pane.draw(row, &freshness, look, frame, place);
    }
    if let Some(place) = layout.expectations {
        let guards = state.guards();
        let row = |at: usize| {
            let guard = guards.get(at)?;
            Some(GuardRow { on: state.short(&guard.expectation.dataset), guard: guard.clone() })
        };
        let focused = state.pane() == Pane::Expectations;
        let pane = Panel { columns: &GUARDS, len: guards.len(), cursor: guard, focused };
        pane.draw(row, &freshness, look, frame, within(area, place));
    }
    events_title(state, shared.now, look).draw(look, frame, within(area, layout.events_title));
    let place = within(area, layout.events);
    if state.events_len() == 0 {
        frame.render_widget(Line::from(look.span(Role::Muted, format!(" {}", no_events(state)))), place);
        return;
    }
    let row = |at: usize| {
        let event = state.event_at(at)?;
        let flow = event.flow.as_deref().map(|flow| state.short(flow)).unwrap_or_default();
        Some(EventRow { flow, event: event.clone() })
    };
    let focused = state.pane() == Pane::Events;
    let pane = Panel { columns: &EVENTS, len: state.events_len(), cursor: event, focused };
    pane.draw(row, &freshness, look, frame, place);
    detail(state, look, frame, within(area, layout.detail));
}

/// One of the screen's tables.
struct Panel<R: 'static> {
    columns: &'static [Column<R>],
    len: usize,
    cursor: usize,
    focused: bool,
}

impl<R> Panel<R> {
    /// Draws the rows that are seen, and makes no others.
    fn draw(
        &self,
        row: impl Fn(usize) -> Option<R>,
        freshness: &Freshness,
        look: &Look<'_>,
        frame: &mut Frame<'_>,
        place: Rect,
    ) {
        let seen = scroll::window(self.len, self.cursor, usize::from(place.height.saturating_sub(1)));
        let made: Vec<Option<R>> = seen.clone().map(row).collect();
        let at = |at: usize| made.get(at.checked_sub(seen.start)?)?.as_ref();
        let rows = Rows { len: self.len, at: &at, selected: Some(self.cursor), stale: age::is_old(freshness) };
        Table { columns: self.columns, sort: None, focused: self.focused }.draw(frame, place, &rows, look);
    }
}

/// What the pipeline is: name, where, how it stands, mode, channel, target, how old this is.
fn title(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let row = state.fleet_row(shared);
    let watch = state.watch(shared);
    let name = row.map(|row| row.name.clone()).or_else(|| watch.map(|watch| outside::line(&watch.pipeline.name)));
    let mut left = vec![Part::fixed([look.span(Role::Heading, name.unwrap_or_else(|| "Pipeline".to_owned()))])];
    if let Some(watched) = shared.fleet.workspace(&state.workspace) {
        left.push(Part::fixed([look.environment(watched.snapshot.workspace.environment)]));
    }
    if let Some(watch) = watch {
        let pipeline = &watch.pipeline;
        let newest = newest(state, watch).map(|update| &update.state);
        let status = row.map_or_else(|| Status::of_pipeline(&pipeline.state, newest), |row| row.status);
        let mut standing = vec![look.status(status, "")];
        if let Some(lag_s) = row.and_then(FleetRow::lag_s).filter(|_| status == Status::Lagging) {
            standing.push(Span::raw(format!(" {}", lag(lag_s))));
        }
        if pipeline.state == PipelineState::Idle {
            standing.push(look.span(Role::Muted, ", idle now"));
        }
        left.push(Part::fixed(standing));
        let of_here = |off: &&Off| off.feature == Feature::FlowFigures && off.subject.name == state.workspace.as_str();
        if let Some(off) = shared.operations.off.iter().find(of_here) {
            left.push(Part::fixed([look.span(Role::Danger, format!("figures off: {} failed", off.failed.check))]));
        }
        if !pipeline.healthy {
            left.push(Part::fixed([look.span(Role::Danger, format!("{} unhealthy", look.glyphs().failed))]));
        }
        let mode = pipeline.continuous.map(|continuous| if continuous { "continuous" } else { "triggered" });
        left.extend(mode.map(|mode| Part::dropped(2, [Span::raw(mode)])));
        left.extend((pipeline.development == Some(true)).then(|| Part::dropped(3, [Span::raw("development mode")])));
        let channel = pipeline.channel.as_ref().map(|channel| outside::line(channel).to_lowercase());
        left.extend(channel.map(|channel| Part::dropped(4, [Span::raw(format!("channel {channel}"))])));
        let target = pipeline.target.as_ref().map(|target| outside::line(target));
        left.extend(target.map(|target| Part::dropped(5, [look.span(Role::Muted, format!("into {target}"))])));
    }
    Bar { left, right: age::part(&state.freshness(shared.now), look).into_iter().collect() }
}

fn newest<'s>(state: &'s State, watch: &'s PipelineWatch) -> Option<&'s Update> {
    state.detail().map_or(&watch.pipeline.updates, |detail| &detail.updates).first()
}

/// The updates as a strip, the newest at its right end, and what started the newest.
fn updates(state: &State, watch: &PipelineWatch, look: &Look<'_>) -> Bar {
    let all = state.detail().map_or(&watch.pipeline.updates, |detail| &detail.updates);
    if all.is_empty() {
        return Bar { left: vec![Part::fixed([look.span(Role::Muted, "no update yet")])], right: Vec::new() };
    }
    let mut strip = vec![look.span(Role::Muted, "updates ")];
    strip.extend(all.iter().take(25).rev().map(|update| look.cell(Status::from(&update.state))));
    let mut left = vec![Part::fixed(strip)];
    if let Some(update) = all.first() {
        left.push(Part::fixed(last_start(update, look)));
    }
    let restarts = all.iter().filter(|update| is_restart(update, look.now)).count();
    if restarts > 0 {
        let text = if restarts == 1 { "1 restart in 24 h".to_owned() } else { format!("{restarts} restarts in 24 h") };
        left.push(Part::dropped(1, [look.span(Role::Warning, text)]));
    }
    let cause = watch.pipeline.cause.as_ref().map(|cause| outside::line(cause));
    left.extend(
        cause.map(|cause| Part::dropped(3, [look.span(Role::Muted, cut_end(&cause, 60, look.glyphs().ellipsis))])),
    );
    Bar { left, right: Vec::new() }
}

/// When the newest update began, how it stands and what started it.
fn last_start(update: &Update, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut text = update
        .created_at
        .map_or_else(|| "last update".to_owned(), |at| format!("last {} {}", look.instant(at), look.zone_name()));
    if let Some(cause) = &update.cause {
        text.push_str(&format!(" {}", cause_in_words(cause)));
    }
    if update.full_refresh {
        text.push_str(", full refresh");
    }
    if update.validate_only {
        text.push_str(", validation only");
    }
    let status = Status::from(&update.state);
    vec![Span::raw(format!("{text}: ")), look.status(status, "")]
}

/// What started an update, in words; a cause that this version does not know as the wire spells it.
fn cause_in_words(cause: &str) -> String {
    match cause {
        "API_CALL" => "by an API call".to_owned(),
        "JOB_TASK" => "by a job".to_owned(),
        "USER_ACTION" => "by hand".to_owned(),
        "RETRY_ON_FAILURE" => "restarted after a failure".to_owned(),
        "SERVICE_UPGRADE" => "restarted by a service upgrade".to_owned(),
        "SCHEMA_CHANGE" => "restarted by a schema change".to_owned(),
        "INFRASTRUCTURE_MAINTENANCE" => "restarted by maintenance".to_owned(),
        other => format!("by {}", outside::line(other).to_lowercase().replace('_', " ")),
    }
}

/// Whether an update of the last day was started because another had broken off.
fn is_restart(update: &Update, now: Instant) -> bool {
    let causes = ["RETRY_ON_FAILURE", "SERVICE_UPGRADE", "SCHEMA_CHANGE", "INFRASTRUCTURE_MAINTENANCE"];
    let recent = update.created_at.is_some_and(|at| now.signed_duration_since(at).num_hours() < 24);
    recent && update.cause.as_deref().is_some_and(|cause| causes.contains(&cause))
}

/// What is shown of the events, and whether the newest is followed.
fn events_title(state: &State, now: Instant, look: &Look<'_>) -> Bar {
    let role = if state.pane() == Pane::Events { Role::Focus } else { Role::Heading };
    let shown = match state.level() {
        Level::Metrics | Level::Info => "all".to_owned(),
        Level::Warn => "warnings and errors".to_owned(),
        Level::Error => "errors".to_owned(),
    };
    let mut left = vec![Part::fixed([look.span(role, "Events")]), Part::fixed([look.span(Role::Muted, shown)])];
    if let Some(flow) = state.only_flow() {
        left.push(Part::fixed([look.span(Role::Muted, "of "), look.span(Role::Matched, state.short(flow))]));
    }
    if !state.filter.is_empty() {
        let filter = outside::line(&state.filter);
        left.push(Part::dropped(1, [look.span(Role::Muted, "filter "), look.span(Role::Matched, filter)]));
    }
    if let Some(Freshness::Failed { failure, age_s }) = state.events_freshness(now) {
        let age = age_s.map_or_else(|| "never read".to_owned(), |age_s| format!("{} old", words::age(age_s)));
        let text = format!("{} {}, {age}", look.glyphs().failed, outside::line(&failure.brief));
        left.push(Part::fixed([look.span(Role::Danger, text)]));
    }
    let (_, _, event) = state.cursors();
    let right = match (state.events_len(), state.follows()) {
        (0, _) => Vec::new(),
        (_, true) => vec![Part::dropped(2, [look.span(Role::Muted, "following the newest")])],
        (len, false) => {
            vec![Part::dropped(2, [look.span(Role::Muted, format!("{} of {len}, {event} newer", event + 1))])]
        }
    };
    Bar { left, right }
}

/// Why no event is shown.
fn no_events(state: &State) -> String {
    match state.detail() {
        None => "Reading the event log.".to_owned(),
        Some(detail) if detail.events.is_empty() => match &detail.watch.events.failure {
            Some(failure) => format!("The event log cannot be read: {}", outside::line(&failure.message)),
            None => "The event log holds nothing that we may see; it belongs to the pipeline's owner.".to_owned(),
        },
        Some(detail) => format!("None of the {} known events fits.", detail.events.len()),
    }
}

/// The whole message of the event under the cursor, as far as there is room.
fn detail(state: &State, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let Some(event) = state.event() else { return };
    let mut text = outside::line(&event.message);
    if let Some(error) = &event.error {
        text.push_str(&format!(" {} {}", look.glyphs().dot, outside::line(error)));
    }
    let role = if event.level == Level::Error { Role::Danger } else { Role::Muted };
    let width = usize::from(area.width.saturating_sub(2));
    let mut rows = wrap(&text, width);
    let height = usize::from(area.height);
    if rows.len() > height {
        rows.truncate(height);
        if let Some(last) = rows.last_mut() {
            // Whatever its width, the sign says that there is more.
            *last = cut_end(&format!("{last} {}", " ".repeat(width)), width, look.glyphs().ellipsis);
        }
    }
    frame.render_widget(
        Text::from_iter(rows.into_iter().map(|row| Line::from(look.span(role, format!(" {row}"))))),
        area,
    );
}

/// A time of day with seconds; of another day the date and minutes.
fn moment(at: Instant, look: &Look<'_>) -> String {
    let short = look.instant(at);
    if short.contains(' ') { short } else { look.time(at) }
}

fn level_role(level: Level) -> Role {
    match level {
        Level::Metrics | Level::Info => Role::Muted,
        Level::Warn => Role::Warning,
        Level::Error => Role::Danger,
    }
}

/// How a flow stands; a status that this version does not know as the wire spells it.
fn flow_status(flow: &Flow, look: &Look<'_>) -> Span<'static> {
    let status = match flow.watch.status.as_str() {
        "RUNNING" if flow.is_behind => Status::Lagging,
        "RUNNING" => Status::Running,
        "COMPLETED" => Status::Ok,
        "FAILED" => Status::Failed,
        "QUEUED" => Status::Queued,
        "STARTING" | "PLANNING" => Status::Starting,
        "STOPPED" => Status::Canceled,
        "SKIPPED" | "EXCLUDED" => Status::Skipped,
        "IDLE" => return look.span(Role::Muted, format!("{} idle", look.glyphs().queued)),
        other => {
            let word = outside::line(other).to_lowercase();
            return look.span(Role::Warning, format!("{} {word}", look::glyph(Status::Unknown, look.glyphs())));
        }
    };
    look.status(status, "")
}

/// In what a flow's lag is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Seconds,
    Records,
    Bytes,
}

impl Measure {
    #[expect(clippy::cast_precision_loss, reason = "drawn in eight levels")]
    fn read(self, backlog: &Backlog) -> Option<f64> {
        match self {
            Self::Seconds => backlog.seconds,
            Self::Records => backlog.records.map(|records| records as f64),
            Self::Bytes => backlog.bytes.map(|bytes| bytes as f64),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "three digits are shown")]
    fn write(self, reading: f64) -> String {
        match self {
            Self::Seconds => seconds(reading),
            Self::Records => format!("{} rec", count(reading)),
            Self::Bytes => bytes(reading as u64),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a negative lag is none")]
fn seconds(behind_s: f64) -> String {
    lag(behind_s.max(0.0) as u64)
}

/// A flow's lag over time in the one measure that its source tells: seconds, else records, else bytes.
fn readings(flow: &FlowWatch) -> Option<(Measure, Vec<Option<f64>>)> {
    let told = |measure: &Measure| flow.history.iter().any(|sample| measure.read(&sample.backlog).is_some());
    let measure = [Measure::Seconds, Measure::Records, Measure::Bytes].into_iter().find(told)?;
    Some((measure, flow.history.iter().map(|sample| measure.read(&sample.backlog)).collect()))
}

/// Why there is no pipeline to show, and what to do about it.
fn nothing(state: &State, shared: &Shared, look: &Look<'_>) -> Vec<String> {
    match state.freshness(shared.now) {
        Freshness::Failed { failure, .. } => {
            let mut said = vec![format!("Pipeline {} cannot be shown.", outside::line(state.id.as_str()))];
            said.push(outside::line(&failure.message));
            said.extend(failure.request_id.iter().map(|id| format!("request {}", outside::line(id))));
            said.push("It is asked again by itself; Esc goes back.".to_owned());
            said
        }
        _ => vec![format!("Asking for pipeline {}{}", outside::line(state.id.as_str()), look.glyphs().ellipsis)],
    }
}
