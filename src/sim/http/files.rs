//! Files API: what lies in volumes, read, written, listed and removed by path.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::page;
use super::route::Route;
use crate::domain::Instant;
use crate::sim::lakehouse::{Entry, FileTrouble};
use crate::sim::sql::catalog::Privilege;
use crate::sim::sql::{Securable, TableName};

/// Entries on a page of a folder, and at most.
const PAGE: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let file = "/api/2.0/fs/files/{path...}";
    let folder = "/api/2.0/fs/directories/{path...}";
    vec![
        Route::get(file, download),
        Route::head(file, download),
        Route::put(file, upload),
        Route::delete(file, remove_file),
        Route::get(folder, list),
        Route::head(folder, look),
        Route::put(folder, make),
        Route::delete(folder, remove_folder),
    ]
}

/// A place in a volume: where the caller may do what it wants.
struct Place {
    volume: TableName,
    /// Within the volume.
    path: String,
    /// From the root.
    full: String,
}

impl Place {
    fn of(call: &Call<'_>, privilege: Privilege) -> Result<Self, Refusal> {
        let full = format!("/{}", call.captured("path").trim_matches('/'));
        let mut parts = full.split('/').skip(1);
        let (root, catalog, schema, volume) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some("Volumes"), Some(catalog), Some(schema), Some(volume)) = (root, catalog, schema, volume) else {
            return Err(Refusal::invalid(format!(
                "Invalid path '{full}': it must be of the form /Volumes/<catalog>/<schema>/<volume>/<path>."
            )));
        };
        let path = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>();
        if path.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(Refusal::invalid(format!("Invalid path '{full}': it must not lead upwards.")));
        }
        let (volume, path) = (TableName::new(catalog, schema, volume), path.join("/"));
        let (known, user) = (call.lakehouse.catalog(), call.principal.user_name.as_str());
        let securable = Securable::Volume(volume.clone());
        if known.facts(&securable).is_err() {
            let text = format!("Volume '{volume}' does not exist.");
            return Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", text));
        }
        known
            .require_reach(user, &volume.catalog, &volume.schema)
            .and_then(|()| known.require(user, privilege, &securable))
            .map_err(|error| Refusal::denied(error.message))?;
        Ok(Self { volume, path, full })
    }

    /// The place of a file: a volume itself is none.
    fn of_file(call: &Call<'_>, privilege: Privilege) -> Result<Self, Refusal> {
        let place = Self::of(call, privilege)?;
        if place.path.is_empty() { Err(place.refusal(FileTrouble::WrongKind)) } else { Ok(place) }
    }

    fn refusal(&self, trouble: FileTrouble) -> Refusal {
        let full = &self.full;
        match trouble {
            FileTrouble::Missing => Refusal::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                format!("The file or directory being accessed is not found: {full}"),
            ),
            FileTrouble::Exists => {
                Refusal::new(StatusCode::CONFLICT, "ALREADY_EXISTS", format!("The file already exists: {full}"))
            }
            FileTrouble::WrongKind => {
                Refusal::invalid(format!("A file stands where a directory is needed, or the other way round: {full}"))
            }
            FileTrouble::NotEmpty => Refusal::invalid(format!("The directory is not empty: {full}")),
        }
    }
}

fn download(call: &mut Call<'_>) -> Answer {
    let place = Place::of_file(call, Privilege::READ_VOLUME)?;
    match call.lakehouse.volume_entry(&place.volume, &place.path).map_err(|trouble| place.refusal(trouble))? {
        Entry::File { content, modified_at } => Ok(Reply {
            status: StatusCode::OK,
            content_type: "application/octet-stream",
            headers: vec![("last-modified", http_date(modified_at))],
            body: content,
        }),
        Entry::Folder => Err(place.refusal(FileTrouble::Missing)),
    }
}

fn upload(call: &mut Call<'_>) -> Answer {
    let place = Place::of_file(call, Privilege::WRITE_VOLUME)?;
    let overwrite = call.query().boolean("overwrite")?;
    let (content, now) = (call.visit.body.to_vec(), call.world.now());
    let written = call.lakehouse.volume_write(&place.volume, &place.path, content, overwrite, now);
    written.map_err(|trouble| place.refusal(trouble))?;
    Ok(nothing())
}

fn remove_file(call: &mut Call<'_>) -> Answer {
    let place = Place::of_file(call, Privilege::WRITE_VOLUME)?;
    let removed = call.lakehouse.volume_remove(&place.volume, &place.path, false);
    removed.map_err(|trouble| place.refusal(trouble))?;
    Ok(nothing())
}

fn list(call: &mut Call<'_>) -> Answer {
    let place = Place::of(call, Privilege::READ_VOLUME)?;
    let held = call.lakehouse.volume_list(&place.volume, &place.path).map_err(|trouble| place.refusal(trouble))?;
    let size = call.query().integer("page_size")?.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let question = format!("directories {}", place.full);
    let offset = page::offset(&question, call.query().text("page_token"))?;
    let (window, next) = page::window(&held, offset, size.unwrap_or(PAGE).min(PAGE));
    let mut body = Map::new();
    if !window.is_empty() {
        body.insert("contents".to_owned(), window.iter().map(|(name, entry)| told(&place, name, entry)).collect());
    }
    if let Some(next) = next {
        body.insert("next_page_token".to_owned(), page::token(&question, &next.to_string()).into());
    }
    Ok(Reply::json(&body))
}

fn told(place: &Place, name: &str, entry: &Entry) -> Value {
    let path = format!("{}/{name}", place.full);
    match entry {
        Entry::Folder => json!({"path": path, "name": name, "is_directory": true}),
        Entry::File { content, modified_at } => json!({
            "path": path,
            "name": name,
            "is_directory": false,
            "file_size": content.len(),
            "last_modified": modified_at.timestamp_millis(),
        }),
    }
}

fn look(call: &mut Call<'_>) -> Answer {
    let place = Place::of(call, Privilege::READ_VOLUME)?;
    match call.lakehouse.volume_entry(&place.volume, &place.path) {
        Ok(Entry::Folder) => Ok(Reply { status: StatusCode::OK, ..nothing() }),
        _ => Err(place.refusal(FileTrouble::Missing)),
    }
}

fn make(call: &mut Call<'_>) -> Answer {
    let place = Place::of(call, Privilege::WRITE_VOLUME)?;
    let made = call.lakehouse.volume_make_folder(&place.volume, &place.path);
    made.map_err(|trouble| place.refusal(trouble))?;
    Ok(nothing())
}

fn remove_folder(call: &mut Call<'_>) -> Answer {
    let place = Place::of_file(call, Privilege::WRITE_VOLUME)?;
    match call.lakehouse.volume_remove(&place.volume, &place.path, true) {
        Ok(()) => Ok(nothing()),
        // Callers know this one by its reason, not by its code.
        Err(FileTrouble::NotEmpty) => {
            let refusal = place.refusal(FileTrouble::NotEmpty);
            Ok(Reply::with_status(
                refusal.status,
                &json!({
                    "error_code": refusal.code,
                    "message": refusal.message,
                    "details": [{
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "FILES_API_DIRECTORY_IS_NOT_EMPTY",
                        "domain": "filesystem.databricks.com",
                    }],
                }),
            ))
        }
        Err(trouble) => Err(place.refusal(trouble)),
    }
}

/// 204: what was done has nothing to tell.
fn nothing() -> Reply {
    Reply { status: StatusCode::NO_CONTENT, content_type: "application/json", headers: Vec::new(), body: Vec::new() }
}

fn http_date(at: Instant) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
