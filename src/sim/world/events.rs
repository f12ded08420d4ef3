//! The event log of a pipeline, computed from its updates when somebody asks for it (databricks-api.md 4.7).

use serde_json::{Value, json};

use crate::domain::Instant;

use super::draw::Draw;
use super::pipeline::{Event, EventError, EventLevel, UpdateState};
use super::refusal::Refusal;
use super::site::{PipelineEntry, Site};
use super::streams::{RECORD_BYTES, TICK_MS, Tick};
use super::time::{HOUR, SECOND, after, before, span_ms, whole};
use super::updates::UpdateCourse;

/// How many updates back the log reaches.
const UPDATES_KEPT: usize = 200;

/// Which events somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsFilter {
    /// At or after.
    pub from: Option<Instant>,
    /// At or before.
    pub to: Option<Instant>,
    /// Of one update.
    pub update_id: Option<String>,
    /// Of these levels; all but `METRICS` when empty.
    pub levels: Vec<EventLevel>,
    /// Of these types; all when empty.
    pub event_types: Vec<String>,
    /// Oldest first; newest first otherwise.
    pub ascending: bool,
}

impl EventsFilter {
    fn wants(&self, event: &Event) -> bool {
        let levels = &self.levels;
        let level = if levels.is_empty() { event.level != EventLevel::Metrics } else { levels.contains(&event.level) };
        level
            && (self.event_types.is_empty() || self.event_types.iter().any(|wanted| wanted == event.event_type))
            && self.update_id.as_ref().is_none_or(|wanted| event.update_id.as_ref() == Some(wanted))
            && self.from.is_none_or(|from| event.timestamp >= from)
            && self.to.is_none_or(|to| event.timestamp <= to)
    }

    /// Whether the steady progress of a stream can be among them; if not, days of it need not be computed.
    fn wants_progress(&self) -> bool {
        (self.levels.is_empty() || self.levels.contains(&EventLevel::Info))
            && (self.event_types.is_empty() || self.event_types.iter().any(|wanted| wanted == "flow_progress"))
    }
}

/// Where a page of events ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor {
    /// The last event's instant.
    pub timestamp: Instant,
    /// The last event's number.
    pub sequence: u64,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventsPage {
    /// In the order asked for.
    pub events: Vec<Event>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<EventCursor>,
}

impl Site {
    /// A page of a pipeline's events.
    pub(super) fn events(
        &self,
        pipeline_id: &str,
        filter: &EventsFilter,
        past: Option<EventCursor>,
        limit: usize,
    ) -> Result<EventsPage, Refusal> {
        let entry = self.pipeline_entry(pipeline_id)?;
        let mut updates = self.update_courses(pipeline_id, UPDATES_KEPT);
        updates.retain(|update| filter.update_id.as_ref().is_none_or(|wanted| *wanted == update.update_id));
        let oldest = updates.last().map_or(self.now, |update| update.created_at);
        let mut low = before(filter.from.map_or(oldest, |from| from.max(oldest)), SECOND);
        let mut high = after(filter.to.map_or(self.now, |to| to.min(self.now)), 1);
        if let Some(cursor) = past {
            if filter.ascending {
                low = low.max(cursor.timestamp);
            } else {
                high = high.min(after(cursor.timestamp, 1));
            }
        }
        // Window by window, so that a page of a stream's log does not cost the days before it.
        let window_ms = if filter.wants_progress() { HOUR } else { 1_000 * HOUR };
        let mut events: Vec<Event> = Vec::new();
        while low < high && events.len() <= limit {
            let (from, to) = if filter.ascending {
                (low, after(low, window_ms).min(high))
            } else {
                (before(high, window_ms).max(low), high)
            };
            let mut found = self.events_between(entry, &updates, from, to, filter);
            found.sort_by_key(|event| (event.timestamp, event.sequence));
            if !filter.ascending {
                found.reverse();
            }
            let place = |event: &Event| EventCursor { timestamp: event.timestamp, sequence: event.sequence };
            found.retain(|event| {
                past.is_none_or(|cursor| if filter.ascending { place(event) > cursor } else { place(event) < cursor })
            });
            events.append(&mut found);
            if filter.ascending {
                low = to;
            } else {
                high = from;
            }
        }
        let more = events.len() > limit;
        events.truncate(limit);
        let last = events.last().map(|event| EventCursor { timestamp: event.timestamp, sequence: event.sequence });
        Ok(EventsPage { next: last.filter(|_| more), events })
    }

