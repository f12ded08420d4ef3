//! The Pipeline screen as it answers keys, and as it is drawn in every state and size.

use std::sync::Arc;

use super::fixture::{events, lagging};
use super::{Pane, State};
use crate::app::fixture::Console;
use crate::app::message::{Fact, Feed, Observed};
use crate::app::operations::OperationsSnapshot;
use crate::app::{Effect, Model};
use crate::domain::fixture::{failure, now};
use crate::domain::pipeline::Level;
use crate::domain::proof::{Check, Failed, Feature, Off, Subject};
use crate::domain::snapshot::{EventsReading, FeedFailure, PipelineDetail};
use crate::screens::Screen;
use crate::ui::drawn;

#[test]
fn figures_that_were_disproven_are_marked_as_such() {
    let mut opened = Opened::on(lagging(), 120, 40);
    assert!(!opened.drawn().contains("figures off"));
    let failed = Failed { check: Check::PipelineEvents, finding: "none".to_owned(), at: now() };
    let off = |workspace: &str| {
        let subject = Subject { name: workspace.to_owned(), place: "https://x.test".to_owned() };
        let off = vec![Off { feature: Feature::FlowFigures, subject, failed: failed.clone() }];
        Fact::OperationsAdvanced(Arc::new(OperationsSnapshot { off, ..OperationsSnapshot::default() }))
    };
    opened.console.happens(off("staging"));
    assert!(!opened.drawn().contains("figures off"), "another workspace's");
    opened.console.happens(off("prod"));
    assert!(opened.drawn().contains("figures off: pipeline-events failed"), "{}", opened.drawn());
}

/// A console on the screen of a pipeline.
struct Opened {
    console: Console,
    epoch: u64,
}

impl Opened {
    /// Opened from the fleet, before any answer.
    fn asking(columns: u16, rows: u16) -> Self {
        let mut console = Console::with_fleet(columns, rows);
        let effects = console.press("g j enter");
        let watched = effects.iter().find_map(|effect| match effect {
            Effect::Watch { feeds, epoch } => Some((feeds.clone(), *epoch)),
            _ => None,
        });
        let (feeds, epoch) = watched.expect("the screen asks for its feed");
        assert_eq!(feeds, [Feed::Pipeline("prod".into(), "p1".into())]);
        Self { console, epoch }
    }

    fn on(detail: PipelineDetail, columns: u16, rows: u16) -> Self {
        let mut opened = Self::asking(columns, rows);
        opened.answer(Ok(detail));
        opened
    }

    fn answer(&mut self, result: Result<PipelineDetail, FeedFailure>) {
        let result = result.map(|detail| Observed::Pipeline(Arc::new(detail)));
        let feed = Feed::Pipeline("prod".into(), "p1".into());
        self.console.happens(Fact::Observed { feed, epoch: self.epoch, result });
    }

    fn press(&mut self, keys: &str) {
        self.console.press(keys);
    }

    fn model(&self) -> &Model {
        &self.console.model
    }

    fn state(&self) -> &State {
        match self.model().screen() {
            Screen::Pipeline(state) => state,
            other => panic!("not the screen of a pipeline: {}", other.page().spec().title),
        }
    }

    fn event(&self) -> &str {
        &self.state().event().expect("an event under the cursor").id
    }

    fn drawn(&self) -> String {
        drawn::screen(&self.console)
    }
}

fn in_every_size(name: &str, opened: impl Fn(u16, u16) -> Opened) {
    drawn::in_every_size(name, |columns, rows| opened(columns, rows).console);
}

#[test]
fn pipeline_loading_shows_what_the_fleet_knows() {
    in_every_size("pipeline-loading", Opened::asking);
}

#[test]
fn pipeline_normal() {
    in_every_size("pipeline-normal", |columns, rows| Opened::on(lagging(), columns, rows));
}

#[test]
fn pipeline_event_with_the_whole_screen() {
    in_every_size("pipeline-event", |columns, rows| {
        let mut opened = Opened::on(lagging(), columns, rows);
        opened.press("v v tab tab enter");
        opened
    });
}

#[test]
fn pipeline_stale() {
    in_every_size("pipeline-stale", |columns, rows| {
        let mut opened = Opened::on(lagging(), columns, rows);
        opened.console.wait(240);
        opened
    });
}

#[test]
fn pipeline_whose_event_log_is_closed() {
    in_every_size("pipeline-closed", |columns, rows| {
        let mut detail = lagging();
        detail.events.clear();
        detail.watch.flows.clear();
        detail.watch.events = EventsReading { read_at: None, failure: Some(failure(6)), interval_s: 10 };
        Opened::on(detail, columns, rows)
    });
}

#[test]
fn pipeline_whose_feed_failed() {
    in_every_size("pipeline-failed", |columns, rows| {
        let mut opened = Opened::on(lagging(), columns, rows);
        opened.answer(Err(failure(6)));
        opened
    });
}

#[test]
fn pipeline_without_events() {
    in_every_size("pipeline-empty", |columns, rows| {
        let mut detail = lagging();
        detail.events.clear();
        detail.updates.clear();
        detail.watch.flows.clear();
        Opened::on(detail, columns, rows)
    });
}

