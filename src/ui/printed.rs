//! What was drawn, as plain text.

use ratatui::buffer::Buffer;

/// The characters alone, a line a row, without spaces at line ends.
pub fn lines(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let rows = (0..area.height).map(|y| {
        let mut row = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            // A wide character covers the cell after it.
            x += u16::try_from(super::text::width(symbol).max(1)).unwrap_or(1);
        }
        row.trim_end().to_owned()
    });
    rows.collect()
}
