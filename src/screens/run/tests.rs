//! The Run screen as it answers keys, and as it is drawn in every state and size.

use std::sync::Arc;

use super::fixture::{FAILED_TASK, failed, output, running};
use super::{Pane, State, Tab};
use crate::app::fixture::Console;
use crate::app::message::{Fact, Feed, Observed};
use crate::app::{Effect, Model};
use crate::domain::fixture::failure;
use crate::domain::ids::{JobId, RunId};
use crate::domain::snapshot::{FeedFailure, RunDetail};
use crate::screens::Screen;
use crate::ui::drawn;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

/// A console on the screen of a run, with the feeds that it asked for last.
struct Opened {
    console: Console,
    feeds: Vec<Feed>,
    epoch: u64,
}

impl Opened {
    /// Opened from the fleet, before any answer.
    fn asking(columns: u16, rows: u16) -> Self {
        let mut opened = Self { console: Console::with_fleet(columns, rows), feeds: Vec::new(), epoch: 0 };
        opened.press("g enter");
        assert_eq!(opened.feeds.len(), 1, "{:?}", opened.feeds);
        opened
    }

    fn on(detail: RunDetail, columns: u16, rows: u16) -> Self {
        let mut opened = Self::asking(columns, rows);
        opened.answer(0, Ok(Observed::Run(Arc::new(detail))));
        opened
    }

    fn press(&mut self, keys: &str) -> Vec<Effect> {
        let effects = self.console.press(keys);
        self.follow(&effects);
        effects
    }

    fn follow(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Watch { feeds, epoch } = effect {
                self.feeds.clone_from(feeds);
                self.epoch = *epoch;
            }
        }
    }

    /// One of the feeds answers.
    fn answer(&mut self, feed: usize, result: Result<Observed, FeedFailure>) {
        let fact = Fact::Observed { feed: self.feeds[feed].clone(), epoch: self.epoch, result };
        let effects = self.console.happens(fact);
        self.follow(&effects);
    }

    fn state(&self) -> &State {
        match self.model().screen() {
            Screen::Run(state) => state,
            other => panic!("not the screen of a run: {}", other.page().spec().title),
        }
    }

    fn model(&self) -> &Model {
        &self.console.model
    }

    fn key(&self) -> &str {
        &self.state().grid().rows[self.state().row()].key
    }

    fn text(&self) -> Vec<String> {
        self.state().prose(&self.model().shared).into_iter().map(|line| line.text).collect()
    }

    fn drawn(&self) -> String {
        drawn::screen(&self.console)
    }
}

fn in_every_size(name: &str, opened: impl Fn(u16, u16) -> Opened) {
    drawn::in_every_size(name, |columns, rows| opened(columns, rows).console);
}

#[test]
fn run_loading() {
    in_every_size("run-loading", Opened::asking);
}

#[test]
fn run_failed_opens_on_its_error() {
    in_every_size("run-normal", |columns, rows| Opened::on(failed(), columns, rows));
}

#[test]
fn run_details() {
    in_every_size("run-details", |columns, rows| {
        let mut opened = Opened::on(failed(), columns, rows);
        opened.press("i");
        opened
    });
}

#[test]
fn run_trace_with_the_whole_screen() {
    in_every_size("run-trace", |columns, rows| {
        let mut opened = Opened::on(failed(), columns, rows);
        opened.press("t z ctrl-d");
        opened
    });
}

#[test]
fn run_running() {
    in_every_size("run-running", |columns, rows| Opened::on(running(), columns, rows));
}

#[test]
fn run_stale() {
    in_every_size("run-stale", |columns, rows| {
        let mut opened = Opened::on(failed(), columns, rows);
        opened.console.wait(240);
        opened
    });
}

#[test]
fn run_whose_feed_failed() {
    in_every_size("run-failed", |columns, rows| {
        let mut opened = Opened::on(failed(), columns, rows);
        opened.answer(0, Err(failure(6)));
        opened
    });
}

