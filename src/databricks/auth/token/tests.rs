//! Tests of the life of a token, through the client that uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::header;
use secrecy::SecretString;
use serde_json::json;

use super::super::Credentials;
use crate::databricks::fake::{Reply, World, json as answer, text as plain};
use crate::databricks::{Client, Kind, Outcome};
use crate::domain::ids::RunId;
use crate::domain::request::Lane;

/// A workspace with an OAuth server: tokens `t1`, `t2`, ... live for `lifetime`; only those from `oldest_good` on are good.
struct Server {
    world: Arc<World>,
    granted: Arc<AtomicU64>,
    oldest_good: Arc<AtomicU64>,
    is_down: Arc<AtomicBool>,
}

fn server(lifetime: &'static str) -> Server {
    let granted = Arc::new(AtomicU64::new(0));
    let oldest_good = Arc::new(AtomicU64::new(0));
    let is_down = Arc::new(AtomicBool::new(false));
    let (grants, good, down) = (Arc::clone(&granted), Arc::clone(&oldest_good), Arc::clone(&is_down));
    let world = World::new(move |request, _| match request.url.path() {
        "/.well-known/databricks-config" => {
            answer(200, &json!({"oidc_endpoint": "https://a.example/oidc/accounts/{account_id}", "account_id": "acc"}))
        }
        "/oidc/accounts/acc/.well-known/oauth-authorization-server" => {
            answer(200, &json!({"token_endpoint": "https://a.example/oidc/accounts/acc/v1/token"}))
        }
        "/oidc/accounts/acc/v1/token" if down.load(Ordering::SeqCst) => plain(503, "{}"),
        "/oidc/accounts/acc/v1/token" => {
            assert_eq!(request.headers["authorization"], "Basic aWQ6czNjcmV0");
            assert_eq!(request.body.as_deref(), Some(&b"grant_type=client_credentials&scope=all-apis"[..]));
            let n = grants.fetch_add(1, Ordering::SeqCst) + 1;
            let grant = answer(200, &json!({"access_token": format!("t{n}"), "expires_in": lifetime}));
            Reply::After(Duration::from_millis(300), Box::new(grant))
        }
        _ => {
            let bearer = request.headers["authorization"].to_str().expect("text");
            let n: u64 = bearer.trim_start_matches("Bearer t").parse().expect("a granted token");
            match n >= good.load(Ordering::SeqCst) {
                true => answer(200, &json!({"userName": bearer})),
                false => answer(401, &json!({"error_code": 401, "message": "expired"})),
            }
        }
    });
    Server { world, granted, oldest_good, is_down }
}

impl Server {
    fn client(&self) -> Client {
        self.world.client_as(Credentials::client_secret("id", SecretString::from("s3cret")))
    }

    fn granted(&self) -> u64 {
        self.granted.load(Ordering::SeqCst)
    }
}