    fn events_between(
        &self,
        entry: &PipelineEntry,
        updates: &[UpdateCourse],
        from: Instant,
        to: Instant,
        filter: &EventsFilter,
    ) -> Vec<Event> {
        let mut all = Vec::new();
        for update in updates {
            let overlaps =
                update.created_at < to && update.ended_at().is_none_or(|ended_at| after(ended_at, SECOND) >= from);
            if !overlaps {
                continue;
            }
            let mut scribe = Scribe { entry, update, events: Vec::new() };
            scribe.phases();
            if entry.pipeline.spec.is_continuous() {
                let until = update.stopped_at.or(update.ended_at()).unwrap_or(to).min(to);
                if filter.wants_progress() {
                    // A tick's later flows tell theirs a moment after it.
                    let ticks = self.ticks(entry, before(from, TICK_MS).max(update.running_at), until);
                    ticks.iter().for_each(|tick| scribe.progress(tick));
                }
            } else {
                scribe.batch();
            }
            all.append(&mut scribe.events);
        }
        all.retain(|event| event.timestamp >= from && event.timestamp < to && filter.wants(event));
        all
    }
}

/// Writes the events of one update.
struct Scribe<'a> {
    entry: &'a PipelineEntry,
    update: &'a UpdateCourse,
    events: Vec<Event>,
}

