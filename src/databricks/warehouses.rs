//! SQL warehouses (databricks-api.md 5.5).

use super::client::Client;
use super::error::Error;
use super::page::pages;
use super::request::Request;
use super::wire::warehouses as wire;
use crate::domain::ids::WarehouseId;
use crate::domain::warehouse::Warehouse;

pages! {
    wire::WarehouseList { warehouses: wire::Warehouse }
}

impl Client {
    /// The warehouses that the caller may see.
    ///
    /// # Errors
    /// When any page fails: a half-read listing is no answer.
    pub async fn warehouses(&self) -> Result<Vec<Warehouse>, Error> {
        let base = Request::get("/api/2.0/sql/warehouses");
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<wire::WarehouseList>(&base, next, None).await?;
        Ok(listed.into_iter().filter_map(wire::Warehouse::into_domain).collect())
    }

    /// One warehouse.
    ///
    /// # Errors
    /// As any request.
    pub async fn warehouse(&self, id: &WarehouseId) -> Result<Warehouse, Error> {
        let request = Request::get("/api/2.0/sql/warehouses/{id}").at(id);
        let warehouse: wire::Warehouse = self.fetch(&request).await?;
        warehouse.into_domain().ok_or_else(|| self.incomplete(&request, "the warehouse has no id"))
    }
}
