//! Name patterns: `*` stands for any text, `?` for one character, all else for itself.
//!
//! No character classes, on purpose: the names of development copies begin with `[dev ana] `, and a pattern for them
//! must be writable without escapes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern for whole names. Upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Every text is a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        // Greedy with one point of return: the last star takes one character more each time the rest does not fit.
        let (mut pattern, mut rest) = (self.0.as_str(), text);
        let mut retry: Option<(&str, &str)> = None;
        loop {
            let mut ahead = pattern.chars();
            match (ahead.next(), rest.chars().next()) {
                (Some('*'), _) => {
                    pattern = ahead.as_str();
                    retry = Some((pattern, rest));
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    pattern = ahead.as_str();
                    rest = &rest[found.len_utf8()..];
                }
                (None, None) => return true,
                _ => {
                    match retry.and_then(|(after, from)| from.chars().next().map(|c| (after, &from[c.len_utf8()..]))) {
                        Some((after, from)) => {
                            pattern = after;
                            rest = from;
                            retry = Some((after, from));
                        }
                        None => return false,
                    }
                }
            }
        }
    }

    /// What follows the shortest beginning of `text` that fits; none if no beginning fits.
    pub fn strip_from<'a>(&self, text: &'a str) -> Option<&'a str> {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        ends.into_iter().find(|&end| self.matches(&text[..end])).map(|end| &text[end..])
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text, fits) in [
            ("sales_*", "sales_orders", true),
            ("sales_*", "presales_orders", false),
            ("*_daily", "finance_close_daily", true),
            ("*_daily", "finance_daily_v2", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("größe_?", "größe_ü", true),
            ("[dev *] x", "[dev ana] x", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_shortest_beginning_is_stripped() {
        let prefix = Glob::new("[dev *] ");
        assert_eq!(prefix.strip_from("[dev ana] load [dev] x"), Some("load [dev] x"));
        assert_eq!(prefix.strip_from("load"), None);
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_any_cut_of_it_with_a_star(text in "[a-zé_]{0,12}", cut in 0_usize..12) {
            prop_assert!(Glob::new(text.clone()).matches(&text));
            let start: String = text.chars().take(cut).collect();
            let pattern = format!("{start}*");
            prop_assert!(Glob::new(pattern).matches(&text));
        }
    }
}
