//! A pipeline for tests: two flows, one behind; three expectations; restarts; events of every level.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::domain::fixture::{now, pipeline};
use crate::domain::pipeline::{
    Backlog, Expectation, FlowProgress, Level, Pipeline, PipelineEvent, PipelineState, Update, UpdateState,
};
use crate::domain::snapshot::{EventsReading, FlowWatch, LagSample, PipelineDetail, PipelineWatch};

fn flow(name: &str, status: &str, records: &[u64], expectations: Vec<Expectation>) -> FlowWatch {
    let backlog = |records: u64| Backlog {
        records: Some(records),
        bytes: Some(records * 300),
        seconds: Some(f64::from(u32::try_from(records / 4_000).expect("small"))),
        files: None,
    };
    let minutes = |at: usize| TimeDelta::minutes(i64::try_from(records.len() - at).expect("small"));
    FlowWatch {
        name: name.to_owned(),
        status: status.to_owned(),
        backlog: records.last().copied().map_or_else(Backlog::default, backlog),
        output_rows_per_s: Some(71_000.0),
        history: records
            .iter()
            .enumerate()
            .map(|(at, records)| LagSample { at: now() - minutes(at), backlog: backlog(*records) })
            .collect(),
        dropped_records: expectations.iter().map(|expectation| expectation.failed).sum(),
        expectations,
    }
}

fn expectation(name: &str, dataset: &str, passed: u64, failed: u64) -> Expectation {
    Expectation { name: name.to_owned(), dataset: dataset.to_owned(), passed, failed }
}

fn event(seconds_ago: i64, level: Level, kind: &str, message: &str) -> PipelineEvent {
    PipelineEvent {
        id: format!("event-{seconds_ago}"),
        at: now() - TimeDelta::seconds(seconds_ago),
        level,
        kind: kind.to_owned(),
        message: message.to_owned(),
        update: Some("update-9".into()),
        flow: None,
        error: None,
        progress: None,
    }
}

fn update(id: &str, state: UpdateState, cause: &str, hours_ago: i64) -> Update {
    Update {
        id: id.into(),
        state,
        cause: Some(cause.to_owned()),
        created_at: Some(now() - TimeDelta::hours(hours_ago)),
        full_refresh: false,
        validate_only: false,
    }
}

/// Events, newest first.
pub(crate) fn events() -> Vec<PipelineEvent> {
    let mut events: Vec<PipelineEvent> = (0..30_u64)
        .map(|at| PipelineEvent {
            flow: Some("orders_enriched".to_owned()),
            progress: Some(FlowProgress {
                status: "RUNNING".to_owned(),
                output_rows: Some(4_260_000),
                expectations: vec![expectation("valid_amount", "orders_enriched", 1_000, 30 - at)],
                ..FlowProgress::default()
            }),
            ..event(
                i64::try_from(at * 60 + 5).expect("small"),
                if at % 3 == 0 { Level::Metrics } else { Level::Info },
                "flow_progress",
                "Flow 'orders_enriched' is RUNNING: 4,260,000 rows written",
            )
        })
        .collect();
    events.push(event(
        361,
        Level::Warn,
        "autoscale",
        "\u{1b}[33mCannot scale to 8 workers\u{1b}[0m: quota of the cloud account",
    ));
    events.push(PipelineEvent {
        flow: Some("orders_raw".to_owned()),
        error: Some(
            "org.apache.kafka.common.errors.TimeoutException: Timeout of 60000ms expired\n\tat a.b.C.d(C.scala:12)"
                .to_owned(),
        ),
        ..event(7_300, Level::Error, "flow_progress", "Flow 'orders_raw' has FAILED.")
    });
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

/// The stream that falls behind.
pub(crate) fn lagging() -> PipelineDetail {
    let growing: Vec<u64> = (0..60).map(|at| 20_000 + if at > 40 { (at - 40) * 50_000 } else { at * 10 }).collect();
    let pipeline = Pipeline {
        name: "orders_blue".to_owned(),
        channel: Some("CURRENT".to_owned()),
        target: Some("sales.silver".to_owned()),
        development: Some(false),
        ..pipeline("p1", PipelineState::Running, true)
    };
    let flows = vec![
        flow("orders_raw", "RUNNING", &[12_000; 60], Vec::new()),
        flow(
            "orders_enriched",
            "RUNNING",
            &growing,
            vec![
                expectation("valid_id", "orders_enriched", 48_120_331, 0),
                expectation("valid_amount", "orders_enriched", 48_110_000, 10_331),
            ],
        ),
        flow("orders_daily", "WARPING", &[], vec![expectation("not_in_future", "orders_daily", 0, 0)]),
    ];
    PipelineDetail {
        watch: PipelineWatch {
            pipeline: Arc::new(pipeline),
            flows,
            lag: Vec::new(),
            events: EventsReading { read_at: Some(now()), failure: None, interval_s: 10 },
        },
        updates: vec![
            update("update-9", UpdateState::Running, "RETRY_ON_FAILURE", 2),
            update("update-8", UpdateState::Failed, "SERVICE_UPGRADE", 20),
            update("update-7", UpdateState::Canceled, "USER_ACTION", 90),
        ],
        events: events(),
        interval_s: 10,
    }
}
