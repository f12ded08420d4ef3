//! Text by measure: widths, cuts, wrapping. Widths are terminal cells, never bytes or characters.
//!
//! Text from outside is made harmless by [`super::text`] first.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many cells the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts the middle out of text that is wider than `limit`, since the end of a name often tells `_v2` from `_v3`.
pub fn cut_middle(text: &str, limit: usize, ellipsis: &str) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(width(ellipsis)) else { return String::new() };
    let head = take(text.graphemes(true), room.div_ceil(2));
    let tail = take(text.graphemes(true).rev(), room - width(&head));
    let tail: String = tail.graphemes(true).rev().collect();
    format!("{head}{ellipsis}{tail}")
}

/// Cuts the end off text that is wider than `limit`.
pub fn cut_end(text: &str, limit: usize, ellipsis: &str) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(width(ellipsis)) else { return String::new() };
    format!("{}{ellipsis}", take(text.graphemes(true), room))
}

/// As many graphemes from the front as fit into `room` cells.
fn take<'a>(graphemes: impl Iterator<Item = &'a str>, room: usize) -> String {
    let mut used = 0;
    graphemes
        .take_while(|grapheme| {
            used += width(grapheme);
            used <= room
        })
        .collect()
}

/// Fills text with spaces on the right up to `to` cells.
pub fn pad_end(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Fills text with spaces on the left up to `to` cells.
pub fn pad_start(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text))))
}

/// Breaks one line into lines of at most `limit` cells, at spaces where it can and within words where it must.
/// Indentation stays; the spaces at a break go. A character wider than the limit itself becomes `?`.
pub fn wrap(line: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut wrapped = Vec::new();
    let mut row = String::new();
    // Where the row could be broken: the byte after a space that follows something.
    let mut break_at = None;
    for grapheme in line.graphemes(true) {
        let grapheme = if width(grapheme) > limit { "?" } else { grapheme };
        if width(&row) + width(grapheme) > limit {
            if grapheme == " " {
                wrapped.push(row.trim_end().to_owned());
                row.clear();
                break_at = None;
                continue;
            }
            let rest = break_at.take().map_or_else(String::new, |at| row.split_off(at));
            wrapped.push(row.trim_end().to_owned());
            row = rest;
        }
        if grapheme != " " || !row.is_empty() || wrapped.is_empty() {
            row.push_str(grapheme);
        }
        if grapheme == " " && !row.trim_start().is_empty() {
            break_at = Some(row.len());
        }
    }
    if !row.is_empty() || wrapped.is_empty() {
        wrapped.push(row.trim_end().to_owned());
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(cut_middle("finance_close_daily_v3", 12, "…"), "financ…ly_v3");
        assert_eq!(cut_middle("short", 12, "…"), "short");
        assert_eq!(cut_middle("short", 1, "…"), "…");
        assert_eq!(cut_middle("short", 0, "…"), "");
        assert_eq!(cut_end("AnalysisException", 9, "…"), "Analysis…");
    }

    #[test]
    fn wrapping_prefers_spaces_and_keeps_indentation() {
        assert_eq!(wrap("  at org.apache.spark.sql of it", 16), ["  at", "org.apache.spark", ".sql of it"]);
        assert_eq!(wrap("one two", 7), ["one two"]);
        assert_eq!(wrap("one two", 3), ["one", "two"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("ab漢字", 3), ["ab", "漢", "字"]);
    }

    proptest! {
        #[test]
        fn wrapping_fits_at_any_width_and_loses_nothing(text in "[ a-zé漢🙂]{0,60}", limit in 2_usize..30) {
            let wrapped = wrap(&text, limit);
            for row in &wrapped {
                prop_assert!(width(row) <= limit, "{row:?} of {text:?}");
            }
            let visible = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(visible(&wrapped.concat()), visible(&text));
        }

        #[test]
        fn cuts_fit_at_any_width(text in "\\PC{0,40}", limit in 0_usize..30) {
            prop_assert!(width(&cut_middle(&text, limit, "…")) <= limit);
            prop_assert!(width(&cut_end(&text, limit, "…")) <= limit);
        }

        #[test]
        fn wrapping_never_exceeds_even_one_cell(text in "\\PC{0,40}") {
            for row in wrap(&text, 1) {
                prop_assert!(width(&row) <= 1, "{row:?}");
            }
        }
    }
}
