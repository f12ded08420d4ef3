//! One HTTP exchange. The client speaks through [`Transport`], so that a test or a simulation can stand in for the network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// Most bytes of an answer's body, after decompression. The largest honest answer (a notebook's output) is 5 MB, a page of
/// an inline SQL result 25 MiB.
pub const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// How long a connection may take to come up, with name resolution and TLS, unless the configuration says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept: shorter than servers keep theirs. An act that is sent on a connection which the
/// server closes at the same moment has an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(25);

/// Whether a request may still leave, as whoever orders it knows. A process can stand still at any place, for any time: what
/// was allowed when the request was made need not be when it leaves, so it is asked as near to the wire as can be. What is
/// left open is the connection that may have to come up first.
#[derive(Clone)]
pub struct Permit(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Permit {
    /// A permit that is asked anew each time.
    pub fn new(may: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    /// One that always holds.
    pub fn always() -> Self {
        Self::new(|| Ok(()))
    }

    /// Whether the request may leave now.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self) -> Result<(), String> {
        (self.0)()
    }

    /// One that holds while both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(move || self.check().and_then(|()| other.check()))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A request that leaves. The authorization header is marked sensitive; nothing else in it is secret.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// `GET`, `POST`, ...
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Bytes>,
    /// Under what it may leave; none for what always may.
    pub permit: Option<Permit>,
}

impl Outgoing {
    /// Whether it may leave now.
    pub(crate) fn check(&self) -> Result<(), Broken> {
        let withheld = |message| Broken { fault: Fault::Withheld, status: None, message };
        self.permit.as_ref().map_or(Ok(()), Permit::check).map_err(withheld)
    }
}

/// An answer that arrived whole.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

/// An exchange that brought no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// How it broke.
    pub fault: Fault,
    /// The status, if the head of an answer arrived before it broke.
    pub status: Option<StatusCode>,
    /// The system's words.
    pub message: String,
}

/// How an exchange broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its permit no longer held, so the request was never sent.
    Withheld,
    /// No connection came up, so the request was never sent.
    Connect,
    /// The request was (or may have been) sent; then nothing came for too long.
    TimedOut,
    /// The request was (or may have been) sent; then the connection ended, perhaps in the middle of the answer.
    Interrupted,
    /// The answer is larger than [`MAX_BODY_BYTES`].
    TooLarge,
}

/// Carries one exchange. Implementations neither retry, nor follow redirects, nor wait without bound for a connection.
pub trait Transport: Send + Sync {
    /// Sends and waits for the whole answer. The caller bounds the time by dropping the future.
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>>;
}

/// Whose signatures a TLS connection trusts.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// The operating system's roots.
    #[default]
    System,
    /// The operating system's roots and those of a PEM bundle, as company networks need.
    SystemAnd(Vec<u8>),
    /// Nobody's: for plain HTTP to loopback, where the system may have no roots at all.
    Nobody,
}

/// Why no connection to the network could be set up.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The CA bundle is not PEM, or holds no certificate.
    #[error(
        "the CA bundle holds no certificate: expected one or more `-----BEGIN CERTIFICATE-----` blocks in PEM form"
    )]
    NoCertificate,
    /// The CA bundle holds something that is not a certificate.
    #[error("the CA bundle cannot be read")]
    BadCertificate(#[source] reqwest::Error),
    /// A proxy variable is not an address.
    #[error("the environment variable {variable} is not a proxy's address such as http://proxy.example.com:3128")]
    BadProxy {
        /// The variable.
        variable: &'static str,
    },
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
}

/// The real network: reqwest over rustls.
#[derive(Clone, Debug)]
pub struct Network {
    http: reqwest::Client,
}

