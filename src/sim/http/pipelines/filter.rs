//! Filters of the Pipelines API: one term for listings, terms joined by AND for events (databricks-api.md 4.1, 4.5).

use crate::domain::Instant;
use crate::sim::http::answer::Refusal;
use crate::sim::world::EventsFilter;
use crate::sim::world::pipeline::{Event, EventLevel};

/// A parsed filter of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    OneOf(Field, Vec<String>),
    Timestamp(Comparison, Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Level,
    Id,
    UpdateId,
    EventType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Filter {
    /// Parses `level in ('WARN','ERROR') AND timestamp > '2026-01-02T03:04:05Z'` and the like.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::invalid(format!("Failed to parse filter: {text}"));
        let mut words = tokens(text).ok_or_else(refuse)?.into_iter().peekable();
        let mut terms = Vec::new();
        if words.peek().is_none() {
            return Ok(Self(terms));
        }
        loop {
            terms.push(term(&mut words).ok_or_else(refuse)?);
            match words.next() {
                None => return Ok(Self(terms)),
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => {}
                Some(_) => return Err(refuse()),
            }
        }
    }

    /// Whether an event passes. Those of level METRICS pass only where the filter names a level or the event itself.
    pub(super) fn passes(&self, event: &Event) -> bool {
        let asked = self.0.iter().any(|term| matches!(term, Term::OneOf(Field::Level | Field::Id, _)));
        (asked || event.level.as_str() != "METRICS") && self.0.iter().all(|term| term.passes(event))
    }

    /// A wider filter that the world understands, so that it does not offer what cannot pass.
    pub(super) fn narrowed(&self, ascending: bool) -> EventsFilter {
        let all = [EventLevel::Metrics, EventLevel::Info, EventLevel::Warn, EventLevel::Error];
        let mut narrowed = EventsFilter { levels: all.to_vec(), ascending, ..EventsFilter::default() };
        for term in &self.0 {
            match term {
                Term::OneOf(Field::Level, names) => {
                    narrowed.levels.retain(|level| names.iter().any(|name| name == level.as_str()));
                }
                Term::OneOf(Field::UpdateId, ids) => {
                    narrowed.update_id = ids.first().filter(|_| ids.len() == 1).cloned();
                }
                Term::OneOf(Field::EventType, kinds) => narrowed.event_types.clone_from(kinds),
                Term::OneOf(Field::Id, _) => {}
                Term::Timestamp(comparison, at) => {
                    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
                    if matches!(comparison, Greater | GreaterOrEqual | Equal) {
                        narrowed.from = narrowed.from.max(Some(*at));
                    }
                    if matches!(comparison, Less | LessOrEqual | Equal) {
                        narrowed.to = Some(narrowed.to.map_or(*at, |to| to.min(*at)));
                    }
                }
            }
        }
        narrowed
    }
}

