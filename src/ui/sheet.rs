//! The dialog of an act: what it is about, what it says, and the choice, of which the safe one has the focus.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};

use crate::app::model::Model;
use crate::app::sheet::{Field, Matter, Sheet, Stage};
use crate::app::sheet_text;
use crate::domain::danger::Interlock as Lane;
use crate::domain::text;
use crate::keymap::{DIALOG, SHEET};
use crate::theme::Role;
use crate::ui::look::{Look, role_of};
use crate::ui::text::{pad_end, width};
use crate::ui::widgets::table::{Cut, fit};
use crate::ui::widgets::{modal, prose};

/// Draws the dialog.
pub(super) fn draw(model: &Model, sheet: &Sheet, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let shared = &model.shared;
    let room = sheet_text::room(shared.columns, shared.rows);
    let said = sheet_text::of(sheet, shared);
    let text_width = usize::from(crate::app::place::text_width(room));
    let rows = crate::app::prose::wrapped(&said, text_width).len();
    let field_rows = field_rows(sheet);
    let text_rows = u16::try_from(rows).unwrap_or(u16::MAX).min(room.height.saturating_sub(field_rows)).max(1);
    let inside = modal::frame(frame, area, &title(sheet), room.width + 4, text_rows + field_rows + 7, look);
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    let [about, place, _, body, field, _, choice] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(text_rows),
        Constraint::Length(field_rows),
        Constraint::Length(if inside.height > text_rows + field_rows + 4 { 1 } else { 0 }),
        Constraint::Length(1),
    ])
    .areas(inside);
    let ellipsis = look.glyphs().ellipsis;
    let columns = usize::from(inside.width);
    frame.render_widget(Line::from(fit(what(sheet, look), columns, Cut::End, ellipsis)), about);
    frame.render_widget(Line::from(fit(whereabouts(sheet, look), columns, Cut::End, ellipsis)), place);
    prose::draw(frame, body, &said, sheet.scroll, look);
    draw_field(sheet, look, frame, field);
    frame.render_widget(Line::from(fit(choices(model, sheet, look), columns, Cut::End, ellipsis)), choice);
}

fn title(sheet: &Sheet) -> String {
    sheet.verb()
}

/// The environment's word, the object's name, the run.
fn what(sheet: &Sheet, look: &Look<'_>) -> Vec<Span<'static>> {
    let about = &sheet.about;
    let mut spans =
        vec![look.environment(about.environment), Span::raw("  "), look.span(Role::Heading, about.name.clone())];
    if let Matter::Act(wish) = &sheet.matter
        && let Some(run) = wish.run()
    {
        spans.push(Span::raw(format!("  run {run}")));
    }
    spans
}

/// Ids and the host: a name alone is not enough to know what is meant.
fn whereabouts(sheet: &Sheet, look: &Look<'_>) -> Vec<Span<'static>> {
    let about = &sheet.about;
    let kind = match about.object.object {
        crate::domain::fleet::Object::Job(_) => "job",
        crate::domain::fleet::Object::Pipeline(_) => "pipeline",
    };
    let words = format!(
        "{kind} {}  in {}  at {}",
        about.object.object,
        text::line(about.object.workspace.as_str()),
        text::line(&about.host)
    );
    vec![look.span(Role::Muted, words)]
}

fn field_rows(sheet: &Sheet) -> u16 {
    match &sheet.field {
        None if sheet.types_name() => 1,
        None => 0,
        Some(Field::Reason(_)) => 1,
        Some(Field::Parameters { values, .. }) => u16::try_from(values.len()).unwrap_or(u16::MAX).min(6),
    }
}

fn draw_field(sheet: &Sheet, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let cursor = |frame: &mut Frame<'_>, row: u16, label: usize, typed: &str| {
        let x = u16::try_from(label + width(typed)).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position { x: area.x + x.min(area.width.saturating_sub(1)), y: area.y + row });
    };
    match &sheet.field {
        None if sheet.types_name() => {
            let label = "type the name: ";
            let typed = sheet.lock().typed().to_owned();
            cursor(frame, 0, width(label), &typed);
            frame.render_widget(Line::from(vec![look.span(Role::Key, label), Span::raw(typed)]), area);
        }
        None => {}
        Some(Field::Reason(input)) => {
            let label = "because: ";
            let before: String = input.text().chars().take(input.cursor()).collect();
            cursor(frame, 0, width(label), &before);
            frame
                .render_widget(Line::from(vec![look.span(Role::Key, label), Span::raw(input.text().to_owned())]), area);
        }
        Some(Field::Parameters { values, at }) => {
            let label = values.iter().map(|(name, ..)| width(&text::line(name))).max().unwrap_or(0);
            let shown = crate::ui::widgets::scroll::window(values.len(), *at, usize::from(area.height));
            for (row, (index, (name, default, input))) in
                (0..).zip(values.iter().enumerate().skip(shown.start).take(shown.len()))
            {
                let focused = index == *at;
                let name = pad_end(&text::line(name), label);
                let changed = if input.text() == default { Role::Muted } else { Role::Text };
                let line = Line::from(vec![
                    look.span(if focused { Role::Key } else { Role::Muted }, format!("{name} = ")),
                    look.span(changed, input.text().to_owned()),
                ]);
                frame.render_widget(line, Rect { y: area.y + row, height: 1, ..area });
                if focused {
                    let before: String = input.text().chars().take(input.cursor()).collect();
                    cursor(frame, row, label + 3, &before);
                }
            }
        }
    }
}

