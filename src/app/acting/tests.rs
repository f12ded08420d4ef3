//! Acts from the key to the order, and everything that must not lead there.

use chrono::TimeDelta;
use proptest::prelude::*;

use crate::app::act::{Answer, Declined, Order, Rights, Wish};
use crate::app::fixture::{Console, plan, record};
use crate::app::interlock::{READING_MS, REPEAT_MS};
use crate::app::message::{Fact, Feed};
use crate::app::modal::Modal;
use crate::app::sheet::{Sheet, Stage};
use crate::app::{Effect, Model};
use crate::domain::authority::Verdict;
use crate::domain::danger::Danger;
use crate::domain::fixture::{FAILED, OK, fleet, job, run, snapshot_of, watch};
use crate::domain::ids::{JobId, RunId};
use crate::domain::workspace::Environment;
use crate::keymap::{Code, Key};
use crate::operations::journal::{Certainty, Direction, Event, Evidence, Thing};
use crate::operations::outlook::{Meets, Upcoming};
use crate::operations::refusal::Refusal;
use crate::screens::Screen;

/// A console whose development workspace has three jobs, the cursor on the one that failed.
fn in_dev() -> Console {
    let mut console = Console::of(&[Environment::Dev, Environment::Prod], 120, 40);
    let jobs = [("a", OK), ("b", FAILED), ("c", OK)];
    let watches =
        jobs.into_iter().zip(1..).map(|((name, state), id)| watch(job(id, name), vec![run(id * 10, state, 60, 5)]));
    console.observe(snapshot_of(Environment::Dev, watches.collect(), Vec::new()));
    console.observe(fleet().remove(2));
    console.press("/");
    console.type_text("dev");
    console.press("enter");
    console
}

fn sheet(model: &Model) -> &Sheet {
    match model.modal() {
        Some(Modal::Sheet(sheet)) => sheet,
        other => panic!("no dialog of an act: {other:?}"),
    }
}

/// What the dialog says, line by line.
fn said(console: &Console) -> Vec<String> {
    let said = crate::app::sheet_text::of(sheet(&console.model), &console.model.shared);
    said.into_iter().map(|prose| prose.text).collect()
}

fn begun(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Act(Order::Begin { .. })))
}

fn evidence(says: &str) -> Evidence {
    Evidence { thing: Thing::Run { run: RunId(7) }, certainty: Certainty::Answered, says: says.to_owned() }
}

#[test]
fn a_job_is_run_by_a_key_a_look_and_a_letter() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    assert_eq!(ask.wish, Wish::RunNow { job: JobId(2), parameters: std::collections::BTreeMap::new() });
    assert!(matches!(sheet(&console.model).stage, Stage::Asking));
    console.plans(&ask, Danger::Costly);
    console.read();
    let effects = console.press("y");
    let [Effect::Act(Order::Begin { plan, how })] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((plan.as_ref(), how.as_str()), (&super::super::fixture::plan(&ask), "confirmed with y in the console"));
    assert!(!begun(&console.press("y y y")), "once");
}

#[test]
fn what_was_begun_is_told_in_three_words_and_its_row_is_looked_at() {
    let mut console = in_dev();
    console.advance(Vec::new());
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Costly);
    console.read();
    console.press("y");
    let plan = plan(&ask);
    let mut events = vec![
        Event::Approved { how: "y".to_owned() },
        Event::Intended { step: 0, direction: Direction::Do, attempt: 1, world_at: console.now },
    ];
    console.advance(vec![record(&plan, &events)]);
    let progress = |console: &Console| console.model.shared.operations.get(plan.id).expect("known").progress();
    assert!(progress(&console).requested_at.is_some() && progress(&console).done_at.is_none());
    let (direction, evidence) = (Direction::Do, evidence("run 7"));
    events.push(Event::Confirmed { step: 0, direction, attempt: 1, evidence: evidence.clone() });
    let effects = console.advance(vec![record(&plan, &events)]);
    assert!(progress(&console).done_at.is_some() && !progress(&console).verified);
    assert!(effects.contains(&Effect::Refresh(Feed::Fleet("dev".into()))), "{effects:?}");
    events.extend([Event::Verified { step: 0, direction, evidence }, Event::Completed]);
    console.press("esc");
    console.advance(vec![record(&plan, &events)]);
    assert!(progress(&console).verified);
    assert_eq!(console.model.notice(), Some("run now orders_daily: verified"));
}

