//! Folds a pipeline's events into what its flows do now: backlog, rates, expectations, lag over time. Pure.
//!
//! Counts in `flow_progress` events are increments (databricks-api.md 4.7), so each event must be folded exactly once;
//! listings may overlap and arrive late, so events are told apart by id.

use std::collections::HashMap;

use crate::domain::Instant;
use crate::domain::ids::UpdateId;
use crate::domain::pipeline::{Backlog, Expectation, FlowProgress, PipelineEvent};
use crate::domain::snapshot::{FlowWatch, LagSample};

/// Samples kept of each series.
const SAMPLES: usize = 60;

/// Samples nearer to each other than this are one: the later one stands.
const SPACING_S: i64 = 10;

/// Attributes time to no flow; not a flow (databricks-api.md 4.7).
const NO_FLOW: &str = "pipelines.flowTimeMetrics.missingFlowName";

/// What is known of one pipeline's flows.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    update: Option<UpdateId>,
    flows: Vec<Flow>,
    lag: Vec<LagSample>,
    newest_at: Option<Instant>,
    /// Events at or after the point from which the next listing starts, by id.
    seen: HashMap<String, Instant>,
}

#[derive(Clone, Debug)]
struct Flow {
    watch: FlowWatch,
    written_at: Option<Instant>,
}

/// What an answer brought, beyond numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Whether anything was new.
    pub changed: bool,
    /// Whether an update began, ended or moved on: the listing of pipelines is out of date.
    pub update_moved: bool,
}

impl Flows {
    /// Takes up a lag series from an earlier process.
    pub fn with_lag(lag: Vec<LagSample>) -> Self {
        Self { lag, ..Self::default() }
    }

    /// From when the next listing should start: somewhat before the newest event, since events arrive late.
    pub fn newer_than(&self) -> Option<Instant> {
        self.newest_at.map(|at| at - chrono::TimeDelta::seconds(30))
    }

    /// The flows, in the order in which they were first seen. While their pipeline is not up none of them runs, whatever its
    /// newest event says: nobody reads the log of a pipeline that has stopped.
    pub fn watches(&self, is_up: bool) -> Vec<FlowWatch> {
        let now = |flow: &Flow| match flow.watch.status.as_str() {
            "COMPLETED" | "FAILED" | "STOPPED" | "SKIPPED" | "EXCLUDED" => flow.watch.clone(),
            _ if is_up => flow.watch.clone(),
            _ => FlowWatch {
                status: "STOPPED".to_owned(),
                backlog: Backlog::default(),
                output_rows_per_s: None,
                ..flow.watch.clone()
            },
        };
        self.flows.iter().map(now).collect()
    }

    /// The worst lag of all flows over time, oldest first.
    pub fn lag(&self) -> &[LagSample] {
        &self.lag
    }

    /// Folds a listing, in any order; what was folded before is skipped. Listings may come from several readers, each from
    /// a start of its own: what lies before the next listing's start was folded when it was new.
    pub fn fold(&mut self, mut events: Vec<PipelineEvent>) -> Folded {
        events.sort_by_key(|event| event.at);
        let known_until = self.newer_than();
        let first_look = known_until.is_none();
        let mut folded = Folded::default();
        for event in &events {
            let is_old = known_until.is_some_and(|until| event.at < until);
            if is_old || self.seen.insert(event.id.clone(), event.at).is_some() {
                continue;
            }
            folded.changed = true;
            folded.update_moved |= !first_look && event.kind == "update_progress";
            self.newest_at = self.newest_at.max(Some(event.at));
            self.follow_update(event);
            if let (Some(name), Some(progress)) = (&event.flow, &event.progress)
                && name != NO_FLOW
            {
                self.fold_progress(name, progress, event.at);
            }
        }
        if let Some(from) = self.newer_than() {
            self.seen.retain(|_, at| *at >= from);
        }
        folded
    }

    /// Sums belong to one update: they start anew with the next.
    fn follow_update(&mut self, event: &PipelineEvent) {
        let Some(update) = &event.update else { return };
        if event.kind != "create_update" && event.kind != "flow_progress" || self.update.as_ref() == Some(update) {
            return;
        }
        self.update = Some(update.clone());
        for flow in &mut self.flows {
            flow.watch.expectations.clear();
            flow.watch.dropped_records = 0;
            flow.watch.output_rows_per_s = None;
            flow.written_at = None;
        }
    }

