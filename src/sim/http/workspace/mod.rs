//! Workspace files: status, list, export, import, mkdirs, delete, and the raw upload (bundles.md 6).

mod form;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::route::Route;
use crate::sim::world::files::{FileRefusal, Kind, Language, Object};
use crate::sim::world::notebook;
use crate::sim::world::principal::{self, Level};

const WORKSPACE: &str = "/api/2.0/workspace";

/// The most that an export gives, in bytes (bundles.md 6).
const MAX_EXPORT: usize = 10 * 1024 * 1024;

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("{WORKSPACE}/{rest}");
    vec![
        Route::get(path("get-status"), status),
        Route::get(path("list"), list),
        Route::get(path("export"), export),
        Route::post(path("import"), import),
        Route::post(path("mkdirs"), mkdirs),
        Route::post(path("delete"), delete),
        Route::post("/api/2.0/workspace-files/import-file/{path...}", upload),
        Route::get("/api/2.0/workspace-files/{path...}", download),
    ]
}

fn asked_path(call: &Call<'_>) -> Result<String, Refusal> {
    call.query().text("path").map(str::to_owned).ok_or_else(|| Refusal::invalid("Missing required field: path"))
}

/// The object at a path that the caller may read.
fn seen<'a>(call: &'a Call<'_>, path: &str) -> Result<&'a Object, Refusal> {
    let object = call.world.files(call.workspace()).status(path)?;
    if !is_passage(object) {
        may(call, object, Level::View)?;
    }
    Ok(object)
}

/// Folders that lead to everybody's own: all see that they are there, whoever may see what they hold.
fn is_passage(object: &Object) -> bool {
    matches!(object.path.as_str(), "/Workspace" | "/Workspace/Users")
}

fn may(call: &Call<'_>, object: &Object, level: Level) -> Result<(), Refusal> {
    access::need(call, &principal::Object::File(object.id), level, || {
        format!("{} does not have required permissions for {}.", call.principal.user_name, object.path)
    })
}

fn status(call: &mut Call<'_>) -> Answer {
    let export_info = call.query().boolean("return_export_info")?;
    Ok(Reply::json(&render(seen(call, &asked_path(call)?)?, export_info)))
}

fn list(call: &mut Call<'_>) -> Answer {
    let folder = seen(call, &asked_path(call)?)?;
    let sees = |object: &&Object| is_passage(object) || may(call, object, Level::View).is_ok();
    let objects = call.world.files(call.workspace()).list(&folder.path)?;
    let objects: Vec<Value> = objects.into_iter().filter(sees).map(|object| render(object, false)).collect();
    Ok(if objects.is_empty() { Reply::empty() } else { Reply::json(&json!({ "objects": objects })) })
}

fn export(call: &mut Call<'_>) -> Answer {
    let path = asked_path(call)?;
    seen(call, &path)?;
    let files = call.world.files(call.workspace());
    let bytes = files.read(&path)?.to_vec();
    let bytes = match (&files.status(&path)?.kind, call.query().text("format")) {
        (Kind::Notebook(language, _), None | Some("SOURCE")) => notebook::as_source(*language, &bytes),
        (Kind::Notebook(language, _), Some("JUPYTER")) => notebook::as_jupyter(*language, &bytes),
        (_, None | Some("SOURCE" | "AUTO" | "RAW")) => bytes,
        (_, Some(other)) => return Err(Refusal::invalid(format!("The format {other} is not supported for {path}."))),
    };
    if bytes.len() > MAX_EXPORT {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "MAX_NOTEBOOK_SIZE_EXCEEDED",
            format!("File size exceeds the limit of {MAX_EXPORT} bytes."),
        ));
    }
    if call.query().boolean("direct_download")? {
        return Ok(raw(bytes));
    }
    Ok(Reply::json(&json!({ "content": STANDARD.encode(bytes), "file_type": "source" })))
}

#[derive(Deserialize)]
struct Import {
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    overwrite: bool,
    format: Option<String>,
    language: Option<String>,
}

/// Takes JSON with the content in base64, or a form with the content as it is: the vendor's SDK sends either.
fn import(call: &mut Call<'_>) -> Answer {
    let (order, bytes) = match call.visit.content_type.and_then(form::boundary) {
        Some(boundary) => {
            let fields = form::fields(call.visit.body, &boundary);
            let text = |name: &str| fields.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let order = Import {
                path: text("path").ok_or_else(|| Refusal::invalid("Missing required field: path"))?,
                content: String::new(),
                overwrite: text("overwrite").is_some_and(|word| word.eq_ignore_ascii_case("true")),
                format: text("format"),
                language: text("language"),
            };
            (order, fields.get("content").cloned().unwrap_or_default())
        }
        None => {
            let order: Import = call.body()?;
            let bytes = STANDARD
                .decode(order.content.as_bytes())
                .map_err(|_| Refusal::invalid("The content must be encoded in base64."))?;
            (order, bytes)
        }
    };
    may_write(call, &order.path)?;
    let kind = match (order.format.as_deref(), order.language.as_deref()) {
        (Some("AUTO"), _) => None,
        (Some("RAW"), _) => Some(Kind::File(bytes.clone())),
        (Some("JUPYTER"), _) => Some(Kind::Notebook(Language::Python, bytes.clone())),
        (None | Some("SOURCE"), Some(language)) => {
            let language =
                Language::named(language).ok_or_else(|| Refusal::invalid(format!("Unknown language: {language}")))?;
            Some(Kind::Notebook(language, language.marked(bytes.clone())))
        }
        (None | Some("SOURCE"), None) => {
            return Err(Refusal::invalid("The language must be given when the format is SOURCE."));
        }
        (Some(other), _) => return Err(Refusal::invalid(format!("The format {other} is not supported."))),
    };
    let (now, workspace) = (call.world.now(), call.workspace());
    let files = call.world.files_mut(workspace);
    match kind {
        Some(kind) => files.put(&order.path, kind, order.overwrite, now)?,
        None => files.write(&order.path, bytes, order.overwrite, now)?,
    };
    Ok(Reply::empty())
}

