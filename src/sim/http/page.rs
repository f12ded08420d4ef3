//! Page tokens: opaque to the caller, and bound to the question that they continue.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use serde_json::Value;

use super::answer::Refusal;

/// Makes a token: `position` of the listing `question`.
pub(super) fn token(question: &str, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{question}\n{position}"))
}

/// The position in a token that was made for the same question.
pub(super) fn position(question: &str, token: &str) -> Result<String, Refusal> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| Some(text.strip_prefix(question)?.strip_prefix('\n')?.to_owned()))
        .ok_or_else(|| Refusal::invalid(format!("Invalid page token: {token}")))
}

/// A window of a listing that does not change while it is paged: its items, and the next page's offset if there is one.
pub(super) fn window<T>(items: &[T], offset: usize, size: usize) -> (&[T], Option<usize>) {
    let start = offset.min(items.len());
    let end = start.saturating_add(size).min(items.len());
    let window = items.get(start..end).unwrap_or_default();
    (window, (end < items.len()).then_some(end))
}

/// An offset token's position; 0 without a token.
pub(super) fn offset(question: &str, token: Option<&str>) -> Result<usize, Refusal> {
    let Some(token) = token else { return Ok(0) };
    position(question, token)?.parse().map_err(|_| Refusal::invalid(format!("Invalid page token: {token}")))
}

/// Where the reading of a moving listing stands: the starts of the pages up to the one that is asked for. A token remembers
/// them, so that one can go back.
pub(super) struct Trail(Vec<String>);

impl Trail {
    /// From a token; without one the first page, which starts at `first`.
    pub(super) fn of(question: &str, token: Option<&str>, first: impl FnOnce() -> String) -> Result<Self, Refusal> {
        Ok(Self(match token {
            Some(token) => position(question, token)?.split('\n').map(str::to_owned).collect(),
            None => vec![first()],
        }))
    }

    /// The start of the page that is asked for.
    pub(super) fn start(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The members of an answer that lead on and back.
    pub(super) fn links(mut self, question: &str, next: Option<String>) -> Vec<(String, Value)> {
        let to = |starts: &[String]| Value::from(token(question, &starts.join("\n")));
        let back =
            self.0.len().checked_sub(1).filter(|before| *before > 0).and_then(|before| self.0.get(..before)).map(to);
        let on = next.map(|next| {
            self.0.push(next);
            to(&self.0)
        });
        let named = [("next_page_token", on), ("prev_page_token", back)];
        named.into_iter().filter_map(|(name, link)| Some((name.to_owned(), link?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_leads_on_and_back_to_the_first_page() {
        let link = |links: &[(String, Value)], name: &str| {
            let found = links.iter().find(|(found, _)| found == name);
            found.map(|(_, link)| link.as_str().expect("text").to_owned())
        };
        let at = |token: &str| Trail::of("q", Some(token), String::new).expect("a token of ours");
        let first = Trail::of("q", None, || "start".to_owned()).expect("no token");
        let links = first.links("q", Some("a".to_owned()));
        assert_eq!(link(&links, "prev_page_token"), None);
        let second = at(&link(&links, "next_page_token").expect("a second page"));
        assert_eq!(second.start(), "a");
        let links = second.links("q", Some("b".to_owned()));
        let third = at(&link(&links, "next_page_token").expect("a third page"));
        assert_eq!(at(&link(&links, "prev_page_token").expect("a way back")).start(), "start");
        let links = third.links("q", None);
        assert_eq!(link(&links, "next_page_token"), None);
        assert_eq!(at(&link(&links, "prev_page_token").expect("a way back")).start(), "a");
    }

    #[test]
    fn a_token_answers_its_own_question_alone() {
        let token = token("jobs/list", "20");
        assert_eq!(position("jobs/list", &token).ok().as_deref(), Some("20"));
        assert_eq!(offset("jobs/list", Some(&token)).ok(), Some(20));
        assert!(position("runs/list", &token).is_err());
        assert!(position("jobs/list", "not a token").is_err());
        assert_eq!(offset("jobs/list", None).ok(), Some(0));
    }

    #[test]
    fn windows_tile_the_listing() {
        let items = [1, 2, 3, 4, 5];
        assert_eq!(window(&items, 0, 2), (&items[0..2], Some(2)));
        assert_eq!(window(&items, 4, 2), (&items[4..], None));
        assert_eq!(window(&items, 3, 2), (&items[3..], None));
        assert_eq!(window(&items, 9, 2), (&items[5..], None));
    }
}