#[test]
fn events_are_narrowed_to_the_grave_ones_and_metrics_are_none() {
    let mut opened = Opened::on(lagging(), 120, 40);
    let all = events().iter().filter(|event| event.level != Level::Metrics).count();
    assert_eq!(opened.state().events_len(), all);
    opened.press("v");
    assert_eq!((opened.state().level(), opened.state().events_len()), (Level::Warn, 2));
    opened.press("v");
    assert_eq!((opened.state().level(), opened.state().events_len()), (Level::Error, 1));
    opened.press("v");
    assert_eq!((opened.state().level(), opened.state().events_len()), (Level::Info, all));
}

#[test]
fn the_cursor_follows_the_newest_event_or_holds_on_to_one() {
    let mut opened = Opened::on(lagging(), 120, 40);
    opened.press("tab tab");
    assert_eq!(opened.state().pane(), Pane::Events);
    let newest = opened.event().to_owned();
    let mut detail = lagging();
    let mut newer = detail.events[0].clone();
    newer.id = "newer".to_owned();
    newer.level = Level::Info;
    detail.events.insert(0, newer);
    opened.answer(Ok(detail.clone()));
    assert_eq!(opened.event(), "newer", "it follows");

    opened.press("j");
    assert_eq!(opened.event(), newest);
    let mut newest_of_all = detail.events[0].clone();
    newest_of_all.id = "newest of all".to_owned();
    detail.events.insert(0, newest_of_all);
    opened.answer(Ok(detail));
    assert_eq!(opened.event(), newest, "it holds on");
    assert!(opened.drawn().contains("2 newer"), "{}", opened.drawn());
    opened.press("f");
    assert_eq!(opened.event(), "newest of all");
    assert!(opened.state().follows());
}

#[test]
fn a_flow_opens_its_own_events_and_esc_shows_all_again() {
    let mut opened = Opened::on(lagging(), 120, 40);
    let all = opened.state().events_len();
    opened.press("g j enter");
    assert_eq!((opened.state().only_flow(), opened.state().events_len()), (Some("orders_raw"), 1));
    assert_eq!(opened.state().pane(), Pane::Events);
    opened.press("esc");
    assert_eq!((opened.state().only_flow(), opened.state().events_len()), (None, all));
    opened.press("esc");
    assert!(matches!(opened.model().screen(), Screen::Fleet(_)));
}

#[test]
fn the_cursor_begins_on_the_flow_that_is_behind_and_stays_on_the_flow_that_was_chosen() {
    let mut opened = Opened::on(lagging(), 160, 45);
    let flow = |opened: &Opened| opened.state().flows()[opened.state().cursors().0].name.clone();
    assert_eq!(flow(&opened), "orders_enriched");
    assert!(opened.drawn().contains("orders_enriched") && opened.drawn().contains("lagging"), "{}", opened.drawn());
    opened.press("j");
    assert_eq!(flow(&opened), "orders_raw");
    let mut recovered = lagging();
    recovered.watch.flows[1].backlog.seconds = Some(3.0);
    recovered.watch.flows[1].history.clear();
    opened.answer(Ok(recovered));
    assert_eq!((flow(&opened).as_str(), opened.state().cursors().0), ("orders_raw", 0), "the order changed under it");
}

#[test]
fn a_message_is_read_whole_where_there_is_room() {
    let mut detail = lagging();
    let message = "Flow 'prod.orders_blue.orders_enriched' waits for its source: the end".to_owned();
    detail.events[0].message = message.clone();
    detail.events[0].level = Level::Info;
    let rows = Opened::on(detail, 160, 45).drawn();
    let shown = rows.lines().filter(|row| row.contains(&message)).count();
    assert_eq!(shown, 2, "in its row and below the table: {rows}");
}

#[test]
fn a_filter_finds_events_by_what_went_wrong() {
    let mut opened = Opened::on(lagging(), 120, 40);
    opened.press("/");
    opened.console.type_text("kafka timeout");
    opened.press("enter");
    assert_eq!(opened.state().events_len(), 1);
    opened.press("enter");
    assert!(opened.drawn().contains("at a.b.C.d(C.scala:12)"), "{}", opened.drawn());
    opened.press("esc");
    assert!(!opened.state().is_zoomed(), "the text goes first");
}

#[test]
fn panes_that_are_not_there_are_not_visited() {
    let mut opened = Opened::on(lagging(), 120, 40);
    opened.press("tab");
    assert_eq!(opened.state().pane(), Pane::Expectations);
    opened.press("tab tab");
    assert_eq!(opened.state().pane(), Pane::Flows);
    let mut detail = lagging();
    for flow in &mut detail.watch.flows {
        flow.expectations.clear();
    }
    opened.answer(Ok(detail));
    opened.press("tab");
    assert_eq!(opened.state().pane(), Pane::Events);
}

#[test]
fn expectations_are_listed_worst_first_with_their_trend() {
    let opened = Opened::on(lagging(), 120, 40);
    let worst = &opened.state().guards()[0];
    assert_eq!(worst.expectation.name, "valid_amount");
    assert_eq!(worst.failing.len(), 30);
    let first = worst.failing[0].expect("measured");
    let last = worst.failing[29].expect("measured");
    assert!(first < last, "the oldest stands first: {first} {last}");
    assert!(opened.drawn().contains("99.97 %"), "{}", opened.drawn());
}

#[test]
fn text_from_outside_steers_no_terminal() {
    let mut opened = Opened::on(lagging(), 120, 40);
    opened.press("v");
    let drawn = opened.drawn();
    assert!(drawn.contains("Cannot scale to 8 workers: quota"), "{drawn}");
    assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'));
}
