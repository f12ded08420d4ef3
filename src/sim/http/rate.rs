//! Request rates per workspace, as second-hand copies of the vendor's limits page give them (databricks-api.md 2.4).

use std::collections::BTreeMap;

use crate::domain::Instant;

/// A group of routes that share one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Everything without a limit of its own.
    General,
    /// `jobs/run-now`.
    RunNow,
    /// `jobs/runs/get`.
    RunsGet,
    /// SCIM reads.
    Scim,
    /// Token requests and discovery: no documented limit, so none.
    Unlimited,
}

impl Class {
    /// Requests and the seconds in which they are allowed.
    fn limit(self) -> Option<(f64, f64)> {
        match self {
            // Not documented; 429s are reported at a few dozen requests a second (console.md 6).
            Self::General => Some((50.0, 1.0)),
            Self::RunNow => Some((20.0, 1.0)),
            Self::RunsGet => Some((100.0, 1.0)),
            Self::Scim => Some((255.0, 60.0)),
            Self::Unlimited => None,
        }
    }
}

/// One workspace's token buckets. Wall time: a fast world does not raise the vendor's limits.
#[derive(Debug, Default)]
pub(super) struct Rates {
    buckets: BTreeMap<Class, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Rates {
    /// Takes one request's worth; when there is none, gives the whole seconds after which there will be.
    pub(super) fn take(&mut self, class: Class, now: Instant) -> Result<(), u64> {
        let Some((capacity, window_s)) = class.limit() else {
            return Ok(());
        };
        let per_s = capacity / window_s;
        let bucket = self.buckets.entry(class).or_insert(Bucket { tokens: capacity, filled_at: now });
        let elapsed_s = (now - bucket.filled_at).as_seconds_f64().max(0.0);
        bucket.tokens = (bucket.tokens + elapsed_s * per_s).min(capacity);
        bucket.filled_at = bucket.filled_at.max(now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and one window")]
        let wait_s = ((1.0 - bucket.tokens) / per_s).ceil().max(1.0) as u64;
        Err(wait_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_timestamp_millis(1_790_000_000_000 + ms).expect("in range")
    }

    #[test]
    fn a_class_allows_its_rate_then_refuses_then_recovers() {
        let mut rates = Rates::default();
        for _ in 0..20 {
            assert_eq!(rates.take(Class::RunNow, at(0)), Ok(()));
        }
        assert_eq!(rates.take(Class::RunNow, at(0)), Err(1));
        assert_eq!(rates.take(Class::RunsGet, at(0)), Ok(()), "classes are apart");
        assert_eq!(rates.take(Class::RunNow, at(50)), Ok(()));
        assert_eq!(rates.take(Class::RunNow, at(60)), Err(1));
    }

    #[test]
    fn a_limit_by_the_minute_refills_slowly() {
        let mut rates = Rates::default();
        for _ in 0..255 {
            assert_eq!(rates.take(Class::Scim, at(0)), Ok(()));
        }
        assert!(rates.take(Class::Scim, at(0)).is_err());
        assert_eq!(rates.take(Class::Scim, at(60_000)), Ok(()));
    }

    #[test]
    fn tokens_and_discovery_are_never_refused() {
        let mut rates = Rates::default();
        assert!((0..10_000).all(|_| rates.take(Class::Unlimited, at(0)).is_ok()));
    }
}
