//! Unity Catalog (databricks-api.md 6): objects by name, and grants, direct and effective.

use super::client::Client;
use super::error::Error;
use super::page::{Page, pages};
use super::request::Request;
use super::wire::{grants as grants_wire, tables as wire};
use crate::domain::sql::QualifiedName;
use crate::domain::unity::{Container, Grant, Securable, Table};

pages! {
    wire::CatalogList { catalogs: wire::Catalog }
    wire::SchemaList { schemas: wire::Schema }
    wire::TableList { tables: wire::Table }
    grants_wire::Grants { privilege_assignments: grants_wire::PrivilegeAssignment }
}

impl Client {
    /// The catalogs that the caller may see.
    ///
    /// # Errors
    /// When any page fails: a half-read listing is no answer.
    pub async fn catalogs(&self) -> Result<Vec<Container>, Error> {
        let base = Request::get("/api/2.1/unity-catalog/catalogs");
        let listed = self.pages_of::<wire::CatalogList>(&base).await?;
        Ok(listed.into_iter().filter_map(wire::Catalog::into_domain).collect())
    }

    /// One catalog.
    ///
    /// # Errors
    /// As any request.
    pub async fn catalog(&self, name: &QualifiedName) -> Result<Container, Error> {
        let request = Request::get("/api/2.1/unity-catalog/catalogs/{name}").at(name);
        let catalog: wire::Catalog = self.fetch(&request).await?;
        catalog.into_domain().ok_or_else(|| self.incomplete(&request, NAMELESS))
    }

    /// The schemas of a catalog that the caller may see.
    ///
    /// # Errors
    /// As [`Client::catalogs`].
    pub async fn schemas(&self, catalog: &QualifiedName) -> Result<Vec<Container>, Error> {
        let base = Request::get("/api/2.1/unity-catalog/schemas").query("catalog_name", catalog);
        let listed = self.pages_of::<wire::SchemaList>(&base).await?;
        Ok(listed.into_iter().filter_map(wire::Schema::into_domain).collect())
    }

    /// One schema.
    ///
    /// # Errors
    /// As any request.
    pub async fn schema(&self, name: &QualifiedName) -> Result<Container, Error> {
        let request = Request::get("/api/2.1/unity-catalog/schemas/{full_name}").at(name);
        let schema: wire::Schema = self.fetch(&request).await?;
        schema.into_domain().ok_or_else(|| self.incomplete(&request, NAMELESS))
    }

    /// The tables and views of a schema that the caller may see, without their columns.
    ///
    /// # Errors
    /// As [`Client::catalogs`].
    pub async fn tables(&self, schema: &QualifiedName) -> Result<Vec<Table>, Error> {
        let catalog = schema.levels().first().map(String::as_str).unwrap_or_default();
        let base = Request::get("/api/2.1/unity-catalog/tables")
            .query("catalog_name", catalog)
            .query("schema_name", schema.leaf())
            .query("omit_columns", true);
        let listed = self.pages_of::<wire::TableList>(&base).await?;
        Ok(listed.into_iter().filter_map(wire::Table::into_domain).collect())
    }

    /// One table or view, with its columns and its definition.
    ///
    /// # Errors
    /// As any request.
    pub async fn table(&self, name: &QualifiedName) -> Result<Table, Error> {
        let request = Request::get("/api/2.1/unity-catalog/tables/{full_name}").at(name);
        let table: wire::Table = self.fetch(&request).await?;
        table.into_domain().ok_or_else(|| self.incomplete(&request, NAMELESS))
    }

    /// The privileges granted on an object itself; of one principal if named.
    ///
    /// # Errors
    /// As [`Client::catalogs`].
    pub async fn grants(
        &self,
        kind: Securable,
        name: &QualifiedName,
        principal: Option<&str>,
    ) -> Result<Vec<Grant>, Error> {
        let route = "/api/2.1/unity-catalog/permissions/{securable_type}/{full_name}";
        self.grants_by(route, kind, name, principal).await
    }

    /// The privileges that hold on an object, those granted above it included; of one principal if named.
    ///
    /// An owner's rights are not among them, nor what a principal has through its groups when `principal` is named:
    /// ask for all, and judge with the groups at hand.
    ///
    /// # Errors
    /// As [`Client::catalogs`].
    pub async fn effective_grants(
        &self,
        kind: Securable,
        name: &QualifiedName,
        principal: Option<&str>,
    ) -> Result<Vec<Grant>, Error> {
        let route = "/api/2.1/unity-catalog/effective-permissions/{securable_type}/{full_name}";
        self.grants_by(route, kind, name, principal).await
    }

    async fn grants_by(
        &self,
        route: &'static str,
        kind: Securable,
        name: &QualifiedName,
        principal: Option<&str>,
    ) -> Result<Vec<Grant>, Error> {
        let base = Request::get(route).at(grants_wire::securable(kind)).at(name).query_if("principal", principal);
        let listed = self.pages_of::<grants_wire::Grants>(&base).await?;
        Ok(listed.into_iter().flat_map(grants_wire::PrivilegeAssignment::into_domain).collect())
    }