#[test]
fn nothing_counts_before_it_was_seen() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    assert!(!begun(&console.press("y")), "typed ahead");
    console.plans(&ask, Danger::Costly);
    assert!(console.model.awaits_drawing());
    console.now += TimeDelta::seconds(9);
    assert!(!begun(&console.press("y")), "not drawn yet");
    console.happens(Fact::Drawn);
    assert!(!console.model.awaits_drawing());
    console.now += TimeDelta::milliseconds(READING_MS - 1);
    assert_eq!(
        console.model.wakes_at(),
        Some(console.now + TimeDelta::milliseconds(1)),
        "the frame changes by itself then"
    );
    assert!(!begun(&console.press("y")), "nobody reads that fast");
    console.now += TimeDelta::milliseconds(REPEAT_MS);
    assert!(begun(&console.press("y")));
}

#[test]
fn a_held_key_never_confirms() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.press("y");
    console.plans(&ask, Danger::Costly);
    console.happens(Fact::Drawn);
    for _ in 0..100 {
        console.now += TimeDelta::milliseconds(33);
        assert!(!begun(&console.press("y")));
    }
    console.now += TimeDelta::milliseconds(REPEAT_MS);
    assert!(begun(&console.press("y")), "let go and pressed again");
}

#[test]
fn enter_space_and_pastes_never_confirm() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Costly);
    console.read();
    assert!(!begun(&console.press("space")));
    for pasted in ["y", "y\n", "yes"] {
        assert!(!begun(&console.happens(Fact::Pasted(pasted.to_owned()))));
    }
    assert!(console.model.notice().is_some_and(|notice| notice.contains("by hand")));
    assert!(!begun(&console.press("enter")));
    assert!(console.model.modal().is_none(), "the safe choice had the focus");
}

#[test]
fn the_dialog_is_about_what_was_under_the_cursor_wherever_the_row_goes() {
    let mut console = in_dev();
    let effects = console.press("r");
    let ask = Console::asked(&effects);
    assert_eq!(ask.wish, Wish::Repair { job: JobId(2), run: RunId(20), task: None });
    let jobs = [("a", FAILED), ("b", OK), ("c", FAILED)];
    let watches =
        jobs.into_iter().zip(1..).map(|((name, state), id)| watch(job(id, name), vec![run(id * 100, state, 1, 1)]));
    console.observe(snapshot_of(Environment::Dev, watches.collect(), Vec::new()));
    assert_eq!((sheet(&console.model).about.name.as_str(), &sheet(&console.model).about.object), ("b", &ask.object));
    console.plans(&ask, Danger::Costly);
    console.read();
    let effects = console.press("y");
    let Some(Effect::Act(Order::Begin { plan, .. })) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(plan.as_ref(), &super::super::fixture::plan(&ask));
}

#[test]
fn an_answer_to_an_older_question_is_thrown_away() {
    let mut console = in_dev();
    let first = Console::asked(&console.press("+"));
    console.press("esc");
    let second = Console::asked(&console.press("r"));
    console.plans(&first, Danger::Costly);
    assert!(matches!(sheet(&console.model).stage, Stage::Asking));
    console.plans(&second, Danger::Costly);
    assert!(matches!(&sheet(&console.model).stage, Stage::Ready(preview) if preview.plan == plan(&second)));
}

fn locked() -> Answer {
    let refusals = vec![Refusal::ReadOnly { workspace: "prod".into(), unlockable: true }];
    Answer::Refused(Declined { refusals, rights: None })
}

