//! When a job starts by itself: quartz cron schedules in a time zone.

use chrono::DateTime;
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::Instant;
use super::job::Cadence;

/// A quartz schedule that was read (domain.md 8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: Box<Cron>,
    zone: Tz,
}

/// Why a schedule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression says nothing that quartz understands.
    #[error("cron expression '{expression}' is invalid: {reason}")]
    Expression {
        /// As written.
        expression: String,
        /// What is wrong.
        reason: String,
    },
    /// No such zone.
    #[error("time zone '{0}' is unknown")]
    Zone(String),
}

impl Schedule {
    /// Reads six or seven fields (seconds, minutes, hours, day of month, month, day of week from Sunday = 1, year) and an
    /// IANA zone.
    ///
    /// # Errors
    /// When the expression or the zone says nothing.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Optional)
            .alternative_weekdays(true)
            // Quartz reads 5/15 as "from 5 on, every 15".
            .sloppy_ranges(true)
            .build()
            .parse(expression)
            .map_err(|error| ScheduleError::Expression {
                expression: expression.to_owned(),
                reason: error.to_string(),
            })?;
        let zone = zone.parse().map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        Ok(Self { cron: Box::new(cron), zone })
    }

    /// The first fire after an instant, if any. A local time that the clocks skip does not fire; one that comes twice
    /// fires once for a schedule with a fixed hour.
    pub fn next_after(&self, after: Instant) -> Option<Instant> {
        let mut at: DateTime<Tz> = after.with_timezone(&self.zone);
        loop {
            at = self.cron.find_next_occurrence(&at, false).ok()?;
            // The library moves a skipped time to the end of the gap, where the pattern does not hold.
            if self.cron.is_time_matching(&at).ok()? {
                return Some(at.to_utc());
            }
        }
    }
}

/// The next planned start after an instant; none if nothing is planned or the expression cannot be read.
pub fn next_start(cadence: &Cadence, after: Instant) -> Option<Instant> {
    let Cadence::Cron { expression, zone, paused: false } = cadence else { return None };
    Schedule::parse(expression, zone).ok()?.next_after(after)
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