impl Scribe<'_> {
    fn write(
        &mut self,
        at: Instant,
        level: EventLevel,
        kind: &'static str,
        message: String,
        details: Value,
    ) -> &mut Event {
        let pipeline = &self.entry.pipeline;
        // Unique within a pipeline as long as fewer than a thousand events of it share a millisecond.
        let twins = self.events.iter().filter(|event| event.timestamp == at).count() as u64;
        let sequence = span_ms(Instant::UNIX_EPOCH, at) * 1_000 + twins;
        let at_index = self.events.len();
        self.events.push(Event {
            id: self.entry.stream.draw.named("event").named(&self.update.update_id).at(sequence).uuid(),
            sequence,
            timestamp: at,
            level,
            event_type: kind,
            message,
            pipeline_id: pipeline.pipeline_id.clone(),
            pipeline_name: pipeline.spec.name.clone(),
            update_id: Some(self.update.update_id.clone()),
            flow_name: None,
            flow_id: None,
            details,
            error: None,
        });
        &mut self.events[at_index]
    }

    fn short_id(&self) -> String {
        self.update.update_id.chars().take(6).collect()
    }

    fn phase(&mut self, at: Instant, state: UpdateState) {
        let level = if state == UpdateState::Failed { EventLevel::Error } else { EventLevel::Info };
        let mut details = json!({"state": state.as_str()});
        if state == UpdateState::Canceled {
            details["cancellation_cause"] = json!("USER_ACTION");
        }
        let message = format!("Update {} is {}.", self.short_id(), state.as_str());
        let error = self.error().filter(|_| state == UpdateState::Failed);
        self.write(at, level, "update_progress", message, details).error = error;
    }

    fn error(&self) -> Option<EventError> {
        let failure = self.update.failure.as_ref()?;
        Some(EventError { fatal: true, class_name: failure.java_class().to_owned(), message: failure.message() })
    }

    /// What every update tells: who started it, its phases, its datasets, its end.
    fn phases(&mut self) {
        let update = self.update;
        let at = update.created_at;
        let creator = update.creator.clone();
        let cause = update.cause.as_str();
        self.write(
            at,
            EventLevel::Info,
            "user_action",
            format!("User {creator} started an update."),
            json!({
                "action": "START", "user_name": creator,
            }),
        );
        let message = format!("Update {} started by {cause}.", self.short_id());
        let full_refresh = update.wish.full_refresh;
        self.write(
            after(at, 1),
            EventLevel::Info,
            "create_update",
            message,
            json!({
                "cause": cause, "run_as": update.creator, "update_id": update.update_id, "full_refresh": full_refresh,
            }),
        );
        // What an early end cut off is not told.
        let end = update.stopped_at.or(update.ended_at());
        let told = |at: Instant| end.is_none_or(|end| at < end);
        let phases = [
            (after(at, SECOND / 2), UpdateState::WaitingForResources),
            (update.ready_at, UpdateState::Initializing),
            (update.read_at, if full_refresh { UpdateState::Resetting } else { UpdateState::SettingUpTables }),
            (update.running_at, UpdateState::Running),
        ];
        for (at, state) in phases.into_iter().filter(|(at, _)| told(*at)) {
            self.phase(at, state);
            if state == UpdateState::Initializing {
                self.write(
                    after(at, 300),
                    EventLevel::Info,
                    "runtime_details",
                    "Runtime details".to_owned(),
                    json!({
                        "runtime_version": {"dbr_version": "17.3"},
                    }),
                );
                self.definitions(after(at, SECOND));
            }
        }
        match (update.stopped_at, update.ends) {
            (Some(stopped_at), _) => {
                self.phase(stopped_at, UpdateState::Stopping);
                self.phase(after(stopped_at, 6 * SECOND), UpdateState::Canceled);
            }
            (None, Some((ended_at, state))) => self.phase(ended_at, state),
            (None, None) => {}
        }
    }

    fn definitions(&mut self, at: Instant) {
        let flows = self.entry.stream.flows.clone();
        for (number, flow) in flows.iter().enumerate() {
            let expectations: Vec<Value> =
                expectations(number).iter().map(|(name, action, _)| json!({"name": name, "action": action})).collect();
            let kind = if number + 1 == flows.len() && number > 1 { "MATERIALIZED_VIEW" } else { "STREAMING_TABLE" };
            let event = self.write(
                at,
                EventLevel::Info,
                "dataset_definition",
                format!("Dataset '{flow}' defined."),
                json!({
                    "dataset_type": kind, "num_flows": 1, "expectations": expectations,
                }),
            );
            event.flow_name = Some(flow.clone());
            let inputs: Vec<Value> = number.checked_sub(1).map(|up| json!({"name": flows[up]})).into_iter().collect();
            let details = json!({"input_datasets": inputs, "output_dataset": flow, "flow_type": "APPEND"});
            self.flow_event(
                after(at, 5),
                number,
                EventLevel::Info,
                "flow_definition",
                format!("Flow '{flow}' defined."),
                details,
            );
        }
    }

    fn flow_event(
        &mut self,
        at: Instant,
        number: usize,
        level: EventLevel,
        kind: &'static str,
        message: String,
        details: Value,
    ) -> &mut Event {
        let flow = self.entry.stream.flows[number].clone();
        let flow_id = self.entry.stream.draw.named("flow").named(&flow).uuid();
        let event = self.write(at, level, kind, message, details);
        event.flow_name = Some(flow);
        event.flow_id = Some(flow_id);
        event
    }

    /// A tick of a continuous pipeline: each flow tells its increments.
    fn progress(&mut self, tick: &Tick) {
        for number in 0..self.entry.stream.flows.len() {
            let at = after(tick.at, 1_700 * number as u64);
            let rows = tick.records;
            let details = json!({
                "status": "RUNNING",
                "metrics": metrics(number, rows, tick),
                "data_quality": self.quality(number, rows, at),
            });
            let message = format!("Flow '{}' is RUNNING.", self.entry.stream.flows[number]);
            self.flow_event(at, number, EventLevel::Info, "flow_progress", message, details);
        }
    }

    /// The flows of an update that ends by itself, one after the other.
    fn batch(&mut self) {
        let update = self.update;
        let Some((ended_at, ending)) = update.ends.filter(|_| !update.wish.validate_only) else { return };
        let flows = self.entry.stream.flows.len();
        let last = update.stopped_at.unwrap_or(ended_at);
        let each_ms = span_ms(update.running_at, last) / (flows as u64).max(1);
        for number in 0..flows {
            let from = after(update.running_at, each_ms * number as u64);
            let to = after(from, each_ms.saturating_sub(400));
            let failed = ending == UpdateState::Failed && number + 1 == flows;
            let flow = self.entry.stream.flows[number].clone();
            let rows = self.rows(number);
            self.flow_status(update.running_at, number, "QUEUED", json!({}));
            self.flow_status(from, number, "STARTING", json!({}));
            let half = rows / 2;
            let running = json!({
                "metrics": {"num_output_rows": half, "backlog_bytes": (rows - half) * 310, "backlog_files": 2},
                "data_quality": self.quality(number, half, from),
            });
            self.flow_status(after(from, each_ms / 2), number, "RUNNING", running);
            if failed {
                let error = self.error();
                let message = format!("Flow '{flow}' has FAILED fatally. An error occurred in flow '{flow}'.");
                let details = json!({"status": "FAILED"});
                self.flow_event(to, number, EventLevel::Error, "flow_progress", message, details).error = error;
            } else if ending == UpdateState::Completed {
                let completed = json!({
                    "metrics": {"num_output_rows": rows - half, "backlog_bytes": 0, "backlog_files": 0},
                    "data_quality": self.quality(number, rows - half, to),
                });
                self.flow_status(to, number, "COMPLETED", completed);
            } else {
                self.flow_status(to, number, "STOPPED", json!({}));
            }
        }
    }

    fn flow_status(&mut self, at: Instant, number: usize, status: &str, mut details: Value) {
        details["status"] = json!(status);
        let message = format!("Flow '{}' is {status}.", self.entry.stream.flows[number]);
        self.flow_event(at, number, EventLevel::Info, "flow_progress", message, details);
    }

    /// Rows that a flow of a triggered update writes in all.
    fn rows(&self, number: usize) -> u64 {
        let scale = if self.update.wish.full_refresh { 300.0 } else { 1.0 };
        let draw = Draw::new(0).named(&self.update.update_id).at(number as u64);
        whole(draw.log_normal(40_000.0, 0.5) * scale)
    }

    fn quality(&self, number: usize, rows: u64, at: Instant) -> Value {
        let dataset = &self.entry.stream.flows[number];
        let draw = self.entry.stream.draw.named("quality").named(dataset).at(span_ms(Instant::UNIX_EPOCH, at));
        let mut dropped = 0;
        let counts: Vec<Value> = expectations(number)
            .iter()
            .enumerate()
            .map(|(index, (name, action, rate))| {
                let failed = whole(rows as f64 * rate * draw.at(index as u64).between(0.5, 1.5));
                dropped += if *action == "DROP" { failed } else { 0 };
                json!({"name": name, "dataset": dataset, "passed_records": rows - failed.min(rows), "failed_records": failed})
            })
            .collect();
        json!({"dropped_records": dropped, "expectations": counts})
    }
}

