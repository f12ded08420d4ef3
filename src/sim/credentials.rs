//! Credentials: one token a role and workspace, and one client for OAuth, all derived from the seed and plainly fake.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::domain::Instant;

/// The roles that every workspace has a token for. Each is one principal of the world.
pub const ROLES: [&str; 10] =
    ["operator", "operator2", "captain", "approver", "finance", "author", "publisher", "auditor", "ci", "reader"];

/// How long an OAuth token lives, in seconds of the wall clock (databricks-api.md 1.5).
pub(crate) const OAUTH_LIFETIME_S: i64 = 3600;

/// Hexadecimal digits that depend on everything given.
pub(crate) fn digits(seed: u64, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A personal access token: the vendor's shape, with the word fake where chance would stand.
pub(crate) fn pat(seed: u64, workspace: &str, role: &str) -> String {
    let digits = digits(seed, &["pat", workspace, role]);
    format!("dapifa4e{}", digits.get(..28).unwrap_or_default())
}

/// The secret of the ci principal's OAuth client in one workspace.
pub(crate) fn client_secret(seed: u64, workspace: &str) -> String {
    let digits = digits(seed, &["client secret", workspace]);
    format!("dosefa4e{}", digits.get(..28).unwrap_or_default())
}

/// Who a credential stands for, or why it stands for nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// A principal's user name or application id.
    Principal(String),
    /// An OAuth token past its life.
    Expired,
    /// Never issued here.
    Unknown,
}

/// What one workspace accepts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passes {
    tokens: BTreeMap<String, String>,
    client: Option<Client>,
    issued: BTreeMap<String, Issued>,
    last_issued: u64,
}

#[derive(Clone, Debug)]
struct Client {
    id: String,
    secret: String,
}

#[derive(Clone, Debug)]
struct Issued {
    principal: String,
    expires_at: Instant,
}

impl Passes {
    /// Accepts `token` as `principal`.
    pub(crate) fn admit(&mut self, token: String, principal: &str) {
        self.tokens.insert(token, principal.to_owned());
    }

    /// Accepts a client; its id is the principal's application id.
    pub(crate) fn admit_client(&mut self, id: &str, secret: String) {
        self.client = Some(Client { id: id.to_owned(), secret });
    }

    /// Issues a token to a client that proves itself, good until one lifetime after `wall`.
    pub(crate) fn issue(
        &mut self,
        seed: u64,
        workspace: &str,
        id: &str,
        secret: &str,
        wall: Instant,
    ) -> Option<String> {
        let client = self.client.as_ref().filter(|client| client.id == id && client.secret == secret)?;
        self.last_issued += 1;
        let token = format!("fake-oauth.{}", digits(seed, &["oauth", workspace, &self.last_issued.to_string()]));
        let issued =
            Issued { principal: client.id.clone(), expires_at: wall + chrono::TimeDelta::seconds(OAUTH_LIFETIME_S) };
        self.issued.insert(token.clone(), issued);
        Some(token)
    }

    /// Who bears this token.
    pub(crate) fn bearer(&self, token: &str, wall: Instant) -> Bearer {
        if let Some(principal) = self.tokens.get(token) {
            return Bearer::Principal(principal.clone());
        }
        match self.issued.get(token) {
            Some(issued) if wall < issued.expires_at => Bearer::Principal(issued.principal.clone()),
            Some(_) => Bearer::Expired,
            None => Bearer::Unknown,
        }
    }

    /// Ends an OAuth token's life at `wall`. A personal access token stays good: nobody could get another.
    pub(crate) fn expire(&mut self, token: &str, wall: Instant) {
        if let Some(issued) = self.issued.get_mut(token) {
            issued.expires_at = wall;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(second: i64) -> Instant {
        Instant::from_timestamp(1_790_000_000 + second, 0).expect("in range")
    }

    #[test]
    fn tokens_follow_from_the_seed_and_differ_by_role_and_workspace() {
        let token = pat(7, "prod", "operator");
        assert_eq!(token, pat(7, "prod", "operator"));
        assert_eq!(token.len(), "dapi".len() + 32);
        assert!(token.starts_with("dapifa4e"));
        for other in [pat(8, "prod", "operator"), pat(7, "dev", "operator"), pat(7, "prod", "reader")] {
            assert_ne!(token, other);
        }
    }

    #[test]
    fn an_oauth_token_lives_an_hour_of_wall_time() {
        let mut passes = Passes::default();
        passes.admit_client("app", "secret".to_owned());
        assert_eq!(passes.issue(1, "prod", "app", "wrong", wall(0)), None);
        let token = passes.issue(1, "prod", "app", "secret", wall(0)).expect("a token");
        assert_eq!(passes.bearer(&token, wall(3599)), Bearer::Principal("app".to_owned()));
        assert_eq!(passes.bearer(&token, wall(3600)), Bearer::Expired);
        let second = passes.issue(1, "prod", "app", "secret", wall(0)).expect("a token");
        assert_ne!(token, second);
        passes.expire(&second, wall(1));
        assert_eq!(passes.bearer(&second, wall(1)), Bearer::Expired);
    }

    #[test]
    fn a_personal_token_is_known_here_alone_and_does_not_expire() {
        let mut passes = Passes::default();
        passes.admit("dapi1".to_owned(), "ana@example.com");
        passes.expire("dapi1", wall(0));
        assert_eq!(passes.bearer("dapi1", wall(10)), Bearer::Principal("ana@example.com".to_owned()));
        assert_eq!(passes.bearer("dapi2", wall(10)), Bearer::Unknown);
    }
}