    fn fold_progress(&mut self, name: &str, progress: &FlowProgress, at: Instant) {
        let place = self.flows.iter().position(|flow| flow.watch.name == name).unwrap_or_else(|| {
            self.flows.push(Flow { watch: unknown(name), written_at: None });
            self.flows.len() - 1
        });
        let Some(flow) = self.flows.get_mut(place) else { return };
        flow.watch.status.clone_from(&progress.status);
        if let Some(rows) = progress.output_rows {
            flow.watch.output_rows_per_s = flow.written_at.and_then(|before| rate(rows, before, at));
            flow.written_at = Some(at);
        }
        flow.watch.dropped_records += progress.dropped_records.unwrap_or(0);
        for expectation in &progress.expectations {
            add(&mut flow.watch.expectations, expectation);
        }
        // An event that tells nothing of the backlog leaves the last reading; a flow that ended has none.
        if progress.backlog != Backlog::default() {
            flow.watch.backlog = progress.backlog;
            sample(&mut flow.watch.history, LagSample { at, backlog: progress.backlog });
            let worst = self.flows.iter().fold(Backlog::default(), |worst, flow| worse(worst, flow.watch.backlog));
            sample(&mut self.lag, LagSample { at, backlog: worst });
        } else if matches!(progress.status.as_str(), "COMPLETED" | "STOPPED" | "SKIPPED" | "EXCLUDED") {
            flow.watch.backlog = Backlog::default();
        }
    }
}

fn unknown(name: &str) -> FlowWatch {
    FlowWatch {
        name: name.to_owned(),
        status: String::new(),
        backlog: Backlog::default(),
        output_rows_per_s: None,
        history: Vec::new(),
        expectations: Vec::new(),
        dropped_records: 0,
    }
}

fn rate(rows: u64, from: Instant, to: Instant) -> Option<f64> {
    let ms = u32::try_from(to.signed_duration_since(from).num_milliseconds()).ok().filter(|ms| *ms > 0)?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people: 53 bits of rows are plenty")]
    let rows = rows as f64;
    Some(rows * 1000.0 / f64::from(ms))
}

fn add(sums: &mut Vec<Expectation>, more: &Expectation) {
    match sums.iter_mut().find(|sum| sum.name == more.name && sum.dataset == more.dataset) {
        Some(sum) => {
            sum.passed += more.passed;
            sum.failed += more.failed;
        }
        None => sums.push(more.clone()),
    }
}

fn sample(series: &mut Vec<LagSample>, new: LagSample) {
    match series.last() {
        Some(last) if new.at < last.at => return,
        // Compared with the sample before the last, so that a steady trickle still moves on.
        Some(last)
            if series.len() > 1 && {
                let before = series.get(series.len() - 2).map_or(last.at, |sample| sample.at);
                new.at.signed_duration_since(before).num_seconds() < SPACING_S
            } =>
        {
            series.pop();
        }
        _ => {}
    }
    series.push(new);
    if series.len() > SAMPLES {
        series.remove(0);
    }
}

