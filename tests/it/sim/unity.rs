//! Unity Catalog's REST and SQL are two faces of the same objects.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::sql::run;
use super::{Lab, items, refusal};

const UNITY: &str = "/api/2.1/unity-catalog";

/// A request of dev that must succeed.
async fn ask(lab: &Lab, role: &str, method: Method, path: &str, body: Option<Value>) -> Value {
    let response = lab.call("dev", role, method, &format!("{UNITY}/{path}"), body.as_ref()).await;
    let (status, answer) = (response.status(), response.json::<Value>().await.expect("JSON"));
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// A request of dev that must be refused: status and code.
async fn refused(lab: &Lab, role: &str, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
    let (status, code, _) =
        refusal(lab.call("dev", role, method, &format!("{UNITY}/{path}"), body.as_ref()).await).await;
    (status, code)
}

async fn lab() -> Lab {
    let lab = Lab::calm().await;
    ask(
        &lab,
        "operator",
        Method::POST,
        "schemas",
        Some(json!({"catalog_name": "dev", "name": "Suite", "comment": "c"})),
    )
    .await;
    for statement in [
        "CREATE TABLE dev.suite.orders (id BIGINT NOT NULL COMMENT 'key', amount DECIMAL(12,2), day DATE) PARTITIONED BY (day)",
        "CREATE VIEW dev.suite.recent AS SELECT id, amount FROM dev.suite.orders",
    ] {
        let answer = run(&lab, "operator", statement).await;
        assert_eq!(answer["status"]["state"], "SUCCEEDED", "{answer}");
    }
    lab
}

#[tokio::test]
async fn what_sql_makes_rest_tells_and_the_other_way_round() {
    let lab = lab().await;
    let schema = ask(&lab, "operator", Method::GET, "schemas/dev.suite", None).await;
    assert_eq!((&schema["comment"], &schema["owner"]), (&json!("c"), &json!("ana@example.com")));
    let table = ask(&lab, "operator", Method::GET, "tables/dev.suite.orders", None).await;
    let columns = items(&table, "columns");
    assert_eq!(
        (&columns[0]["type_name"], &columns[0]["comment"], &columns[0]["nullable"]),
        (&json!("LONG"), &json!("key"), &json!(false))
    );
    assert_eq!((&columns[1]["type_text"], &columns[1]["type_precision"]), (&json!("decimal(12,2)"), &json!(12)));
    assert_eq!((&columns[2]["partition_index"], table.get("view_definition")), (&json!(0), None));
    let properties = table["properties"].as_object().expect("properties");
    assert!(properties.keys().all(|key| key.starts_with("delta.")), "{properties:?}");
    assert_eq!(properties["delta.lastUpdateVersion"], "0");
    let view = ask(&lab, "operator", Method::GET, "tables/dev.suite.recent", None).await;
    assert_eq!(view["view_definition"], "SELECT id, amount FROM dev.suite.orders");
    assert_eq!(
        view["view_dependencies"],
        json!({"dependencies": [{"table": {"table_full_name": "dev.suite.orders"}}]})
    );

    ask(
        &lab,
        "operator",
        Method::POST,
        "volumes",
        Some(json!({"catalog_name": "dev", "schema_name": "suite", "name": "landing", "volume_type": "MANAGED"})),
    )
    .await;
    let volumes =
        run(&lab, "operator", "SELECT volume_name FROM dev.information_schema.volumes WHERE volume_schema = 'suite'")
            .await;
    assert_eq!(volumes["result"]["data_array"], json!([["landing"]]), "{volumes}");
    assert_eq!(
        refused(&lab, "operator", Method::DELETE, "schemas/dev.suite", None).await,
        (400, "INVALID_STATE".to_owned())
    );
    ask(&lab, "operator", Method::DELETE, "volumes/dev.suite.landing", None).await;
    ask(&lab, "operator", Method::PATCH, "schemas/dev.suite", Some(json!({"new_name": "Suite2"}))).await;
    assert_eq!(
        run(&lab, "operator", "INSERT INTO dev.suite2.orders VALUES (1, 2, NULL)").await["status"]["state"],
        "SUCCEEDED"
    );
    ask(&lab, "operator", Method::DELETE, "schemas/dev.suite2?force=true", None).await;
    assert_eq!(run(&lab, "operator", "SELECT 1 FROM dev.suite2.orders").await["status"]["sql_state"], "42P01");
}

#[tokio::test]
async fn an_altered_view_is_the_same_object_and_a_replaced_one_is_not() {
    let lab = lab().await;
    let grant = json!({"changes": [{"principal": "analysts", "add": ["SELECT"]}]});
    ask(&lab, "operator", Method::PATCH, "permissions/table/dev.suite.recent", Some(grant)).await;
    let before = ask(&lab, "operator", Method::GET, "tables/dev.suite.recent", None).await;
    lab.advance(60.0).await;
    run(&lab, "operator", "ALTER VIEW dev.suite.recent AS SELECT /* rc:1 */ id FROM dev.suite.orders").await;
    let altered = ask(&lab, "operator", Method::GET, "tables/dev.suite.recent", None).await;
    assert_eq!((&altered["table_id"], &altered["created_at"]), (&before["table_id"], &before["created_at"]));
    assert_eq!(
        altered["view_definition"], "SELECT /* rc:1 */ id FROM dev.suite.orders",
        "a comment after SELECT stays"
    );
    assert!(altered["updated_at"].as_i64() > before["updated_at"].as_i64());
    let grants = ask(&lab, "operator", Method::GET, "permissions/TABLE/dev.suite.recent", None).await;
    assert_eq!(grants, json!({"privilege_assignments": [{"principal": "analysts", "privileges": ["SELECT"]}]}));
    run(&lab, "operator", "CREATE OR REPLACE VIEW dev.suite.recent AS SELECT 1 AS id").await;
    let replaced = ask(&lab, "operator", Method::GET, "tables/dev.suite.recent", None).await;
    assert_ne!(replaced["table_id"], before["table_id"]);
    assert_eq!(ask(&lab, "operator", Method::GET, "permissions/table/dev.suite.recent", None).await, json!({}));
}

#[tokio::test]
async fn grants_patch_inherit_and_hold() {
    let lab = lab().await;
    const SCHEMA: &str = "permissions/schema/dev.suite";
    let read = async || run(&lab, "reader", "SELECT id FROM dev.suite.orders").await["status"]["state"].clone();
    assert_eq!(read().await, "FAILED");
    assert_eq!(
        refused(&lab, "reader", Method::GET, "tables/dev.suite.nothing", None).await.0,
        404,
        "it may browse dev"
    );
    let change = |add: Value, remove: Value| {
        Some(json!({"changes": [{"principal": "kiri@example.com", "add": add, "remove": remove}]}))
    };
    let all = ask(
        &lab,
        "operator",
        Method::PATCH,
        SCHEMA,
        change(json!(["USE_SCHEMA", "SELECT"]), json!(["ALL_PRIVILEGES"])),
    )
    .await;
    assert_eq!(all["privilege_assignments"][0]["privileges"], json!(["SELECT", "USE_SCHEMA"]));
    assert_eq!(read().await, "SUCCEEDED");
    let effective = ask(
        &lab,
        "operator",
        Method::GET,
        "effective-permissions/table/dev.suite.orders?principal=kiri@example.com",
        None,
    )
    .await;
    assert_eq!(
        effective["privilege_assignments"][0]["privileges"][0],
        json!({"privilege": "SELECT", "inherited_from_type": "SCHEMA", "inherited_from_name": "dev.suite"})
    );
    // By SQL the same grants are seen, and taken away again.
    assert_eq!(
        run(&lab, "operator", "REVOKE SELECT ON SCHEMA dev.suite FROM `kiri@example.com`").await["status"]["state"],
        "SUCCEEDED"
    );
    assert_eq!(read().await, "FAILED");
    for (role, body, expected) in [
        ("reader", change(json!(["MODIFY"]), json!([])), (403, "PERMISSION_DENIED")),
        ("operator", change(json!(["SELECT"]), json!(["SELECT"])), (400, "INVALID_PARAMETER_VALUE")),
        ("operator", change(json!(["FLY"]), json!([])), (400, "INVALID_PARAMETER_VALUE")),
    ] {
        assert_eq!(refused(&lab, role, Method::PATCH, SCHEMA, body).await, (expected.0, expected.1.to_owned()));
    }
}

#[tokio::test]
async fn listings_come_in_pages_and_show_what_is_seen() {
    let lab = lab().await;
    let mut names = Vec::new();
    let mut path = "tables?catalog_name=dev&schema_name=suite&max_results=1".to_owned();
    loop {
        let page = ask(&lab, "operator", Method::GET, &path, None).await;
        names.extend(items(&page, "tables").iter().map(|table| table["name"].as_str().expect("a name").to_owned()));
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("tables?catalog_name=dev&schema_name=suite&max_results=1&page_token={token}");
    }
    assert_eq!(names, ["orders", "recent"]);
    let summaries =
        ask(&lab, "operator", Method::GET, "table-summaries?catalog_name=dev&schema_name_pattern=sui%25", None).await;
    assert_eq!(summaries["tables"][1], json!({"full_name": "dev.suite.recent", "table_type": "VIEW"}));
    let catalogs = ask(&lab, "reader", Method::GET, "catalogs", None).await;
    assert_eq!(items(&catalogs, "catalogs").len(), 6);
    let secret = json!({"name": "secret"});
    ask(&lab, "ci", Method::POST, "catalogs", Some(secret)).await;
    assert_eq!(items(&ask(&lab, "reader", Method::GET, "catalogs", None).await, "catalogs").len(), 6);
    assert_eq!(
        refused(&lab, "reader", Method::GET, "catalogs/secret", None).await,
        (403, "PERMISSION_DENIED".to_owned())
    );
    for (path, code) in [
        ("catalogs/nowhere", "CATALOG_DOES_NOT_EXIST"),
        ("schemas/dev.nowhere", "SCHEMA_DOES_NOT_EXIST"),
        ("tables/dev.nowhere.a", "SCHEMA_DOES_NOT_EXIST"),
        ("tables/dev.suite.a", "TABLE_DOES_NOT_EXIST"),
        ("volumes/dev.suite.a", "RESOURCE_DOES_NOT_EXIST"),
    ] {
        assert_eq!(refused(&lab, "operator", Method::GET, path, None).await, (404, code.to_owned()), "{path}");
    }
    let metastore = ask(&lab, "reader", Method::GET, "metastore_summary", None).await;
    let assignment = ask(&lab, "reader", Method::GET, "current-metastore-assignment", None).await;
    assert_eq!(metastore["metastore_id"], assignment["metastore_id"]);
}
