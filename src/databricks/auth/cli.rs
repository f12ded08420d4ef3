//! A user's login through the vendor's own program: `databricks auth token` (databricks-api.md 1.6).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chrono::DateTime;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::process::Command;

use super::AuthError;
use super::token::{Grant, without_values};
use crate::databricks::wire::Int;
use crate::domain::Instant;
use crate::domain::text;

/// The longest that the program may take; it may talk to the network and to a keyring.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most of its complaint that is shown, in characters.
const MAX_COMPLAINT: usize = 300;

/// How to run the program. The environment is kept because the program needs it; Debug does not show it.
#[derive(Clone)]
pub(super) struct CliLogin {
    pub(super) program: PathBuf,
    pub(super) target: Target,
    pub(super) environment: BTreeMap<String, String>,
}

/// Whose login is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Profile(String),
    Host(String),
}

impl std::fmt::Debug for CliLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CliLogin").field("program", &self.program).field("target", &self.target).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct CliToken {
    access_token: Option<String>,
    expiry: Option<String>,
    expires_in: Option<Int>,
}

/// Finds the program: by `DATABRICKS_CLI_PATH`, else along `PATH`.
pub(super) fn find_program(environment: &BTreeMap<String, String>) -> Result<PathBuf, AuthError> {
    let named = environment.get("DATABRICKS_CLI_PATH").filter(|path| !path.is_empty());
    if let Some(path) = named {
        let path = PathBuf::from(path);
        return if path.is_file() { Ok(path) } else { Err(AuthError::NoCli { searched: Some(path) }) };
    }
    let name = format!("databricks{}", std::env::consts::EXE_SUFFIX);
    let along = environment.get("PATH").map(String::as_str).unwrap_or_default();
    let mut candidates = std::env::split_paths(along).map(|folder| folder.join(&name));
    candidates.find(|path| path.is_file()).ok_or(AuthError::NoCli { searched: None })
}

impl CliLogin {
    /// Runs the program once and takes the token that it prints.
    pub(super) async fn grant(&self, now: Instant) -> Result<Grant, AuthError> {
        let mut command = Command::new(&self.program);
        command.args(["auth", "token"]);
        match &self.target {
            Target::Profile(name) => command.args(["--profile", name]),
            Target::Host(host) => command.args(["--host", host]),
        };
        command.env_clear().envs(&self.environment).stdin(Stdio::null()).kill_on_drop(true);
        let failed = |reason: String| AuthError::CliFailed { reason };
        let output = tokio::time::timeout(TIMEOUT, command.output())
            .await
            .map_err(|_| failed(format!("no answer within {} s", TIMEOUT.as_secs())))?
            .map_err(|error| failed(format!("{}: {error}", self.program.display())))?;
        if !output.status.success() {
            return Err(failed(complaint(&output.stderr, &self.program)));
        }
        read(&output.stdout, now)
    }
}

fn complaint(stderr: &[u8], program: &Path) -> String {
    let words = text::line(String::from_utf8_lossy(stderr).trim());
    if words.is_empty() {
        return format!("{} said nothing", program.display());
    }
    words.chars().take(MAX_COMPLAINT).collect()
}

/// Reads what the program prints. The expiry is an instant of this machine's clock, with nanoseconds and any offset.
fn read(stdout: &[u8], now: Instant) -> Result<Grant, AuthError> {
    let garbled = |reason: String| AuthError::Garbled { what: "the output of `databricks auth token`".into(), reason };
    let token: CliToken = serde_json::from_slice(stdout).map_err(|error| garbled(without_values(&error)))?;
    let bearer = token.access_token.filter(|bearer| !bearer.is_empty()).map(SecretString::from);
    let bearer = bearer.ok_or_else(|| garbled("it holds no access_token".into()))?;
    let lifetime = match (token.expiry.filter(|expiry| !expiry.is_empty()), token.expires_in) {
        (Some(expiry), _) => DateTime::parse_from_rfc3339(&expiry)
            .map_err(|_| garbled("its expiry is no RFC 3339 instant".into()))?
            .signed_duration_since(now)
            .to_std()
            .unwrap_or(Duration::ZERO),
        (None, Some(Int(seconds))) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        (None, None) => return Err(garbled("it holds no expiry".into())),
    };
    Ok(Grant { bearer, lifetime })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        DateTime::parse_from_rfc3339("2026-01-02T03:00:00Z").expect("an instant").to_utc()
    }

    #[test]
    fn an_expiry_reads_in_every_spelling_of_go() {
        for expiry in ["2026-01-02T04:00:00Z", "2026-01-02T06:00:00.123456789+02:00", "2026-01-02T04:00:00.1Z"] {
            let printed = format!(r#"{{"access_token":"t","token_type":"Bearer","expiry":"{expiry}"}}"#);
            assert_eq!(read(printed.as_bytes(), now()).expect("reads").lifetime.as_secs(), 3600, "{expiry}");
        }
        let past = br#"{"access_token":"t","expiry":"2025-01-02T04:00:00Z"}"#;
        assert_eq!(read(past, now()).expect("reads").lifetime, Duration::ZERO);
        let relative = br#"{"access_token":"t","expires_in":"60"}"#;
        assert_eq!(read(relative, now()).expect("reads").lifetime.as_secs(), 60);
    }

    #[test]
    fn output_that_is_no_token_is_garbled() {
        for printed in
            ["", "dapi-token-as-text", "{}", r#"{"access_token":"t"}"#, r#"{"access_token":"t","expiry":"soon"}"#]
        {
            assert!(matches!(read(printed.as_bytes(), now()), Err(AuthError::Garbled { .. })), "{printed}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let environment = BTreeMap::from([("DATABRICKS_CLI_PATH".to_owned(), "/nowhere/databricks".to_owned())]);
        let error = find_program(&environment).expect_err("missing");
        assert!(error.to_string().contains("/nowhere/databricks"), "{error}");
        assert_eq!(find_program(&BTreeMap::new()), Err(AuthError::NoCli { searched: None }));
    }

    #[test]
    fn debug_does_not_show_the_environment() {
        let login = CliLogin {
            program: "databricks".into(),
            target: Target::Profile("p".into()),
            environment: BTreeMap::from([("DATABRICKS_TOKEN".to_owned(), "s3cret".to_owned())]),
        };
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
