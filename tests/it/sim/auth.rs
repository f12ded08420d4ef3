//! Who is let in, what everybody is told, and what happens past the rates.

use chrono::DateTime;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Lab, refusal};

const ME: &str = "/api/2.0/preview/scim/v2/Me";

#[tokio::test]
async fn every_role_is_somebody_else_and_the_workspace_says_its_id() {
    let lab = Lab::calm().await;
    let mut names = std::collections::BTreeSet::new();
    for role in lakeshift::sim::ROLES {
        let response = lab.call("prod", role, Method::GET, ME, None).await;
        assert_eq!(response.headers()["x-databricks-org-id"], lab.access("prod").workspace_id.as_str());
        assert_eq!(response.headers()["content-type"], "application/scim+json");
        let me: Value = response.json().await.expect("JSON");
        assert!(me["id"].is_string() && me["active"] == true && me["groups"][0]["display"].is_string(), "{me}");
        names.insert(me["userName"].as_str().expect("a name").to_owned());
    }
    assert_eq!(names.len(), lakeshift::sim::ROLES.len());
}

#[tokio::test]
async fn without_a_good_token_nobody_is_let_in() {
    let lab = Lab::calm().await;
    let host = &lab.access("prod").host;
    let path = format!("{host}/api/2.2/jobs/list");
    let foreign = &lab.access("dev").tokens["operator"];
    for request in [
        lab.http.get(&path),
        lab.http.get(&path).bearer_auth("dapi0000"),
        lab.http.get(&path).bearer_auth(foreign),
        lab.http.get(&path).basic_auth("ana", Some("secret")),
    ] {
        let (status, code, _) = refusal(request.send().await.expect("an answer")).await;
        assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"));
    }
    // SCIM words its errors in its own way.
    let response = lab.http.get(format!("{host}{ME}")).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!((body["status"].as_str(), body["detail"].is_string()), (Some("401"), true), "{body}");
}

#[tokio::test]
async fn oauth_is_found_by_discovery_and_its_tokens_live_an_hour_of_wall_time() {
    let lab = Lab::calm().await;
    let access = lab.access("staging").clone();
    let metadata: Value = json(&lab, &format!("{}/.well-known/databricks-config", access.host)).await;
    assert_eq!(metadata["workspace_id"], access.workspace_id.as_str());
    let endpoint = metadata["oidc_endpoint"].as_str().expect("an endpoint");
    let discovery: Value = json(&lab, &format!("{endpoint}/.well-known/oauth-authorization-server")).await;
    let token_endpoint = discovery["token_endpoint"].as_str().expect("an endpoint").to_owned();

    let ask = |secret: String, grant: &'static str| {
        let form = [("grant_type", grant), ("scope", "all-apis")];
        lab.http.post(&token_endpoint).basic_auth(&access.client_id, Some(secret)).form(&form).send()
    };
    let granted: Value =
        ask(access.client_secret.clone(), "client_credentials").await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&granted["expires_in"], &granted["token_type"]), (&3600.into(), &"Bearer".into()));
    let token = granted["access_token"].as_str().expect("a token").to_owned();

    let me = || lab.http.get(format!("{}{ME}", access.host)).bearer_auth(&token).send();
    let body: Value = me().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(body["userName"], access.client_id.as_str());
    // A jump of the world does not age the token; the wall does.
    lab.advance(7200.0).await;
    lab.clock.move_on(3599);
    assert_eq!(me().await.expect("an answer").status(), StatusCode::OK);
    lab.clock.move_on(1);
    assert_eq!(me().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);

    for (secret, grant, status, error) in [
        ("wrong".to_owned(), "client_credentials", 401, "invalid_client"),
        (access.client_secret.clone(), "password", 400, "unsupported_grant_type"),
    ] {
        let response = ask(secret, grant).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["error"], error);
    }
}

#[tokio::test]
async fn the_life_of_a_token_can_be_sent_as_text() {
    let lab = Lab::with(|options| lakeshift::sim::Options { oauth_expiry_as_text: true, ..options }).await;
    let access = lab.access("prod");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", access.client_id.as_str()),
        ("client_secret", access.client_secret.as_str()),
    ];
    let response = lab.http.post(format!("{}/oidc/v1/token", access.host)).form(&form).send().await.expect("an answer");
    let granted: Value = response.json().await.expect("JSON");
    assert_eq!(granted["expires_in"], "3600");
}

#[tokio::test]
async fn every_answer_bears_world_time_and_a_request_id_of_its_own() {
    let lab = Lab::calm().await;
    let date_of = |response: &reqwest::Response| {
        let text = response.headers()["date"].to_str().expect("ASCII").to_owned();
        (DateTime::parse_from_rfc2822(&text).expect("a date").timestamp(), text)
    };
    let first = lab.call("prod", "operator", Method::GET, ME, None).await;
    let (before, text) = date_of(&first);
    assert_eq!(text, "Wed, 04 Mar 2026 12:00:00 GMT");
    lab.advance(90_000.0).await;
    // Even one that is refused.
    let second = lab.call("prod", "operator", Method::GET, "/api/2.0/nothing", None).await;
    assert_eq!(date_of(&second).0 - before, 90_000);
    assert_ne!(first.headers()["x-request-id"], second.headers()["x-request-id"]);
}

#[tokio::test]
async fn an_unknown_path_or_method_has_no_endpoint() {
    let lab = Lab::calm().await;
    for path in ["/api/2.0/nothing", "/", "/api/2.2/jobs/run-now"] {
        let (status, code, message) = lab.refused(path).await;
        assert_eq!((status, code.as_str()), (404, "ENDPOINT_NOT_FOUND"), "{path}");
        assert!(message.contains(path), "{message}");
    }
}

#[tokio::test]
async fn past_a_rate_the_answer_is_429_until_the_wall_clock_moves() {
    let lab = Lab::calm().await;
    let mut allowed = 0;
    let refused = loop {
        let response = lab.call("prod", "operator", Method::GET, ME, None).await;
        if response.status() != StatusCode::OK {
            break response;
        }
        allowed += 1;
        assert!(allowed <= 255);
    };
    assert_eq!((allowed, refused.status().as_u16()), (255, 429));
    let wait: i64 = refused.headers()["retry-after"].to_str().expect("ASCII").parse().expect("whole seconds");
    assert!(wait >= 1);
    let elsewhere = lab.call("dev", "operator", Method::GET, ME, None).await;
    assert_eq!(elsewhere.status(), StatusCode::OK, "each workspace counts for itself");
    lab.clock.move_on(wait);
    assert_eq!(lab.call("prod", "operator", Method::GET, ME, None).await.status(), StatusCode::OK);
}

async fn json(lab: &Lab, url: &str) -> Value {
    lab.http.get(url).send().await.expect("an answer").json().await.expect("JSON")
}
