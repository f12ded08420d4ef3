//! The simulator from outside: over HTTP, with a client that shares nothing with it, and as a process.

mod admin;
mod auth;
mod demo;
mod deploy;
mod deployed_runs;
mod docs;
mod faults;
mod files;
mod jobs;
mod lookups;
mod oneworld;
mod permissions;
mod pipelines;
mod process;
mod sql;
mod unity;

use std::sync::{Arc, Mutex, Once};

use chrono::{DateTime, TimeDelta, Utc};
use lakeshift::domain::clock::Clock;
use lakeshift::sim::{Access, Options, Simulator};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

/// A wall clock that stands still until it is moved.
struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-03-04T12:00:00Z".parse().expect("an instant"))))
    }

    fn move_on(&self, seconds: i64) {
        *self.0.lock().expect("not poisoned") += TimeDelta::seconds(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("not poisoned")
    }
}

/// A client that knows nothing of TLS: everything here is plain HTTP on loopback.
pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test of this process may have installed one: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// A simulator in this process, and a client for it.
struct Lab {
    simulator: Simulator,
    clock: Arc<HandClock>,
    http: reqwest::Client,
}

impl Lab {
    /// A calm world whose time moves when it is told to.
    async fn calm() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let clock = HandClock::new();
        let options =
            Options { scenario: "calm".to_owned(), seed: 7, ..Options::new(Arc::clone(&clock) as Arc<dyn Clock>) };
        let simulator = Simulator::start(change(options)).await.expect("starts");
        Self { simulator, clock, http: http() }
    }

    fn access(&self, name: &str) -> &Access {
        self.simulator.workspaces().iter().find(|access| access.name == name).expect("a workspace of that name")
    }

    async fn call(&self, workspace: &str, role: &str, method: Method, path: &str, body: Option<&Value>) -> Response {
        let access = self.access(workspace);
        let mut request = self.http.request(method, format!("{}{path}", access.host)).bearer_auth(&access.tokens[role]);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.expect("an answer")
    }

    /// A read of prod as the operator, which must succeed.
    async fn get(&self, path: &str) -> Value {
        let response = self.call("prod", "operator", Method::GET, path, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.expect("JSON")
    }

    /// A read of prod as the operator, which must be refused.
    async fn refused(&self, path: &str) -> (u16, String, String) {
        refusal(self.call("prod", "operator", Method::GET, path, None).await).await
    }

    /// An act in prod as the operator, which must succeed.
    async fn post(&self, path: &str, body: Value) -> Value {
        let response = self.call("prod", "operator", Method::POST, path, Some(&body)).await;
        let status = response.status();
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(status, StatusCode::OK, "{path} {body} {answer}");
        answer
    }

    /// An act in prod as the operator, which must be refused.
    async fn post_refused(&self, path: &str, body: Value) -> (u16, String, String) {
        refusal(self.call("prod", "operator", Method::POST, path, Some(&body)).await).await
    }

    /// A request of the author's in dev, which must succeed. What answers without a body gives null.
    async fn author(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let response = self.call("dev", "author", method, path, body.as_ref()).await;
        let (status, text) = (response.status(), response.text().await.expect("text"));
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A request of the author's in dev, which must be refused.
    async fn author_refused(&self, method: Method, path: &str, body: Option<Value>) -> (u16, String, String) {
        refusal(self.call("dev", "author", method, path, body.as_ref()).await).await
    }

    async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.simulator.admin()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    async fn plant(&self, fault: Value) {
        let (status, answer) = self.admin(Method::POST, "/faults", Some(&fault)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }

    async fn advance(&self, seconds: f64) {
        let body = serde_json::json!({"seconds": seconds});
        let (status, answer) = self.admin(Method::POST, "/advance", Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
}

/// Status, code and message of a refusal in the vendor's envelope.
async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status();
    let request_id = response.headers().get("x-request-id").expect("a request id").to_str().expect("ASCII").to_owned();
    let body: Value = response.json().await.expect("JSON");
    assert!(!status.is_success(), "{body}");
    let detail = &body["details"][0];
    assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.RequestInfo", "{body}");
    assert_eq!(detail["request_id"], request_id.as_str());
    let text = |key: &str| body[key].as_str().expect("text").to_owned();
    (status.as_u16(), text("error_code"), text("message"))
}

/// The elements of an array that must be there.
fn items<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().unwrap_or_else(|| panic!("no {key} in {body}"))
}
