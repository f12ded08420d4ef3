//! OAuth machine-to-machine: discovery and the client-credentials grant (databricks-api.md 1.2, 1.5).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::AuthError;
use super::token::Grant;
use crate::databricks::exchange::{Exchanger, Label};
use crate::databricks::host;
use crate::databricks::transport::{Broken, Incoming, Outgoing};
use crate::databricks::wire::Int;
use crate::databricks::wire::error::ErrorBody;
use crate::domain::request::Lane;

/// The longest that discovery or a token request may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where a workspace says what it is.
const HOST_METADATA: &str = "/.well-known/databricks-config";

/// Where an OAuth server says what it offers, below its own address.
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

/// What a token is taken to live for if the answer does not say: the documented hour.
const DEFAULT_LIFETIME_S: i64 = 3600;

/// A service principal's OAuth client.
#[derive(Clone, Debug)]
pub(super) struct ClientSecret {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
}

#[derive(Deserialize)]
struct HostMetadata {
    oidc_endpoint: Option<String>,
    account_id: Option<String>,
}

#[derive(Deserialize)]
struct ServerMetadata {
    token_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    expires_in: Option<Int>,
}

/// Finds the token endpoint. A workspace without metadata of its own keeps its OAuth server at the usual place.
pub(super) async fn discover(exchanger: &Exchanger, host: &Url, lane: Lane) -> Result<Url, AuthError> {
    let at_host = |path: &str| {
        host.join(path).map_err(|error| AuthError::Garbled { what: "the host".into(), reason: error.to_string() })
    };
    let answer = get(exchanger, at_host(HOST_METADATA)?, HOST_METADATA, lane).await?;
    let metadata = (answer.status == StatusCode::OK)
        .then(|| serde_json::from_slice::<HostMetadata>(&answer.body).ok())
        .flatten()
        .and_then(|metadata| {
            let endpoint = metadata.oidc_endpoint.filter(|endpoint| !endpoint.is_empty())?;
            Some(endpoint.replace("{account_id}", metadata.account_id.as_deref().unwrap_or_default()))
        });
    let server = metadata.unwrap_or_else(|| format!("{}/oidc", host.as_str().trim_end_matches('/')));
    let address = checked(&format!("{}{SERVER_METADATA}", server.trim_end_matches('/')), "the OAuth server's address")?;
    let answer = get(exchanger, address, "/oidc/.well-known/oauth-authorization-server", lane).await?;
    let garbled = |reason: String| AuthError::Garbled { what: "the OAuth server's metadata".into(), reason };
    if answer.status != StatusCode::OK {
        return Err(garbled(format!("it answered {}", answer.status)));
    }
    let metadata: ServerMetadata =
        serde_json::from_slice(&answer.body).map_err(|error| garbled(super::token::without_values(&error)))?;
    let endpoint = metadata.token_endpoint.ok_or_else(|| garbled("it names no token_endpoint".into()))?;
    checked(&endpoint, "the token endpoint")
}

/// An address to which a secret may be sent.
fn checked(address: &str, what: &str) -> Result<Url, AuthError> {
    host::checked(address).map_err(|error| AuthError::Garbled { what: what.to_owned(), reason: error.to_string() })
}

/// Asks for a token.
pub(super) async fn grant(
    exchanger: &Exchanger,
    endpoint: &Url,
    client: &ClientSecret,
    lane: Lane,
) -> Result<Grant, AuthError> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("scope", "all-apis")
        .finish();
    let pair = format!("{}:{}", client.client_id, client.client_secret.expose_secret());
    let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| AuthError::Garbled { what: "the client id".into(), reason: "not printable".into() })?;
    basic.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, basic),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
    ]);
    let request =
        Outgoing { method: Method::POST, url: endpoint.clone(), headers, body: Some(Bytes::from(body)), permit: None };
    let label = Label { lane, route: "/oidc/v1/token", attempt: 1 };
    let answer =
        exchanger.exchange(label, request, TIMEOUT).await.map_err(|broken| unreachable("token endpoint", &broken))?;
    read_answer(&answer)
}