fn worse(a: Backlog, b: Backlog) -> Backlog {
    Backlog {
        records: a.records.max(b.records),
        bytes: a.bytes.max(b.bytes),
        seconds: match (a.seconds, b.seconds) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        },
        files: a.files.max(b.files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pipeline::Level;

    fn at(s: i64) -> Instant {
        Instant::from_timestamp(1_772_400_000 + s, 0).expect("an instant")
    }

    fn progress(id: &str, s: i64, update: &str, flow: &str, progress: FlowProgress) -> PipelineEvent {
        PipelineEvent {
            id: id.into(),
            at: at(s),
            level: Level::Info,
            kind: "flow_progress".into(),
            message: String::new(),
            update: Some(update.into()),
            flow: Some(flow.into()),
            error: None,
            progress: Some(progress),
        }
    }

    fn batch(rows: u64, records: u64, failed: u64) -> FlowProgress {
        FlowProgress {
            status: "RUNNING".into(),
            output_rows: Some(rows),
            backlog: Backlog { records: Some(records), ..Backlog::default() },
            dropped_records: Some(failed),
            expectations: vec![Expectation { name: "id".into(), dataset: "t".into(), passed: rows, failed }],
        }
    }

    #[test]
    fn nothing_runs_in_a_pipeline_that_has_stopped() {
        let mut flows = Flows::default();
        let completed = FlowProgress { status: "COMPLETED".into(), ..batch(300, 0, 0) };
        flows.fold(vec![
            progress("a", 0, "u1", "f", batch(100, 5, 1)),
            progress("b", 10, "u1", "f", batch(300, 7, 2)),
            progress("c", 10, "u1", "g", completed),
        ]);
        assert_eq!(flows.watches(true)[0].status, "RUNNING");
        let [f, g] = &flows.watches(false)[..] else { panic!("two flows") };
        assert_eq!((f.status.as_str(), f.backlog, f.output_rows_per_s), ("STOPPED", Backlog::default(), None));
        assert_eq!((f.expectations[0].passed, f.history.len()), (400, 2), "what was counted stays");
        assert_eq!(g.status, "COMPLETED");
    }

    #[test]
    fn increments_are_summed_once_however_often_they_are_listed() {
        let mut flows = Flows::default();
        let a = progress("a", 0, "u1", "f", batch(100, 5, 1));
        let b = progress("b", 10, "u1", "f", batch(300, 7, 2));
        assert!(flows.fold(vec![b.clone(), a.clone()]).changed);
        assert!(!flows.fold(vec![b.clone(), a]).changed);
        assert!(!flows.fold(vec![]).changed);
        assert!(!flows.fold(vec![b]).changed);
        let watch = &flows.watches(true)[0];
        assert_eq!((watch.expectations[0].passed, watch.expectations[0].failed, watch.dropped_records), (400, 3, 3));
        assert_eq!(watch.output_rows_per_s, Some(30.0));
        assert_eq!(watch.backlog.records, Some(7));
    }

    #[test]
    fn readers_with_starts_of_their_own_count_nothing_twice() {
        let mut flows = Flows::default();
        let event = |n: i64| progress(&format!("e{n}"), n * 10, "u1", "f", batch(10, 5, 0));
        flows.fold((0..20).map(event).collect());
        flows.fold((0..21).map(event).collect());
        // An answer that was on its way for longer than another one lacks the newest events.
        flows.fold((18..20).map(event).collect());
        flows.fold((18..22).map(event).collect());
        assert_eq!(flows.watches(true)[0].expectations[0].passed, 220);
    }

    #[test]
    fn a_new_update_starts_its_sums_anew_and_keeps_the_lag() {
        let mut flows = Flows::default();
        flows.fold(vec![progress("a", 0, "u1", "f", batch(100, 5, 1))]);
        flows.fold(vec![progress("b", 60, "u2", "f", batch(10, 9, 0))]);
        let watch = &flows.watches(true)[0];
        assert_eq!((watch.expectations[0].passed, watch.dropped_records), (10, 0));
        assert_eq!(watch.output_rows_per_s, None, "the first event of an update has nothing to be measured against");
        assert_eq!(flows.lag().iter().map(|s| s.backlog.records).collect::<Vec<_>>(), [Some(5), Some(9)]);
    }

    #[test]
    fn lag_is_that_of_the_worst_flow_spaced_and_bounded() {
        let mut flows = Flows::default();
        flows.fold(
            (0..500)
                .map(|n| {
                    progress(
                        &format!("e{n}"),
                        n * 4,
                        "u",
                        ["f", "g"][usize::try_from(n % 2).unwrap()],
                        batch(1, n.unsigned_abs(), 0),
                    )
                })
                .collect(),
        );
        let lag = flows.lag();
        assert_eq!(lag.len(), SAMPLES);
        assert!(lag.windows(2).all(|w| w[0].at < w[1].at && w[0].backlog.records <= w[1].backlog.records));
        assert!(lag.windows(3).all(|w| (w[2].at - w[0].at).num_seconds() >= SPACING_S));
        assert_eq!(lag.last().expect("a sample").backlog.records, Some(499));
    }

    #[test]
    fn an_update_that_moves_is_told_but_not_on_the_first_look() {
        let moved = |id: &str, s| PipelineEvent {
            kind: "update_progress".into(),
            flow: None,
            progress: None,
            ..progress(id, s, "u", "f", batch(1, 1, 0))
        };
        let mut flows = Flows::default();
        assert_eq!(flows.fold(vec![moved("a", 0)]), Folded { changed: true, update_moved: false });
        assert_eq!(flows.fold(vec![moved("b", 50)]), Folded { changed: true, update_moved: true });
        assert_eq!(flows.newer_than(), Some(at(20)));
    }

    #[test]
    fn time_without_a_flow_is_no_flow() {
        let mut flows = Flows::default();
        flows.fold(vec![progress("a", 0, "u", NO_FLOW, batch(1, 1, 1))]);
        assert!(flows.watches(true).is_empty());
    }
}
