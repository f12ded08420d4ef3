//! The client itself: one request from the call to its answer, with budget, token, attempts and decisions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::auth::{AuthError, Authenticator, Credentials};
use super::budget::Budget;
use super::error::{Class, Details, Error, Kind, Outcome};
use super::exchange::{ClockOffset, Exchanger, Label, Observer, request_id};
use super::host::{self, HostError};
use super::request::Request;
use super::retry::{Decision, Failure, RetryPolicy, Standing, decide, retry_after};
use super::transport::{Broken, Fault, Incoming, Outgoing, Permit, Transport};
use super::wire::error::ErrorBody;
use crate::domain::clock::Clock;
use crate::domain::ids::WorkspaceName;
use crate::domain::request::Lane;
use crate::domain::text;
use crate::domain::workspace::Workspace;

/// The most of a message that an error keeps, in characters.
const MAX_MESSAGE: usize = 2_000;

/// No platform gives out shorter tokens, in bytes.
const SHORTEST_TOKEN: usize = 8;

/// What a client is made of.
pub struct ClientOptions {
    /// The workspace.
    pub workspace: Workspace,
    /// The way to it.
    pub transport: Arc<dyn Transport>,
    /// Who speaks.
    pub credentials: Credentials,
    /// The workspace's budget, shared by the clients of all its roles.
    pub budget: Arc<Budget>,
    /// How patient it is.
    pub retry: RetryPolicy,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Told of every attempt as it ended.
    pub observer: Observer,
}

/// Speaks to one workspace with one credential. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    lane: Lane,
    attempts: u32,
    permit: Option<Permit>,
}

struct Shared {
    host: Url,
    exchanger: Arc<Exchanger>,
    authenticator: Authenticator,
    budget: Arc<Budget>,
    retry: RetryPolicy,
    requests: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &self.shared.host.as_str())
            .field("auth", &self.shared.authenticator.kind())
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}

/// How far a request has come, for its error.
struct Progress {
    begun: Instant,
    attempts: u32,
    /// Unknown as soon as one attempt is: a later refusal says nothing about an earlier attempt whose answer was lost.
    outcome: Outcome,
}

impl Client {
    /// Makes a client in the polling lane. Nothing is sent yet.
    ///
    /// # Errors
    /// When the host is no address, or would send credentials in the clear to another machine.
    pub fn new(options: ClientOptions) -> Result<Self, HostError> {
        let host = host::checked(&options.workspace.host)?;
        let user_agent = format!(
            "lakeshift/{} os/{} auth/{}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            options.credentials.kind()
        );
        let exchanger = Arc::new(Exchanger {
            workspace: options.workspace.name,
            transport: options.transport,
            clock: options.clock,
            observer: options.observer,
            offset: ClockOffset::default(),
            user_agent: HeaderValue::from_str(&user_agent).unwrap_or(HeaderValue::from_static("lakeshift")),
        });
        let shared = Shared {
            authenticator: Authenticator::new(options.credentials, Arc::clone(&exchanger), host.clone()),
            host,
            exchanger,
            budget: options.budget,
            retry: options.retry,
            requests: AtomicU64::new(0),
        };
        Ok(Self { attempts: shared.retry.attempts, shared: Arc::new(shared), lane: Lane::Poll, permit: None })
    }

    /// The same client, asking in another lane.
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// The same client, sending each request once, however idempotent it is: for acts of which somebody else decides when
    /// they are sent again. A success after a lost attempt would say nothing of that attempt, which may arrive late. A token
    /// that is refused is still replaced where a second time changes nothing.
    pub fn once(&self) -> Self {
        Self { attempts: 1, ..self.clone() }
    }

