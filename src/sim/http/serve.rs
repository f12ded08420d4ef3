//! The way of every request: fault, credential, rate, route, log line, answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures::{StreamExt as _, stream};

use super::answer::{Answer, Refusal, Reply};
use super::call::{Call, Visit};
use super::deployment::{Deployment, Realm, Site};
use super::grown::grown;
use super::line::Scissors;
use super::log::Line;
use super::query::Query;
use super::route::{Captures, Handler, Patience, Route};
use crate::domain::Instant;
use crate::sim::credentials::Bearer;
use crate::sim::faults::{Fault, Kind, Target, When};
use crate::sim::world::World;
use crate::sim::world::principal::Principal;

/// The largest body that is read, in bytes: the vendor's largest is a statement of 16 MiB.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// How long a patient request waits until it is asked again.
const TURN: Duration = Duration::from_millis(10);

/// One workspace's port.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) deployment: Arc<Deployment>,
    pub(super) site: Arc<Site>,
}

/// A request, read whole.
struct Asked {
    method: String,
    path: String,
    query: String,
    authorization: Option<String>,
    content_type: Option<String>,
    body: Bytes,
    /// Whether it sent more than anything here takes; the body is left out then.
    is_too_large: bool,
}

/// An answer on its way out, with who asked.
struct Outcome {
    reply: Reply,
    principal: Option<String>,
    reset: bool,
    cut: bool,
}

