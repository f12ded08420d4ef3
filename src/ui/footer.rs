//! The last line: the keys that matter here, or what just happened, or the filter that is being typed.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

use crate::app::command;
use crate::app::modal::Modal;
use crate::app::model::Model;
use crate::app::text_input::TextInput;
use crate::keymap::{DIALOG, GLOBAL};
use crate::theme::Role;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::text::width;

/// Draws the footer.
pub(super) fn draw(model: &Model, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let left = match (model.modal(), model.notice()) {
        (Some(Modal::Filter { input, .. }), _) => return filter(model, input, look, frame, area),
        (Some(Modal::Sheet(_)), Some(notice)) => vec![Part::fixed([look.span(Role::Accent, notice.to_owned())])],
        // The dialog names its keys itself.
        (Some(Modal::Sheet(_)), None) => Vec::new(),
        (Some(_), _) => keys(model, DIALOG, &["accept", "cancel"], look),
        (None, Some(notice)) => vec![Part::fixed([look.span(Role::Accent, notice.to_owned())])],
        (None, None) => {
            let spec = model.screen().page().spec();
            keys(model, spec.context, spec.footer, look)
        }
    };
    let mut right = vec![Part::dropped(20, [look.span(Role::Muted, format!("api {}", rate(model)))])];
    if model.modal().is_none() {
        right.extend(keys(model, GLOBAL, &["help", "palette"], look).into_iter().map(Part::into_fixed));
    }
    Bar { left, right }.draw(look, frame, area);
}

/// The keys of commands that can be done now, the later ones giving way first.
fn keys(model: &Model, context: &'static str, names: &[&'static str], look: &Look<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, drop) in names.iter().zip(1_u8..) {
        let found = [context, GLOBAL].into_iter().find_map(|context| Some((context, command::find(context, name)?)));
        let Some((context, command)) = found else { continue };
        let Some(key) = model.shared.keymap.keys(context, name).next() else { continue };
        if model.can(command) {
            let key = look.span(Role::Key, key.sign());
            parts.push(Part::dropped(drop, [key, Span::raw(" "), look.span(Role::Muted, command.label)]));
        }
    }
    parts
}

/// Requests a second over all workspaces, as of their last minute.
fn rate(model: &Model) -> String {
    let minute: u32 = model.shared.fleet.workspaces().iter().map(|watched| watched.snapshot.requests_last_minute).sum();
    format!("{:.1}/s", f64::from(minute) / 60.0)
}

/// The filter while it is typed.
fn filter(model: &Model, input: &TextInput, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let left = vec![Part::fixed([look.span(Role::Key, "/"), Span::raw(input.text().to_owned())])];
    let right = keys(model, DIALOG, &["accept", "cancel"], look);
    Bar { left, right }.draw(look, frame, area);
    let before: String = input.text().chars().take(input.cursor()).collect();
    let x = u16::try_from(width(&before)).unwrap_or(u16::MAX).saturating_add(2).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position { x: area.x + x, y: area.y });
}
