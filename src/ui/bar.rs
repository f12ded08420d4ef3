//! One line of parts, left and right, that gives up the least important parts when it is narrow.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::ui::text::width;

/// Cells between two parts.
const GAP: usize = 3;

/// A piece of a bar.
#[derive(Clone, Debug)]
pub struct Part {
    spans: Vec<Span<'static>>,
    /// 0 stays at any width; of the others the highest goes first.
    drop: u8,
}

impl Part {
    /// A piece that stays at any width.
    pub fn fixed(spans: impl IntoIterator<Item = Span<'static>>) -> Self {
        Self::dropped(0, spans)
    }

    /// A piece that goes when it is narrow, the higher `drop` the sooner.
    pub fn dropped(drop: u8, spans: impl IntoIterator<Item = Span<'static>>) -> Self {
        Self { spans: spans.into_iter().collect(), drop }
    }

    /// The same piece, to stay at any width.
    #[must_use]
    pub fn into_fixed(self) -> Self {
        Self { drop: 0, ..self }
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
    /// Draws as many parts as fit, with one free cell at each edge.
    pub fn draw(mut self, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.width).saturating_sub(2);
        while self.width() > room {
            let left = self.left.iter().map(|part| part.drop).max().unwrap_or(0);
            let right = self.right.iter().map(|part| part.drop).max().unwrap_or(0);
            let (side, drop) = if right >= left { (&mut self.right, right) } else { (&mut self.left, left) };
            let Some(index) = side.iter().rposition(|part| part.drop == drop).filter(|_| drop > 0) else { break };
            side.remove(index);
        }
        let used = total(&self.left) + total(&self.right);
        let mut spans = vec![Span::raw(" ")];
        spans.extend(joined(self.left));
        spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
        spans.extend(joined(self.right));
        frame.render_widget(Line::from(spans), area);
    }

    fn width(&self) -> usize {
        let gap = if self.left.is_empty() || self.right.is_empty() { 0 } else { GAP };
        total(&self.left) + gap + total(&self.right)
    }
}

fn total(parts: &[Part]) -> usize {
    parts.iter().map(Part::width).sum::<usize>() + GAP * parts.len().saturating_sub(1)
}

fn joined(parts: Vec<Part>) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for part in parts {
        if !spans.is_empty() {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        spans.extend(part.spans);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;

    fn draw(columns: u16) -> String {
        let bar = Bar {
            left: vec![Part::fixed(["who".into()]), Part::dropped(2, ["where".into()])],
            right: vec![Part::dropped(1, ["how".into()]), Part::fixed(["when".into()])],
        };
        drawn::text(&drawn::buffer(columns, 1, |frame| bar.draw(frame, frame.area())))
    }

    #[test]
    fn the_least_important_parts_go_first() {
        assert_eq!(draw(40), " who   where                how   when");
        assert_eq!(draw(24), " who          how   when");
        assert_eq!(draw(18), " who          when");
        draw(1);
    }
}
