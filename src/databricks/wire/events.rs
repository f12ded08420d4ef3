//! A pipeline's event log as REST writes it (databricks-api.md 4.5, 4.7).

use serde_json::{Map, Value};

use super::{Int, Real, instant_text, object, said};
use crate::domain::ids::UpdateId;
use crate::domain::pipeline::{Backlog, Expectation, FlowProgress as DomainProgress, Level, PipelineEvent};

object! {
    EventList {
        events: Vec<Event>,
        next_page_token: String,
        prev_page_token: String,
    }
    Event {
        id: String,
        sequence: Map<String, Value>,
        origin: Origin,
        timestamp: String,
        message: String,
        level: String,
        maturity_level: String,
        event_type: String,
        error: ErrorDetail,
        details: Value,
    }
    Origin {
        org_id: Int,
        pipeline_id: String,
        pipeline_name: String,
        update_id: String,
        flow_id: String,
        flow_name: String,
        dataset_name: String,
    } + rest
    ErrorDetail {
        fatal: bool,
        exceptions: Vec<Exception>,
    } + rest
    Exception {
        class_name: String,
        message: String,
        stack: Vec<StackFrame>,
    } + rest
    StackFrame {
        declaring_class: String,
        method_name: String,
        file_name: String,
        line_number: Int,
    }
    FlowProgress {
        status: String,
        metrics: FlowMetrics,
        data_quality: DataQuality,
    }
    FlowMetrics {
        num_output_rows: Int,
        num_upserted_rows: Int,
        num_deleted_rows: Int,
        backlog_bytes: Real,
        backlog_records: Real,
        backlog_files: Real,
        backlog_seconds: Real,
        source_metrics: Vec<SourceMetrics>,
    }
    SourceMetrics {
        source_name: String,
        backlog_bytes: Real,
        backlog_records: Real,
        backlog_files: Real,
        backlog_seconds: Real,
    }
    DataQuality {
        dropped_records: Int,
        expectations: Vec<ExpectationCounts>,
    }
    ExpectationCounts {
        name: String,
        dataset: String,
        passed_records: Int,
        failed_records: Int,
    }
}

/// Most frames of one exception that are kept: the cause is at the top, and a stream's stack can have hundreds.
const MAX_FRAMES: usize = 60;

impl Event {
    /// The event as operations see it; none without an instant, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<PipelineEvent> {
        let progress = self.flow_progress();
        let kind = self.event_type.unwrap_or_default();
        let origin = self.origin.unwrap_or_default();
        Some(PipelineEvent {
            id: self.id.unwrap_or_default(),
            at: instant_text(self.timestamp.as_deref())?,
            level: level(self.level.as_deref()),
            kind,
            message: self.message.unwrap_or_default(),
            update: said(origin.update_id).map(UpdateId::new),
            flow: said(origin.flow_name),
            error: self.error.and_then(ErrorDetail::into_text),
            progress,
        })
    }

    /// What a `flow_progress` event measured. Details are an object over REST and JSON text in the table: both are read.
    fn flow_progress(&self) -> Option<DomainProgress> {
        if self.event_type.as_deref() != Some("flow_progress") {
            return None;
        }
        let parsed;
        let details = match self.details.as_ref()? {
            Value::String(text) => {
                parsed = serde_json::from_str::<Value>(text).ok()?;
                &parsed
            }
            other => other,
        };
        let progress: FlowProgress = serde_json::from_value(details.get("flow_progress")?.clone()).ok()?;
        Some(progress.into_domain())
    }
}

/// A level that this version does not know counts as ordinary: its text is shown all the same.
fn level(text: Option<&str>) -> Level {
    match text {
        Some("METRICS") => Level::Metrics,
        Some("WARN") => Level::Warn,
        Some("ERROR") => Level::Error,
        _ => Level::Info,
    }
}

impl ErrorDetail {
    /// Each exception's class and message, then its stack.
    fn into_text(self) -> Option<String> {
        let texts: Vec<String> = self.exceptions?.into_iter().map(Exception::into_text).collect();
        said(Some(texts.join("\nCaused by: ")))
    }
}

impl Exception {
    fn into_text(self) -> String {
        let mut text = match (said(self.class_name), said(self.message)) {
            (Some(class), Some(message)) => format!("{class}: {message}"),
            (class, message) => class.or(message).unwrap_or_default(),
        };
        let frames = self.stack.unwrap_or_default();
        for frame in frames.iter().take(MAX_FRAMES) {
            text.push_str(&format!(
                "\n  at {}.{}({}:{})",
                frame.declaring_class.as_deref().unwrap_or("?"),
                frame.method_name.as_deref().unwrap_or("?"),
                frame.file_name.as_deref().unwrap_or("?"),
                frame.line_number.map_or_else(|| "?".to_owned(), |Int(line)| line.to_string()),
            ));
        }
        if frames.len() > MAX_FRAMES {
            text.push_str(&format!("\n  ... {} more", frames.len() - MAX_FRAMES));
        }
        text
    }
}

