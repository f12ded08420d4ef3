//! Wire samples: every routed file decodes with the client's types, and what matters survives being written again.
//!
//! A folder of samples has a `routes.json`: each entry names a folder, a prefix of file names, the call, and the JSON
//! pointers that must survive where a file has them. Our own samples are below `tests/fixtures/wire`;
//! `LAKESHIFT_WIRE_FIXTURES` names another folder of the same layout.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lakeshift::databricks::auth::Credentials;
use lakeshift::databricks::transport::{Broken, Incoming, Outgoing, Transport};
use lakeshift::databricks::{Budget, Class, Client, ClientOptions, Error, Kind, RetryPolicy, wire};
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::ids::{JobId, RunId, WorkspaceName};
use lakeshift::domain::workspace::{Environment, Workspace};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
struct Routes {
    routes: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    folder: String,
    prefix: String,
    #[serde(rename = "type")]
    call: String,
    #[serde(default = "response")]
    kind: String,
    required: Vec<String>,
}

fn response() -> String {
    "response".to_owned()
}

/// Decodes a document with one of the client's types and writes it again.
type Recode = fn(&[u8]) -> Result<Value, String>;

fn recode<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<Value, String> {
    let decoded: T = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    serde_json::to_value(&decoded).map_err(|error| error.to_string())
}

/// The type of each call. `{...}` in a call stands for any path value, whatever its name.
fn types() -> Vec<(&'static str, &'static str, Recode)> {
    vec![
        ("response", "GET /api/2.2/jobs/list", recode::<wire::jobs::JobList>),
        ("response", "GET /api/2.2/jobs/get", recode::<wire::jobs::Job>),
        ("response", "POST /api/2.2/jobs/run-now", recode::<wire::jobs::RunNowResponse>),
        ("request", "POST /api/2.2/jobs/run-now", recode::<wire::jobs::RunNowRequest>),
        ("response", "GET /api/2.2/jobs/runs/list", recode::<wire::runs::RunList>),
        ("response", "GET /api/2.2/jobs/runs/get", recode::<wire::runs::Run>),
        ("response", "GET /api/2.2/jobs/runs/get-output", recode::<wire::runs::RunOutput>),
        ("response", "POST /api/2.2/jobs/runs/repair", recode::<wire::runs::RepairResponse>),
        ("request", "POST /api/2.2/jobs/runs/repair", recode::<wire::runs::RepairRequest>),
        ("request", "POST /api/2.2/jobs/runs/cancel", recode::<wire::runs::CancelRequest>),
        ("response", "GET /api/2.0/pipelines", recode::<wire::pipelines::PipelineList>),
        ("response", "GET /api/2.0/pipelines/{}", recode::<wire::pipelines::Pipeline>),
        ("response", "GET /api/2.0/pipelines/{}/events", recode::<wire::events::EventList>),
        ("response", "GET /api/2.0/pipelines/{}/updates", recode::<wire::pipelines::UpdateList>),
        ("response", "GET /api/2.0/pipelines/{}/updates/{}", recode::<wire::pipelines::UpdateAnswer>),
        ("response", "POST /api/2.0/pipelines/{}/updates", recode::<wire::pipelines::StartUpdateResponse>),
        ("request", "POST /api/2.0/pipelines/{}/updates", recode::<wire::pipelines::StartUpdateRequest>),
        ("response", "GET /api/2.0/permissions/pipelines/{}", recode::<wire::permissions::ObjectPermissions>),
        ("response", "GET /api/2.0/permissions/jobs/{}", recode::<wire::permissions::ObjectPermissions>),
        ("response", "GET /api/2.0/permissions/{}/{}", recode::<wire::permissions::ObjectPermissions>),
        ("response", "GET /api/2.0/permissions/{}/{}/permissionLevels", recode::<wire::permissions::PermissionLevels>),
        ("request", "PUT /api/2.0/permissions/{}/{}", recode::<wire::permissions::ObjectPermissions>),
        ("response", "GET /api/2.0/preview/scim/v2/Me", recode::<wire::identity::User>),
        ("response", "POST /api/2.0/sql/statements", recode::<wire::sql::StatementResponse>),
        ("request", "POST /api/2.0/sql/statements", recode::<wire::sql::StatementRequest>),
        ("response", "GET /api/2.0/sql/statements/{}", recode::<wire::sql::StatementResponse>),
        ("response", "GET /api/2.0/sql/statements/{}/result/chunks/{}", recode::<wire::sql::ResultData>),
        ("response", "GET /api/2.0/sql/warehouses", recode::<wire::warehouses::WarehouseList>),
        ("response", "GET /api/2.0/sql/warehouses/{}", recode::<wire::warehouses::Warehouse>),
        ("response", "GET /api/2.1/unity-catalog/tables/{}", recode::<wire::tables::Table>),
        ("response", "GET /api/2.1/unity-catalog/tables", recode::<wire::tables::TableList>),
        ("response", "GET /api/2.1/unity-catalog/schemas", recode::<wire::tables::SchemaList>),
        ("response", "GET /api/2.1/unity-catalog/catalogs", recode::<wire::tables::CatalogList>),
        ("response", "GET /api/2.1/unity-catalog/effective-permissions/{}/{}", recode::<wire::grants::Grants>),
        ("response", "GET /api/2.1/unity-catalog/permissions/{}/{}", recode::<wire::grants::Grants>),
        ("response", "GET /api/2.0/policies/clusters/list", recode::<wire::policies::PolicyList>),
        ("response", "GET /api/2.0/policies/clusters/get", recode::<wire::policies::Policy>),
    ]
}

