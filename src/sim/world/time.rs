//! Arithmetic on world time: instants plus milliseconds, without panics at the ends of time.

use chrono::TimeDelta;

use crate::domain::Instant;

/// Milliseconds in a second, a minute, an hour, a day.
pub(super) const SECOND: u64 = 1_000;
/// Milliseconds in a minute.
pub(super) const MINUTE: u64 = 60 * SECOND;
/// Milliseconds in an hour.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// Milliseconds in a day.
pub(super) const DAY: u64 = 24 * HOUR;

/// The instant `ms` later.
pub(super) fn after(at: Instant, ms: u64) -> Instant {
    at.checked_add_signed(delta(ms)).unwrap_or(Instant::MAX_UTC)
}

/// The instant `ms` earlier.
pub(super) fn before(at: Instant, ms: u64) -> Instant {
    at.checked_sub_signed(delta(ms)).unwrap_or(Instant::MIN_UTC)
}

/// The instant without what is less than a millisecond: the wire tells no more, and who asks for what came after an
/// instant that it was told must not get the same again.
pub(super) fn whole_ms(at: Instant) -> Instant {
    Instant::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

/// Milliseconds from one instant to a later one; 0 if it is not later.
pub(super) fn span_ms(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.signed_duration_since(from).num_milliseconds()).unwrap_or(0)
}

/// A measured quantity as a whole number, rounded; negative and not-a-number become 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and clamped here, for everybody")]
pub(super) fn whole(value: f64) -> u64 {
    value.round().clamp(0.0, 9e15) as u64
}

/// A number of minutes as milliseconds.
pub(super) fn minutes(value: f64) -> u64 {
    whole(value * MINUTE as f64)
}

fn delta(ms: u64) -> TimeDelta {
    i64::try_from(ms).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_forward_and_back_meet() {
        let at = Instant::UNIX_EPOCH;
        assert_eq!(before(after(at, 90 * MINUTE), 90 * MINUTE), at);
        assert_eq!(span_ms(at, after(at, 5)), 5);
        assert_eq!(span_ms(after(at, 5), at), 0);
        assert_eq!(after(at, u64::MAX), Instant::MAX_UTC);
    }

    #[test]
    fn what_is_no_number_is_zero() {
        assert_eq!((whole(2.5), whole(-1.0), whole(f64::NAN)), (3, 0, 0));
    }
}