pub(super) async fn answer(
    State(port): State<Port>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let deployment = &port.deployment;
    let request_id = deployment.next_request_id();
    let Some(asked) = read(request).await else {
        // The caller hung up: nobody waits for an answer.
        return Response::default();
    };
    let (at, world_at) = (deployment.wall_now(), deployment.world_now());
    let route = deployment.routes.find(&asked.method, &asked.path).map(|(route, _)| route);
    let template = route.map_or(asked.path.as_str(), |route| route.template.as_str());
    let fault = deployment.faults().strike(&Target {
        workspace: &port.site.name,
        method: &asked.method,
        route: template,
        path: &asked.path,
    });

    let outcome = port.outcome(&asked, fault.as_ref(), &request_id).await;

    let ended_at = deployment.wall_now();
    let line = Line {
        seq: 0,
        at,
        world_at,
        workspace: port.site.name.clone(),
        principal: outcome.principal.clone(),
        method: asked.method.clone(),
        route: template.to_owned(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        status: if outcome.reset { 0 } else { outcome.reply.status.as_u16() },
        ms: u64::try_from((ended_at - at).num_milliseconds()).unwrap_or_default(),
        bytes: if outcome.reset { 0 } else { outcome.reply.body.len() as u64 },
        request_id: request_id.clone(),
        fault: fault.map(|fault| fault.kind),
    };
    if let Err(error) = deployment.log.write(line) {
        // A log with holes would mislead every check that reads it: answer nothing rather than answer unlogged.
        tracing::error!(%error, "the request log cannot be written");
        scissors.cut();
    }
    if outcome.reset {
        scissors.cut();
    }
    response(outcome, deployment.world_now(), &request_id, port.site.workspace_id)
}

/// The vendor's answer to a request that came without a connection: no fault strikes it, no log tells of it.
pub(super) async fn answer_in_memory(port: &Port, request: Request) -> Response {
    let request_id = port.deployment.next_request_id();
    let Some(asked) = read(request).await else { return Response::default() };
    let outcome = port.honest(&asked, &request_id).await;
    response(outcome, port.deployment.world_now(), &request_id, port.site.workspace_id)
}

/// Reads a request whole; none if its caller hangs up before its end.
async fn read(request: Request) -> Option<Asked> {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut whole = Vec::new();
    let mut parts = body.into_data_stream();
    let mut is_too_large = false;
    while let Some(part) = parts.next().await {
        let part = part.ok()?;
        is_too_large |= whole.len() + part.len() > LARGEST_BODY;
        if is_too_large {
            // Read to its end all the same: who is still sending does not hear the answer.
            whole.clear();
        } else {
            whole.extend_from_slice(&part);
        }
    }
    Some(Asked {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: header(AUTHORIZATION),
        content_type: header(CONTENT_TYPE),
        body: Bytes::from(whole),
        is_too_large,
    })
}

impl Port {
    /// The answer with its fault, if one strikes.
    async fn outcome(&self, asked: &Asked, fault: Option<&Fault>, request_id: &str) -> Outcome {
        let Some(fault) = fault else {
            return self.honest(asked, request_id).await;
        };
        if fault.kind == Kind::Delay && fault.when == When::Before {
            self.wait(fault).await;
            return self.honest(asked, request_id).await;
        }
        let mut outcome = match fault.when {
            When::Before => Outcome {
                reply: Reply::empty(),
                principal: self.name(asked, self.deployment.wall_now()).ok(),
                reset: false,
                cut: false,
            },
            When::After => self.honest(asked, request_id).await,
        };
        let refusal = |status, code, message: &str| {
            let refusal = Refusal::new(status, code, message);
            Refusal { retry_after_s: fault.retry_after_s, ..refusal }
        };
        match fault.kind {
            Kind::Delay => self.wait(fault).await,
            Kind::TooMany => outcome.reply = Refusal::too_many(fault.retry_after_s).reply(request_id, false),
            Kind::Internal => {
                let message = "An internal error occurred while processing the request.";
                let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message);
                outcome.reply = refusal.reply(request_id, false);
            }
            Kind::Unavailable => {
                let message = "The service is temporarily unavailable.";
                outcome.reply = refusal(StatusCode::SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE", message)
                    .reply(request_id, false);
            }
            Kind::Reset => outcome.reset = true,
            Kind::CutBody => {
                if fault.when == When::Before {
                    // There is no body of an act that was not applied: half of what would have been an object.
                    outcome.reply.body = br#"{"next_page_token":"","has_more":false}"#.to_vec();
                }
                outcome.cut = true;
            }
            Kind::Garbage => {
                outcome.reply.status = StatusCode::OK;
                outcome.reply.body = b"\x00\x1f{\"run_id\": 12, \"sta\xff\xfe".to_vec();
            }
            Kind::HtmlSignIn => {
                outcome.reply.status = StatusCode::OK;
                outcome.reply.content_type = "text/html; charset=utf-8";
                outcome.reply.body = SIGN_IN_PAGE.as_bytes().to_vec();
            }
            Kind::ExpiredToken => {
                if let Some(token) = asked.token() {
                    self.site.expire(token, self.deployment.wall_now());
                }
                outcome.reply = Refusal::unauthenticated(EXPIRED).reply(request_id, false);
            }
        }
        outcome
    }

    async fn wait(&self, fault: &Fault) {
        let delay = Duration::from_millis(fault.delay_ms.unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.deployment.stop.cancelled() => {}
        }
    }

    /// The answer as the vendor would give it.
    async fn honest(&self, asked: &Asked, request_id: &str) -> Outcome {
        let mut principal = None;
        let scim = asked.path.contains("/scim/");
        let mut reply =
            self.route(asked, &mut principal).await.unwrap_or_else(|refusal| refusal.reply(request_id, scim));
        if self.deployment.setting.unknown_fields {
            reply.body = grown(reply.body, self.deployment.setting.seed);
        }
        Outcome { reply, principal, reset: false, cut: false }
    }

    async fn route(&self, asked: &Asked, asker: &mut Option<String>) -> Answer {
        if asked.is_too_large {
            // The vendor documents no code for it.
            let message = format!("The request is larger than {LARGEST_BODY} bytes.");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_PARAMETER_VALUE", &message));
        }
        let found = self.deployment.routes.find(&asked.method, &asked.path);
        let wall = self.deployment.wall_now();
        if let Some((Route { handler: Handler::Open(handler), class, .. }, _)) = found {
            self.take(*class, wall)?;
            return handler(&self.visit(asked));
        }
        if let Some((Route { handler: Handler::Signed(handler), class, .. }, captures)) = &found {
            self.take(*class, wall)?;
            return self.deployment.with_realm(|realm| handler(&self.visit(asked), captures, &realm.lakehouse));
        }
        let name = self.name(asked, wall)?;
        *asker = Some(name.clone());
        let Some((route, captures)) = found else {
            return Err(Refusal::no_route(&asked.method, &asked.path));
        };
        self.take(route.class, wall)?;
        match route.handler {
            Handler::Api(handler) => self.call(asked, route, &captures, &name, handler)?,
            Handler::Patient(handler) => {
                let mut patience = Patience::default();
                loop {
                    let turn = |call: &mut Call<'_>| handler(call, &mut patience);
                    if let Some(reply) = self.call(asked, route, &captures, &name, turn)?? {
                        return Ok(reply);
                    }
                    self.pass(&mut patience).await;
                }
            }
            Handler::Open(_) | Handler::Signed(_) => Err(Refusal::no_route(&asked.method, &asked.path)),
        }
    }

    /// Hands a request to a handler, with the realm locked for it.
    fn call<T>(
        &self,
        asked: &Asked,
        route: &Route,
        captures: &Captures,
        name: &str,
        handler: impl FnOnce(&mut Call<'_>) -> T,
    ) -> Result<T, Refusal> {
        let visit = self.visit(asked);
        self.deployment.with_realm(|Realm { world, lakehouse }| {
            let principal = principal(world, name).ok_or_else(|| Refusal::unauthenticated(INVALID))?;
            Ok(handler(&mut Call {
                visit: &visit,
                route: &route.template,
                captures: captures.clone(),
                principal: &principal,
                world,
                lakehouse,
            }))
        })
    }

    fn visit<'a>(&'a self, asked: &'a Asked) -> Visit<'a> {
        Visit {
            site: &self.site,
            wall: self.deployment.wall_now(),
            authorization: asked.authorization.as_deref(),
            content_type: asked.content_type.as_deref(),
            query: Query::parse(&asked.query),
            body: &asked.body,
        }
    }

    /// Lets a little time pass; shutting down ends all patience.
    async fn pass(&self, patience: &mut Patience) {
        tokio::select! {
            () = tokio::time::sleep(TURN) => patience.waited += TURN,
            () = self.deployment.stop.cancelled() => patience.waited = patience.limit,
        }
    }

    fn take(&self, class: super::rate::Class, wall: Instant) -> Result<(), Refusal> {
        self.site.take(class, wall).map_err(|seconds| Refusal::too_many(Some(seconds)))
    }

    /// The user name or application id behind the credential.
    fn name(&self, asked: &Asked, wall: Instant) -> Result<String, Refusal> {
        let token = asked.token().ok_or_else(|| {
            Refusal::unauthenticated("Credential was not sent or was of an unsupported type for this API.")
        })?;
        match self.site.bearer(token, wall) {
            Bearer::Principal(name) => Ok(name),
            Bearer::Expired => Err(Refusal::unauthenticated(EXPIRED)),
            Bearer::Unknown => Err(Refusal::unauthenticated(INVALID)),
        }
    }
}

fn principal(world: &World, name: &str) -> Option<Principal> {
    world.principals().iter().find(|principal| principal.user_name == name).cloned()
}

const INVALID: &str = "Invalid access token.";
const EXPIRED: &str = "Access token has expired.";
const SIGN_IN_PAGE: &str = "<!doctype html><html><head><meta charset=\"utf-8\"><title>Databricks - Sign In</title></head>\
    <body><div id=\"login-page\"></div></body></html>";

impl Asked {
    fn token(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_deref()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// The answer with the headers that every answer bears.
fn response(outcome: Outcome, world_now: Instant, request_id: &str, workspace_id: u64) -> Response {
    let Outcome { reply, cut, .. } = outcome;
    let length = reply.body.len();
    let body = if cut { half(reply.body) } else { Body::from(reply.body) };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let date = world_now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let fixed =
        [("date", date), ("x-request-id", request_id.to_owned()), ("x-databricks-org-id", workspace_id.to_string())];
    for (name, value) in fixed.into_iter().chain(reply.headers) {
        // What we put in headers is ASCII of our own making; were it not, the header would be missing, and a test with it.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The first half of a body, and then the connection fails.
fn half(mut body: Vec<u8>) -> Body {
    body.truncate(body.len() / 2);
    let first = stream::once(async move { Ok(Bytes::from(body)) });
    let failure = stream::once(async {
        // Gives the server a turn to send what came first.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(first.chain(failure))
}
