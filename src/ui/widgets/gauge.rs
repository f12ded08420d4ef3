//! How much of a whole is done.

use crate::theme::Glyphs;

/// A bar of `width` cells. Something done is at least one cell, something left at least one too.
pub fn gauge(done: u64, whole: u64, width: usize, glyphs: &Glyphs) -> String {
    let cells = match u64::try_from(width).unwrap_or(0) {
        0 => 0,
        _ if whole == 0 || done == 0 => 0,
        width if done >= whole => width,
        width => (u128::from(done) * u128::from(width) / u128::from(whole))
            .try_into()
            .unwrap_or(width)
            .clamp(1, width.saturating_sub(1).max(1)),
    };
    let cells = usize::try_from(cells).unwrap_or(width).min(width);
    format!("{}{}", glyphs.shade_full.repeat(cells), glyphs.shade_light.repeat(width - cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_and_nothing_are_never_claimed_early() {
        let bar = |done, whole| gauge(done, whole, 5, &Glyphs::UNICODE);
        assert_eq!(bar(0, 100), "░░░░░");
        assert_eq!(bar(1, 100), "█░░░░");
        assert_eq!(bar(99, 100), "████░");
        assert_eq!(bar(100, 100), "█████");
        assert_eq!(bar(0, 0), "░░░░░");
        assert_eq!(gauge(1, 2, 0, &Glyphs::ASCII), "");
    }
}
