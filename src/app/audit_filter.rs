//! The filter of the audit: words that must all be there, and words for one side of an entry: `who:ana what:repair on:orders
//! since:2h until:2026-11-22`.

use chrono::{NaiveDate, TimeDelta};

use crate::app::audit::Known;
use crate::domain::Instant;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    words: Vec<String>,
    who: Vec<String>,
    what: Vec<String>,
    on: Vec<String>,
    since: Option<Instant>,
    until: Option<Instant>,
}

impl Wanted {
    /// Reads a filter at an instant. What is no word for one side is looked for everywhere.
    pub fn read(text: &str, now: Instant) -> Self {
        let mut wanted = Self::default();
        for word in text.split_whitespace().map(str::to_lowercase) {
            let (side, rest) = word.split_once(':').unwrap_or(("", &word));
            let at = || instant(rest, now);
            match side {
                "who" => wanted.who.push(rest.to_owned()),
                "what" => wanted.what.push(rest.to_owned()),
                "on" => wanted.on.push(rest.to_owned()),
                "since" if at().is_some() => wanted.since = at(),
                "until" if at().is_some() => wanted.until = at(),
                _ => wanted.words.push(word),
            }
        }
        wanted
    }

    /// Whether an entry is one.
    pub fn fits(&self, known: &Known<'_>) -> bool {
        let all = |wanted: &[String], has: &dyn Fn() -> String| {
            wanted.is_empty() || {
                let has = has().to_lowercase();
                wanted.iter().all(|word| has.contains(word))
            }
        };
        self.since.is_none_or(|since| known.at() >= since)
            && self.until.is_none_or(|until| known.at() < until)
            && all(&self.who, &|| known.who().to_owned())
            && all(&self.what, &|| known.act())
            && all(&self.on, &|| known.about())
            && all(&self.words, &|| known.words())
    }
}

/// `90s`, `30m`, `2h` or `3d` ago, or the beginning of a day (UTC).
fn instant(text: &str, now: Instant) -> Option<Instant> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc());
    }
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let ago = match unit {
        's' => TimeDelta::try_seconds(count),
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        _ => None,
    }?;
    now.checked_sub_signed(ago)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::audit::entries;
    use crate::app::audit::tests::operation;
    use crate::app::operations::{Operations, OperationsSnapshot};
    use crate::domain::fixture::now;

    #[test]
    fn each_side_is_looked_at_alone_and_times_are_bounds() {
        let mut operations = Operations::default();
        let records = vec![std::sync::Arc::new(operation("orders"))];
        operations.observe(&OperationsSnapshot { operations: records, ..OperationsSnapshot::default() });
        let found = |filter: &str| {
            let later = now() + TimeDelta::minutes(10);
            let wanted = Wanted::read(filter, later);
            let entries = entries(&operations);
            entries.iter().filter(|entry| wanted.fits(&entry.known(&operations).expect("known"))).count()
        };
        assert_eq!(found(""), 2);
        assert_eq!((found("who:ana"), found("who:orders"), found("ana")), (2, 0, 2));
        assert_eq!((found("what:approved"), found("what:run what:planned"), found("what:cancel")), (1, 1, 0));
        assert_eq!((found("on:orders"), found("on:dev/job/31"), found("on:ana")), (2, 2, 0));
        assert_eq!((found("since:1h"), found("since:1m"), found("until:1m"), found("until:1h")), (2, 0, 2, 0));
        assert_eq!(found("since:someday"), 0, "no time: looked for as a word");
        assert_eq!(found("since:2020-01-01"), 2);
    }
}