fn upload(call: &mut Call<'_>) -> Answer {
    let path = format!("/{}", call.captured("path").trim_start_matches('/'));
    let overwrite = call.query().boolean("overwrite")?;
    may_write(call, &path)?;
    let (now, workspace) = (call.world.now(), call.workspace());
    let bytes = call.visit.body.to_vec();
    call.world.files_mut(workspace).write(&path, bytes, overwrite, now)?;
    Ok(Reply::empty())
}

fn download(call: &mut Call<'_>) -> Answer {
    let path = format!("/{}", call.captured("path").trim_start_matches('/'));
    seen(call, &path)?;
    Ok(raw(call.world.files(call.workspace()).read(&path)?.to_vec()))
}

#[derive(Deserialize)]
struct OnePath {
    path: String,
    #[serde(default)]
    recursive: bool,
}

fn mkdirs(call: &mut Call<'_>) -> Answer {
    let order: OnePath = call.body()?;
    may_write(call, &order.path)?;
    let (now, workspace) = (call.world.now(), call.workspace());
    call.world.files_mut(workspace).make_folders(&order.path, now)?;
    Ok(Reply::empty())
}

fn delete(call: &mut Call<'_>) -> Answer {
    let order: OnePath = call.body()?;
    may(call, call.world.files(call.workspace()).status(&order.path)?, Level::Manage)?;
    let workspace = call.workspace();
    call.world.remove_files(workspace, &order.path, order.recursive)?;
    Ok(Reply::empty())
}

/// What stands at the path decides, or else the nearest folder above it.
fn may_write(call: &Call<'_>, path: &str) -> Result<(), Refusal> {
    match call.world.files(call.workspace()).nearest(path)? {
        // Whoever is here may ask for a folder that is there already.
        Some(object) if is_passage(object) && object.path == path => Ok(()),
        Some(object) => may(call, object, Level::Edit),
        None => Err(FileRefusal::NoSuchPath(path.to_owned()).into()),
    }
}

fn raw(bytes: Vec<u8>) -> Reply {
    let mut reply = Reply::empty().content_type("application/octet-stream");
    reply.body = bytes;
    reply
}

fn render(object: &Object, export_info: bool) -> Value {
    let mut out = Map::new();
    out.insert("object_id".to_owned(), object.id.into());
    out.insert("path".to_owned(), object.path.as_str().into());
    let kind = match &object.kind {
        Kind::Directory => "DIRECTORY",
        Kind::File(bytes) => {
            out.insert("size".to_owned(), bytes.len().into());
            "FILE"
        }
        Kind::Notebook(language, content) => {
            out.insert("language".to_owned(), language.name().into());
            if export_info {
                let format = if notebook::is_jupyter(content) { "JUPYTER" } else { "SOURCE" };
                out.insert("repos_export_format".to_owned(), format.into());
            }
            "NOTEBOOK"
        }
    };
    out.insert("object_type".to_owned(), kind.into());
    out.insert("resource_id".to_owned(), object.id.to_string().into());
    if object.kind != Kind::Directory {
        out.insert("created_at".to_owned(), object.created_at.timestamp_millis().into());
        out.insert("modified_at".to_owned(), object.modified_at.timestamp_millis().into());
    }
    Value::Object(out)
}

impl From<FileRefusal> for Refusal {
    fn from(refusal: FileRefusal) -> Self {
        let message = refusal.to_string();
        let (status, code) = match refusal {
            FileRefusal::NoSuchPath(_) | FileRefusal::NoParent(_) => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            FileRefusal::Exists(_) => (StatusCode::CONFLICT, "RESOURCE_ALREADY_EXISTS"),
            FileRefusal::InTheWay(_) => (StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS"),
            FileRefusal::NotEmpty(_) => (StatusCode::BAD_REQUEST, "DIRECTORY_NOT_EMPTY"),
            FileRefusal::IsDirectory(_) | FileRefusal::Relative(_) => {
                (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE")
            }
        };
        Self::new(status, code, message)
    }
}