/// The choice. A key is shown only once it counts; the safe choice has the focus from the first frame.
fn choices(model: &Model, sheet: &Sheet, look: &Look<'_>) -> Vec<Span<'static>> {
    let shared = &model.shared;
    let key = |name: &str| shared.key(SHEET, name);
    let mut spans: Vec<Span<'static>> = Vec::new();
    let option = |spans: &mut Vec<Span<'static>>, key: String, words: &str, role: Role| {
        spans.extend([look.span(Role::Key, key), Span::raw(" "), look.span(role, words.to_owned()), Span::raw("    ")]);
    };
    if sheet.field.is_some() {
        option(&mut spans, shared.key(DIALOG, "accept"), "take it", Role::Text);
        option(&mut spans, shared.key(DIALOG, "cancel"), "leave it as it was", Role::Text);
        return spans;
    }
    let leave = if matches!(sheet.stage, Stage::Begun { .. }) { "close" } else { "leave it" };
    spans.push(Span::styled(format!("[ {} {leave} ]", key("leave")), look.style(Role::Focus)));
    spans.push(Span::raw("    "));
    if sheet.can_confirm() && !sheet.types_name() {
        let role = role_of(sheet.danger().row().tone);
        let verb = if matches!(sheet.stage, Stage::Unlocking(_)) { "unlock".to_owned() } else { sheet.verb() };
        let sign = match (sheet.lock().lane(), sheet.lock().letter()) {
            (Lane::Letter | Lane::Name | Lane::Rollback, Some(letter)) => letter.to_string(),
            _ => key("confirm"),
        };
        if sheet.is_armed(shared.now) {
            option(&mut spans, sign, &verb, role);
        } else {
            // Not yet: nobody can have read it.
            let wait = " ".repeat(width(&sign));
            option(&mut spans, wait, &verb, Role::Muted);
        }
    }
    if sheet.is_unlockable() {
        option(&mut spans, key("unlock"), "unlock", Role::Text);
    }
    if sheet.has_parameters() {
        option(&mut spans, key("parameters"), "parameters", Role::Text);
    }
    match (&sheet.stage, &sheet.matter) {
        (Stage::Begun { .. }, _) => option(&mut spans, key("follow"), "follow it", Role::Text),
        (Stage::Steering | Stage::Ready(_), _) => option(&mut spans, key("reason"), "say why", Role::Text),
        (Stage::Failed(_) | Stage::Refused(_), Matter::Act(_)) => {
            option(&mut spans, key("again"), "look again", Role::Text);
        }
        _ => {}
    }
    spans
}

#[cfg(test)]
mod tests;