fn read_answer(answer: &Incoming) -> Result<Grant, AuthError> {
    if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(AuthError::Unreachable {
            what: "the token endpoint".into(),
            reason: format!("it answered {}", answer.status),
        });
    }
    if !answer.status.is_success() {
        let said = ErrorBody::read(&answer.body);
        let words = [said.code.unwrap_or_default(), said.message].join(" ");
        let reason = format!("{} {}", answer.status.as_u16(), words.trim());
        return Err(AuthError::Refused { reason: crate::domain::text::line(reason.trim()) });
    }
    let garbled = |reason: String| AuthError::Garbled { what: "the token answer".into(), reason };
    let read: TokenAnswer =
        serde_json::from_slice(&answer.body).map_err(|error| garbled(super::token::without_values(&error)))?;
    let bearer = read.access_token.filter(|token| !token.is_empty()).map(SecretString::from);
    let bearer = bearer.ok_or_else(|| garbled("it holds no access_token".into()))?;
    let Int(lifetime_s) = read.expires_in.unwrap_or(Int(DEFAULT_LIFETIME_S));
    Ok(Grant { bearer, lifetime: Duration::from_secs(u64::try_from(lifetime_s).unwrap_or(0)) })
}

async fn get(exchanger: &Exchanger, url: Url, route: &str, lane: Lane) -> Result<Incoming, AuthError> {
    let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
    let request = Outgoing { method: Method::GET, url, headers, body: None, permit: None };
    let label = Label { lane, route, attempt: 1 };
    let answer =
        exchanger.exchange(label, request, TIMEOUT).await.map_err(|broken| unreachable("OAuth discovery", &broken))?;
    if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
        let reason = format!("it answered {}", answer.status);
        return Err(AuthError::Unreachable { what: "OAuth discovery".into(), reason });
    }
    Ok(answer)
}

fn unreachable(what: &str, broken: &Broken) -> AuthError {
    AuthError::Unreachable { what: format!("the {what}"), reason: crate::domain::text::line(&broken.message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Incoming {
        Incoming {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn a_lifetime_reads_as_number_and_as_text() {
        for (body, seconds) in [
            (r#"{"access_token":"t","expires_in":120}"#, 120),
            (r#"{"access_token":"t","expires_in":"120"}"#, 120),
            (r#"{"access_token":"t"}"#, 3600),
            (r#"{"access_token":"t","expires_in":-5}"#, 0),
        ] {
            assert_eq!(
                read_answer(&answer(200, body)).expect("granted").lifetime,
                Duration::from_secs(seconds),
                "{body}"
            );
        }
    }

    #[test]
    fn a_refusal_speaks_in_both_spellings() {
        for body in [
            r#"{"error":"invalid_client","error_description":"bad secret"}"#,
            r#"{"errorCode":"invalid_client","errorSummary":"bad secret"}"#,
        ] {
            let error = read_answer(&answer(401, body)).err().expect("refused");
            assert_eq!(error, AuthError::Refused { reason: "401 invalid_client bad secret".into() });
            assert!(!error.is_transient());
        }
        assert!(read_answer(&answer(503, "")).err().expect("refused").is_transient());
    }

    #[test]
    fn an_answer_without_a_token_is_garbled_and_does_not_leak() {
        for body in
            [r#"{"access_token":""}"#, "{}", "<html>", r#"{"access_token":["s3cret"]}"#, r#"{"expires_in":"s3cret"}"#]
        {
            let error = read_answer(&answer(200, body)).err().expect("refused");
            assert!(matches!(error, AuthError::Garbled { .. }), "{body}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_secret_goes_to_https_or_loopback_only() {
        assert!(checked("https://h/oidc/v1/token", "x").is_ok());
        assert!(checked("http://127.0.0.1:1/oidc/v1/token", "x").is_ok());
        assert!(checked("http://evil.example/token", "x").is_err());
    }
}