    /// The same client, sending only what the permit allows at the moment when it leaves.
    pub fn under(&self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self.clone() }
    }

    /// The workspace's clock minus ours, in milliseconds, as its answers tell it; 0 until one came.
    pub fn clock_offset_ms(&self) -> i64 {
        self.shared.exchanger.offset.ms()
    }

    /// The workspace's time, as far as its answers have told it.
    pub fn world_now(&self) -> crate::domain::Instant {
        self.shared.exchanger.clock.now() + chrono::TimeDelta::milliseconds(self.clock_offset_ms())
    }

    /// Requests that the workspace was sent within the last minute, by all clients that share its budget.
    pub fn requests_last_minute(&self) -> u32 {
        self.shared.budget.sent_last_minute()
    }

    /// The workspace that it speaks to.
    pub fn workspace(&self) -> &WorkspaceName {
        &self.shared.exchanger.workspace
    }

    /// The longest that one attempt may take.
    pub(crate) fn attempt_timeout(&self) -> Duration {
        self.shared.retry.attempt_timeout
    }

    /// Sends a request and decodes its answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        self.fetch_knowing(request).await.map(|(answer, _)| answer)
    }

    /// The same; with the answer comes what is known of the attempts before the one that it answers.
    pub(crate) async fn fetch_knowing<T: DeserializeOwned>(&self, request: &Request) -> Result<(T, Outcome), Error> {
        let (answer, progress) = self.send(request).await?;
        let earlier = progress.outcome;
        let decoded = serde_json::from_slice(&answer.body).map_err(|error| {
            let failure = Failure {
                kind: Kind::Garbled,
                status: Some(answer.status.as_u16()),
                code: None,
                message: format!("the answer is not what the API documents: {error}"),
                request_id: request_id(&answer.headers),
                retry_after: None,
            };
            self.error(request, failure, &Progress { outcome: Outcome::Unknown, ..progress })
        });
        decoded.map(|decoded| (decoded, earlier))
    }

    /// Sends an act whose answer says nothing. An empty body is as good as `{}` (databricks-api.md 0.1).
    pub(crate) async fn order(&self, request: &Request) -> Result<(), Error> {
        self.send(request).await.map(drop)
    }

    /// Why a listing is given up: its pages do not come to an end.
    pub(crate) fn endless(&self, request: &Request, message: String) -> Error {
        self.unusable(request, Kind::EndlessPages, message)
    }

    /// An answer that decodes but lacks what it must have.
    pub(crate) fn incomplete(&self, request: &Request, message: &str) -> Error {
        self.unusable(request, Kind::Garbled, message.to_owned())
    }

    fn unusable(&self, request: &Request, kind: Kind, message: String) -> Error {
        let progress = Progress { begun: Instant::now(), attempts: 1, outcome: Outcome::Unknown };
        let failure = Failure { kind, status: None, code: None, message, request_id: None, retry_after: None };
        self.error(request, failure, &progress)
    }

    async fn send(&self, request: &Request) -> Result<(Incoming, Progress), Error> {
        let shared = &*self.shared;
        let mut progress = Progress { begun: Instant::now(), attempts: 0, outcome: Outcome::DidNotHappen };
        let mut delays = shared.retry.delays(shared.requests.fetch_add(1, Ordering::Relaxed));
        let mut refreshed = false;
        loop {
            let (failure, can_refresh) = match self.attempt(request, &mut progress, refreshed).await {
                Ok(answer) => return Ok((answer, progress)),
                Err(failed) => failed,
            };
            if failure.outcome(request.repeat) == Outcome::Unknown {
                progress.outcome = Outcome::Unknown;
            }
            let standing = Standing {
                repeat: request.repeat,
                attempts: progress.attempts,
                max_attempts: self.attempts,
                remaining: shared.retry.total.saturating_sub(progress.begun.elapsed()),
                delay: delays.next(),
                can_refresh,
            };
            match decide(&failure, standing) {
                Decision::GiveUp => return Err(self.error(request, failure, &progress)),
                Decision::Again(delay) => tokio::time::sleep(delay).await,
                Decision::Refresh => refreshed = true,
            }
        }
    }

    /// One attempt. With a failure comes whether a token that was not tried yet can be had.
    async fn attempt(
        &self,
        request: &Request,
        progress: &mut Progress,
        refreshed: bool,
    ) -> Result<Incoming, (Failure, bool)> {
        let shared = &*self.shared;
        let broke = |kind, message| (Failure::local(kind, message), false);
        let deadline = progress.begun + shared.retry.total;
        let out_of_time = |_| broke(Kind::NoTurn, format!("no turn within {} s", shared.retry.total.as_secs()));
        tokio::time::timeout_at(deadline, shared.budget.admit(self.lane)).await.map_err(out_of_time)?;
        let bearer = tokio::time::timeout_at(deadline, shared.authenticator.bearer(self.lane)).await;
        let bearer = bearer.unwrap_or_else(|_| {
            Err(AuthError::Unreachable { what: "the source of tokens".into(), reason: "it took too long".into() })
        });
        progress.attempts += 1;
        let bearer = bearer.map_err(|error| broke(Kind::Auth(error), String::new()))?;
        let secret = bearer.secret.expose_secret();
        let outgoing = self.outgoing(request, secret).map_err(|reason| broke(Kind::Unwritable, reason))?;
        let timeout = shared.retry.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let label = Label { lane: self.lane, route: request.route, attempt: progress.attempts };
        let answer = shared.exchanger.exchange(label, outgoing, timeout).await;
        let mut failure = match answer {
            Ok(answer) => match judge(&answer, request.route, shared.exchanger.clock.now()) {
                None => return Ok(answer),
                Some(failure) => failure,
            },
            Err(broken) => Failure::broken(&broken),
        };
        // A server may quote what it was sent. Shorter words than any real token has would only garble the message.
        if secret.len() >= SHORTEST_TOKEN {
            failure.message = failure.message.replace(secret, "***");
        }
        let refused = failure.kind == Kind::Refused(Class::Unauthenticated);
        Err((failure, refused && shared.authenticator.give_up(&bearer) && !refreshed))
    }

    fn outgoing(&self, request: &Request, secret: &str) -> Result<Outgoing, String> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {secret}"))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, authorization),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let body = request.body()?;
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let url = request.url(&self.shared.host)?;
        let permit = self.permit.clone();
        Ok(Outgoing { method: request.method.clone(), url, headers, body: body.map(Bytes::from), permit })
    }

    fn error(&self, request: &Request, failure: Failure, progress: &Progress) -> Error {
        let message: String = text::line(&failure.message).chars().take(MAX_MESSAGE).collect();
        Error(Box::new(Details {
            workspace: self.shared.exchanger.workspace.clone(),
            method: request.method.clone(),
            route: request.route,
            kind: failure.kind,
            status: failure.status,
            code: failure.code.map(|code| text::line(&code)),
            message,
            request_id: failure.request_id,
            retry_after: failure.retry_after,
            attempts: progress.attempts,
            elapsed: progress.begun.elapsed(),
            outcome: progress.outcome,
        }))
    }
}

