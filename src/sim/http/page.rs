//! Page tokens: opaque to the caller, and bound to the question that they continue.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

#[cfg(test)]
mod tests {
    use super::*;

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
