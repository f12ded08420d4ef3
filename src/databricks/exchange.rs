//! One attempt on the wire of one workspace: sends, bounds the time, records, learns the workspace's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use http::{HeaderMap, HeaderValue, header};

use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ids::WorkspaceName;
use crate::domain::request::{Lane, RequestRecord};
use crate::domain::text;

use super::retry::http_date;
use super::transport::{Broken, Fault, Incoming, Outgoing, Transport};

/// Told of every attempt as it ended.
pub type Observer = Arc<dyn Fn(RequestRecord) + Send + Sync>;

/// Headers that may carry the vendor's request id.
const REQUEST_ID_HEADERS: [&str; 2] = ["x-databricks-request-id", "x-request-id"];

/// The longest path, query or error that a record keeps, in characters.
const MAX_RECORDED: usize = 300;

/// The way to one workspace, shared by the client's lanes and by its token requests.
pub(crate) struct Exchanger {
    pub(crate) workspace: WorkspaceName,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Observer,
    pub(crate) offset: ClockOffset,
    /// Who asks, in every request, those for tokens too (databricks-api.md 1.9).
    pub(crate) user_agent: HeaderValue,
}

/// What a record says beyond what the answer tells.
#[derive(Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) lane: Lane,
    pub(crate) route: &'a str,
    pub(crate) attempt: u32,
}

impl Exchanger {
    /// Sends once. After `timeout` the exchange counts as timed out: it may have arrived all the same.
    pub(crate) async fn exchange(
        &self,
        label: Label<'_>,
        mut request: Outgoing,
        timeout: Duration,
    ) -> Result<Incoming, Broken> {
        request.headers.insert(header::USER_AGENT, self.user_agent.clone());
        let at = self.clock.now();
        let begun = tokio::time::Instant::now();
        let method = request.method.to_string();
        let path = cut(request.url.path());
        let query = recorded_query(request.url.query());
        let is_whole = path == request.url.path() && query == request.url.query().unwrap_or_default();
        request.check()?;
        let result = match tokio::time::timeout(timeout, self.transport.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(Broken {
                fault: Fault::TimedOut,
                status: None,
                message: format!("no answer within {} ms", timeout.as_millis()),
            }),
        };
        let took = begun.elapsed();
        let (status, bytes, request_id, error) = match &result {
            Ok(answer) => {
                // By our clock as it is now: it may have been set while the request was under way.
                let sent_at = TimeDelta::from_std(took).map_or(at, |took| self.clock.now() - took);
                self.offset.learn(&answer.headers, sent_at, took);
                let error = (!answer.status.is_success()).then(|| answer.status.to_string());
                (Some(answer.status), answer.body.len(), request_id(&answer.headers), error)
            }
            Err(broken) => (broken.status, 0, None, Some(text::line(&broken.message))),
        };
        let record = RequestRecord {
            at,
            workspace: self.workspace.clone(),
            lane: label.lane,
            method,
            route: label.route.to_owned(),
            path,
            query,
            is_whole,
            status: status.map(|status| status.as_u16()),
            attempt: label.attempt,
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            request_id,
            error: error.map(|error| cut(&error)),
        };
        write_down(&record);
        (self.observer)(record);
        result
    }
}

/// The line of the log. What a record holds is made harmless and without secrets.
fn write_down(record: &RequestRecord) {
    tracing::debug!(
        workspace = %record.workspace,
        lane = ?record.lane,
        method = record.method,
        route = record.route,
        path = record.path,
        query = record.query,
        status = record.status,
        attempt = record.attempt,
        ms = record.ms,
        bytes = record.bytes,
        request_id = record.request_id,
        error = record.error,
        "request"
    );
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_RECORDED).collect()
}

/// The vendor's request id by the answer's headers.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_ID_HEADERS.iter().find_map(|name| Some(text::line(headers.get(*name)?.to_str().ok()?)))
}

/// The query for the record: page tokens are long, opaque and may encode what was asked for, so they are not kept.
fn recorded_query(query: Option<&str>) -> String {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let parts = parts.map(|part| match part.split_once('=') {
        Some(("page_token", _)) => "page_token=…",
        _ => part,
    });
    cut(&parts.collect::<Vec<_>>().join("&"))
}

/// The workspace's clock minus ours.
///
/// A `Date` has whole seconds, so one answer only bounds the offset. The estimate moves no farther than the bounds demand:
/// it settles instead of jittering, and follows at once when the workspace's clock jumps.
#[derive(Debug, Default)]
pub(crate) struct ClockOffset {
    ms: AtomicI64,
    known: Mutex<bool>,
}

impl ClockOffset {
    /// The estimate in milliseconds; 0 until an answer came.
    pub(crate) fn ms(&self) -> i64 {
        self.ms.load(Ordering::Relaxed)
    }