    /// All pages. Without `max_results` the catalog answers in one page that it may cut; 0 asks for its own page size.
    async fn pages_of<P: Page>(&self, base: &Request) -> Result<Vec<P::Item>, Error> {
        let base = base.clone().query("max_results", 0);
        self.list::<P>(&base, |token| base.clone().query("page_token", token), None).await
    }
}

/// What is wrong with an object that has no usable name.
const NAMELESS: &str = "the object has no name that can be used";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake::{World, json as answer};
    use super::*;

    fn name(text: &str) -> QualifiedName {
        text.parse().expect("a name")
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_is_read_with_its_definition() {
        let world = World::new(|_, _| {
            answer(
                200,
                &json!({
                    "full_name": "prod.sales.orders", "table_type": "VIEW", "table_id": "t-1", "owner": "sp",
                    "view_definition": "SELECT 1 AS n", "updated_at": 1_750_000_000_000_i64, "updated_by": "ana",
                    "columns": [{"name": "b", "position": 1, "type_text": "string", "nullable": false, "comment": "x"},
                                {"name": "a", "position": 0, "type_text": "bigint"}],
                    "properties": {"k": "v"}}),
            )
        });
        let table = world.client().table(&name("prod.sales.orders")).await.expect("reads");
        assert_eq!((table.kind.as_str(), table.definition.as_deref()), ("VIEW", Some("SELECT 1 AS n")));
        let columns: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.nullable)).collect();
        assert_eq!(columns, [("a", true), ("b", false)], "in the order of their positions");
        assert_eq!(table.updated_at.map(|at| at.timestamp()), Some(1_750_000_000));
        assert_eq!(world.lines(), ["GET /api/2.1/unity-catalog/tables/prod.sales.orders"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_page_is_not_the_end_of_a_listing() {
        let world = World::new(|_, n| match n {
            0 => answer(200, &json!({"tables": [], "next_page_token": "p1"})),
            _ => answer(200, &json!({"tables": [{"catalog_name": "c", "schema_name": "s", "name": "t"}]})),
        });
        let tables = world.client().tables(&name("c.s")).await.expect("lists");
        assert_eq!(tables[0].name, name("c.s.t"));
        assert_eq!(
            world.lines(),
            [
                "GET /api/2.1/unity-catalog/tables?catalog_name=c&schema_name=s&omit_columns=true&max_results=0",
                "GET /api/2.1/unity-catalog/tables?catalog_name=c&schema_name=s&omit_columns=true&max_results=0&page_token=p1"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn grants_are_told_with_their_source() {
        let world = World::new(|request, _| match request.url.path().contains("effective") {
            true => answer(
                200,
                &json!({"privilege_assignments": [{"principal": "analysts", "privileges": [
                    {"privilege": "SELECT"},
                    {"privilege": "USE_SCHEMA", "inherited_from_type": "CATALOG", "inherited_from_name": "prod"}]}]}),
            ),
            false => {
                answer(200, &json!({"privilege_assignments": [{"principal": "ana", "privileges": ["ALL_PRIVILEGES"]}]}))
            }
        });
        let client = world.client();
        let grants = client.effective_grants(Securable::Table, &name("prod.s.t"), None).await.expect("reads");
        let grant = |principal: &str, privilege: &str, from: Option<(&str, &str)>| Grant {
            principal: principal.into(),
            privilege: privilege.into(),
            inherited_from: from.map(|(kind, name)| (kind.into(), name.into())),
        };
        assert_eq!(
            grants,
            [grant("analysts", "SELECT", None), grant("analysts", "USE SCHEMA", Some(("CATALOG", "prod")))]
        );
        let direct = client.grants(Securable::Schema, &name("prod.s"), Some("ana")).await.expect("reads");
        assert_eq!(direct, [grant("ana", "ALL PRIVILEGES", None)]);
        assert_eq!(
            world.lines(),
            [
                "GET /api/2.1/unity-catalog/effective-permissions/table/prod.s.t?max_results=0",
                "GET /api/2.1/unity-catalog/permissions/schema/prod.s?principal=ana&max_results=0"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn containers_are_listed_and_read() {
        let world = World::new(|request, _| match request.url.path() {
            "/api/2.1/unity-catalog/catalogs" => {
                answer(200, &json!({"catalogs": [{"name": "prod", "owner": "o"}, {"comment": "nameless"}]}))
            }
            "/api/2.1/unity-catalog/catalogs/prod" => answer(200, &json!({"name": "prod", "browse_only": true})),
            "/api/2.1/unity-catalog/schemas" => answer(200, &json!({"schemas": [{"full_name": "prod.s"}]})),
            "/api/2.1/unity-catalog/schemas/prod.s" => answer(200, &json!({"full_name": "prod.s", "owner": "o"})),
            _ => answer(
                404,
                &json!({"error_code": "SCHEMA_DOES_NOT_EXIST", "message": "Schema 'prod.x' does not exist."}),
            ),
        });
        let client = world.client();
        assert_eq!(client.catalogs().await.expect("lists").len(), 1);
        assert!(client.catalog(&name("prod")).await.expect("reads").browse_only);
        assert_eq!(client.schemas(&name("prod")).await.expect("lists")[0].name, name("prod.s"));
        assert_eq!(client.schema(&name("prod.s")).await.expect("reads").owner.as_deref(), Some("o"));
        assert!(client.schema(&name("prod.x")).await.expect_err("missing").is_not_found());
    }
}