impl FlowProgress {
    fn into_domain(self) -> DomainProgress {
        let metrics = self.metrics.unwrap_or_default();
        let quality = self.data_quality.unwrap_or_default();
        DomainProgress {
            status: self.status.unwrap_or_default(),
            output_rows: metrics.rows_written(),
            backlog: metrics.backlog(),
            dropped_records: quality.dropped_records.map(|dropped| super::count(Some(dropped))),
            expectations: quality
                .expectations
                .into_iter()
                .flatten()
                .filter_map(|counts| {
                    Some(Expectation {
                        name: counts.name?,
                        dataset: counts.dataset.unwrap_or_default(),
                        passed: super::count(counts.passed_records),
                        failed: super::count(counts.failed_records),
                    })
                })
                .collect(),
        }
    }
}

impl FlowMetrics {
    /// Rows written. A flow of changes reports upserts and deletes instead of output rows.
    fn rows_written(&self) -> Option<u64> {
        let rows = |value: Option<Int>| value.map(|value| super::count(Some(value)));
        rows(self.num_output_rows).or_else(|| {
            let (upserted, deleted) = (rows(self.num_upserted_rows), rows(self.num_deleted_rows));
            (upserted.is_some() || deleted.is_some()).then(|| upserted.unwrap_or(0) + deleted.unwrap_or(0))
        })
    }

    /// What waits. Where only the sources tell it: records, bytes and files add up, seconds are the worst source's.
    fn backlog(&self) -> Backlog {
        let sources = self.source_metrics.as_deref().unwrap_or_default();
        let total = |of: fn(&SourceMetrics) -> Option<Real>| {
            sources.iter().filter_map(of).reduce(|Real(sum), Real(more)| Real(sum + more))
        };
        let worst = sources.iter().filter_map(|source| source.backlog_seconds).reduce(|a, b| if b > a { b } else { a });
        Backlog {
            records: self.backlog_records.or_else(|| total(|source| source.backlog_records)).and_then(whole),
            bytes: self.backlog_bytes.or_else(|| total(|source| source.backlog_bytes)).and_then(whole),
            files: self.backlog_files.or_else(|| total(|source| source.backlog_files)).and_then(whole),
            seconds: self.backlog_seconds.or(worst).map(|Real(seconds)| seconds),
        }
    }
}

/// Averages may have a fraction; a person wants whole records.
fn whole(Real(value): Real) -> Option<u64> {
    if !(value >= 0.0 && value.is_finite()) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked; a cast saturates above")]
    Some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn domain(value: Value) -> PipelineEvent {
        serde_json::from_value::<Event>(value).expect("decodes").into_domain().expect("has an instant")
    }

    fn progress(details: &Value) -> DomainProgress {
        domain(json!({"timestamp": "2025-02-04T04:30:04.315Z", "event_type": "flow_progress", "level": "METRICS",
            "details": details}))
        .progress
        .expect("measured something")
    }

    #[test]
    fn absent_figures_stay_absent() {
        let seen = progress(&json!({"flow_progress": {"status": "RUNNING", "metrics": {"num_output_rows": 0}}}));
        assert_eq!((seen.output_rows, seen.dropped_records), (Some(0), None));
        assert_eq!(seen.backlog, Backlog::default());
    }

    #[test]
    fn details_read_as_object_and_as_text() {
        let details = json!({"flow_progress": {"status": "RUNNING", "metrics": {"backlog_bytes": "1024",
            "backlog_seconds": 3.5}, "data_quality": {"dropped_records": "2", "expectations": [
            {"name": "valid", "dataset": "t", "passed_records": 8, "failed_records": 2}]}}});
        let seen = progress(&details);
        assert_eq!(seen, progress(&Value::String(details.to_string())));
        assert_eq!((seen.backlog.bytes, seen.backlog.seconds, seen.dropped_records), (Some(1024), Some(3.5), Some(2)));
        assert_eq!((seen.expectations[0].passed, seen.expectations[0].failed), (8, 2));
    }

    #[test]
    fn sources_add_up_where_the_flow_is_silent() {
        let seen = progress(&json!({"flow_progress": {"metrics": {"num_upserted_rows": 5, "num_deleted_rows": 1,
            "source_metrics": [
            {"source_name": "a", "backlog_records": 10, "backlog_seconds": 4}, {"source_name": "b",
            "backlog_records": 5.4, "backlog_seconds": 9}]}}}));
        assert_eq!((seen.output_rows, seen.backlog.records, seen.backlog.seconds), (Some(6), Some(15), Some(9.0)));
        assert_eq!(seen.backlog.bytes, None);
    }

    #[test]
    fn an_error_shows_class_message_and_bounded_stack() {
        let frame = json!({"declaring_class": "C", "method_name": "m", "file_name": "f.py", "line_number": 3});
        let event =
            domain(json!({"timestamp": "2025-02-04T04:30:04Z", "level": "ERROR", "event_type": "update_progress",
            "origin": {"update_id": "u", "org_id": "7"},
            "error": {"fatal": true, "exceptions": [
                {"class_name": "A", "message": "boom", "stack": vec![frame; 70]}, {"message": "root"}]}}));
        let error = event.error.expect("has an error");
        assert!(error.starts_with("A: boom\n  at C.m(f.py:3)"), "{error}");
        assert!(error.ends_with("... 10 more\nCaused by: root"), "{error}");
        assert_eq!((event.level, event.update), (Level::Error, Some(UpdateId::new("u"))));
    }

    #[test]
    fn an_unknown_level_is_ordinary() {
        assert_eq!(domain(json!({"timestamp": "2025-02-04T04:30:04Z", "level": "SHOUT"})).level, Level::Info);
    }
}
