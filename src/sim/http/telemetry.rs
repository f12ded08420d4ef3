//! What the vendor's tools report of themselves (bundles.md 13): taken, counted and forgotten.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Reply};
use super::call::Call;
use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::post("/telemetry-ext", report)]
}

#[derive(Deserialize)]
struct Report {
    #[serde(default, rename = "protoLogs")]
    logs: Vec<Value>,
}

/// A tool that is told of fewer logs than it sent sends them again.
fn report(call: &mut Call<'_>) -> Answer {
    let report: Report = call.body()?;
    Ok(Reply::json(&json!({"errors": [], "numProtoSuccess": report.logs.len()})))
}