impl Network {
    /// Sets up a pool of connections. Proxies come from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (either case) of `environment`,
    /// never from the process itself; loopback is never reached through a proxy.
    ///
    /// # Errors
    /// When the CA bundle, a proxy variable or the system's roots cannot be used.
    pub fn new(
        trust: Trust,
        connect_timeout: Duration,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, NetworkError> {
        // The one place that chooses the cryptography. A second call finds it chosen, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .no_proxy();
        builder = match trust {
            Trust::System => builder,
            Trust::SystemAnd(pem) => builder.tls_certs_merge(certificates(&pem)?),
            Trust::Nobody => builder.tls_certs_only([]),
        };
        if let Some(proxy) = proxy(environment)? {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(|error| NetworkError::Tls(words(&error)))?;
        Ok(Self { http })
    }

    /// Sets up the network for one workspace: plain HTTP to loopback needs no roots, all else trusts the system's and `ca_bundle`.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn for_host(
        host: &str,
        ca_bundle: Option<Vec<u8>>,
        connect_timeout: Duration,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, NetworkError> {
        // Plain HTTP goes to loopback alone, which no proxy is asked for, not even one that cannot be.
        let is_plain = host.starts_with("http://");
        let trust = match ca_bundle {
            Some(pem) => Trust::SystemAnd(pem),
            None if is_plain => Trust::Nobody,
            None => Trust::System,
        };
        Self::new(trust, connect_timeout, if is_plain { const { &BTreeMap::new() } } else { environment })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, NetworkError> {
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(NetworkError::BadCertificate)?;
    if found.is_empty() { Err(NetworkError::NoCertificate) } else { Ok(found) }
}

fn proxy(environment: &BTreeMap<String, String>) -> Result<Option<reqwest::Proxy>, NetworkError> {
    let get = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let named = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(|variable| get(variable).map(|address| (variable, address)));
    let Some((variable, address)) = named else { return Ok(None) };
    let proxy = reqwest::Proxy::https(address).map_err(|_| NetworkError::BadProxy { variable })?;
    let mut spared = "localhost,127.0.0.0/8,::1".to_owned();
    if let Some(more) = get("NO_PROXY").or_else(|| get("no_proxy")) {
        spared.push(',');
        spared.push_str(more);
    }
    Ok(Some(proxy.no_proxy(reqwest::NoProxy::from_string(&spared))))
}

impl Transport for Network {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        Box::pin(async move {
            request.check()?;
            let mut outgoing = self.http.request(request.method, request.url).headers(request.headers);
            if let Some(body) = request.body {
                outgoing = outgoing.body(body);
            }
            let mut answer = outgoing.send().await.map_err(|error| broken(&error, None))?;
            let status = answer.status();
            let headers = std::mem::take(answer.headers_mut());
            let mut body = BytesMut::new();
            while let Some(part) = answer.chunk().await.map_err(|error| broken(&error, Some(status)))? {
                if body.len() + part.len() > MAX_BODY_BYTES {
                    return Err(Broken {
                        fault: Fault::TooLarge,
                        status: Some(status),
                        message: format!("the answer is larger than {} MiB", MAX_BODY_BYTES / (1024 * 1024)),
                    });
                }
                body.extend_from_slice(&part);
            }
            Ok(Incoming { status, headers, body: body.freeze() })
        })
    }
}

fn broken(error: &reqwest::Error, status: Option<StatusCode>) -> Broken {
    let fault = if error.is_connect() || error.is_builder() {
        Fault::Connect
    } else if error.is_timeout() {
        Fault::TimedOut
    } else {
        Fault::Interrupted
    };
    Broken { fault, status, message: words(error) }
}

/// The innermost cause: reqwest's own words only repeat the address.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_bundle_without_a_certificate_is_named() {
        let error = Network::new(Trust::SystemAnd(b"not a certificate".to_vec()), CONNECT_TIMEOUT, &BTreeMap::new())
            .expect_err("refused");
        assert!(error.to_string().contains("BEGIN CERTIFICATE"), "{error}");
    }

    #[test]
    fn a_bad_proxy_names_its_variable() {
        let bad = environment(&[("https_proxy", "http://[")]);
        let error = Network::new(Trust::Nobody, CONNECT_TIMEOUT, &bad).expect_err("refused");
        assert!(error.to_string().contains("https_proxy"), "{error}");
    }

    #[test]
    fn an_empty_proxy_variable_is_no_proxy() {
        assert!(proxy(&environment(&[("HTTPS_PROXY", " ")])).expect("reads").is_none());
        assert!(proxy(&environment(&[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "corp")])).expect("reads").is_some());
    }
}
