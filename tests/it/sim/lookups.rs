//! What deployments look up by name: policies, pools, clusters, secrets, people and groups.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, items, refusal};

impl Lab {
    async fn admin_of_dev(&self, method: Method, path: &str, body: Value) -> Value {
        let response = self.call("dev", "ci", method, path, Some(&body)).await;
        let (status, text) = (response.status(), response.text().await.expect("text"));
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

#[tokio::test]
async fn policies_are_seen_by_those_who_may_use_them_and_written_by_administrators() {
    let lab = Lab::calm().await;
    let base = "/api/2.0/policies/clusters";
    let names = async |role: &str| -> Vec<String> {
        let response = lab.call("dev", role, Method::GET, &format!("{base}/list?sort_column=POLICY_NAME"), None).await;
        let body: Value = response.json().await.expect("JSON");
        items(&body, "policies").iter().map(|policy| policy["name"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(names("author").await, ["Job Compute", "Production Job Compute"]);
    assert_eq!(names("reader").await, ["Job Compute"]);
    let body =
        json!({"name": "mine", "definition": "{\"num_workers\":{\"type\":\"fixed\",\"value\":1}}", "later": [1]});
    assert_eq!(lab.author_refused(Method::POST, &format!("{base}/create"), Some(body.clone())).await.0, 403);
    let id = lab.admin_of_dev(Method::POST, &format!("{base}/create"), body.clone()).await["policy_id"].clone();
    let get = format!("{base}/get?policy_id={}", id.as_str().expect("text"));
    let policy = lab.admin_of_dev(Method::GET, &get, json!({})).await;
    assert_eq!((&policy["definition"], &policy["later"]), (&body["definition"], &json!([1])));
    assert!(policy["created_at_timestamp"].is_i64());
    let twin = lab.call("dev", "ci", Method::POST, &format!("{base}/create"), Some(&body)).await;
    assert_eq!(refusal(twin).await.1, "INVALID_PARAMETER_VALUE");
    let edited = json!({"policy_id": id, "name": "mine", "definition": "{}"});
    lab.admin_of_dev(Method::POST, &format!("{base}/edit"), edited).await;
    assert_eq!(lab.admin_of_dev(Method::GET, &get, json!({})).await["definition"], "{}");
    let grant = json!({"access_control_list": [{"user_name": "emre@example.com", "permission_level": "CAN_USE"}]});
    let permissions = format!("/api/2.0/permissions/cluster-policies/{}", id.as_str().expect("text"));
    assert_eq!(lab.author_refused(Method::GET, &get, None).await.0, 403);
    lab.admin_of_dev(Method::PUT, &permissions, grant).await;
    lab.author(Method::GET, &get, None).await;
    lab.admin_of_dev(Method::POST, &format!("{base}/delete"), json!({"policy_id": id})).await;
    let gone = lab.call("dev", "ci", Method::GET, &get, None).await;
    assert_eq!(refusal(gone).await.0, 404);
}

#[tokio::test]
async fn a_secret_is_read_by_those_who_may_and_told_nowhere_else() {
    let lab = Lab::calm().await;
    let path = |rest: &str| format!("/api/2.0/secrets/{rest}");
    let post = async |rest: &str, body: Value| lab.author(Method::POST, &path(rest), Some(body)).await;
    post("scopes/create", json!({"scope": "returns"})).await;
    let again = lab.author_refused(Method::POST, &path("scopes/create"), Some(json!({"scope": "returns"}))).await;
    assert_eq!((again.0, again.1.as_str()), (400, "RESOURCE_ALREADY_EXISTS"));
    post("put", json!({"scope": "returns", "key": "db", "string_value": "hunter2"})).await;
    let listed = lab.author(Method::GET, &path("list?scope=returns"), None).await;
    assert_eq!(items(&listed, "secrets")[0]["key"], "db");
    assert!(!listed.to_string().contains("hunter2"));
    let read = path("get?scope=returns&key=db");
    assert_eq!(lab.author(Method::GET, &read, None).await, json!({"key": "db", "value": "aHVudGVyMg=="}));
    let reader = async || lab.call("dev", "reader", Method::GET, &read, None).await;
    assert_eq!(refusal(reader().await).await.0, 403);
    post("acls/put", json!({"scope": "returns", "principal": "users", "permission": "READ"})).await;
    assert!(reader().await.status().is_success());
    let acls = lab.author(Method::GET, &path("acls/list?scope=returns"), None).await;
    assert_eq!(items(&acls, "items").len(), 2, "{acls}");
    post("acls/delete", json!({"scope": "returns", "principal": "users"})).await;
    assert_eq!(refusal(reader().await).await.0, 403);
    post("delete", json!({"scope": "returns", "key": "db"})).await;
    assert_eq!(lab.author_refused(Method::GET, &read, None).await.0, 404);
    post("scopes/delete", json!({"scope": "returns"})).await;
    assert_eq!(lab.author(Method::GET, &path("scopes/list"), None).await, json!({}));
    let requests = lab.admin(Method::GET, "/requests", None).await.1;
    assert!(!requests.to_string().contains("hunter2"), "nor in the request log");
}

#[tokio::test]
async fn people_principals_and_groups_are_listed_filtered_and_end() {
    let lab = Lab::calm().await;
    let path = |rest: &str| format!("/api/2.0/preview/scim/v2/{rest}");
    let get = async |rest: &str| lab.author(Method::GET, &path(rest), None).await;
    let users = get("Users").await;
    assert_eq!((&users["totalResults"], items(&users, "Resources").len()), (&json!(10), 10));
    let found = get("Users?filter=userName%20eq%20%22ana@example.com%22").await;
    let [ana] = items(&found, "Resources") else { panic!("one: {found}") };
    assert_eq!(get(&format!("Users/{}", ana["id"].as_str().expect("text"))).await["displayName"], "Ana Duarte");
    let named = get("ServicePrincipals?filter=displayName%20eq%20sp-ci").await;
    assert_eq!(items(&named, "Resources")[0]["applicationId"], items(&named, "Resources")[0]["userName"]);
    let groups = get("Groups?count=2").await;
    assert_eq!(items(&groups, "Resources").len(), 2);
    let all = get("Groups?count=100").await;
    for name in ["admins", "users", "data-platform", "analysts", "auditors"] {
        assert!(items(&all, "Resources").iter().any(|group| group["displayName"] == name), "{name}");
    }
    let past = get("Groups?startIndex=101&count=100").await;
    assert_eq!((items(&past, "Resources").len(), &past["itemsPerPage"]), (0, &json!(0)), "past the end it is empty");
}

#[tokio::test]
async fn a_cluster_comes_up_by_itself_and_a_pool_keeps_what_it_was_told() {
    let lab = Lab::calm().await;
    let cluster = |rest: &str| format!("/api/2.1/clusters/{rest}");
    let body = json!({"cluster_name": "c", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1, "later": 1});
    let id = lab.author(Method::POST, &cluster("create"), Some(body)).await["cluster_id"].clone();
    let get = cluster(&format!("get?cluster_id={}", id.as_str().expect("text")));
    let seen = lab.author(Method::GET, &get, None).await;
    assert_eq!((&seen["state"], &seen["later"]), (&json!("PENDING"), &json!(1)));
    lab.advance(300.0).await;
    assert_eq!(lab.author(Method::GET, &get, None).await["state"], "RUNNING");
    lab.author(Method::POST, &cluster("resize"), Some(json!({"cluster_id": id, "num_workers": 3}))).await;
    lab.author(Method::POST, &cluster("delete"), Some(json!({"cluster_id": id}))).await;
    let seen = lab.author(Method::GET, &get, None).await;
    assert_eq!((&seen["state"], &seen["num_workers"]), (&json!("TERMINATED"), &json!(3)));
    let resize = Some(json!({"cluster_id": id, "num_workers": 4}));
    assert_eq!(lab.author_refused(Method::POST, &cluster("resize"), resize).await.1, "INVALID_STATE");
    lab.author(Method::POST, &cluster("permanent-delete"), Some(json!({"cluster_id": id}))).await;
    let (status, code, message) = lab.author_refused(Method::GET, &get, None).await;
    assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"));
    assert!(message.ends_with("does not exist"), "{message}");

    let pool = |rest: &str| format!("/api/2.0/instance-pools/{rest}");
    let body = json!({"instance_pool_name": "p", "node_type_id": "i3.xlarge", "min_idle_instances": 0});
    let id = lab.author(Method::POST, &pool("create"), Some(body)).await["instance_pool_id"].clone();
    let get = pool(&format!("get?instance_pool_id={}", id.as_str().expect("text")));
    assert_eq!(lab.author(Method::GET, &get, None).await["min_idle_instances"], 0);
    let edit = json!({"instance_pool_id": id, "instance_pool_name": "q", "node_type_id": "i3.xlarge"});
    lab.author(Method::POST, &pool("edit"), Some(edit)).await;
    assert_eq!(
        items(&lab.author(Method::GET, &pool("list"), None).await, "instance_pools")[0]["instance_pool_name"],
        "q"
    );
    lab.author(Method::POST, &pool("delete"), Some(json!({"instance_pool_id": id}))).await;
    assert_eq!(lab.author_refused(Method::GET, &get, None).await.0, 404);
}

#[tokio::test]
async fn what_a_tool_reports_of_itself_is_taken() {
    let lab = Lab::calm().await;
    let body = json!({"uploadTime": 1, "items": [], "protoLogs": ["{}", "{}"]});
    let answer = lab.author(Method::POST, "/telemetry-ext", Some(body)).await;
    assert_eq!(answer, json!({"errors": [], "numProtoSuccess": 2}));
}
