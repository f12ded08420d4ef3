//! When a job starts next by itself.

use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use super::Instant;
use super::job::Cadence;

/// The next planned start after an instant; none if nothing is planned or the expression cannot be read.
///
/// Schedules are quartz expressions: seconds first, an optional year last, Sunday is 1.
pub fn next_start(cadence: &Cadence, after: Instant) -> Option<Instant> {
    let Cadence::Cron { expression, zone, paused: false } = cadence else { return None };
    let zone: Tz = zone.parse().ok()?;
    let parser =
        CronParser::builder().seconds(Seconds::Required).year(Year::Optional).alternative_weekdays(true).build();
    let cron = parser.parse(expression).ok()?;
    let next = cron.find_next_occurrence(&after.with_timezone(&zone), false).ok()?;
    Some(next.with_timezone(&chrono::Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, zone: &str, after: &str) -> Option<String> {
        let cadence = Cadence::Cron { expression: expression.into(), zone: zone.into(), paused: false };
        next_start(&cadence, after.parse().expect("an instant")).map(|at| at.to_rfc3339())
    }

    #[test]
    fn quartz_in_a_zone() {
        assert_eq!(
            next("0 5 5 * * ?", "America/New_York", "2026-11-22T09:00:00Z").as_deref(),
            Some("2026-11-22T10:05:00+00:00")
        );
    }

    #[test]
    fn quartz_counts_weekdays_from_sunday() {
        // 2026-11-22 is a Sunday; 2 is Monday.
        assert_eq!(next("0 0 6 ? * 2", "UTC", "2026-11-22T09:00:00Z").as_deref(), Some("2026-11-23T06:00:00+00:00"));
    }

    #[test]
    fn what_cannot_be_read_plans_nothing() {
        assert_eq!(next("every day", "UTC", "2026-11-22T09:00:00Z"), None);
        assert_eq!(next("0 0 6 * * ?", "Mars/Olympus", "2026-11-22T09:00:00Z"), None);
    }

    #[test]
    fn a_paused_schedule_plans_nothing() {
        let cadence = Cadence::Cron { expression: "0 0 6 * * ?".into(), zone: "UTC".into(), paused: true };
        assert_eq!(next_start(&cadence, "2026-11-22T09:00:00Z".parse().expect("an instant")), None);
    }
}
