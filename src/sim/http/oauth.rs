//! Discovery and OAuth machine-to-machine (databricks-api.md 1.2 and 1.5).

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{Answer, Reply};
use super::call::Visit;
use super::query::Query;
use super::route::Route;
use crate::sim::credentials::OAUTH_LIFETIME_S;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::open("GET", "/.well-known/databricks-config", host_metadata),
        Route::open("GET", "/oidc/.well-known/oauth-authorization-server", discovery),
        Route::open("GET", "/oidc/.well-known/openid-configuration", discovery),
        Route::open("POST", "/oidc/v1/token", token),
    ]
}

fn host_metadata(visit: &Visit<'_>) -> Answer {
    Ok(Reply::json(&json!({
        "oidc_endpoint": format!("{}/oidc", visit.site.host),
        "workspace_id": visit.site.workspace_id.to_string(),
        "cloud": "AWS",
        "host_type": "workspace",
    })))
}

fn discovery(visit: &Visit<'_>) -> Answer {
    let host = &visit.site.host;
    Ok(Reply::json(&json!({
        "issuer": format!("{host}/oidc"),
        "authorization_endpoint": format!("{host}/oidc/v1/authorize"),
        "token_endpoint": format!("{host}/oidc/v1/token"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["all-apis"],
    })))
}

fn token(visit: &Visit<'_>) -> Answer {
    let form = Query::parse(&String::from_utf8_lossy(visit.body));
    match form.text("grant_type") {
        Some("client_credentials") => {}
        Some(other) => {
            let text = format!("Grant type {other} is not supported");
            return Ok(failure(StatusCode::BAD_REQUEST, "unsupported_grant_type", &text));
        }
        None => return Ok(failure(StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing")),
    }
    let granted = client(visit, &form).and_then(|(id, secret)| visit.site.issue(&id, &secret, visit.wall));
    let Some(access_token) = granted else {
        let text = "Client authentication failed";
        return Ok(failure(StatusCode::UNAUTHORIZED, "invalid_client", text));
    };
    let expires_in: Value =
        if visit.site.expiry_as_text { OAUTH_LIFETIME_S.to_string().into() } else { OAUTH_LIFETIME_S.into() };
    Ok(Reply::json(&json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "scope": form.text("scope").unwrap_or("all-apis"),
    })))
}

fn failure(status: StatusCode, error: &str, description: &str) -> Reply {
    Reply::with_status(status, &json!({"error": error, "error_description": description}))
}

/// Client id and secret, from HTTP Basic or from the form.
fn client(visit: &Visit<'_>, form: &Query) -> Option<(String, String)> {
    let Some(authorization) = visit.authorization else {
        return Some((form.text("client_id")?.to_owned(), form.text("client_secret")?.to_owned()));
    };
    let encoded = authorization.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