async fn used(client: &Client) -> String {
    client.me().await.expect("answers").user_name
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_ask_for_one_token() {
    let server = server("3600");
    let client = server.client();
    let names = futures::future::join_all((0..20).map(|_| used(&client))).await;
    assert!(names.iter().all(|name| name == "Bearer t1"));
    assert_eq!(server.granted(), 1);
    let discoveries = server.world.lines().iter().filter(|line| line.contains("well-known")).count();
    assert_eq!(discoveries, 2, "discovery is remembered");
    let agent = format!("lakeshift/{} os/{} auth/oauth-m2m", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    for sent in server.world.sent() {
        assert_eq!(sent.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()), Some(agent.as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_ahead_of_its_end_by_one_while_the_others_go_on() {
    let server = server("3600");
    let client = server.client();
    assert_eq!(used(&client).await, "Bearer t1");
    tokio::time::advance(Duration::from_secs(2_000)).await;
    assert_eq!(used(&client).await, "Bearer t1", "fresh until 20 minutes before its end");
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(used(&client.in_lane(Lane::Rollback)).await, "Bearer t1", "a rollback does not stop to refresh");
    let names = futures::future::join_all((0..5).map(|_| used(&client))).await;
    assert_eq!(names.iter().filter(|name| *name == "Bearer t2").count(), 1, "{names:?}");
    assert_eq!(used(&client).await, "Bearer t2");
    assert_eq!(server.granted(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_rests_and_the_old_token_serves_to_its_end() {
    let server = server("3600");
    let client = server.client();
    used(&client).await;
    server.is_down.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(2_500)).await;
    let tries = |server: &Server| server.world.lines().iter().filter(|line| line.ends_with("/v1/token")).count();
    for _ in 0..10 {
        assert_eq!(used(&client).await, "Bearer t1");
    }
    assert_eq!(tries(&server), 2, "one failed refresh in a minute");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(used(&client).await, "Bearer t1");
    assert_eq!(tries(&server), 3);
    tokio::time::advance(Duration::from_secs(1_000)).await;
    let error = client.cancel_run(RunId(1)).await.expect_err("40 s before its end it is over");
    assert!(matches!(error.kind(), Kind::Auth(_)), "{error:?}");
    assert_eq!((error.outcome(), error.brief().as_str()), (Outcome::DidNotHappen, "no token: no answer"));
    server.is_down.store(false, Ordering::SeqCst);
    assert_eq!(used(&client).await, "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_in_flight_is_replaced_once_for_acts_too() {
    let server = server("3600");
    let client = server.client();
    used(&client).await;
    server.oldest_good.store(2, Ordering::SeqCst);
    client.cancel_run(RunId(1)).await.expect("sent again with a new token");
    assert_eq!(server.granted(), 2);
    server.oldest_good.store(100, Ordering::SeqCst);
    let error = client.me().await.expect_err("refused");
    assert_eq!((error.status(), server.granted()), (Some(401), 3), "once, not for ever");
}

#[tokio::test(start_paused = true)]
async fn requests_refused_together_ask_for_one_new_token() {
    let server = server("3600");
    let client = server.client();
    used(&client).await;
    server.oldest_good.store(2, Ordering::SeqCst);
    let names = futures::future::join_all((0..10).map(|_| used(&client))).await;
    assert!(names.iter().all(|name| name == "Bearer t2"), "{names:?}");
    assert_eq!(server.granted(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_short_life_is_used_for_half_of_it() {
    let server = server("20");
    let client = server.client();
    used(&client).await;
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(used(&client).await, "Bearer t1");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(used(&client).await, "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_workspace_without_metadata_has_its_server_at_the_usual_place() {
    let world = World::new(|request, _| match request.url.path() {
        "/.well-known/databricks-config" => plain(404, "{}"),
        "/oidc/.well-known/oauth-authorization-server" => {
            answer(200, &json!({"token_endpoint": "https://a.example/oidc/v1/token"}))
        }
        "/oidc/v1/token" => answer(200, &json!({"access_token": "t", "expires_in": 60})),
        _ => answer(200, &json!({"userName": "u"})),
    });
    let client = world.client_as(Credentials::client_secret("id", SecretString::from("s3cret")));
    client.me().await.expect("answers");
    let records = format!("{:?}", world.records.lock().expect("whole"));
    assert!(records.contains("/oidc/v1/token") && !records.contains("s3cret"), "{records}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_fails_all_that_wait_with_one_request() {
    let world = World::new(|request, _| match request.url.path() {
        "/.well-known/databricks-config" => plain(404, "{}"),
        "/oidc/.well-known/oauth-authorization-server" => {
            answer(200, &json!({"token_endpoint": "https://a.example/oidc/v1/token"}))
        }
        _ => {
            let refusal = answer(401, &json!({"error": "invalid_client", "error_description": "bad secret"}));
            Reply::After(Duration::from_millis(50), Box::new(refusal))
        }
    });
    let client = world.client_as(Credentials::client_secret("id", SecretString::from("s3cret")));
    let results = futures::future::join_all((0..8).map(|_| client.me())).await;
    for error in results.into_iter().map(|result| result.expect_err("refused")) {
        assert!(error.to_string().contains("bad secret"), "{error}");
        assert_eq!(error.brief(), "client refused");
    }
    assert_eq!(world.lines().iter().filter(|line| line.ends_with("/oidc/v1/token")).count(), 1);
}