#[test]
fn production_is_unlocked_for_one_object_and_one_verb_for_five_minutes() {
    let mut console = Console::with_fleet(120, 40);
    let ask = Console::asked(&console.press("r"));
    assert!(!ask.unlocked && ask.object.workspace.as_str() == "prod");
    console.happens(Fact::Answered { number: ask.number, answer: locked() });
    console.press("u");
    assert!(matches!(sheet(&console.model).stage, Stage::Unlocking(_)));
    assert!(console.press("P").is_empty(), "not seen yet");
    console.read();
    assert!(console.press("y").is_empty(), "the environment's letter, not y");
    console.now += TimeDelta::milliseconds(REPEAT_MS);
    let again = Console::asked(&console.press("P"));
    assert!(again.unlocked && again.number > ask.number);
    console.plans(&again, Danger::Costly);
    console.read();
    let effects = console.press("y");
    let Some(Effect::Act(Order::Begin { how, .. })) = effects.first() else { panic!("{effects:?}") };
    assert!(how.contains("unlocked until 05:47"), "{how}");

    console.press("esc");
    assert!(Console::asked(&console.press("r")).unlocked, "the same object, the same verb");
    console.press("esc");
    assert!(!Console::asked(&console.press("+")).unlocked, "another verb");
    console.press("esc j");
    assert!(!Console::asked(&console.press("+")).unlocked, "another object");
    console.press("esc k");
    console.wait(300);
    assert!(!Console::asked(&console.press("r")).unlocked, "five minutes later");
}

#[test]
fn what_is_confirmed_too_late_is_read_again_and_shown_with_what_changed() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("r"));
    console.plans(&ask, Danger::Costly);
    console.read();
    console.wait(3_600);
    let effects = console.press("y");
    assert!(!begun(&effects), "what was seen an hour ago");
    let again = Console::asked(&effects);
    assert_eq!((again.number, &again.wish), (ask.number + 1, &ask.wish));
    let mut preview = crate::app::fixture::preview(&again, Danger::Costly);
    preview.plan.observed_at = console.now;
    preview.plan.observed.insert("state".to_owned(), "running".to_owned());
    let plan = preview.plan.clone();
    console.happens(Fact::Answered { number: again.number, answer: Answer::Ready(Box::new(preview)) });
    let lines = said(&console);
    assert_eq!(lines[1], "Read again, since what was shown was 1h old: this has changed:");
    assert_eq!(lines[2], "state: was failed, is running");
    assert!(!begun(&console.press("y")), "it says something else now");
    console.read();
    console.now += TimeDelta::milliseconds(REPEAT_MS);
    let effects = console.press("y");
    let [Effect::Act(Order::Begin { plan: begun, .. })] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(begun.as_ref(), &plan);

    let mut console = in_dev();
    let ask = Console::asked(&console.press("r"));
    console.plans(&ask, Danger::Costly);
    console.read();
    console.wait(3_600);
    let again = Console::asked(&console.press("y"));
    let mut preview = crate::app::fixture::preview(&again, Danger::Costly);
    preview.plan.observed_at = console.now;
    console.happens(Fact::Answered { number: again.number, answer: Answer::Ready(Box::new(preview)) });
    assert!(said(&console)[1].ends_with("nothing of it has changed. Confirm it again."));
    let other = Console::asked(&console.press("f5"));
    console.plans(&other, Danger::Costly);
    assert!(!said(&console)[1].contains("Read again"), "that was news once");
}

#[test]
fn a_missing_right_is_named_and_nothing_can_be_confirmed() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    let needed = "CAN_MANAGE_RUN on job 2".to_owned();
    let rights = Rights { who: "kiri@example.com".to_owned(), needed, verdict: Verdict::Refused };
    let refusals = rights.lacking().into_iter().collect();
    let answer = Answer::Refused(Declined { refusals, rights: Some(rights) });
    console.happens(Fact::Answered { number: ask.number, answer });
    let lines = said(&console);
    assert_eq!(lines[1], "Kiri@example.com lacks CAN_MANAGE_RUN on job 2");
    assert_eq!(lines[2], "Whoever manages the object can grant it.");
    console.read();
    for key in ["y", "D", "u"] {
        console.now += TimeDelta::seconds(1);
        assert!(console.press(key).is_empty(), "{key}");
    }
}

