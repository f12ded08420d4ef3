//! Who am I (databricks-api.md 8): the cheapest request that proves a credential.

use super::client::Client;
use super::error::Error;
use super::request::Request;
use super::wire::identity::User;
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
}
