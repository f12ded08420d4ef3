//! What a check found, before it becomes a proof.

use std::collections::BTreeMap;

use crate::domain::proof::Verdict;
use crate::domain::text;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it came to.
    pub verdict: Verdict,
    /// One line.
    pub says: String,
    /// What to do, where more can be said than the check itself knows.
    pub fix: Option<String>,
    /// What was measured.
    pub figures: BTreeMap<String, i64>,
}

impl Finding {
    fn new(verdict: Verdict, says: impl AsRef<str>) -> Self {
        Self { verdict, says: text::line(says.as_ref()), fix: None, figures: BTreeMap::new() }
    }

    /// It holds.
    pub fn proven(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Proven, says)
    }

    /// It does not.
    pub fn failed(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Failed, says)
    }

    /// It cannot be said.
    pub fn undecided(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Undecided, says)
    }

    /// The same with what to do; a hint of the client's is made a sentence.
    #[must_use]
    pub fn fix(mut self, fix: impl AsRef<str>) -> Self {
        self.fix = Some(sentence(fix.as_ref()));
        self
    }

    /// The same with what to do, if anything is known.
    #[must_use]
    pub fn fix_if(self, fix: Option<&str>) -> Self {
        match fix {
            Some(fix) => self.fix(fix),
            None => self,
        }
    }

    /// The same with a figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: i64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }
}

/// A hint as a sentence: capital first, full stop last.
fn sentence(hint: &str) -> String {
    let mut letters = hint.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    let text = text::line(&format!("{first}{}", letters.as_str()));
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_becomes_a_sentence_and_harmless() {
        let finding = Finding::failed("a\u{1b}[31mb").fix("check the host");
        assert_eq!((finding.says.as_str(), finding.fix.as_deref()), ("ab", Some("Check the host.")));
        assert_eq!(Finding::proven("x").fix("Done.").fix.as_deref(), Some("Done."));
    }
}
