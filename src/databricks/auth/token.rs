//! Tokens that are kept, refreshed ahead of their end by one request at a time, and given up when refused.

use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::{AuthError, Credentials, Method, m2m};
use crate::databricks::exchange::Exchanger;
use crate::domain::request::Lane;

/// A token counts as over this long before its end: platforms refuse the last seconds (databricks-api.md 1.5).
const MARGIN: Duration = Duration::from_secs(40);

/// The longest time before its end in which a token is refreshed while the old one still serves.
const MAX_STALE: Duration = Duration::from_secs(20 * 60);

/// How long a failed refresh ahead of the end rests.
const REST: Duration = Duration::from_secs(60);

/// A token as it was given.
pub(super) struct Grant {
    pub(super) bearer: SecretString,
    pub(super) lifetime: Duration,
}

/// A token to send, and which one it is.
#[derive(Clone)]
pub(crate) struct Bearer {
    pub(crate) secret: SecretString,
    generation: u64,
}

#[derive(Clone)]
struct Token {
    bearer: Bearer,
    stale_at: Instant,
    over_at: Instant,
}

/// What the requests see.
#[derive(Default)]
struct Kept {
    token: Option<Token>,
    generation: u64,
    not_before: Option<Instant>,
}

/// What the one that refreshes keeps to itself.
#[derive(Default)]
struct Refresher {
    endpoint: Option<Url>,
    rounds: u64,
    failed: Option<AuthError>,
}

/// Gives the bearer token of each request.
pub(crate) struct Authenticator {
    credentials: Credentials,
    exchanger: Arc<Exchanger>,
    host: Url,
    kept: SyncMutex<Kept>,
    rounds: std::sync::atomic::AtomicU64,
    refresher: Mutex<Refresher>,
}

impl Authenticator {
    pub(crate) fn new(credentials: Credentials, exchanger: Arc<Exchanger>, host: Url) -> Self {
        Self {
            credentials,
            exchanger,
            host,
            kept: SyncMutex::default(),
            rounds: std::sync::atomic::AtomicU64::new(0),
            refresher: Mutex::default(),
        }
    }

    /// The vendor's word for the method.
    pub(crate) fn kind(&self) -> &'static str {
        self.credentials.kind()
    }

    /// A token that is good now. Near its end one request refreshes it while the others go on with the old one; a rollback
    /// never stops to refresh a token that still serves.
    pub(crate) async fn bearer(&self, lane: Lane) -> Result<Bearer, AuthError> {
        if let Method::Token(secret) = &self.credentials.method {
            return Ok(Bearer { secret: secret.clone(), generation: 0 });
        }
        let Some(old) = self.usable() else { return self.refreshed(lane).await };
        if lane == Lane::Rollback || !self.refresh_is_due(&old) {
            return Ok(old.bearer);
        }
        let Ok(mut refresher) = self.refresher.try_lock() else { return Ok(old.bearer) };
        match self.refresh(&mut refresher, lane).await {
            Ok(bearer) => Ok(bearer),
            Err(_) => {
                self.kept().not_before = Some(Instant::now() + REST);
                Ok(old.bearer)
            }
        }
    }

    /// Whether a refused token can be replaced by another: gives the refused one up, unless somebody has done so already.
    pub(crate) fn give_up(&self, refused: &Bearer) -> bool {
        if matches!(self.credentials.method, Method::Token(_)) {
            return false;
        }
        let mut kept = self.kept();
        if kept.generation == refused.generation {
            kept.token = None;
        }
        true
    }

    /// Waits for whoever refreshes already and takes what comes of it; otherwise refreshes.
    async fn refreshed(&self, lane: Lane) -> Result<Bearer, AuthError> {
        let seen = self.rounds.load(std::sync::atomic::Ordering::Acquire);
        let mut refresher = self.refresher.lock().await;
        if let Some(token) = self.usable() {
            return Ok(token.bearer);
        }
        if refresher.rounds > seen
            && let Some(error) = &refresher.failed
        {
            return Err(error.clone());
        }
        self.refresh(&mut refresher, lane).await
    }

    async fn refresh(&self, refresher: &mut Refresher, lane: Lane) -> Result<Bearer, AuthError> {
        let result = self.ask(refresher, lane).await;
        refresher.rounds += 1;
        self.rounds.store(refresher.rounds, std::sync::atomic::Ordering::Release);
        match result {
            Ok(grant) => {
                refresher.failed = None;
                Ok(self.keep(grant))
            }
            Err(error) => {
                refresher.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn ask(&self, refresher: &mut Refresher, lane: Lane) -> Result<Grant, AuthError> {
        match &self.credentials.method {
            Method::Token(secret) => Ok(Grant { bearer: secret.clone(), lifetime: Duration::MAX }),
            Method::Cli(login) => login.grant(self.exchanger.clock.now()).await,
            Method::ClientSecret(client) => {
                let endpoint = match &refresher.endpoint {
                    Some(endpoint) => endpoint.clone(),
                    None => refresher.endpoint.insert(m2m::discover(&self.exchanger, &self.host, lane).await?).clone(),
                };
                m2m::grant(&self.exchanger, &endpoint, client, lane).await
            }
        }
    }

    fn keep(&self, grant: Grant) -> Bearer {
        let now = Instant::now();
        let margin = MARGIN.min(grant.lifetime / 2);
        let stale = (grant.lifetime / 2).min(MAX_STALE).max(margin);
        let mut kept = self.kept();
        kept.generation += 1;
        kept.not_before = None;
        let bearer = Bearer { secret: grant.bearer, generation: kept.generation };
        let token = Token {
            bearer: bearer.clone(),
            stale_at: now + (grant.lifetime - stale),
            over_at: now + (grant.lifetime - margin),
        };
        kept.token = Some(token);
        bearer
    }

    fn usable(&self) -> Option<Token> {
        self.kept().token.clone().filter(|token| Instant::now() < token.over_at)
    }

    fn refresh_is_due(&self, token: &Token) -> bool {
        let now = Instant::now();
        now >= token.stale_at && self.kept().not_before.is_none_or(|rested| now >= rested)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing panics while it holds the lock; a poisoned one is still whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decoding error by its place alone: its own words may quote the value, which may be a secret.
pub(super) fn without_values(error: &serde_json::Error) -> String {
    format!("unreadable JSON at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests;