#[test]
fn run_that_cannot_be_shown() {
    in_every_size("run-refused", |columns, rows| {
        let mut opened = Opened::asking(columns, rows);
        opened.answer(0, Err(failure(6)));
        opened
    });
}

#[test]
fn run_without_tasks() {
    in_every_size("run-empty", |columns, rows| {
        let mut detail = failed();
        detail.run.tasks.clear();
        detail.recent.clear();
        detail.failure = None;
        detail.run.message = "Skipped: the job may run once at a time.".to_owned();
        Opened::on(detail, columns, rows)
    });
}

#[test]
fn many_tasks_stand_beside_the_text() {
    let mut detail = failed();
    let like = detail.run.tasks[1].clone();
    detail
        .run
        .tasks
        .extend((0..60).map(|at| crate::domain::run::TaskRun { key: format!("load_{at:02}"), ..like.clone() }));
    let opened = Opened::on(detail, 160, 45);
    let drawn = opened.drawn();
    assert!(drawn.lines().any(|line| line.starts_with("▌reconcile_gl ")), "{drawn}");
    let tabs = drawn.lines().nth(2).expect("a third line");
    assert!(tabs.contains("TASK") && tabs.contains("[Error]"), "{drawn}");
}

#[test]
fn the_cursor_starts_on_the_task_that_failed_first() {
    let opened = Opened::on(failed(), 120, 40);
    assert_eq!(opened.key(), "reconcile_gl");
    assert_eq!(opened.state().tab(), Tab::Error);
    assert!(opened.text().iter().any(|line| line.contains("gl_period")), "{:?}", opened.text());
    // The output came with the run: nothing more is asked for.
    assert_eq!(opened.feeds, [Feed::LatestRun("prod".into(), JobId(11))]);
}

#[test]
fn tasks_are_listed_upstream_first() {
    let opened = Opened::on(failed(), 120, 40);
    let keys: Vec<_> = opened.state().grid().rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["extract_gl", "extract_ap", "reconcile_gl", "publish"]);
    assert_eq!(opened.state().grid().runs.len(), 12);
}

#[test]
fn a_trace_is_one_key_away_and_steers_no_terminal() {
    let mut opened = Opened::on(failed(), 80, 24);
    opened.press("t");
    let text = opened.text();
    assert!(text[1].starts_with("AnalysisException "), "{text:?}");
    assert_eq!(text.last().map(String::as_str), Some("AnalysisException: `gl_period`"));
    assert!(!opened.drawn().chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn moving_to_another_task_shows_its_own_text() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.press("j");
    assert_eq!(opened.key(), "publish");
    assert_eq!(opened.state().tab(), Tab::Details, "a task without an error of its own shows what is known of it");
    opened.press("e");
    assert!(opened.text().iter().any(|line| line.contains("its upstream: reconcile_gl")), "{:?}", opened.text());
    opened.press("k k");
    assert_eq!((opened.key(), opened.state().tab()), ("extract_ap", Tab::Error), "a chosen tab stays");
    opened.press("n");
    assert_eq!(opened.key(), "reconcile_gl");
}

#[test]
fn an_output_is_asked_for_when_it_is_looked_at_and_only_until_it_came() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.press("k u");
    assert_eq!(opened.feeds[1], Feed::Output("prod".into(), RunId(918_273_702)));
    let returned = crate::domain::run::Output { result: Some("42 rows".to_owned()), ..Default::default() };
    opened.answer(1, Ok(Observed::Output(Arc::new(returned))));
    assert_eq!(opened.text(), ["result", "42 rows"]);
    assert_eq!(opened.feeds.len(), 1);
}

#[test]
fn an_output_that_cannot_be_read_says_why() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.press("k u");
    opened.answer(1, Err(failure(0)));
    assert!(opened.text()[0].contains("cannot be read"), "{:?}", opened.text());
    assert_eq!(opened.feeds.len(), 2, "it is asked for again");
}

