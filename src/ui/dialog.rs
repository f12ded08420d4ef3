//! Dialogs over the screen: help, palette, copy menu.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};

use crate::app::command::Command;
use crate::app::copy::Copyable;
use crate::app::list::Finder;
use crate::app::modal::Modal;
use crate::app::model::Model;
use crate::app::palette::{Choice, HelpLine};
use crate::domain::text;
use crate::theme::Role;
use crate::ui::look::Look;
use crate::ui::text::{cut_end, cut_middle, pad_end, width};
use crate::ui::widgets::table::{Cut, fit};
use crate::ui::widgets::{modal, scroll};

/// The widest that a dialog grows, in cells.
const WIDEST: u16 = 100;

/// Draws the dialog on top, if it is one that has a box.
pub(super) fn draw(model: &Model, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    match model.modal() {
        Some(Modal::Help(finder)) => help(model, finder, look, frame, area),
        Some(Modal::Palette(finder)) => palette(model, finder, look, frame, area),
        Some(Modal::Copy { copies, selected }) => copy(copies, *selected, look, frame, area),
        Some(Modal::Sheet(sheet)) => super::sheet::draw(model, sheet, look, frame, area),
        Some(Modal::Filter { .. }) | None => {}
    }
}

fn help(model: &Model, finder: &Finder<HelpLine>, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("keys on {}", model.screen().page().spec().title);
    let body = find_box(&title, finder, look, frame, area);
    let keys = finder.matches().map(|line| width(&line.keys)).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut selected = 0;
    let mut group = None;
    for (index, help) in finder.matches().enumerate() {
        if group.replace(help.group) != Some(help.group) {
            lines.push(Entry::heading(look.span(Role::Heading, help.group.heading())));
        }
        if index == finder.selected {
            selected = lines.len();
        }
        let role = if help.available { Role::Text } else { Role::Muted };
        lines.push(Entry::line(vec![
            look.span(if help.available { Role::Key } else { Role::Muted }, pad_end(&help.keys, keys)),
            Span::raw("  "),
            look.span(role, help.sentence),
        ]));
    }
    entries(lines, selected, "no key does that", look, frame, body);
}

fn palette(model: &Model, finder: &Finder<Choice>, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let body = find_box("go to or do", finder, look, frame, area);
    let room = usize::from(body.width.saturating_sub(2));
    let shown = scroll::window(finder.matches().len(), finder.selected, usize::from(body.height));
    let lines = finder.matches().skip(shown.start).take(shown.len());
    let lines = lines.map(|choice| match choice {
        Choice::Command { context, command } => command_line(model, context, command, room, look),
        Choice::Object { label, note, .. } => {
            let name = cut_middle(label, room.saturating_sub(width(note) + 2), look.glyphs().ellipsis);
            let space = room.saturating_sub(width(&name) + width(note));
            Entry::line(vec![Span::raw(name), Span::raw(" ".repeat(space)), look.span(Role::Muted, note.clone())])
        }
    });
    let selected = finder.selected.saturating_sub(shown.start);
    entries(lines.collect(), selected, "nothing is called that", look, frame, body);
}

fn command_line(model: &Model, context: &str, command: &Command, room: usize, look: &Look<'_>) -> Entry {
    let key = model.shared.key(context, command.name);
    let sentence = cut_end(command.sentence, room.saturating_sub(width(&key) + 2), look.glyphs().ellipsis);
    let space = room.saturating_sub(width(&sentence) + width(&key));
    Entry::line(vec![Span::raw(sentence), Span::raw(" ".repeat(space)), look.span(Role::Key, key)])
}

fn copy(copies: &[Copyable], selected: usize, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let rows = u16::try_from(copies.len()).unwrap_or(u16::MAX).saturating_add(2);
    let body = modal::frame(frame, area, "copy", WIDEST.min(area.width.saturating_sub(4)), rows, look);
    let label = copies.iter().map(|copy| width(copy.label)).max().unwrap_or(0);
    let room = usize::from(body.width).saturating_sub(label + 7);
    let lines = copies.iter().map(|copy| {
        // A glimpse of it in one line: runs of spaces would say nothing.
        let words: Vec<&str> = copy.text.split_whitespace().collect();
        let shown = cut_end(&text::line(&words.join(" ")), room, look.glyphs().ellipsis);
        Entry::line(vec![
            look.span(Role::Key, copy.letter.to_string()),
            Span::raw("  "),
            Span::raw(pad_end(copy.label, label)),
            Span::raw("  "),
            look.span(Role::Muted, shown),
        ])
    });
    entries(lines.collect(), selected, "", look, frame, body);
}

/// A box with a field to type in; gives back the place below the field.
fn find_box<T>(title: &str, finder: &Finder<T>, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let columns = WIDEST.min(area.width.saturating_sub(4));
    let rows = area.height.saturating_sub(2).min(40);
    let title = format!("{title}  {} of {}", finder.matches().len(), finder.total());
    let inside = modal::frame(frame, area, &title, columns, rows, look);
    let [field, _, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1)]).areas(inside);
    let typed = finder.input.text();
    let line = if typed.is_empty() {
        vec![look.span(Role::Key, " > "), look.span(Role::Muted, "type to find")]
    } else {
        vec![look.span(Role::Key, " > "), Span::raw(typed.to_owned())]
    };
    frame.render_widget(Line::from(line), field);
    let before: String = typed.chars().take(finder.input.cursor()).collect();
    let x = u16::try_from(width(&before)).unwrap_or(u16::MAX).saturating_add(3).min(field.width.saturating_sub(1));
    frame.set_cursor_position(Position { x: field.x + x, y: field.y });
    body
}

/// A line of a dialog's list.
struct Entry {
    spans: Vec<Span<'static>>,
    indented: bool,
}

impl Entry {
    fn heading(span: Span<'static>) -> Self {
        Self { spans: vec![span], indented: false }
    }

    fn line(spans: Vec<Span<'static>>) -> Self {
        Self { spans, indented: true }
    }
}

/// Draws the lines around the selected one.
fn entries(all: Vec<Entry>, selected: usize, none: &str, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    if all.is_empty() {
        frame.render_widget(Line::from(look.span(Role::Muted, format!(" {none}"))), area);
    }
    let shown = scroll::window(all.len(), selected, usize::from(area.height));
    let visible = all.into_iter().enumerate().skip(shown.start).take(shown.len());
    for ((index, entry), y) in visible.zip(area.y..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        let indent = if entry.indented { "  " } else { " " };
        let mut line = Line::from(vec![Span::raw(indent)]);
        if index == selected && entry.indented {
            line = Line::from(vec![look.span(Role::Focus, look.glyphs().marker), Span::raw(" ")]);
            let style = look.style(Role::Selection);
            frame.buffer_mut().set_style(Rect { x: row.x + 1, width: row.width.saturating_sub(1), ..row }, style);
        }
        let room = usize::from(row.width).saturating_sub(2);
        line.spans.extend(fit(entry.spans, room, Cut::End, look.glyphs().ellipsis));
        frame.render_widget(line, row);
    }
}