impl Term {
    fn passes(&self, event: &Event) -> bool {
        match self {
            Self::OneOf(field, values) => {
                let value = match field {
                    Field::Level => Some(event.level.as_str()),
                    Field::Id => Some(event.id.as_str()),
                    Field::UpdateId => event.update_id.as_deref(),
                    Field::EventType => Some(event.event_type),
                };
                value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
            }
            Self::Timestamp(comparison, at) => match comparison {
                Comparison::Less => event.timestamp < *at,
                Comparison::LessOrEqual => event.timestamp <= *at,
                Comparison::Equal => event.timestamp == *at,
                Comparison::GreaterOrEqual => event.timestamp >= *at,
                Comparison::Greater => event.timestamp > *at,
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    const SIGNS: [&str; 8] = ["<=", ">=", "<", ">", "=", "(", ")", ","];
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (inside, after) = quoted.split_once('\'')?;
            tokens.push(Token::Quoted(inside.to_owned()));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest.get(sign.len()..)?;
        } else if first.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

fn term(words: &mut impl Iterator<Item = Token>) -> Option<Term> {
    let Token::Word(name) = words.next()? else { return None };
    let field = match name.to_ascii_lowercase().as_str() {
        "timestamp" => {
            let comparison = match words.next()? {
                Token::Sign("<") => Comparison::Less,
                Token::Sign("<=") => Comparison::LessOrEqual,
                Token::Sign("=") => Comparison::Equal,
                Token::Sign(">=") => Comparison::GreaterOrEqual,
                Token::Sign(">") => Comparison::Greater,
                _ => return None,
            };
            let Token::Quoted(text) = words.next()? else { return None };
            let at = Instant::from(chrono::DateTime::parse_from_rfc3339(&text).ok()?);
            return Some(Term::Timestamp(comparison, at));
        }
        "level" => Field::Level,
        "id" => Field::Id,
        "update_id" => Field::UpdateId,
        "event_type" => Field::EventType,
        _ => return None,
    };
    let values = match words.next()? {
        Token::Sign("=") => {
            let Token::Quoted(value) = words.next()? else { return None };
            vec![value]
        }
        Token::Word(word) if word.eq_ignore_ascii_case("in") => list(words)?,
        _ => return None,
    };
    Some(Term::OneOf(field, values))
}

fn list(words: &mut impl Iterator<Item = Token>) -> Option<Vec<String>> {
    if words.next()? != Token::Sign("(") {
        return None;
    }
    let mut values = Vec::new();
    loop {
        let Token::Quoted(value) = words.next()? else { return None };
        values.push(value);
        match words.next()? {
            Token::Sign(")") => return Some(values),
            Token::Sign(",") => {}
            _ => return None,
        }
    }
}

/// A filter of the listing of pipelines: `name LIKE '%pattern%'` or `notebook='<path>'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// A pattern with `%` for any text and `_` for any character.
    Name(String),
    /// A path of a library.
    Notebook(String),
}

impl Listing {
    /// Parses the one term; there are no composites.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let tokens = tokens(text).unwrap_or_default();
        match tokens.as_slice() {
            [Token::Word(field), Token::Word(like), Token::Quoted(pattern)]
                if field.eq_ignore_ascii_case("name") && like.eq_ignore_ascii_case("like") =>
            {
                Ok(Self::Name(pattern.clone()))
            }
            [Token::Word(field), Token::Sign("="), Token::Quoted(path)] if field.eq_ignore_ascii_case("notebook") => {
                Ok(Self::Notebook(path.clone()))
            }
            _ => Err(Refusal::invalid(format!("Failed to parse filter: {text}"))),
        }
    }
}

/// SQL's LIKE, without an escape character.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    match pattern_rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern_rest.as_str();
            like(rest, text)
                || text.char_indices().any(|(at, c)| like(rest, text.get(at + c.len_utf8()..).unwrap_or_default()))
        }
        Some(symbol) => {
            let mut text_rest = text.chars();
            text_rest.next().is_some_and(|c| symbol == '_' || symbol == c)
                && like(pattern_rest.as_str(), text_rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(level: EventLevel, second: i64) -> Event {
        Event {
            id: "e1".to_owned(),
            sequence: 1,
            timestamp: Instant::from_timestamp(1_790_000_000 + second, 0).expect("in range"),
            level,
            event_type: "flow_progress",
            message: String::new(),
            pipeline_id: "p".to_owned(),
            pipeline_name: "p".to_owned(),
            update_id: Some("u1".to_owned()),
            flow_name: None,
            flow_id: None,
            details: serde_json::json!({}),
            error: None,
        }
    }

    fn passes(filter: &str, event: &Event) -> bool {
        Filter::parse(filter).expect("parses").passes(event)
    }

    #[test]
    fn the_documented_terms_are_understood() {
        let warn = event(EventLevel::Warn, 0);
        for filter in [
            "",
            "level='WARN'",
            "level in ('WARN', 'ERROR')",
            "id = 'e1' AND update_id='u1'",
            "event_type IN ('flow_progress') and timestamp >= '2026-09-21T14:13:20.000Z'",
            "timestamp = '2026-09-21T16:13:20+02:00'",
            "timestamp<'2026-09-21T14:13:21Z'",
        ] {
            assert!(passes(filter, &warn), "{filter}");
        }
        for filter in [
            "level='ERROR'",
            "update_id='u2'",
            "timestamp > '2026-09-21T14:13:20.000Z'",
            "level='WARN' AND event_type='update_progress'",
        ] {
            assert!(!passes(filter, &warn), "{filter}");
        }
    }

    #[test]
    fn metrics_come_only_when_asked_for() {
        let metrics = event(EventLevel::Metrics, 0);
        assert!(!passes("", &metrics));
        assert!(!passes("update_id='u1'", &metrics));
        assert!(passes("level='METRICS'", &metrics));
        assert!(passes("level in ('METRICS','INFO')", &metrics));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "level",
            "level=WARN",
            "level='WARN' OR level='INFO'",
            "level in ()",
            "timestamp > 'yesterday'",
            "level='WARN' AND",
            "colour='x'",
            "level='WARN",
            "1=1",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_world_is_asked_for_no_more_than_can_pass() {
        let text = "timestamp > '2026-09-21T14:13:20Z' AND timestamp < '2027-01-01T00:00:00Z' AND level in ('WARN','INFO') \
                    AND event_type='flow_progress' AND update_id='u1'";
        let narrowed = Filter::parse(text).expect("parses").narrowed(true);
        assert_eq!(narrowed.from, Instant::from_timestamp(1_790_000_000, 0));
        assert_eq!(narrowed.to, "2027-01-01T00:00:00Z".parse().ok());
        assert_eq!(narrowed.levels, [EventLevel::Info, EventLevel::Warn]);
        assert_eq!(narrowed.event_types, ["flow_progress"]);
        assert_eq!(narrowed.update_id.as_deref(), Some("u1"));
        assert!(narrowed.ascending);
        assert_eq!(Filter::default().narrowed(false).levels.len(), 4);
    }

    #[test]
    fn a_listing_takes_one_term() {
        assert_eq!(Listing::parse("name LIKE '%orders%'").ok(), Some(Listing::Name("%orders%".to_owned())));
        assert_eq!(Listing::parse("notebook='/a/b'").ok(), Some(Listing::Notebook("/a/b".to_owned())));
        assert!(Listing::parse("name LIKE '%a%' AND name LIKE '%b%'").is_err());
        assert!(Listing::parse("name = 'a'").is_err());
    }

    #[test]
    fn like_matches_as_sql_does() {
        for (pattern, text, expected) in [
            ("%orders%", "prod orders blue", true),
            ("orders%", "prod orders", false),
            ("o_ders", "orders", true),
            ("%", "", true),
            ("", "", true),
            ("_", "", false),
            ("a%b%c", "axxbyyc", true),
            ("a%b%c", "axxcyyb", false),
            ("é_", "éa", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