    /// Learns from an answer to a request that left at `sent_at` (our time) and took `took`.
    fn learn(&self, headers: &HeaderMap, sent_at: Instant, took: Duration) {
        let date = headers.get(header::DATE).and_then(|date| http_date(date.to_str().ok()?));
        let Some(date) = date else { return };
        let took = TimeDelta::from_std(took).unwrap_or(TimeDelta::MAX);
        let ms = |span: TimeDelta| span.num_milliseconds();
        let least = ms(date.signed_duration_since(sent_at) - took);
        let most = ms(date.signed_duration_since(sent_at) + TimeDelta::seconds(1));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let estimate = if *known { self.ms().clamp(least, most) } else { i64::midpoint(least, most) };
        self.ms.store(estimate, Ordering::Relaxed);
        *known = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(date: Instant) -> HeaderMap {
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        HeaderMap::from_iter([(header::DATE, date.parse().expect("a value"))])
    }

    fn at(ms: i64) -> Instant {
        chrono::DateTime::from_timestamp_millis(ms).expect("in range")
    }

    proptest! {
        /// Whatever the true offset is, the estimate is within a second and the time that the answers took.
        #[test]
        fn the_offset_is_learned(offset in -100_000_000i64..100_000_000, took in 0i64..2_000, sent in prop::collection::vec(0i64..100_000, 1..10)) {
            let learned = ClockOffset::default();
            for sent in sent {
                let sent = 1_700_000_000_000 + sent;
                let answered = at(sent + took / 2 + offset);
                learned.learn(&headers(answered), at(sent), Duration::from_millis(took.unsigned_abs()));
            }
            prop_assert!((learned.ms() - offset).abs() <= 1_000 + took, "{} {offset}", learned.ms());
        }
    }

    #[test]
    fn a_steady_clock_gives_a_steady_offset_and_a_jump_is_followed() {
        let learned = ClockOffset::default();
        let mut seen = std::collections::BTreeSet::new();
        for sent in 0..50 {
            let sent = 1_700_000_000_000 + sent * 1_730;
            learned.learn(&headers(at(sent + 400)), at(sent), Duration::from_millis(20));
            seen.insert(learned.ms());
        }
        assert!(seen.len() < 8, "it settles: {seen:?}");
        learned.learn(&headers(at(1_700_003_600_000)), at(1_700_000_000_000), Duration::ZERO);
        assert!((learned.ms() - 3_600_000).abs() <= 1_000);
        learned.learn(&HeaderMap::new(), at(0), Duration::ZERO);
        assert!((learned.ms() - 3_600_000).abs() <= 1_000, "an answer without a date teaches nothing");
    }

    /// A machine whose clock is set while a request is under way, and the workspace that it asks.
    struct Jumping(AtomicI64);

    impl Clock for Jumping {
        fn now(&self) -> Instant {
            at(self.0.load(Ordering::Relaxed))
        }
    }

    impl Transport for Arc<Jumping> {
        fn exchange(&self, _: Outgoing) -> futures::future::BoxFuture<'_, Result<Incoming, Broken>> {
            let answer = headers(self.now());
            self.0.fetch_add(386_000, Ordering::Relaxed);
            Box::pin(std::future::ready(Ok(Incoming {
                status: http::StatusCode::OK,
                headers: answer,
                body: bytes::Bytes::new(),
            })))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_while_a_request_is_under_way_does_not_move_the_workspaces_time() {
        let clock = Arc::new(Jumping(AtomicI64::new(1_700_000_000_000)));
        let exchanger = Exchanger {
            workspace: "prod".into(),
            transport: Arc::new(Arc::clone(&clock)),
            clock: clock.clone(),
            observer: Arc::new(|_| {}),
            user_agent: http::HeaderValue::from_static("lakeshift"),
            offset: ClockOffset::default(),
        };
        let request = Outgoing {
            method: http::Method::GET,
            url: "https://prod.example.test/api".parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: None,
            permit: None,
        };
        let label = Label { lane: Lane::Act, route: "/api", attempt: 1 };
        exchanger.exchange(label, request, Duration::from_secs(1)).await.expect("an answer");
        let world_now = clock.now() + TimeDelta::milliseconds(exchanger.offset.ms());
        assert!((world_now - at(1_700_000_000_000)).num_milliseconds().abs() <= 1_000, "{world_now}");
    }

    #[test]
    fn page_tokens_are_not_recorded() {
        assert_eq!(
            recorded_query(Some("limit=24&page_token=abc&active_only=true")),
            "limit=24&page_token=…&active_only=true"
        );
        assert_eq!(recorded_query(None), "");
    }
}