#[test]
fn the_promise_and_the_next_planned_run_are_told() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    let mut preview = crate::app::fixture::preview(&ask, Danger::Costly);
    preview.effects.push("Promised: it ends within 1h30 of its planned start.".to_owned());
    let at = console.now + TimeDelta::hours(1);
    preview.upcoming = Some(Upcoming { at, zone: "UTC".to_owned(), meets: Meets::Skipped, waits: true });
    console.happens(Fact::Answered { number: ask.number, answer: Answer::Ready(Box::new(preview)) });
    let lines = said(&console);
    assert!(lines.iter().any(|line| line.starts_with("Promised: it ends within 1h30")), "{lines:?}");
    let next =
        "The schedule starts the next run at 06:42 UTC (in 1h00): if this one still runs then, that one is skipped.";
    assert!(lines.iter().any(|line| line == next), "{lines:?}");
}

/// One table says how dangerous an act is: what a key asks for is no less dangerous than anything that it may lead to.
#[test]
fn every_command_has_the_tier_of_what_it_leads_to() {
    for (context, commands) in crate::app::command::contexts() {
        for command in commands {
            let crate::app::command::Action::Act(act) = command.action else { continue };
            let worst = act.kinds().iter().map(|kind| kind.danger()).max();
            assert_eq!(command.danger, worst.unwrap_or(Danger::Loss), "{context} {}", command.name);
        }
    }
}

#[test]
fn a_lock_is_not_the_only_thing_in_the_way() {
    let mut console = Console::with_fleet(120, 40);
    let ask = Console::asked(&console.press("r"));
    let refusals = vec![
        Refusal::ReadOnly { workspace: "prod".into(), unlockable: true },
        Refusal::NothingFailed { run: RunId(1) },
    ];
    let answer = Answer::Refused(Declined { refusals, rights: None });
    console.happens(Fact::Answered { number: ask.number, answer });
    console.press("u");
    assert!(matches!(sheet(&console.model).stage, Stage::Refused(_)), "to unlock it would lead nowhere");
}

#[test]
fn who_asked_for_read_only_has_no_acts_at_all() {
    let mut console = Console::with_fleet(120, 40);
    console.model.shared.unlockable = false;
    assert!(console.press("r + -").is_empty());
    assert!(console.model.modal().is_none());
}

#[test]
fn parameters_are_set_by_hand_and_planned_anew() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Costly);
    console.read();
    console.press("p");
    console.type_text("2026-11-21 y");
    console.happens(Fact::Pasted("!".to_owned()));
    console.press("tab");
    assert!(!begun(&console.press("y")), "a letter where letters are typed");
    let again = Console::asked(&console.press("enter"));
    let expected =
        [("day", "2026-11-21 y!"), ("region", "emeay")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(again.wish, Wish::RunNow { job: JobId(2), parameters: expected.into() });
    console.plans(&again, Danger::Costly);
    console.press("p");
    console.type_text("x");
    console.press("esc");
    console.read();
    console.now += TimeDelta::seconds(1);
    let effects = console.press("y");
    let Some(Effect::Act(Order::Begin { plan, .. })) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(plan.as_ref(), &super::super::fixture::plan(&again), "a field that was left changes nothing");
}

#[test]
fn a_reason_is_kept_with_the_ask() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Costly);
    console.press("m");
    console.type_text("late source");
    let again = Console::asked(&console.press("enter"));
    assert_eq!(again.reason.as_deref(), Some("late source"));
}

#[test]
fn an_order_that_fails_is_told_in_its_dialog() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Costly);
    console.read();
    console.press("y");
    let operation = plan(&ask).id;
    console.happens(Fact::OrderFailed { operation, why: "another operation excludes it\u{1b}[2J".to_owned() });
    assert!(matches!(&sheet(&console.model).stage, Stage::Failed(why) if why == "another operation excludes it"));
    assert!(!Console::asked(&console.press("f5")).unlocked, "it can be asked for again");
}

