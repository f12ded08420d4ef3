//! Places on the screen as plain numbers, so that what scrolls can know how much of it is seen.

/// Rows of the console that are not the screen's: the header and the footer.
const FRAME_ROWS: u16 = 2;

/// A piece of the screen, in cells from its top left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// The screen's own size, given that of the terminal.
pub fn screen(columns: u16, rows: u16) -> (u16, u16) {
    (columns, rows.saturating_sub(FRAME_ROWS))
}

/// The cells of a text's row that are left for the text, beside a space and the scroll bar.
pub fn text_width(text: Place) -> u16 {
    text.width.saturating_sub(2)
}
