//! Answers: a reply with its body, and a refusal in the vendor's envelope (databricks-api.md 2.1).

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

/// An answer before the headers that every answer bears.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What a route's handler gives.
pub(super) type Answer = Result<Reply, Refusal>;

impl Reply {
    /// 200 with a JSON body.
    pub(super) fn json(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, body)
    }

    /// 200 with `{}`: what acts without a result answer.
    pub(super) fn empty() -> Self {
        Self::json(&json!({}))
    }

    /// A JSON body under any status.
    pub(super) fn with_status(status: StatusCode, body: &impl Serialize) -> Self {
        // Our own maps with string keys always serialize; were it otherwise an empty body would fail every test.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    /// The same with one more header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same under another content type.
    pub(super) fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }
}

/// A request that is refused: status, code and text as the vendor words them.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Seconds, for 429 and 503.
    pub(super) retry_after_s: Option<u64>,
}

impl Refusal {
    /// A refusal of any kind.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None }
    }

    /// 400 `INVALID_PARAMETER_VALUE`: also how the Jobs API says that something does not exist.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
    }

    /// 400 `INVALID_STATE`.
    pub(super) fn state(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_STATE", message)
    }

    /// 400 `MALFORMED_REQUEST`.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", message)
    }

    /// 401.
    pub(super) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    /// 403.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    /// 404 `RESOURCE_DOES_NOT_EXIST`.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", message)
    }

    /// 409 `RESOURCE_CONFLICT`.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message)
    }

    /// 404 for a path or method that no API has.
    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("No API found for '{method} {path}'");
        Self::new(StatusCode::NOT_FOUND, "ENDPOINT_NOT_FOUND", message)
    }

    /// 429 past a rate.
    pub(super) fn too_many(retry_after_s: Option<u64>) -> Self {
        let refusal = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "REQUEST_LIMIT_EXCEEDED",
            "Your request was rejected since your organization has exceeded the rate limit. Please retry your request later.",
        );
        Self { retry_after_s, ..refusal }
    }

    /// The envelope. SCIM has its own.
    pub(super) fn reply(&self, request_id: &str, scim: bool) -> Reply {
        let body: Value = if scim {
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "detail": self.message,
                "status": self.status.as_str(),
            })
        } else {
            json!({
                "error_code": self.code,
                "message": self.message,
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.RequestInfo",
                    "request_id": request_id,
                    "serving_data": "",
                }],
            })
        };
        let reply = Reply::with_status(self.status, &body);
        match self.retry_after_s {
            Some(seconds) => reply.header("retry-after", seconds.to_string()),
            None => reply,
        }
    }
}
