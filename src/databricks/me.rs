//! Who am I (databricks-api.md 8): the cheapest request that proves a credential.

use super::client::Client;
use super::error::Error;
use super::request::Request;
use super::wire::identity::{Groups, User};
use crate::domain::identity::Identity;

impl Client {
    /// The user or service principal for whom the credential speaks.
    ///
    /// # Errors
    /// As any request.
    pub async fn me(&self) -> Result<Identity, Error> {
        let request = Request::get("/api/2.0/preview/scim/v2/Me");
        let identity = self.fetch::<User>(&request).await?.into_domain();
        if identity.user_name.is_empty() {
            return Err(self.incomplete(&request, "the answer names no user"));
        }
        Ok(identity)
    }

    /// Whether a group of this name has no groups among its members, so that whoever is in it is in it directly.
    ///
    /// # Errors
    /// As any request; not everybody may read groups.
    pub async fn is_flat_group(&self, name: &str) -> Result<bool, Error> {
        if name.contains(['"', '\\']) {
            return Ok(false);
        }
        let request =
            Request::get("/api/2.0/preview/scim/v2/Groups").query("filter", format!("displayName eq \"{name}\""));
        let found = self.fetch::<Groups>(&request).await?.resources.unwrap_or_default();
        // Not found is not seen, and what is not seen is not known.
        Ok(!found.is_empty() && found.iter().all(super::wire::identity::Group::is_flat))
    }
}