/// Calls that lakeshift makes no use of, and why they need no type. Folders without any route need no entry.
const UNUSED: [(&str, &str); 0] = [];

/// The call with the names of its path values dropped.
fn shape(call: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in call.chars() {
        match c {
            '{' => {
                inside = true;
                out.push_str("{}");
            }
            '}' => inside = false,
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// Whether all that the client keeps of a value is as it was. Members may be left out, but none may change or appear from
/// nowhere, no array may grow or shrink, and an object that said something may not come out empty.
fn survives(before: &Value, after: &Value, at: &str) -> Result<(), String> {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            if before.len() != after.len() {
                return Err(format!("{at}: {} elements became {}", before.len(), after.len()));
            }
            before.iter().zip(after).enumerate().try_for_each(|(n, (b, a))| survives(b, a, &format!("{at}/{n}")))
        }
        (Value::Object(before), Value::Object(after)) => {
            if after.is_empty() && before.values().any(|value| !value.is_null()) {
                return Err(format!("{at}: nothing of {:?} is kept", before.keys().collect::<Vec<_>>()));
            }
            after.iter().try_for_each(|(name, a)| match before.get(name) {
                Some(b) => survives(b, a, &format!("{at}/{name}")),
                None => Err(format!("{at}/{name} appeared from nowhere")),
            })
        }
        (before, after) if number(before).is_some() && number(before) == number(after) => Ok(()),
        (before, after) if before == after => Ok(()),
        (before, after) => Err(format!("{at}: {before} became {after}")),
    }
}

/// A number, bare or as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire")
}

fn folders() -> Vec<PathBuf> {
    let other = std::env::var_os("LAKESHIFT_WIRE_FIXTURES").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    std::iter::once(own_folder()).chain(other).collect()
}

fn routes(root: &Path) -> Vec<Route> {
    let path = root.join("routes.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str::<Routes>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).routes
}

/// The files of each route: a file belongs to the entry of its folder with the longest prefix of its name.
fn files<'a>(root: &Path, routes: &'a [Route]) -> Vec<(&'a Route, Vec<PathBuf>)> {
    let mut found: BTreeMap<usize, Vec<PathBuf>> = BTreeMap::new();
    let mut folders: Vec<&str> = routes.iter().map(|route| route.folder.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for path in entries.map(|entry| entry.expect("readable").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let fits = |route: &Route| route.folder == folder && name.starts_with(&route.prefix);
            let best = (0..routes.len()).filter(|n| fits(&routes[*n])).max_by_key(|n| routes[*n].prefix.len());
            if let Some(best) = best.filter(|_| path.is_file()) {
                found.entry(best).or_default().push(path);
            }
        }
    }
    found
        .into_iter()
        .map(|(n, mut paths)| {
            paths.sort();
            (&routes[n], paths)
        })
        .collect()
}

fn check(route: &Route, recode: Recode, body: &[u8]) -> Result<usize, String> {
    let before: Value = serde_json::from_slice(body).map_err(|error| format!("is no JSON: {error}"))?;
    let after = recode(body)?;
    let mut kept = 0;
    for pointer in &route.required {
        let Some(before) = before.pointer(pointer).filter(|value| !value.is_null()) else { continue };
        let after = after.pointer(pointer).ok_or_else(|| format!("{pointer} is lost"))?;
        survives(before, after, pointer)?;
        kept += 1;
    }
    Ok(kept)
}

