//! What keys and facts do to the model.

use std::sync::Arc;

use chrono::TimeDelta;

use super::fixture::Console;
use crate::app::command::{Danger, vocabulary};
use crate::app::effect::Effect;
use crate::app::message::{Fact, Feed, Observed};
use crate::app::modal::Modal;
use crate::app::model::LOG_LENGTH;
use crate::domain::fixture::{FAILED, OK, failure, fleet, job, now, request, run, snapshot, watch};
use crate::domain::fleet::{Object, SortKey};
use crate::domain::ids::JobId;
use crate::domain::snapshot::PipelineDetail;
use crate::keymap::{Key, Keymap, Table};
use crate::screens::{Screen, Target, fleet, log};

fn on_fleet(console: &Console) -> &fleet::State {
    match &console.model.screens()[0] {
        Screen::Fleet(state) => state,
        other => panic!("{other:?}"),
    }
}

fn on_log(console: &Console) -> &log::State {
    match console.model.screen() {
        Screen::Log(state) => state,
        other => panic!("{other:?}"),
    }
}

fn names(console: &Console) -> Vec<&str> {
    on_fleet(console).rows().iter().map(|row| row.name.as_str()).collect()
}

fn selected(console: &Console) -> &str {
    on_fleet(console).row().map_or("", |row| row.name.as_str())
}

/// Production with three jobs, of which these failed.
fn three(failed: [bool; 3]) -> crate::domain::snapshot::WorkspaceSnapshot {
    let watch = |index: usize| {
        let id = u64::try_from(index).expect("small") + 1;
        watch(job(id, ["a", "b", "c"][index]), vec![run(id, if failed[index] { FAILED } else { OK }, 60, 5)])
    };
    snapshot((0..3).map(watch).collect(), Vec::new())
}

#[test]
fn the_cursor_follows_the_object_not_the_row() {
    let mut console = Console::new(120, 40);
    console.observe(three([false, false, false]));
    console.press("j");
    assert_eq!((names(&console), selected(&console)), (vec!["a", "b", "c"], "b"));
    console.observe(three([false, false, true]));
    assert_eq!((names(&console), selected(&console)), (vec!["c", "a", "b"], "b"));
}

#[test]
fn until_a_person_moves_the_cursor_stays_on_the_most_urgent() {
    let mut console = Console::new(120, 40);
    console.observe(three([false, false, false]));
    console.observe(three([false, true, false]));
    assert_eq!(selected(&console), "b");
}

#[test]
fn the_way_back_leads_to_what_was_opened() {
    let mut console = Console::new(120, 40);
    console.observe(three([false, false, false]));
    console.press("enter");
    console.observe(three([false, true, false]));
    console.press("esc");
    assert_eq!((names(&console), selected(&console)), (vec!["b", "a", "c"], "a"));
}

#[test]
fn a_filter_that_hides_the_cursor_puts_it_on_the_first_match() {
    let mut console = Console::with_fleet(120, 40);
    console.press("G /");
    console.type_text("orders PROD");
    assert_eq!((names(&console), selected(&console)), (vec!["orders_blue", "orders_green"], "orders_blue"));
}

#[test]
fn the_order_freezes_under_a_dialog_and_thaws_behind_it() {
    let mut console = Console::new(120, 40);
    console.observe(three([false, false, false]));
    console.press("j y");
    console.observe(three([false, false, true]));
    assert_eq!((names(&console), selected(&console)), (vec!["a", "b", "c"], "b"));
    assert!(on_fleet(&console).rows()[2].status.is_failure(), "the rows themselves are new");
    console.press("esc");
    assert_eq!((names(&console), selected(&console)), (vec!["c", "a", "b"], "b"));
}