#[test]
fn an_earlier_attempt_has_its_own_output() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.press("[");
    assert_eq!(opened.state().task().map(|task| task.id), Some(RunId(918_273_699)));
    assert_eq!(opened.feeds[1], Feed::Output("prod".into(), RunId(918_273_699)));
    assert!(opened.text()[0].contains("attempt 1 of 2"), "{:?}", opened.text());
    opened.press("]");
    assert_eq!(opened.state().task().map(|task| task.id), Some(FAILED_TASK));
}

#[test]
fn moving_left_looks_at_an_older_run_and_asks_for_all_of_it() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.press("left");
    assert_eq!(opened.state().run().map(|run| run.id), Some(RunId(918_269_999)));
    assert_eq!(opened.feeds[1], Feed::Run("prod".into(), RunId(918_269_999)));
    assert_eq!(opened.key(), "reconcile_gl", "the cursor stays on its task");
    opened.press("right right");
    assert_eq!(opened.state().run().map(|run| run.id), Some(RunId(918_273_645)), "the newest is the last");
    for _ in 0..20 {
        opened.press("left");
    }
    assert_eq!(opened.state().run().map(|run| run.id), Some(RunId(918_269_989)), "the oldest is the first");
}

#[test]
fn a_newer_run_never_replaces_the_one_that_is_read() {
    let mut opened = Opened::on(failed(), 120, 40);
    opened.answer(0, Ok(Observed::Run(Arc::new(running()))));
    assert_eq!(opened.state().run().map(|run| run.id), Some(RunId(918_273_645)));
    assert!(opened.drawn().contains("newer run"));
    opened.press("right");
    assert_eq!(opened.state().run().map(|run| run.id), Some(RunId(918_273_646)));
    assert!(!opened.drawn().contains("newer run"));
}

#[test]
fn text_scrolls_to_its_end_and_no_further() {
    for (columns, rows) in SIZES {
        let mut opened = Opened::on(failed(), columns, rows);
        opened.press("t tab G");
        assert_eq!(opened.state().pane(), Pane::Text);
        let end = opened.state().scroll();
        assert!(opened.drawn().contains("AnalysisException: `gl_period`"), "{}", opened.drawn());
        opened.press("j");
        assert_eq!(opened.state().scroll(), end);
        opened.press("k");
        assert_eq!(opened.state().scroll(), end - 1);
    }
}

#[test]
fn esc_gives_the_screen_back_before_it_leaves() {
    let mut opened = Opened::on(failed(), 80, 24);
    opened.press("enter enter");
    assert!(opened.state().is_zoomed());
    opened.press("esc");
    assert!(!opened.state().is_zoomed());
    opened.press("esc");
    assert!(matches!(opened.model().screen(), Screen::Fleet(_)));
}

#[test]
fn a_pipeline_task_leads_to_its_pipeline() {
    let mut opened = Opened::on(failed(), 80, 24);
    opened.press("p");
    assert!(matches!(opened.model().screen(), Screen::Run(_)), "this task has no pipeline");
    opened.press("j p");
    assert!(matches!(opened.model().screen(), Screen::Pipeline(_)));
}

#[test]
fn only_pages_of_the_workspaces_own_host_are_opened() {
    let mut detail = failed();
    detail.run.page_url = Some("https://evil.example.net/steal".to_owned());
    let mut opened = Opened::on(detail, 80, 24);
    let own = "https://h.example.com/jobs/11/runs/918273645".to_owned();
    assert_eq!(opened.press("o"), [Effect::Open(own)]);
}

#[test]
fn the_error_can_be_copied_whole() {
    let opened = Opened::on(failed(), 80, 24);
    let copies = opened.model().screen().page().copies(&opened.model().shared);
    let error = copies.iter().find(|copy| copy.label == "error").expect("an error to copy");
    assert!(error.text.starts_with(output().error.expect("an error").as_str()));
}