#[test]
fn every_routed_wire_sample_decodes_and_keeps_what_matters() {
    let types = types();
    for root in folders() {
        let routes = routes(&root);
        let (mut wrong, mut decoded) = (Vec::new(), 0);
        println!("{}:", root.display());
        for (route, paths) in files(&root, &routes).into_iter().filter(|(route, _)| !is_error(route)) {
            let call = shape(&route.call);
            if let Some((_, reason)) = UNUSED.iter().find(|(unused, _)| shape(unused) == call) {
                println!("  {:>3} files  {} {} has no type: {reason}", paths.len(), route.kind, route.call);
                continue;
            }
            let Some((_, _, recode)) =
                types.iter().find(|(kind, known, _)| *kind == route.kind && shape(known) == call)
            else {
                wrong.push(format!("the {} of {} has no type and is not listed as unused", route.kind, route.call));
                continue;
            };
            let mut kept = 0;
            for path in &paths {
                match check(route, *recode, &std::fs::read(path).expect("readable")) {
                    Ok(pointers) => kept += pointers,
                    Err(error) => wrong.push(format!("{} ({}): {error}", path.display(), route.call)),
                }
            }
            decoded += paths.len();
            println!("  {:>3} files, {kept:>3} pointers  {} of {}", paths.len(), route.kind, route.call);
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        assert!(decoded > 0, "{} holds no routed sample", root.display());
    }
}

#[test]
fn the_wire_check_sees_what_it_must_see() {
    let see = |before: &str, after: &str| {
        let read = |text| serde_json::from_str::<Value>(text).expect("JSON");
        survives(&read(before), &read(after), "").is_ok()
    };
    assert!(see(r#"{"a":"5","b":1}"#, r#"{"a":5}"#), "an integer as text, a member that is not kept");
    assert!(!see("[1,2]", "[1]") && !see("[null]", "[\"\"]"));
    assert!(!see(r#"{"a":1}"#, "{}") && !see(r#"{"a":1}"#, r#"{"a":2}"#) && !see(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
    let route = Route {
        folder: String::new(),
        prefix: String::new(),
        call: String::new(),
        kind: response(),
        required: vec!["/run_id".into(), "/nowhere".into()],
    };
    let right: Recode = recode::<wire::runs::Run>;
    let wrong: Recode = recode::<wire::jobs::JobList>;
    assert_eq!(check(&route, right, br#"{"run_id":"7"}"#), Ok(1));
    assert!(check(&route, wrong, br#"{"run_id":7}"#).expect_err("lost").contains("lost"));
    assert!(check(&route, right, br#"{"run_id":"x"}"#).is_err());
    assert_eq!(shape("GET /a/{type}/{id}/x"), "GET /a/{}/{}/x");
}

fn is_error(route: &Route) -> bool {
    route.call.starts_with("any error")
}

#[derive(Deserialize)]
struct ErrorSample {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

/// Answers everything with one sample.
struct Answering(ErrorSample);

impl Transport for Answering {
    fn exchange(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        let body = match &self.0.body {
            Value::String(raw) => raw.clone(),
            other => other.to_string(),
        };
        let header = |(name, value): (&String, &String)| {
            (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"))
        };
        let answer = Incoming {
            status: StatusCode::from_u16(self.0.status).expect("a status"),
            headers: self.0.headers.iter().map(header).collect::<HeaderMap>(),
            body: Bytes::from(body),
        };
        Box::pin(async move { Ok(answer) })
    }
}

struct NoonClock;

impl Clock for NoonClock {
    fn now(&self) -> Instant {
        chrono::DateTime::from_timestamp_secs(1_767_355_200).expect("in range")
    }
}

fn client(transport: Arc<dyn Transport>) -> Client {
    let much = NonZeroU32::new(1_000).expect("not 0");
    Client::new(ClientOptions {
        workspace: Workspace {
            name: WorkspaceName::new("dev"),
            environment: Environment::Dev,
            letter: 'D',
            host: "https://a.example".into(),
        },
        transport,
        credentials: Credentials::token(SecretString::from("a-token-for-tests")),
        budget: Budget::new(much, much),
        retry: RetryPolicy::default(),
        clock: Arc::new(NoonClock),
        observer: Arc::new(|_| ()),
    })
    .expect("a host")
}

/// The vendor's class map, written down a second time from the facts (databricks-api.md 2.2).
fn expected_class(status: u16, code: Option<&str>) -> Class {
    match (code, status) {
        (Some("INVALID_PARAMETER_VALUE"), _) => Class::InvalidParameterValue,
        (Some("INVALID_STATE"), _) => Class::InvalidState,
        (Some("RESOURCE_DOES_NOT_EXIST"), _) => Class::NotFound,
        (Some("ABORTED"), _) => Class::Aborted,
        (Some("ALREADY_EXISTS"), _) => Class::AlreadyExists,
        (Some("RESOURCE_ALREADY_EXISTS"), _) => Class::ResourceAlreadyExists,
        (Some("RESOURCE_EXHAUSTED"), _) => Class::ResourceExhausted,
        (Some("REQUEST_LIMIT_EXCEEDED"), _) => Class::RequestLimitExceeded,
        (Some("UNKNOWN"), _) => Class::Unknown,
        (Some("DATA_LOSS"), _) => Class::DataLoss,
        (_, 400) => Class::BadRequest,
        (_, 401) => Class::Unauthenticated,
        (_, 403) => Class::PermissionDenied,
        (_, 404) => Class::NotFound,
        (_, 409) => Class::ResourceConflict,
        (_, 429) => Class::TooManyRequests,
        (_, 499) => Class::Cancelled,
        (_, 500) => Class::InternalError,
        (_, 501) => Class::NotImplemented,
        (_, 503) => Class::TemporarilyUnavailable,
        (_, 504) => Class::DeadlineExceeded,
        _ => Class::Other,
    }
}

/// What of an error sample the client's error must tell.
fn check_error(sample: &ErrorSample, error: &Error, missing: Option<&str>) -> Result<(), String> {
    let said = |name: &str| match sample.body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let raw = sample.body.as_str().map(str::trim);
    let is_page = raw.is_some_and(|raw| raw.starts_with('<'));
    let message = said("message").or_else(|| said("error"));
    // A code may stand in front of the message, in a plain text or in the one member that an older service sends.
    let in_front = message
        .as_deref()
        .or(raw)
        .and_then(|text| text.split_once(": "))
        .filter(|(code, _)| code.len() > 2 && code.chars().all(|c| c == '_' || c.is_ascii_uppercase()));
    let code = said("error_code").or_else(|| in_front.map(|(code, _)| code.to_owned()));
    let is_missing = sample.status == 400
        && code.as_deref() == Some("INVALID_PARAMETER_VALUE")
        && missing.is_some_and(|object| {
            message.as_deref().is_some_and(|text| text.starts_with(object) && text.contains("does not exist"))
        });
    let kind = match sample.status {
        200..=299 => Kind::SignInPage,
        300..=399 => Kind::Redirected,
        _ if is_missing => Kind::Refused(Class::NotFound),
        status => Kind::Refused(expected_class(status, code.as_deref())),
    };
    let same = |what: &str, expected: &dyn std::fmt::Debug, got: &dyn std::fmt::Debug| {
        let (expected, got) = (format!("{expected:?}"), format!("{got:?}"));
        if expected == got { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got} in {error}")) }
    };
    same("kind", &kind, error.kind())?;
    same("status", &Some(sample.status), &error.status())?;
    same("code", &code.as_deref(), &error.code())?;
    if error.message().is_empty() || error.brief().is_empty() {
        return Err(format!("nothing is said: {error:?}"));
    }
    let words = match in_front {
        Some((_, words)) if said("error_code").is_none() => Some(words),
        _ => message.as_deref().or(raw.filter(|_| !is_page)),
    };
    if let Some(words) = words.filter(|words| !error.message().contains(words.trim_matches('"'))) {
        return Err(format!("{words:?} is not in {:?}", error.message()));
    }
    let retry_after = sample.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let retry_after = retry_after.and_then(|(_, value)| value.parse::<u64>().ok());
    if let Some(seconds) = retry_after {
        same("retry after", &Some(seconds), &error.retry_after().map(|wait| wait.as_secs()))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_wire_error_becomes_the_right_typed_error() {
    for root in folders() {
        let routes = routes(&root);
        let (mut wrong, mut checked) = (Vec::new(), 0);
        for path in files(&root, &routes).into_iter().filter(|(route, _)| is_error(route)).flat_map(|(_, paths)| paths)
        {
            let read = || -> ErrorSample {
                let text = std::fs::read(&path).expect("readable");
                serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            };
            let client = client(Arc::new(Answering(read())));
            let errors = [
                (client.me().await.err(), None),
                (client.job(JobId(1)).await.err(), Some("Job ")),
                (client.run(RunId(1)).await.err(), Some("Run ")),
            ];
            for (error, missing) in errors {
                let result = match &error {
                    Some(error) => check_error(&read(), error, missing),
                    None => Err("was taken for an answer".to_owned()),
                };
                wrong.extend(result.err().map(|error| format!("{}: {error}", path.display())));
            }
            checked += 1;
        }
        println!("{}: {checked} errors", root.display());
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        assert!(checked > 0, "{} holds no error", root.display());
    }
}
