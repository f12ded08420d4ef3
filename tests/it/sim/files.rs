//! Workspace files on the wire: what a deployment uploads, locks and reads back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Lab;

const HOME: &str = "/Workspace/Users/emre@example.com";
const WORKSPACE: &str = "/api/2.0/workspace";

impl Lab {
    /// Uploads bytes as the author, the path escaped into one segment as the vendor's tool sends it.
    async fn upload(&self, path: &str, bytes: &str, overwrite: bool) -> (StatusCode, String) {
        let escaped: String = url::form_urlencoded::byte_serialize(path.trim_start_matches('/').as_bytes()).collect();
        let access = self.access("dev");
        let url = format!("{}/api/2.0/workspace-files/import-file/{escaped}?overwrite={overwrite}", access.host);
        let request = self.http.post(url).bearer_auth(&access.tokens["author"]).body(bytes.to_owned());
        let response = request.send().await.expect("an answer");
        (response.status(), response.text().await.expect("text"))
    }

    async fn file_status(&self, path: &str) -> Value {
        self.author(Method::GET, &format!("{WORKSPACE}/get-status?path={path}&return_export_info=true"), None).await
    }

    async fn download(&self, path: &str) -> String {
        let path = format!("{WORKSPACE}/export?path={path}&direct_download=true");
        let response = self.call("dev", "author", Method::GET, &path, None).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.expect("text")
    }

    async fn make_folder(&self, path: &str) {
        self.author(Method::POST, &format!("{WORKSPACE}/mkdirs"), Some(json!({"path": path}))).await;
    }
}

#[tokio::test]
async fn a_lock_needs_its_folder_is_taken_once_and_can_be_forced() {
    let lab = Lab::calm().await;
    let lock = format!("{HOME}/.bundle/b/prod/state/deploy.lock");
    let (status, text) = lab.upload(&lock, "mine", false).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("parent folder") && text.contains("RESOURCE_DOES_NOT_EXIST"), "{text}");
    lab.make_folder(&format!("{HOME}/.bundle/b/prod/state")).await;
    assert_eq!(lab.upload(&lock, "mine", false).await.0, StatusCode::OK);
    let (status, text) = lab.upload(&lock, "theirs", false).await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
    assert_eq!(lab.download(&lock).await, "mine");
    assert_eq!(lab.upload(&lock, "forced", true).await.0, StatusCode::OK);
    assert_eq!(lab.download(&lock.replace("/Workspace", "")).await, "forced", "both spellings name one file");
    lab.author(Method::POST, &format!("{WORKSPACE}/delete"), Some(json!({"path": lock}))).await;
    let path = format!("{WORKSPACE}/get-status?path={lock}");
    let (status, code, _) = lab.author_refused(Method::GET, &path, None).await;
    assert_eq!((status, code.as_str()), (404, "RESOURCE_DOES_NOT_EXIST"));
}

#[tokio::test]
async fn a_notebook_stands_without_its_extension_and_refuses_a_file_in_its_place() {
    let lab = Lab::calm().await;
    lab.upload(&format!("{HOME}/load.py"), "# Databricks notebook source\nprint(1)", true).await;
    lab.upload(&format!("{HOME}/plain.py"), "print(1)", true).await;
    let notebook = lab.file_status(&format!("{HOME}/load")).await;
    assert_eq!((&notebook["object_type"], &notebook["language"]), (&json!("NOTEBOOK"), &json!("PYTHON")));
    assert_eq!(notebook["repos_export_format"], "SOURCE");
    let plain = lab.file_status(&format!("{HOME}/plain.py")).await;
    assert_eq!((&plain["object_type"], &plain["size"]), (&json!("FILE"), &json!(8)));
    let (status, text) = lab.upload(&format!("{HOME}/load"), "x", true).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("already exists."), "{text}");
    let listing = lab.author(Method::GET, &format!("{WORKSPACE}/list?path={HOME}"), None).await;
    let names: Vec<&str> =
        super::items(&listing, "objects").iter().map(|o| o["path"].as_str().expect("text")).collect();
    assert_eq!(names, [format!("{HOME}/load"), format!("{HOME}/plain.py")]);
}

#[tokio::test]
async fn folders_come_with_those_above_and_go_only_as_a_whole() {
    let lab = Lab::calm().await;
    lab.make_folder(&format!("{HOME}/a/b/c")).await;
    lab.make_folder(&format!("{HOME}/a/b/c")).await;
    lab.upload(&format!("{HOME}/a/f"), "1", true).await;
    let refused = |body| lab.author_refused(Method::POST, "/api/2.0/workspace/delete", Some(body));
    assert_eq!(refused(json!({"path": format!("{HOME}/a")})).await.1, "DIRECTORY_NOT_EMPTY");
    assert_eq!(refused(json!({"path": format!("{HOME}/zz")})).await.0, 404);
    let body = json!({"path": format!("{HOME}/a/f/g")});
    let (status, code, _) = lab.author_refused(Method::POST, &format!("{WORKSPACE}/mkdirs"), Some(body)).await;
    assert_eq!((status, code.as_str()), (400, "RESOURCE_ALREADY_EXISTS"));
    let body = json!({"path": format!("{HOME}/a"), "recursive": true});
    lab.author(Method::POST, &format!("{WORKSPACE}/delete"), Some(body)).await;
    assert_eq!(lab.author(Method::GET, &format!("{WORKSPACE}/list?path={HOME}"), None).await, json!({}));
}

#[tokio::test]
async fn an_import_says_what_the_content_is() {
    let lab = Lab::calm().await;
    let import = |name: &str, more: Value| {
        let mut body = json!({"path": format!("{HOME}/{name}"), "content": "U0VMRUNUIDE=", "overwrite": true});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let path = format!("{WORKSPACE}/import");
    lab.author(Method::POST, &path, Some(import("q", json!({"format": "SOURCE", "language": "SQL"})))).await;
    assert_eq!(lab.download(&format!("{HOME}/q")).await, "-- Databricks notebook source\nSELECT 1");
    lab.author(Method::POST, &path, Some(import("q.sql", json!({"format": "AUTO"})))).await;
    assert_eq!(lab.file_status(&format!("{HOME}/q.sql")).await["object_type"], "FILE");
    let exported = lab.author(Method::GET, &format!("{WORKSPACE}/export?path={HOME}/q.sql"), None).await;
    assert_eq!(exported["content"], "U0VMRUNUIDE=");
    for wrong in
        [json!({"format": "SOURCE"}), json!({"language": "COBOL"}), json!({"content": "%"}), json!({"format": "DBC"})]
    {
        let (status, code, _) = lab.author_refused(Method::POST, &path, Some(import("w", wrong.clone()))).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{wrong}");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_neither_read_nor_written() {
    let lab = Lab::calm().await;
    let theirs = "/Workspace/Users/ana@example.com";
    let write = Some(json!({"path": format!("{theirs}/x")}));
    assert_eq!(lab.author_refused(Method::POST, &format!("{WORKSPACE}/mkdirs"), write).await.0, 403);
    let read = format!("{WORKSPACE}/get-status?path={theirs}");
    assert_eq!(lab.author_refused(Method::GET, &read, None).await.1, "PERMISSION_DENIED");
    lab.make_folder("/Shared/team").await;
    lab.make_folder("/Workspace").await;
    let listing = lab.author(Method::GET, &format!("{WORKSPACE}/list?path=/Workspace/Users"), None).await;
    assert_eq!(super::items(&listing, "objects").len(), 1, "{listing}");
    let response = lab.call("dev", "ci", Method::GET, &read, None).await;
    assert_eq!(response.status(), StatusCode::OK, "administrators see all");
}
