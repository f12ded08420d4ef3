//! The network of a run: real clients on one side, the simulated workspaces on the other, and trouble between them.
//!
//! A request that has left is the network's, not the sender's: it arrives, or not, whether the sender still lives or not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, StatusCode, header};
use lakeshift::databricks::transport::{self, Broken, Incoming, Outgoing, Transport};
use lakeshift::domain::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::matrix::{Crash, Fault};
use super::stage::{Reach, Stage};

/// How long after it left a request may still arrive, in seconds: well within what plans are told.
const LATEST_S: u64 = 60;

/// How long a read may miss the newest act, in seconds. A request that arrives at last is seen within the plans' bound.
pub(super) const STALEST_S: i64 = 20;

/// What a request asks, as far as a run cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// To change the world.
    Act(Order),
    /// To read one thing.
    Read,
    /// To read a list.
    List,
    /// For a token.
    Token,
}

/// An act on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    RunNow { token: Option<String> },
    Cancel { run: u64 },
    Repair { run: u64 },
    Start { pipeline: String },
    Stop { pipeline: String },
}

impl Order {
    /// Whether the client may send it again by itself.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self, Self::RunNow { token: Some(_) } | Self::Cancel { .. } | Self::Stop { .. })
    }
}

impl Ask {
    fn of(request: &Outgoing) -> Self {
        let path = request.url.path();
        let body: Value = request.body.as_ref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let run = || body["run_id"].as_u64().unwrap();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let is_read = request.method == Method::GET;
        match segments[..] {
            ["api", _, "jobs", "run-now"] => {
                Self::Act(Order::RunNow { token: body["idempotency_token"].as_str().map(str::to_owned) })
            }
            ["api", _, "jobs", "runs", "cancel"] => Self::Act(Order::Cancel { run: run() }),
            ["api", _, "jobs", "runs", "repair"] => Self::Act(Order::Repair { run: run() }),
            ["api", _, "pipelines", id, "updates"] if !is_read => Self::Act(Order::Start { pipeline: id.to_owned() }),
            ["api", _, "pipelines", id, "stop"] => Self::Act(Order::Stop { pipeline: id.to_owned() }),
            ["oidc", ..] | [".well-known", ..] => Self::Token,
            ["api", _, "jobs", "runs", "list"] | ["api", _, "pipelines", _, "updates"] => Self::List,
            _ if is_read => Self::Read,
            _ => panic!("the proof does not know {} {path}", request.method),
        }
    }
}

/// A process's way to one workspace.
pub(super) struct Wire {
    pub(super) stage: Arc<Stage>,
    /// Who sends; none for a look that no trouble befalls.
    pub(super) process: Option<u64>,
    /// The machine that it is part of.
    pub(super) home: usize,
    /// The workspace's index.
    pub(super) workspace: usize,
    /// A planted bug: acts are sent again when their answers are lost, whatever they are.
    pub(super) resends: bool,
}

impl Transport for Wire {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        Box::pin(async move {
            let ask = Ask::of(&request);
            let answer = self.send(&ask, &request).await;
            match &answer {
                Err(broken)
                    if self.resends && matches!(ask, Ask::Act(_)) && broken.fault != transport::Fault::Connect =>
                {
                    self.send(&ask, &request).await
                }
                _ => answer,
            }
        })
    }
}

impl Wire {
    async fn send(&self, ask: &Ask, request: &Outgoing) -> Result<Incoming, Broken> {
        let is_act = matches!(ask, Ask::Act(_));
        if let (Some(process), true) = (self.process, is_act) {
            self.stage.cross(process, Crash::BeforeRequest);
        }
        let is_cut_off = self.process.is_some() && self.stage.is_cut_off(self.home, Reach::Everything);
        let fault = if is_cut_off { Some(Fault::Refused) } else { self.process.and_then(|_| self.stage.trouble(ask)) };
        if let (Some(process), Ask::Act(order)) = (self.process, ask) {
            self.stage.note(|| {
                format!("p{process} sends {order:?} {}", fault.map(|fault| format!("{fault:?}")).unwrap_or_default())
            });
            let (ledger, is_unanswered) = (self.stage.ledger.as_ref(), self.stage.is_unanswered(self.home));
            self.stage.judge().sent(process, order, fault, ledger, is_unanswered, self.stage.truth.now());
        }
        let (reply, answered) = oneshot::channel();
        let delivery = Delivery {
            stage: Arc::clone(&self.stage),
            workspace: self.workspace,
            ask: ask.clone(),
            request: request.clone(),
            by_us: self.process.map(|_| self.home),
        };
        self.stage.deliver(delivery.run(fault, reply));
        if let (Some(process), true, Some(Fault::Hung)) = (self.process, is_act, fault) {
            // Whoever waits for it may die before they give up.
            tokio::time::sleep(Duration::from_millis(self.stage.chance.between(1, 5_000))).await;
            self.stage.cross(process, Crash::AfterRequest);
        }
        let answer = answered.await.unwrap_or_else(|_| Err(interrupted()));
        if let (Some(process), true) = (self.process, is_act) {
            self.stage.cross(process, Crash::AfterRequest);
        }
        answer
    }
}

