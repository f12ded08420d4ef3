//! Whether a failed attempt is repeated, and after how long: decisions only, no waiting and no sending.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use http::{HeaderMap, header};

use crate::domain::Instant;

use super::error::{Class, Kind, Outcome};

/// How patient a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most attempts of one request.
    pub attempts: u32,
    /// The longest that one attempt may take.
    pub attempt_timeout: Duration,
    /// The longest that a request may take with all its attempts and waits, the budget's among them.
    pub total: Duration,
    /// The first delay; each further one doubles, up to [`RetryPolicy::max_delay`], with jitter.
    pub min_delay: Duration,
    /// The longest delay, unless the platform asks for a longer one.
    pub max_delay: Duration,
    /// What the jitter is drawn from: two clients with one seed draw alike.
    pub seed: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            attempt_timeout: Duration::from_secs(30),
            total: Duration::from_secs(60),
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(10),
            seed: 0,
        }
    }
}

impl RetryPolicy {
    /// The delays of one request. `request` tells requests of one client apart, so that they do not repeat in step.
    pub(crate) fn delays(&self, request: u64) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(usize::try_from(self.attempts).unwrap_or(usize::MAX))
            .with_jitter()
            .with_jitter_seed(self.seed ^ request.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .build()
    }
}

/// What a repeat of a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A read, or an act that is declared idempotent: the second time changes nothing.
    Safe,
    /// An act that may happen twice.
    Unsafe,
}

/// An attempt that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

/// Where a request stands when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) repeat: Repeat,
    /// Attempts made so far, with the failed one.
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    /// Until the total time bound.
    pub(crate) remaining: Duration,
    /// The next delay of the policy; none when there are no more.
    pub(crate) delay: Option<Duration>,
    /// Whether a new token can be had that was not tried yet.
    pub(crate) can_refresh: bool,
}

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Give up with the failure.
    GiveUp,
    /// Wait, then send again.
    Again(Duration),
    /// Get a new token, then send again at once.
    Refresh,
}

/// Texts by which the platform says "again", whatever the status (databricks-api.md 2.3).
const TRANSIENT_TEXTS: [&str; 7] = [
    "UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "There is no worker environment with id",
    "Unknown worker environment",
    "ClusterNotReadyException",
    "Please try again later or try a faster operation.",
    "RPC token bucket limit has been exceeded",
];

impl Failure {
    /// Whether the act of this one attempt may have happened.
    ///
    /// What the API itself refused did not. But 408 and 499 say only that somebody stopped waiting, a 5xx may come from any
    /// place, before or behind the act, and so may a web page in place of an answer: it says who stands in the way, not on
    /// which side of the API. The vendor promises nowhere that 401 and 429 come before the act; after a
    /// 429 what may be repeated is, and is found out so; all else is looked for (databricks-api.md 2.3).
    pub(crate) fn outcome(&self, repeat: Repeat) -> Outcome {
        match &self.kind {
            Kind::NoTurn | Kind::Withheld | Kind::Auth(_) | Kind::Connect | Kind::Unwritable => Outcome::DidNotHappen,
            _ => match self.status {
                Some(401) => Outcome::Unknown,
                Some(429) if repeat == Repeat::Unsafe => Outcome::Unknown,
                Some(300..=399 | 408 | 499) => Outcome::Unknown,
                Some(400..=499) => Outcome::DidNotHappen,
                _ => Outcome::Unknown,
            },
        }
    }

    /// Whether the same request may do better a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match &self.kind {
            Kind::Connect | Kind::TimedOut | Kind::Interrupted => true,
            Kind::Auth(error) => error.is_transient(),
            Kind::Refused(class) => {
                matches!(class, Class::TooManyRequests | Class::RequestLimitExceeded)
                    || matches!(self.status, Some(408 | 429 | 500 | 502 | 503 | 504))
                    || TRANSIENT_TEXTS.iter().any(|text| self.message.contains(text))
            }
            _ => false,
        }
    }

    /// Whether nothing of the request was ever sent, so that a repeat is the first that leaves.
    fn never_left(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::Auth(_))
    }
}