impl Failure {
    fn local(kind: Kind, message: String) -> Self {
        Self { kind, status: None, code: None, message, request_id: None, retry_after: None }
    }

    fn broken(broken: &Broken) -> Self {
        let kind = match broken.fault {
            Fault::Withheld => Kind::Withheld,
            Fault::Connect => Kind::Connect,
            Fault::TimedOut => Kind::TimedOut,
            Fault::Interrupted => Kind::Interrupted,
            Fault::TooLarge => Kind::TooLarge,
        };
        Self { status: broken.status.map(|status| status.as_u16()), ..Self::local(kind, broken.message.clone()) }
    }
}

/// What is wrong with an answer; none if it is one.
fn judge(answer: &Incoming, route: &str, now: crate::domain::Instant) -> Option<Failure> {
    let status = answer.status.as_u16();
    let is_page = is_web_page(answer);
    if answer.status.is_success() && !is_page {
        return None;
    }
    let read = ErrorBody::read(&answer.body);
    let (kind, message) = if answer.status.is_redirection() {
        let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        (Kind::Redirected, redirection(to))
    } else if answer.status.is_success() {
        let title = if read.message.is_empty() { String::new() } else { format!(" ({})", read.message) };
        (Kind::SignInPage, format!("a sign-in page instead of the API{title}"))
    } else {
        let message = if read.message.is_empty() {
            answer.status.canonical_reason().unwrap_or("refused").to_owned()
        } else {
            read.message
        };
        (Kind::Refused(Class::of(status, read.code.as_deref(), route, &message)), message)
    };
    Some(Failure {
        kind,
        status: Some(status),
        code: read.code,
        message,
        request_id: read.request_id.map(|id| text::line(&id)).or_else(|| request_id(&answer.headers)),
        retry_after: retry_after(&answer.headers, now).or(read.retry_after_s.map(Duration::from_secs)),
    })
}

fn is_web_page(answer: &Incoming) -> bool {
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || answer.body.trim_ascii_start().starts_with(b"<")
}

/// Where a redirection points, without its query, which may hold state of a login.
fn redirection(to: &str) -> String {
    if to.contains("private-link-validation-error") {
        return "the workspace is reached by private link only, and this machine is outside of it".to_owned();
    }
    let place = to.split(['?', '#']).next().unwrap_or_default();
    format!("redirected to {}", if place.is_empty() { "nowhere" } else { place })
}

#[cfg(test)]
mod tests;
