//! What makes a job that somebody deployed run by itself: its schedule, its trigger, or that it never stops.

use serde_json::Value;

use crate::domain::Instant;

use super::job::{CronSchedule, JobSettings};
use super::quartz::Quartz;
use super::site::Clockwork;
use super::time::{DAY, HOUR, MINUTE, SECOND};

impl Clockwork {
    /// The clockwork of a schedule; none where nobody can read it.
    pub(super) fn of(schedule: &CronSchedule) -> Self {
        Quartz::parse(&schedule.quartz_cron_expression, &schedule.timezone_id).map_or(Self::None, Self::Cron)
    }

    /// The clockwork of settings that were written at an instant. What is paused does not run, and what waits for
    /// something that never comes here (a table, a model, another job) neither.
    pub(super) fn of_settings(settings: &JobSettings, at: Instant) -> Self {
        if let Some(schedule) = &settings.schedule {
            return Self::of(schedule);
        }
        let runs = |value: &&Value| value["pause_status"] != "PAUSED";
        if settings.extra.get("continuous").filter(runs).is_some() {
            return Self::Continuous;
        }
        let Some(trigger) = settings.extra.get("trigger").filter(runs) else { return Self::None };
        let periodic = &trigger["periodic"];
        let unit_ms = match periodic["unit"].as_str() {
            Some("MINUTES") => MINUTE,
            Some("HOURS") => HOUR,
            Some("DAYS") => DAY,
            Some("WEEKS") => 7 * DAY,
            _ => 0,
        };
        let interval_ms = periodic["interval"].as_u64().unwrap_or(0) * unit_ms;
        if interval_ms > 0 {
            return Self::Every { interval_ms, since: at };
        }
        match &trigger["file_arrival"] {
            Value::Object(arrival) => {
                let least_s = arrival.get("min_time_between_triggers_seconds").and_then(Value::as_u64).unwrap_or(0);
                Self::Arrivals { least_ms: least_s * SECOND }
            }
            _ => Self::None,
        }
    }
}