/// Decides about a failed attempt.
///
/// A request that must not happen twice is sent again only if nothing of it left. Neither a 401 nor a 429 is enough for it;
/// the caller, who knows what the act is, decides.
pub(crate) fn decide(failure: &Failure, standing: Standing) -> Decision {
    if failure.kind == Kind::Refused(Class::Unauthenticated) {
        let may = standing.can_refresh && standing.repeat == Repeat::Safe;
        return if may { Decision::Refresh } else { Decision::GiveUp };
    }
    let may = standing.repeat == Repeat::Safe || failure.never_left();
    if !may || !failure.is_transient() || standing.attempts >= standing.max_attempts {
        return Decision::GiveUp;
    }
    let Some(delay) = standing.delay else { return Decision::GiveUp };
    // The platform's wish is a lower bound: the jitter stays on top, so that not all who were told the same come at once.
    let delay = failure.retry_after.map_or(delay, |asked| asked + delay / 4);
    if delay >= standing.remaining { Decision::GiveUp } else { Decision::Again(delay) }
}

/// The wait that an answer asks for: whole seconds, or an HTTP date against the answer's own `Date` or `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: Instant) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    let now = headers.get(header::DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
    Some(until.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO))
}

/// Reads an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`).
pub(crate) fn http_date(text: &str) -> Option<Instant> {
    chrono::DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::databricks::auth::AuthError;
    use proptest::prelude::*;

    fn failure(kind: Kind, status: Option<u16>) -> Failure {
        Failure { kind, status, code: None, message: String::new(), request_id: None, retry_after: None }
    }

    fn refused(status: u16) -> Failure {
        failure(Kind::Refused(Class::of(status, None, "", "")), Some(status))
    }

    fn standing(repeat: Repeat) -> Standing {
        Standing {
            repeat,
            attempts: 1,
            max_attempts: 5,
            remaining: Duration::from_secs(60),
            delay: Some(Duration::from_secs(1)),
            can_refresh: false,
        }
    }

    /// One row a case: the failure, whether a safe request is repeated, whether an unsafe one is, what is known of an unsafe
    /// act.
    #[test]
    fn every_failure_has_its_decision_and_outcome() {
        use Outcome::{DidNotHappen, Unknown};
        let unreachable = AuthError::Unreachable { what: "x".into(), reason: "y".into() };
        let cases = [
            (failure(Kind::NoTurn, None), false, false, DidNotHappen),
            (failure(Kind::Withheld, None), false, false, DidNotHappen),
            (failure(Kind::Connect, None), true, true, DidNotHappen),
            (failure(Kind::Auth(unreachable), None), true, true, DidNotHappen),
            (failure(Kind::Auth(AuthError::Refused { reason: "no".into() }), None), false, false, DidNotHappen),
            (failure(Kind::TimedOut, None), true, false, Unknown),
            (failure(Kind::Interrupted, None), true, false, Unknown),
            (failure(Kind::Interrupted, Some(200)), true, false, Unknown),
            (failure(Kind::Interrupted, Some(403)), true, false, DidNotHappen),
            (failure(Kind::TooLarge, Some(200)), false, false, Unknown),
            (failure(Kind::Garbled, Some(200)), false, false, Unknown),
            (failure(Kind::SignInPage, Some(200)), false, false, Unknown),
            (failure(Kind::Redirected, Some(302)), false, false, Unknown),
            (failure(Kind::Unwritable, None), false, false, DidNotHappen),
            (refused(400), false, false, DidNotHappen),
            (refused(401), false, false, Unknown),
            (refused(403), false, false, DidNotHappen),
            (refused(404), false, false, DidNotHappen),
            (refused(408), true, false, Unknown),
            (refused(409), false, false, DidNotHappen),
            (refused(429), true, false, Unknown),
            (refused(499), false, false, Unknown),
            (refused(500), true, false, Unknown),
            (refused(501), false, false, Unknown),
            (refused(502), true, false, Unknown),
            (refused(503), true, false, Unknown),
            (refused(504), true, false, Unknown),
        ];
        for (failure, safe, unsafe_, outcome) in cases {
            let again = |repeat| decide(&failure, standing(repeat)) == Decision::Again(Duration::from_secs(1));
            assert_eq!(again(Repeat::Safe), safe, "safe {failure:?}");
            assert_eq!(again(Repeat::Unsafe), unsafe_, "unsafe {failure:?}");
            assert_eq!(failure.outcome(Repeat::Unsafe), outcome, "{failure:?}");
        }
        assert_eq!(refused(429).outcome(Repeat::Safe), DidNotHappen, "asked again, it is found out");
    }

    #[test]
    fn a_refused_token_is_refreshed_once_where_a_repeat_does_no_harm() {
        let can = Standing { can_refresh: true, ..standing(Repeat::Safe) };
        assert_eq!(decide(&refused(401), can), Decision::Refresh);
        assert_eq!(decide(&refused(401), Standing { can_refresh: false, ..can }), Decision::GiveUp);
        assert_eq!(decide(&refused(401), Standing { repeat: Repeat::Unsafe, ..can }), Decision::GiveUp);
    }

    #[test]
    fn the_attempts_and_the_time_end() {
        let out_of_attempts = Standing { attempts: 5, ..standing(Repeat::Safe) };
        assert_eq!(decide(&refused(503), out_of_attempts), Decision::GiveUp);
        let out_of_time = Standing { remaining: Duration::from_secs(1), ..standing(Repeat::Safe) };
        assert_eq!(decide(&refused(503), out_of_time), Decision::GiveUp);
    }

    #[test]
    fn the_platforms_wait_is_kept_and_one_beyond_the_bound_ends_it() {
        let asking = |seconds| Failure { retry_after: Some(Duration::from_secs(seconds)), ..refused(429) };
        assert_eq!(decide(&asking(7), standing(Repeat::Safe)), Decision::Again(Duration::from_millis(7_250)));
        assert_eq!(decide(&asking(60), standing(Repeat::Safe)), Decision::GiveUp);
    }

    #[test]
    fn a_text_that_says_again_counts_at_any_status() {
        let again = Failure { message: "x RPC token bucket limit has been exceeded y".into(), ..refused(400) };
        assert_ne!(decide(&again, standing(Repeat::Safe)), Decision::GiveUp);
        assert_eq!(decide(&again, standing(Repeat::Unsafe)), Decision::GiveUp);
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let now = chrono::DateTime::from_timestamp_secs(1_000_000_000).expect("in range");
        let read = |pairs: &[(header::HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
            retry_after(&headers, now)
        };
        assert_eq!(read(&[(header::RETRY_AFTER, "12")]), Some(Duration::from_secs(12)));
        assert_eq!(read(&[(header::RETRY_AFTER, "soon")]), None);
        assert_eq!(read(&[]), None);
        let date = "Sun, 09 Sep 2001 01:46:55 GMT";
        assert_eq!(read(&[(header::RETRY_AFTER, date)]), Some(Duration::from_secs(15)));
        let skewed = [(header::RETRY_AFTER, date), (header::DATE, "Sun, 09 Sep 2001 01:46:50 GMT")];
        assert_eq!(read(&skewed), Some(Duration::from_secs(5)), "against the answer's own clock");
        assert_eq!(read(&[(header::RETRY_AFTER, "Sun, 09 Sep 2001 01:00:00 GMT")]), Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn delays_grow_within_bounds_and_repeat_with_the_seed(seed: u64, request in 0u64..1_000) {
            let policy = RetryPolicy { seed, ..RetryPolicy::default() };
            let delays: Vec<_> = policy.delays(request).collect();
            prop_assert_eq!(&delays, &policy.delays(request).collect::<Vec<_>>());
            prop_assert!(delays.iter().all(|delay| *delay >= policy.min_delay && *delay <= policy.max_delay * 2));
        }

        #[test]
        fn an_unsafe_request_is_never_sent_twice_once_it_left(status in 400u16..600, message in ".*") {
            let failure = Failure { message, ..refused(status) };
            for can_refresh in [false, true] {
                let standing = Standing { can_refresh, ..standing(Repeat::Unsafe) };
                prop_assert_eq!(decide(&failure, standing), Decision::GiveUp);
            }
        }
    }
}
