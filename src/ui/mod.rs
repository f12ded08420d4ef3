//! The frame around the screens and the widgets that they share.

pub mod age;
pub mod bar;
mod dialog;
#[cfg(test)]
pub(crate) mod drawn;
mod footer;
mod header;
pub mod look;
pub mod place;
pub mod printed;
mod sheet;
pub mod teach;
#[cfg(test)]
mod tests;
pub mod text;
pub mod widgets;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Text};

use crate::app::Model;
use crate::app::model::SMALLEST;
use crate::screens::{self, Screen};
use crate::theme::{Role, Theme};
use look::Look;

/// Draws the whole console. Never changes the model, and builds only what is visible.
pub fn view(model: &Model, theme: &Theme, frame: &mut Frame<'_>) {
    let shared = &model.shared;
    let look = Look { theme, now: shared.clock(), zone: shared.zone };
    let area = frame.area();
    frame.buffer_mut().set_style(area, look.style(Role::Text));
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (columns, rows) = SMALLEST;
        let lines =
            [format!("this terminal has {}x{}", area.width, area.height), format!("lakeshift needs {columns}x{rows}")];
        frame.render_widget(Text::from_iter(lines.map(Line::from)), area);
        return;
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    header::draw(model, &look, frame, header);
    match model.screen() {
        Screen::Fleet(state) => screens::fleet::view::draw(state, shared, &look, frame, body),
        Screen::Run(state) => screens::run::view::draw(state, shared, &look, frame, body),
        Screen::Pipeline(state) => screens::pipeline::view::draw(state, shared, &look, frame, body),
        Screen::Log(state) => screens::log::view::draw(state, shared, &look, frame, body),
        Screen::Audit(state) => screens::audit::view::draw(state, shared, &look, frame, body),
        Screen::Operations(state) => screens::operations::view::draw(state, shared, &look, frame, body),
    }
    dialog::draw(model, &look, frame, body);
    footer::draw(model, &look, frame, footer);
}
