//! The admin port: what the world is like, what was asked of it, what goes wrong, and how its time runs.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Reply;
use super::deployment::Deployment;
use super::query::Query;
use super::state;
use crate::sim::faults::Fault;
use crate::sim::pace::LONGEST_JUMP_S;
use crate::sim::scenario::Breaks;

/// Request lines given when the question does not say how many.
const USUAL_LINES: usize = 1_000;

pub(super) fn router(deployment: Arc<Deployment>) -> Router {
    Router::new()
        .route("/state", get(show_state))
        .route("/requests", get(requests))
        .route("/faults", get(faults).post(plant).delete(remove))
        .route("/advance", post(advance))
        .route("/pause", post(pause))
        .route("/resume", post(resume))
        .route("/statements", post(statements))
        .route("/breaks", post(breaks))
        .fallback(|| async { complaint(StatusCode::NOT_FOUND, "no such address: see docs/simulator.md") })
        .with_state(deployment)
}

async fn show_state(State(deployment): State<Arc<Deployment>>) -> Response {
    plain(Reply::json(&state::describe(&deployment)))
}

async fn requests(State(deployment): State<Arc<Deployment>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(&query.unwrap_or_default());
    let (Ok(limit), Ok(after)) = (query.integer("limit"), query.integer("after")) else {
        return complaint(StatusCode::BAD_REQUEST, "limit and after are integers");
    };
    let limit = limit.map_or(USUAL_LINES, |limit| usize::try_from(limit).unwrap_or_default());
    let after = after.map_or(0, |after| u64::try_from(after).unwrap_or_default());
    let workspace = query.text("workspace");
    let (total, lines) = deployment
        .log
        .newest(limit, |line| line.seq > after && workspace.is_none_or(|workspace| workspace == line.workspace));
    plain(Reply::json(&json!({"total": total, "requests": lines})))
}

async fn faults(State(deployment): State<Arc<Deployment>>) -> Response {
    plain(Reply::json(&json!({"faults": deployment.faults().planted()})))
}

async fn plant(State(deployment): State<Arc<Deployment>>, body: Bytes) -> Response {
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => return complaint(StatusCode::BAD_REQUEST, &format!("not a fault: {error}")),
    };
    let names: Vec<&str> = deployment.sites.iter().map(|site| site.name.as_str()).collect();
    if let Some(text) = fault.complaint(&names) {
        return complaint(StatusCode::BAD_REQUEST, &text);
    }
    let planted = deployment.faults().plant(fault);
    plain(Reply::with_status(StatusCode::CREATED, &planted))
}

async fn remove(State(deployment): State<Arc<Deployment>>, RawQuery(query): RawQuery) -> Response {
    let id = match Query::parse(&query.unwrap_or_default()).integer("id").map(|id| id.map(u64::try_from).transpose()) {
        Ok(Ok(id)) => id,
        // All are removed only when nothing is named.
        _ => return complaint(StatusCode::BAD_REQUEST, "id is the number of a fault"),
    };
    let removed = deployment.faults().remove(id);
    plain(Reply::json(&json!({"removed": removed})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

async fn advance(State(deployment): State<Arc<Deployment>>, body: Bytes) -> Response {
    let seconds = match serde_json::from_slice(&body) {
        Ok(Advance { seconds }) => seconds,
        Err(error) => return complaint(StatusCode::BAD_REQUEST, &format!("expected {{\"seconds\": n}}: {error}")),
    };
    if !(0.0..=LONGEST_JUMP_S).contains(&seconds) {
        let text = format!("seconds is between 0 and {LONGEST_JUMP_S}: world time does not go back");
        return complaint(StatusCode::BAD_REQUEST, &text);
    }
    deployment.pace().advance(deployment.wall_now(), seconds);
    time(&deployment)
}

async fn pause(State(deployment): State<Arc<Deployment>>) -> Response {
    deployment.pace().pause(deployment.wall_now());
    time(&deployment)
}

async fn resume(State(deployment): State<Arc<Deployment>>) -> Response {
    deployment.pace().resume(deployment.wall_now());
    time(&deployment)
}

/// How world time runs, after all that was due has happened.
fn time(deployment: &Deployment) -> Response {
    deployment.with_world(|_| ());
    plain(Reply::json(&state::time(deployment)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    takes_ms: Option<u64>,
}

/// How long SQL statements take, so that a test can make two of them overlap.
async fn statements(State(deployment): State<Arc<Deployment>>, body: Bytes) -> Response {
    let takes_ms = match serde_json::from_slice(&body) {
        Ok(Statements { takes_ms }) => takes_ms,
        Err(error) => return complaint(StatusCode::BAD_REQUEST, &format!("expected {{\"takes_ms\": n}}: {error}")),
    };
    deployment.with_realm(|realm| realm.lakehouse.set_statement_ms(takes_ms));
    plain(Reply::json(&json!({"takes_ms": takes_ms})))
}

/// Which promises of the platform the world breaks from now on.
async fn breaks(State(deployment): State<Arc<Deployment>>, body: Bytes) -> Response {
    let breaks: Breaks = match serde_json::from_slice(&body) {
        Ok(breaks) => breaks,
        Err(error) => return complaint(StatusCode::BAD_REQUEST, &format!("no such promise: {error}")),
    };
    deployment.with_world(|world| world.set_breaks(breaks));
    // What the world is like is told to its data when its time is looked at next.
    deployment.with_world(|_| ());
    plain(Reply::json(&breaks))
}

fn complaint(status: StatusCode, text: &str) -> Response {
    let body: Value = json!({"error": text});
    plain(Reply::with_status(status, &body))
}

fn plain(reply: Reply) -> Response {
    (reply.status, [(CONTENT_TYPE, reply.content_type)], reply.body).into_response()
}
