//! Credentials: where they come from ([`resolve`]), and the tokens that they give ([`Authenticator`]).

mod cli;
mod error;
mod m2m;
mod profile;
mod resolve;
mod token;

pub use error::AuthError;
pub use resolve::resolve;
pub(crate) use token::Authenticator;

use secrecy::SecretString;

use cli::CliLogin;
use m2m::ClientSecret;

/// What proves who we are. Debug output never shows a secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    Token(SecretString),
    ClientSecret(ClientSecret),
    Cli(CliLogin),
}

impl Credentials {
    /// A personal access token.
    pub fn token(token: SecretString) -> Self {
        Self { method: Method::Token(token) }
    }

    /// A service principal's OAuth client.
    pub fn client_secret(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self { method: Method::ClientSecret(ClientSecret { client_id: client_id.into(), client_secret }) }
    }

    /// The vendor's word for the method: `pat`, `oauth-m2m` or `databricks-cli`.
    pub fn kind(&self) -> &'static str {
        match self.method {
            Method::Token(_) => "pat",
            Method::ClientSecret(_) => "oauth-m2m",
            Method::Cli(_) => "databricks-cli",
        }
    }
}