type Reply = oneshot::Sender<Result<Incoming, Broken>>;

/// A request under way.
struct Delivery {
    stage: Arc<Stage>,
    workspace: usize,
    ask: Ask,
    request: Outgoing,
    /// The machine of ours that sent it.
    by_us: Option<usize>,
}

impl Delivery {
    async fn run(mut self, fault: Option<Fault>, reply: Reply) {
        self.travel(200).await;
        let answer = match fault {
            Some(Fault::Refused) => Err(broken(transport::Fault::Connect, "connection refused")),
            Some(Fault::TooMany) => {
                Ok(self.refusal(429, "REQUEST_LIMIT_EXCEEDED", Some(self.stage.chance.between(1, 5))))
            }
            Some(Fault::Unavailable) => Ok(self.refusal(503, "TEMPORARILY_UNAVAILABLE", None)),
            Some(Fault::Expired) => {
                let token = self.request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
                self.stage.embedded.expire_token(self.workspace, &token);
                Ok(self.refusal(401, "UNAUTHENTICATED", None))
            }
            Some(Fault::Late) => {
                let _ = reply.send(Err(interrupted()));
                self.travel(LATEST_S * 1_000 - 500).await;
                self.arrive().await;
                return;
            }
            Some(Fault::Lost) => Err(interrupted()),
            Some(Fault::LostReply) => {
                self.arrive().await;
                Err(interrupted())
            }
            Some(Fault::Hung) => {
                self.arrive().await;
                // Longer than any client waits.
                tokio::time::sleep(Duration::from_secs(600)).await;
                Err(interrupted())
            }
            Some(Fault::ErrorBehind) => {
                self.arrive().await;
                Ok(self.refusal(500, "INTERNAL_ERROR", None))
            }
            Some(Fault::Duplicate) => {
                let answer = self.arrive().await;
                self.travel(3_000).await;
                // Of a stop or a cancel that comes twice, and of a token, the second changes nothing; of the others the
                // platform answers the second with a refusal, and a relay passes the first answer on.
                if matches!(&self.ask, Ask::Act(order) if order.may_repeat()) {
                    self.arrive().await;
                }
                Ok(answer)
            }
            Some(Fault::Stale) => Ok(self.stage.answer_stale(self.workspace, &self.request).await),
            Some(Fault::PartialPage) => {
                self.shrink_page();
                Ok(self.arrive().await)
            }
            Some(other) => panic!("{other:?} is no fault of the network"),
            None => Ok(self.arrive().await),
        };
        self.travel(300).await;
        let is_cut_off = self.by_us.is_some_and(|home| self.stage.is_cut_off(home, Reach::Everything));
        let _ = reply.send(if is_cut_off { Err(interrupted()) } else { answer });
    }

    /// Takes its time.
    async fn travel(&self, at_most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.stage.chance.between(1, at_most_ms))).await;
    }

    /// Reaches the workspace.
    async fn arrive(&self) -> Incoming {
        if let Ask::Act(order) = &self.ask {
            self.stage.remember();
            let answer = self.stage.answer(self.workspace, &self.request).await;
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            self.stage.note(|| format!("arrives {order:?}: {} {body}", answer.status));
            if self.by_us.is_some() && answer.status == StatusCode::UNAUTHORIZED {
                self.stage.judge().turned_away(order);
            } else if self.by_us.is_some() {
                self.stage.judge().applied(order, answer.status.is_success(), &body, &self.stage.embedded);
            }
            return answer;
        }
        self.stage.answer(self.workspace, &self.request).await
    }

    /// A page of a list holds one thing, and the next page is another request.
    fn shrink_page(&mut self) {
        let pairs: Vec<(String, String)> = self
            .request
            .url
            .query_pairs()
            .map(|(name, value)| {
                let is_size = matches!(&*name, "limit" | "max_results");
                (name.into_owned(), if is_size { "1".to_owned() } else { value.into_owned() })
            })
            .collect();
        self.request.url.query_pairs_mut().clear().extend_pairs(pairs);
    }

    fn refusal(&self, status: u16, code: &str, retry_after_s: Option<u64>) -> Incoming {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        let body = json!({"error_code": code, "message": "trouble of the proof"});
        Incoming { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_string()) }
    }
}

fn broken(fault: transport::Fault, message: &str) -> Broken {
    Broken { fault, status: None, message: message.to_owned() }
}

fn interrupted() -> Broken {
    broken(transport::Fault::Interrupted, "connection reset by peer")
}
