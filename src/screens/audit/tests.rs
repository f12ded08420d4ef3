//! What the Audit screen shows and answers.

use crate::app::Effect;
use crate::app::fixture::Console;
use crate::screens::Screen;
use crate::screens::operations::tests::{journals, opened};
use crate::ui::drawn::in_every_size;

fn audit(columns: u16, rows: u16) -> Console {
    let mut console = opened(columns, rows);
    console.press("8");
    console
}

#[test]
fn audit_normal() {
    in_every_size("audit-normal", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(journals());
        console
    });
}

#[test]
fn audit_of_one_entry() {
    in_every_size("audit-entry", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(journals());
        console.press("j j enter");
        console
    });
}

#[test]
fn audit_loading_and_empty() {
    in_every_size("audit-loading", audit);
    in_every_size("audit-empty", |columns, rows| {
        let mut console = audit(columns, rows);
        console.advance(Vec::new());
        console
    });
}

#[test]
fn audit_of_a_record_that_was_altered() {
    in_every_size("audit-altered", |columns, rows| {
        let mut console = audit(columns, rows);
        let mut journals = journals();
        journals[0].journal.remove(1);
        console.advance(journals);
        console
    });
}

#[test]
fn a_filter_and_only_deeds_narrow_it_and_the_export_holds_what_is_shown() {
    let mut console = audit(120, 40);
    console.advance(journals());
    let rows = |console: &Console| match console.model.screen() {
        Screen::Audit(state) => state.rows().len(),
        other => panic!("{other:?}"),
    };
    let all = rows(&console);
    console.press("f");
    let deeds = rows(&console);
    assert!(deeds < all);
    console.press("f /");
    console.type_text("abort asked");
    console.press("enter");
    assert_eq!(rows(&console), 1);
    let effects = console.press("x");
    let Some(Effect::Export { name, text }) = effects.first() else { panic!("{effects:?}") };
    assert!(name.starts_with("audit-20261122T") && name.ends_with(".csv"), "{name}");
    assert_eq!(text.lines().count(), 2, "{text}");
    console.press("p");
    assert!(matches!(console.model.screen(), Screen::Operations(state) if state.is_zoomed()));
}