#[test]
fn a_filter_works_while_it_is_typed_and_esc_brings_back_the_one_before() {
    let mut console = Console::with_fleet(120, 40);
    let all = names(&console).len();
    console.press("/");
    console.type_text("orders PROD");
    assert_eq!(names(&console), ["orders_blue", "orders_green"]);
    let hidden = on_fleet(&console).hidden(&console.model.shared);
    assert_eq!((hidden.total, hidden.failing), (all - 2, 1), "failures outside the filter still count");
    console.press("enter / x esc");
    assert_eq!(names(&console).len(), 2, "leaving the field brings back the filter before");
    console.press("esc");
    assert_eq!(names(&console).len(), all, "one step back clears the filter");
}

#[test]
fn a_cursor_that_the_filter_hides_is_found_again() {
    let mut console = Console::with_fleet(120, 40);
    console.press("G");
    let before = selected(&console).to_owned();
    console.press("/");
    console.type_text("finance");
    assert_eq!(selected(&console), "finance_close_daily");
    console.press("esc");
    assert_eq!(selected(&console), before);
}

#[test]
fn sorting_walks_through_the_columns_and_turns_round() {
    let mut console = Console::with_fleet(120, 40);
    console.press("s");
    assert_eq!(on_fleet(&console).order(), (SortKey::Name, false));
    assert_eq!(names(&console)[0], "customer_360");
    console.press("S");
    assert_eq!(names(&console)[0], "scratch");
}

#[test]
fn problems_are_one_key_apart() {
    let mut console = Console::with_fleet(120, 40);
    console.press("n");
    assert_eq!(selected(&console), "orders_blue");
    console.press("n n");
    assert_eq!(selected(&console), "finance_close_daily", "round and round");
    console.press("N N");
    assert_eq!(selected(&console), "orders_blue");
}

#[test]
fn the_log_is_one_key_away_and_esc_leads_back() {
    let mut console = Console::with_fleet(120, 40);
    console.press("9");
    assert!(matches!(console.model.screen(), Screen::Log(_)));
    console.press("9 esc");
    assert!(matches!(console.model.screen(), Screen::Fleet(_)), "the log is never stacked on itself");
    console.press("esc");
    assert!(console.model.notice().is_some_and(|notice| notice.contains("q leaves")));
}

#[test]
fn the_log_keeps_the_newest_thousand_and_its_cursor_holds_on() {
    let mut console = Console::with_fleet(120, 40);
    console.press("9");
    for _ in 0..3 {
        console.happens(Fact::RequestEnded(request(1, "/api/2.2/jobs/list", Some(200))));
    }
    console.press("j");
    assert_eq!(on_log(&console).row().map(|logged| logged.number), Some(2));
    console.happens(Fact::RequestEnded(request(0, "/api/2.2/jobs/runs/list", Some(429))));
    assert_eq!((on_log(&console).index(), on_log(&console).row().map(|logged| logged.number)), (2, Some(2)));
    console.press("f");
    assert_eq!(on_log(&console).rows().len(), 1);
    for _ in 0..LOG_LENGTH {
        console.happens(Fact::RequestEnded(request(0, "/api/2.2/jobs/list", Some(200))));
    }
    assert_eq!(console.model.shared.log.len(), LOG_LENGTH);
    assert!(on_log(&console).rows().is_empty(), "the failure fell out");
}

