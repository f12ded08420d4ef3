//! Permissions on the wire: replaced, merged, inherited, refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Lab, items, refusal};

const ME: &str = "emre@example.com";

/// Levels of one grantee, with those that it inherits.
fn levels<'a>(body: &'a Value, key: &str, name: &str) -> Vec<(&'a str, bool)> {
    let entry = items(body, "access_control_list").iter().find(|entry| entry[key] == name);
    let permissions = entry.map(|entry| items(entry, "all_permissions")).unwrap_or_default();
    permissions
        .iter()
        .map(|one| (one["permission_level"].as_str().expect("text"), one["inherited"].as_bool().expect("a truth")))
        .collect()
}

async fn job(lab: &Lab) -> String {
    let made = lab.author(Method::POST, "/api/2.2/jobs/create", Some(json!({"name": "mine"}))).await;
    format!("/api/2.0/permissions/jobs/{}", made["job_id"])
}

#[tokio::test]
async fn a_put_replaces_what_was_given_and_a_patch_adds() {
    let lab = Lab::calm().await;
    let path = job(&lab).await;
    let before = lab.author(Method::GET, &path, None).await;
    assert_eq!(levels(&before, "user_name", ME), [("IS_OWNER", false)]);
    assert_eq!(levels(&before, "group_name", "admins"), [("CAN_MANAGE", true)]);
    assert_eq!(
        (&before["object_type"], before["object_id"].as_str()),
        (&json!("job"), path.strip_prefix("/api/2.0/permissions"))
    );

    let owner = json!({"user_name": ME, "permission_level": "IS_OWNER"});
    let list = |entries: Value| Some(json!({"access_control_list": entries}));
    let viewers = json!({"group_name": "analysts", "permission_level": "CAN_VIEW"});
    lab.author(Method::PUT, &path, list(json!([owner, viewers]))).await;
    let runners = json!({"group_name": "auditors", "permission_level": "CAN_MANAGE_RUN"});
    let patched = lab.author(Method::PATCH, &path, list(json!([runners]))).await;
    assert_eq!(levels(&patched, "group_name", "analysts"), [("CAN_VIEW", false)]);
    assert_eq!(levels(&patched, "group_name", "auditors"), [("CAN_MANAGE_RUN", false)]);
    let replaced = lab.author(Method::PUT, &path, list(json!([owner]))).await;
    assert!(levels(&replaced, "group_name", "analysts").is_empty());
    assert_eq!(levels(&replaced, "group_name", "admins"), [("CAN_MANAGE", true)], "nobody takes that away");

    for (wrong, text) in [
        (json!([viewers]), "The job must have exactly one owner."),
        (json!([owner, {"user_name": "ana@example.com", "permission_level": "IS_OWNER"}]), "exactly one owner"),
        (json!([{"group_name": "users", "permission_level": "IS_OWNER"}]), "Groups can not be owners."),
        (json!([owner, {"group_name": "users", "permission_level": "CAN_RUN"}]), "CAN_RUN is not one of"),
        (json!([owner, {"group_name": "a", "user_name": "b", "permission_level": "CAN_VIEW"}]), "Exactly one of"),
    ] {
        let (status, code, message) = lab.author_refused(Method::PUT, &path, list(wrong)).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"));
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_right_that_is_given_is_a_right_that_is_had() {
    let lab = Lab::calm().await;
    let path = job(&lab).await;
    let get = path.replace("/api/2.0/permissions/jobs/", "/api/2.2/jobs/get?job_id=");
    let reader = async |path: &str| lab.call("dev", "reader", Method::GET, path, None).await;
    assert_eq!(refusal(reader(&get).await).await.0, 403);
    let add = json!({"access_control_list": [{"user_name": "kiri@example.com", "permission_level": "CAN_VIEW"}]});
    lab.author(Method::PATCH, &path, Some(add)).await;
    assert!(reader(&get).await.status().is_success());
    let (status, _, message) = refusal(reader(&path).await).await;
    assert_eq!(status, 403, "who may only look may not see who else may: {message}");

    let hand = json!({"access_control_list": [{"user_name": "kiri@example.com", "permission_level": "IS_OWNER"}]});
    let by = async |role: &str| lab.call("dev", role, Method::PATCH, &path, Some(&hand)).await;
    let manager = json!({"access_control_list": [{"user_name": "ana@example.com", "permission_level": "CAN_MANAGE"}]});
    lab.author(Method::PATCH, &path, Some(manager)).await;
    assert_eq!(refusal(by("operator").await).await.0, 403, "a manager does not give away what is not theirs");
    assert!(by("author").await.status().is_success());
    assert_eq!(refusal(by("author").await).await.0, 403, "the owner before has nothing left");
}

#[tokio::test]
async fn a_folder_gives_what_it_has_to_all_below() {
    let lab = Lab::calm().await;
    let folder = "/Workspace/Users/emre@example.com/b/prod";
    lab.author(Method::POST, "/api/2.0/workspace/mkdirs", Some(json!({"path": format!("{folder}/state")}))).await;
    let id = async |path: &str| {
        lab.author(Method::GET, &format!("/api/2.0/workspace/get-status?path={path}"), None).await["object_id"].clone()
    };
    let path = format!("/api/2.0/permissions/directories/{}", id(folder).await);
    let put = json!({"access_control_list": [{"group_name": "auditors", "permission_level": "CAN_READ"}]});
    let after = lab.author(Method::PUT, &path, Some(put)).await;
    assert_eq!(levels(&after, "group_name", "auditors"), [("CAN_READ", false)]);
    assert_eq!(levels(&after, "user_name", ME), [("CAN_MANAGE", true)], "from the home that it is in");
    assert_eq!(after["object_type"], "directory");
    let below = lab
        .author(
            Method::GET,
            &format!("/api/2.0/permissions/directories/{}", id(&format!("{folder}/state")).await),
            None,
        )
        .await;
    assert_eq!(levels(&below, "group_name", "auditors"), [("CAN_READ", true)]);
    let read = format!("/api/2.0/workspace/get-status?path={folder}/state");
    assert!(lab.call("dev", "auditor", Method::GET, &read, None).await.status().is_success());
    let write = json!({"path": format!("{folder}/state/x")});
    let refused = lab.call("dev", "auditor", Method::POST, "/api/2.0/workspace/mkdirs", Some(&write)).await;
    assert_eq!(refusal(refused).await.0, 403);
}

#[tokio::test]
async fn a_warehouse_keeps_its_owner_and_an_unknown_kind_or_object_is_refused() {
    let lab = Lab::calm().await;
    let found = lab.author(Method::GET, "/api/2.0/sql/warehouses", None).await;
    let id = found["warehouses"][0]["id"].as_str().expect("an id").to_owned();
    let as_admin = async |method, path: &str, body: Option<Value>| {
        let response = lab.call("dev", "ci", method, path, body.as_ref()).await;
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let list = json!({"access_control_list": [{"group_name": "analysts", "permission_level": "CAN_MONITOR"}]});
    for path in [format!("/api/2.0/permissions/warehouses/{id}"), format!("/api/2.0/permissions/sql/warehouses/{id}")] {
        let (status, body) = as_admin(Method::PATCH, &path, Some(list.clone())).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(levels(&body, "group_name", "analysts"), [("CAN_MONITOR", false)]);
        assert_eq!(levels(&body, "group_name", "users"), [("CAN_USE", false)]);
        let (_, body) = as_admin(Method::GET, &format!("{path}/permissionLevels"), None).await;
        assert_eq!(items(&body, "permission_levels").len(), 5);
    }
    assert_eq!(as_admin(Method::GET, "/api/2.0/permissions/starships/1", None).await.0, 400);
    assert_eq!(as_admin(Method::GET, "/api/2.0/permissions/jobs/1", None).await.0, 404);
}