#[test]
fn what_cannot_be_done_to_a_row_is_told_without_a_dialog() {
    let mut console = in_dev();
    assert!(console.press("-").is_empty());
    assert_eq!(console.model.notice(), Some("no run of it is active"));
    assert!(console.model.modal().is_none());
}

#[test]
fn a_full_refresh_is_never_begun_and_says_why() {
    let mut console = Console::with_fleet(120, 40);
    console.press("n enter");
    assert!(matches!(console.model.screen(), Screen::Pipeline(_)));
    console.press("F");
    assert_eq!(sheet(&console.model).danger(), Danger::Loss);
    console.read();
    for keys in ["y", "P", "u", "f5", "m", "p", "t", "space"] {
        console.now += TimeDelta::seconds(1);
        assert!(console.press(keys).is_empty(), "{keys}");
    }
}

#[test]
fn production_wants_its_letter_and_an_approval() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Production);
    console.read();
    assert!(!begun(&console.press("y")));
    assert!(begun(&console.press("D")));
    console.press("esc");
    let ask = Console::asked(&console.press("+"));
    let mut preview = crate::app::fixture::preview(&ask, Danger::Production);
    preview.approved_by = None;
    console.happens(Fact::Answered { number: ask.number, answer: Answer::Ready(Box::new(preview)) });
    console.read();
    console.now += TimeDelta::seconds(1);
    assert!(!begun(&console.press("D")), "nobody has approved it");
}

#[test]
fn loss_wants_the_name_typed_and_then_the_letter() {
    let mut console = in_dev();
    let ask = Console::asked(&console.press("+"));
    console.plans(&ask, Danger::Loss);
    console.read();
    console.happens(Fact::Pasted("b".to_owned()));
    assert!(!begun(&console.press("D")), "a paste is not typed");
    console.press("backspace b");
    assert!(console.model.awaits_drawing(), "the last question is a new one");
    assert!(!begun(&console.press("D")));
    console.read();
    console.now += TimeDelta::milliseconds(REPEAT_MS);
    assert!(begun(&console.press("D")));
}

/// What chance does to a console.
#[derive(Clone, Debug)]
enum Chance {
    Press(Key),
    Repeat,
    Paste(String),
    Pass(i64),
    Draw,
    Answer(Danger),
    Observe,
}

fn chance() -> impl Strategy<Value = Chance> {
    let key = prop_oneof![
        // The keys that matter most, and all others.
        6 => proptest::sample::select("yrunP+-DSFuptmoA0128b ".chars().collect::<Vec<_>>()).prop_map(Key::char),
        2 => proptest::char::range(' ', '~').prop_map(Key::char),
        2 => proptest::sample::select(vec![
            Code::Enter, Code::Esc, Code::Tab, Code::Up, Code::Down, Code::Backspace, Code::F(5),
        ]).prop_map(Key::plain),
        1 => proptest::char::range('a', 'z').prop_map(Key::ctrl),
    ];
    let tier = proptest::sample::select(vec![Danger::Costly, Danger::Production, Danger::Loss]);
    prop_oneof![
        12 => key.prop_map(Chance::Press),
        3 => Just(Chance::Repeat),
        2 => "[a-zA-Zy\\n ]{0,6}".prop_map(Chance::Paste),
        6 => prop_oneof![Just(1), Just(33), Just(450), Just(900)].prop_map(Chance::Pass),
        6 => Just(Chance::Draw),
        6 => tier.prop_map(Chance::Answer),
        1 => Just(Chance::Observe),
    ]
}

