//! Addresses to which a credential may be sent.

use url::{Host, Url};

/// Why an address is no workspace's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It cannot be read.
    #[error("{host:?} is no address: expected one such as https://dbc-a1b2345c-d6e7.cloud.databricks.com")]
    Unreadable {
        /// As given.
        host: String,
    },
    /// It speaks plain HTTP to another machine.
    #[error("{host} would send credentials in the clear: plain http is for loopback only, use https")]
    PlainHttp {
        /// As given.
        host: String,
    },
}

/// Reads an address: `https` anywhere, `http` to loopback only, no credentials inside.
pub(crate) fn checked(address: &str) -> Result<Url, HostError> {
    let unreadable = || HostError::Unreadable { host: without_credentials(address) };
    let url = Url::parse(address).map_err(|_| unreadable())?;
    if !url.username().is_empty() || url.password().is_some() || url.host().is_none() {
        return Err(unreadable());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(HostError::PlainHttp { host: address.to_owned() }),
        _ => Err(unreadable()),
    }
}

fn without_credentials(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => address.to_owned(),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A host as it is compared: with a scheme, without port 443, path or trailing slash (databricks-api.md 1.2).
pub(crate) fn normalized(host: &str) -> String {
    let host = host.trim();
    let with_scheme = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    match Url::parse(&with_scheme) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => with_scheme.trim_end_matches('/').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_loopback_only() {
        for good in
            ["https://a.example", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:2", "http://127.9.9.9"]
        {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in
            ["http://a.example", "http://10.0.0.1", "http://localhost.evil.example", "http://0.0.0.0", "http://[::2]"]
        {
            assert!(matches!(checked(bad), Err(HostError::PlainHttp { .. })), "{bad}");
        }
        for bad in ["ftp://a", "a.example", "", "https://", "file:///etc/passwd"] {
            assert!(matches!(checked(bad), Err(HostError::Unreadable { .. })), "{bad}");
        }
    }

    #[test]
    fn credentials_inside_an_address_are_refused_and_not_repeated() {
        let error = checked("https://user:s3cret@a.example").expect_err("refused");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn hosts_compare_whatever_their_spelling() {
        for spelled in ["a.example", "https://A.example/", "https://a.example:443", "https://a.example/?o=1"] {
            assert_eq!(normalized(spelled), "https://a.example", "{spelled}");
        }
        assert_eq!(normalized("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
    }
}