/// The expectations on a flow's dataset by the flow's place: name, action, and the share of records that fail.
fn expectations(number: usize) -> &'static [(&'static str, &'static str, f64)] {
    match number {
        0 => &[("valid_payload", "DROP", 0.000_08)],
        1 => &[("valid_id", "DROP", 0.000_04), ("recent_event_time", "ALLOW", 0.002)],
        _ => &[("valid_id", "DROP", 0.000_03), ("amount_not_negative", "ALLOW", 0.000_6)],
    }
}

/// What a flow measured: the first one reads the source where the backlog is, the others read tables.
fn metrics(number: usize, rows: u64, tick: &Tick) -> Value {
    let bytes = whole(tick.backlog as f64 * RECORD_BYTES);
    if number == 0 {
        json!({
            "num_output_rows": rows, "backlog_records": tick.backlog, "backlog_bytes": bytes, "backlog_seconds": tick.lag_s,
            "executor_time_ms": rows / 40,
            "source_metrics": [{"source_name": "events", "backlog_records": tick.backlog, "backlog_bytes": bytes, "backlog_seconds": tick.lag_s}],
        })
    } else {
        json!({"num_output_rows": rows, "backlog_bytes": rows * 90, "backlog_files": 3, "executor_time_ms": rows / 60})
    }
}