/// What really happened since the dialog began to show what it shows: kept by the test, not by the program.
#[derive(Default)]
struct Witness {
    drawn_at: Option<crate::domain::Instant>,
    name: String,
    last: Option<(Key, crate::domain::Instant)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever is pressed, held or pasted on whatever screen: an act is begun only by its tier's own key, pressed anew, by
    /// somebody before whom the dialog stood long enough to be read.
    #[test]
    fn chance_reaches_no_tier_but_by_its_lane(happens in proptest::collection::vec(chance(), 1..160)) {
        let mut console = in_dev();
        let mut ask = None;
        let mut witness = Witness::default();
        for each in happens {
            let stage_before = console.model.modal().and_then(|modal| match modal {
                Modal::Sheet(sheet) => Some(std::mem::discriminant(&sheet.stage)),
                _ => None,
            });
            let sheet_before = console.model.modal().and_then(|modal| match modal {
                Modal::Sheet(sheet) => Some(sheet.about.name.clone()),
                _ => None,
            });
            let types_name = matches!(console.model.modal(), Some(Modal::Sheet(sheet))
                if sheet.types_name() && sheet.field.is_none() && sheet.is_armed(console.now));
            let mut pressed = None;
            let effects = match each {
                Chance::Press(key) => {
                    pressed = Some(key);
                    console.happens(Fact::KeyPressed(key))
                }
                Chance::Repeat => match witness.last {
                    Some((key, _)) => {
                        console.now += TimeDelta::milliseconds(33);
                        pressed = Some(key);
                        console.happens(Fact::KeyPressed(key))
                    }
                    None => Vec::new(),
                },
                Chance::Paste(text) => console.happens(Fact::Pasted(text)),
                Chance::Pass(ms) => {
                    console.now += TimeDelta::milliseconds(ms);
                    console.happens(Fact::Ticked)
                }
                Chance::Draw => {
                    if console.model.awaits_drawing() {
                        witness.drawn_at = Some(console.now);
                    }
                    console.happens(Fact::Drawn)
                }
                Chance::Answer(tier) => {
                    if let Some(ask) = ask.take() {
                        console.plans(&ask, tier);
                    }
                    Vec::new()
                }
                Chance::Observe => {
                    console.observe(fleet().remove(2));
                    Vec::new()
                }
            };
            for effect in effects {
                match effect {
                    Effect::Act(Order::Prepare(asked)) => ask = Some(asked),
                    Effect::Act(Order::Begin { plan, .. }) => {
                        let key = pressed.expect("only a key begins anything");
                        let seen = witness.drawn_at.expect("it was drawn");
                        prop_assert!(console.now - seen >= TimeDelta::milliseconds(READING_MS), "too soon");
                        let held = witness.last.is_some_and(|(last, at)| {
                            last == key && console.now - at < TimeDelta::milliseconds(REPEAT_MS)
                        });
                        prop_assert!(!held, "a held key");
                        let letter = Key::char(if plan.subject.environment == Environment::Dev { 'D' } else { 'P' });
                        match plan.tier {
                            Danger::Costly => prop_assert_eq!(key, Key::char('y')),
                            Danger::Production => prop_assert_eq!(key, letter),
                            Danger::Loss => {
                                prop_assert_eq!(key, letter);
                                prop_assert_eq!(&witness.name, sheet_before.as_ref().expect("a dialog"), "the name by hand");
                            }
                            other => prop_assert!(false, "{:?}", other),
                        }
                    }
                    Effect::Act(other) => prop_assert!(false, "{other:?}"),
                    _ => {}
                }
            }
            if let Some(key) = pressed {
                // What somebody typed by hand into the line of the name, kept apart from the program's own.
                if types_name {
                    match key.typed() {
                        Some(c) => witness.name.push(c),
                        None if key == Key::plain(Code::Backspace) => drop(witness.name.pop()),
                        None => {}
                    }
                }
                witness.last = Some((key, console.now));
            }
            let stage = console.model.modal().and_then(|modal| match modal {
                Modal::Sheet(sheet) => Some(std::mem::discriminant(&sheet.stage)),
                _ => None,
            });
            if stage != stage_before {
                witness.name.clear();
                witness.drawn_at = None;
            }
        }
    }
}
