//! One line of parts, left and right, that gives up space and then its least important parts when it is narrow.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::ui::look::Look;
use crate::ui::text::width;
use crate::ui::widgets::table::{Cut, fit};

/// A piece of a bar.
#[derive(Clone, Debug)]
pub struct Part {
    spans: Vec<Span<'static>>,
    /// 0 stays at any width; of the others the highest goes first.
    drop: u8,
    /// Whether it belongs to the piece before it.
    glued: bool,
}

impl Part {
    /// A piece that stays at any width.
    pub fn fixed(spans: impl IntoIterator<Item = Span<'static>>) -> Self {
        Self::dropped(0, spans)
    }

    /// A piece that goes when it is narrow, the higher `drop` the sooner.
    pub fn dropped(drop: u8, spans: impl IntoIterator<Item = Span<'static>>) -> Self {
        Self { spans: spans.into_iter().collect(), drop, glued: false }
    }

    /// The same piece, to stay at any width.
    #[must_use]
    pub fn into_fixed(self) -> Self {
        Self { drop: 0, ..self }
    }

    /// The same piece, one cell behind the one before it.
    #[must_use]
    pub fn glued(self) -> Self {
        Self { glued: true, ..self }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.content)).sum()
    }
}

/// One line of parts.
#[derive(Clone, Debug, Default)]
pub struct Bar {
    /// From the left.
    pub left: Vec<Part>,
    /// Up to the right edge.
    pub right: Vec<Part>,
}

impl Bar {
    /// Draws as many parts as fit, with one free cell at each edge. Space between parts shrinks before any part goes.
    pub fn draw(mut self, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.width).saturating_sub(2);
        let mut gap = if self.width(3) > room { 2 } else { 3 };
        while self.width(gap) > room && self.give_up() {}
        if self.width(gap) > room {
            gap = 1;
        }
        let right = joined(&self.right, gap);
        let to_the_left = room.saturating_sub(total(&self.right, gap) + usize::from(!self.right.is_empty()));
        let left = fit(joined(&self.left, gap), to_the_left, Cut::End, look.glyphs().ellipsis);
        let used: usize = left.iter().chain(&right).map(|span| width(&span.content)).sum();
        let space = Span::raw(" ".repeat(room.saturating_sub(used)));
        let spans = std::iter::once(Span::raw(" ")).chain(left).chain(std::iter::once(space)).chain(right);
        frame.render_widget(Line::from_iter(spans), area);
    }

    /// Gives up the least important part; whether there was one.
    fn give_up(&mut self) -> bool {
        let highest = |parts: &[Part]| parts.iter().map(|part| part.drop).max().unwrap_or(0);
        let (left, right) = (highest(&self.left), highest(&self.right));
        let (side, drop) = if right >= left { (&mut self.right, right) } else { (&mut self.left, left) };
        let found = side.iter().rposition(|part| part.drop == drop).filter(|_| drop > 0);
        if let Some(index) = found {
            side.remove(index);
        }
        found.is_some()
    }

    fn width(&self, gap: usize) -> usize {
        let between = if self.left.is_empty() || self.right.is_empty() { 0 } else { gap };
        total(&self.left, gap) + between + total(&self.right, gap)
    }
}

fn total(parts: &[Part], gap: usize) -> usize {
    joined(parts, gap).iter().map(|span| width(&span.content)).sum()
}

fn joined(parts: &[Part], gap: usize) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for part in parts.iter().filter(|part| part.width() > 0) {
        if !spans.is_empty() {
            spans.push(Span::raw(" ".repeat(if part.glued { 1 } else { gap })));
        }
        spans.extend(part.spans.iter().cloned());
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;

    fn draw(columns: u16) -> String {
        let bar = Bar {
            left: vec![
                Part::fixed(["who".into()]),
                Part::dropped(3, ["why".into()]).glued(),
                Part::dropped(2, ["where".into()]),
            ],
            right: vec![Part::dropped(1, ["how".into()]), Part::fixed(["when".into()])],
        };
        let theme = drawn::theme();
        let look = Look { theme: &theme, now: crate::domain::Instant::UNIX_EPOCH, zone: chrono_tz::UTC };
        drawn::text(&drawn::buffer(columns, 1, |frame| bar.draw(&look, frame, frame.area())))
    }

    #[test]
    fn the_least_important_parts_go_first() {
        assert_eq!(draw(40), " who why   where             how   when");
        assert_eq!(draw(29), " who why  where    how  when");
        assert_eq!(draw(26), " who  where     how  when");
        assert_eq!(draw(18), " who    how  when");
        assert_eq!(draw(12), " who   when");
        assert_eq!(draw(10), " who when");
    }

    #[test]
    fn what_must_stay_is_cut_rather_than_run_together() {
        assert_eq!(draw(9), " w… when");
        draw(1);
    }
}