#[test]
fn the_copy_menu_gives_every_text_and_no_secret() {
    let mut console = Console::with_fleet(120, 40);
    let copied = |console: &mut Console, keys: &str| match console.press(keys).as_slice() {
        [Effect::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(copied(&mut console, "y i"), "11");
    assert_eq!(copied(&mut console, "y n"), "finance_close_daily");
    assert_eq!(copied(&mut console, "y u"), "https://h.example.com/jobs/11");
    assert!(copied(&mut console, "y j").contains("\"finance_close_daily\""));
    assert!(copied(&mut console, "y c").contains("$DATABRICKS_TOKEN"));
    assert_eq!(copied(&mut console, "y down enter"), "finance_close_daily");
    assert!(console.model.modal().is_none());
    assert_eq!(console.press("o"), [Effect::Open("https://h.example.com/jobs/11".to_owned())]);
}

#[test]
fn the_palette_finds_objects_and_acts() {
    let mut console = Console::with_fleet(120, 40);
    console.press(":");
    console.type_text("leave the console");
    assert_eq!(console.press("enter"), [Effect::Quit]);
    console.press("ctrl-p");
    console.type_text("go log");
    console.press("enter");
    assert!(matches!(console.model.screen(), Screen::Log(_)));
    // Of two that fit, what is called so comes before what only speaks of it.
    console.press(":");
    console.type_text("orders");
    console.press("enter");
    assert!(matches!(console.model.screen(), Screen::Pipeline(_)), "a pipeline is called so");
}

#[test]
fn the_palette_finds_a_pipeline_that_is_part_of_a_jobs_row() {
    use crate::domain::fixture::{job, pipeline, snapshot, stream, watch};
    use crate::domain::job::TaskSpec;
    use crate::domain::pipeline::PipelineState;
    use crate::domain::snapshot::PipelineWatch;

    let mut refresh = job(77, "refresh_hourly");
    refresh.tasks = vec![TaskSpec {
        key: "update".to_owned(),
        depends_on: Vec::new(),
        kind: "pipeline".to_owned(),
        pipeline: Some("p77".into()),
    }];
    let features = crate::domain::pipeline::Pipeline {
        name: "fraud_features".to_owned(),
        ..pipeline("p77", PipelineState::Idle, false)
    };
    let features = PipelineWatch { pipeline: std::sync::Arc::new(features), ..stream(&[]) };
    let mut console = Console::new(120, 40);
    console.observe(snapshot(vec![watch(refresh, Vec::new())], vec![features]));
    assert_eq!(console.model.shared.fleet.rows().count(), 1);
    console.press(":");
    console.type_text("fraud_f");
    console.press("enter");
    assert!(matches!(console.model.screen(), Screen::Pipeline(_)));
}

#[test]
fn help_is_searched_by_typing() {
    let mut console = Console::with_fleet(120, 40);
    console.press("?");
    console.type_text("sort by");
    let Some(Modal::Help(finder)) = console.model.modal() else { panic!("help") };
    let found: Vec<_> = finder.matches().map(|line| (line.keys.as_str(), line.available)).collect();
    assert_eq!(found, [("s", true)]);
    console.press("esc");
    assert!(console.model.modal().is_none());
}

#[test]
fn pasted_text_is_ignored_with_a_notice_unless_a_field_asks_for_it() {
    let mut console = Console::with_fleet(120, 40);
    let effects = console.happens(Fact::Pasted("q\nq".to_owned()));
    assert!(effects.is_empty());
    assert!(console.model.notice().is_some_and(|notice| notice.contains("ignored")));
    console.press("/");
    console.happens(Fact::Pasted("fin\nance".to_owned()));
    assert_eq!(console.model.screen().page().filter(), Some("fin ance"));
}

#[test]
fn a_notice_leaves_by_itself() {
    let mut console = Console::with_fleet(120, 40);
    console.happens(Fact::Pasted("x".to_owned()));
    console.wait(5);
    assert!(console.model.notice().is_some());
    console.wait(2);
    assert!(console.model.notice().is_none());
}

#[test]
fn the_mouse_is_off_until_asked_for() {
    let mut console = Console::with_fleet(120, 40);
    assert_eq!(console.press("M"), [Effect::CaptureMouse(true)]);
    console.happens(Fact::Scrolled { rows: 2 });
    assert_eq!(on_fleet(&console).index(), 2);
    assert_eq!(console.press("M"), [Effect::CaptureMouse(false)]);
}

#[test]
fn refresh_asks_every_workspace_now() {
    let mut console = Console::with_fleet(120, 40);
    let asked = console.press("f5");
    let fleet = ["dev", "staging", "prod"].map(|name| Effect::Refresh(Feed::Fleet(name.into())));
    assert_eq!(asked, fleet);
}

#[test]
fn nothing_is_drawn_for_what_nobody_sees() {
    let mut console = Console::with_fleet(120, 40);
    let before = console.model.revision();
    console.happens(Fact::RequestEnded(request(0, "/api/2.2/jobs/list", Some(200))));
    console.happens(Fact::Observed {
        feed: Feed::Pipeline("prod".into(), "p1".into()),
        epoch: 7,
        result: Err(failure(1)),
    });
    assert_eq!(console.model.revision(), before);
    console.press("j");
    assert!(console.model.revision() > before);
}

#[test]
fn an_answer_to_a_question_that_is_no_longer_asked_is_thrown_away() {
    let mut console = Console::with_fleet(120, 40);
    let watch = fleet().remove(2).pipelines.value.expect("pipelines")[0].clone();
    let detail = PipelineDetail { watch, updates: Vec::new(), events: Vec::new(), interval_s: 10 };
    let before = console.model.revision();
    let effects = console.happens(Fact::Observed {
        feed: Feed::Pipeline("prod".into(), "p1".into()),
        epoch: 0,
        result: Ok(Observed::Pipeline(Arc::new(detail))),
    });
    assert!(effects.is_empty());
    assert_eq!(console.model.revision(), before);
}

#[test]
fn what_the_visible_screen_needs_is_watched_and_nothing_else() {
    let mut console = Console::with_fleet(120, 40);
    let latest = Feed::LatestRun("prod".into(), JobId(11));
    assert_eq!(console.press("enter"), [Effect::Watch { feeds: vec![latest.clone()], epoch: 1 }]);
    assert!(matches!(console.model.screen(), Screen::Run(_)));
    assert_eq!(console.press("esc"), [Effect::Watch { feeds: Vec::new(), epoch: 2 }]);
    let before = console.model.revision();
    console.happens(Fact::Observed { feed: latest, epoch: 1, result: Err(failure(1)) });
    assert_eq!(console.model.revision(), before, "nobody asks any more");
}

#[test]
fn the_palette_opens_an_object_by_a_few_letters() {
    let mut console = Console::with_fleet(120, 40);
    console.press(":");
    console.type_text("ordgreen");
    console.press("enter");
    assert!(matches!(console.model.screen(), Screen::Pipeline(_)));
}

#[test]
fn read_only_takes_away_what_changes_the_world_but_never_the_way_back() {
    for danger in [Danger::Undoable, Danger::Costly, Danger::Production, Danger::Loss] {
        assert!(!danger.is_permitted(true) && danger.is_permitted(false), "{danger:?}");
    }
    for danger in [Danger::Read, Danger::Rollback] {
        assert!(danger.is_permitted(true), "{danger:?}");
    }
}

#[test]
fn the_configurations_keys_are_checked_and_used() {
    let keys = |toml: &str| Keymap::load(&vocabulary(), &toml::from_str::<Table>(toml).expect("a table of keys"));
    let keymap = keys("fleet.next-problem = ['x']").expect("a free key");
    assert_eq!(keymap.command("fleet", Key::char('x')), Some(("fleet", "next-problem")));
    let errors = keys("fleet.next-problem = ['q']").expect_err("a key with two meanings");
    assert!(errors[0].to_string().contains("q already calls"), "{errors:?}");
}

#[test]
fn the_present_never_goes_back() {
    let mut console = Console::new(120, 40);
    console.now = now() - TimeDelta::seconds(30);
    console.happens(Fact::Ticked);
    assert_eq!(console.model.shared.now, now());
}

#[test]
fn a_row_opens_its_own_object() {
    let console = Console::with_fleet(120, 40);
    let row = on_fleet(&console).row().expect("a row");
    assert_eq!(row.id.object, Object::Job(JobId(11)));
    assert_eq!(Target::of(&row.id), Target::Job("prod".into(), JobId(11)));
}
