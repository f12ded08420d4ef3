//! A network in memory for the tests of this room: answers by a function, keeps what it was sent.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, StatusCode};
use secrecy::SecretString;
use serde_json::Value;

use super::auth::Credentials;
use super::transport::{Broken, Fault, Incoming, Outgoing, Transport};
use super::{Budget, Client, ClientOptions, RetryPolicy};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ids::WorkspaceName;
use crate::domain::request::RequestRecord;
use crate::domain::workspace::{Environment, Workspace};

/// The token of [`World::client`], to be looked for where it must not be.
pub(crate) const TOKEN: &str = "dapi-s3cret-token";

/// What the network does with a request.
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, Bytes),
    After(Duration, Box<Reply>),
    Break(Fault),
    Hang,
}

pub(crate) fn json(status: u16, body: &Value) -> Reply {
    Reply::Answer(status, vec![("content-type", "application/json".into())], Bytes::from(body.to_string()))
}

pub(crate) fn text(status: u16, body: &'static str) -> Reply {
    Reply::Answer(status, Vec::new(), Bytes::from_static(body.as_bytes()))
}

type Answerer = Box<dyn Fn(&Outgoing, usize) -> Reply + Send + Sync>;

/// The network, the clock and the notebook of one test.
pub(crate) struct World {
    answer: Answerer,
    sent: Mutex<Vec<Outgoing>>,
    pub(crate) records: Mutex<Vec<RequestRecord>>,
    begun: tokio::time::Instant,
}

/// Local time: tokio's, so that it can be paused.
struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn now(&self) -> Instant {
        let start = chrono::DateTime::from_timestamp_secs(1_750_000_000).expect("in range");
        start + chrono::TimeDelta::from_std(self.0.elapsed()).expect("in range")
    }
}

impl World {
    /// Answers the `n`th request (from 0) as told.
    pub(crate) fn new(answer: impl Fn(&Outgoing, usize) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        let begun = tokio::time::Instant::now();
        Arc::new(Self { answer: Box::new(answer), sent: Mutex::default(), records: Mutex::default(), begun })
    }

    /// Answers every request with one of these, in order; the last one for ever.
    pub(crate) fn script(replies: Vec<fn() -> Reply>) -> Arc<Self> {
        Self::new(move |_, n| replies[n.min(replies.len() - 1)]())
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client {
        self.client_as(Credentials::token(SecretString::from(TOKEN)))
    }

    pub(crate) fn client_as(self: &Arc<Self>, credentials: Credentials) -> Client {
        self.client_with(
            credentials,
            Budget::new(NonZeroU32::new(1_000).expect("not 0"), NonZeroU32::new(1_000).expect("not 0")),
        )
    }

    pub(crate) fn client_with(self: &Arc<Self>, credentials: Credentials, budget: Arc<Budget>) -> Client {
        let notebook = Arc::clone(self);
        Client::new(ClientOptions {
            workspace: Workspace {
                name: WorkspaceName::new("prod"),
                environment: Environment::Prod,
                letter: 'P',
                host: "https://a.example".into(),
            },
            transport: Arc::clone(self) as Arc<dyn Transport>,
            credentials,
            budget,
            retry: RetryPolicy::default(),
            clock: Arc::new(PausedClock(self.begun)),
            observer: Arc::new(move |record| notebook.records.lock().expect("whole").push(record)),
        })
        .expect("a host")
    }

    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        self.sent.lock().expect("whole").clone()
    }

    /// Method, path and query of each request.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |request: &Outgoing| {
            let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
            format!("{} {}{query}", request.method, request.url.path())
        };
        self.sent().iter().map(line).collect()
    }

    /// The body of the `n`th request.
    pub(crate) fn body(&self, n: usize) -> Value {
        serde_json::from_slice(self.sent()[n].body.as_deref().expect("a body")).expect("JSON")
    }
}

impl Transport for World {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        let n = {
            let mut sent = self.sent.lock().expect("whole");
            sent.push(request.clone());
            sent.len() - 1
        };
        let reply = (self.answer)(&request, n);
        Box::pin(perform(reply))
    }
}

fn perform(reply: Reply) -> BoxFuture<'static, Result<Incoming, Broken>> {
    Box::pin(async move {
        match reply {
            Reply::Answer(status, headers, body) => Ok(Incoming {
                status: StatusCode::from_u16(status).expect("a status"),
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")))
                    .collect::<HeaderMap>(),
                body,
            }),
            Reply::After(time, reply) => {
                tokio::time::sleep(time).await;
                perform(*reply).await
            }
            Reply::Break(fault) => Err(Broken { fault, status: None, message: "broken".into() }),
            Reply::Hang => std::future::pending().await,
        }
    })
}
