//! `/api/2.0/sql/sessions`: what drivers open so that USE and SET last.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::super::access;
use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use crate::sim::lakehouse::NewSession;
use crate::sim::world::principal::Level;

const SESSIONS: &str = "/api/2.0/sql/sessions";

pub(super) fn routes() -> Vec<Route> {
    vec![Route::post(SESSIONS, open), Route::delete(format!("{SESSIONS}/{{id}}"), close)]
}

#[derive(Debug, Deserialize)]
struct Body {
    warehouse_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    session_confs: BTreeMap<String, String>,
}

fn open(call: &mut Call<'_>) -> Answer {
    let body: Body = call.body()?;
    let warehouse_id =
        body.warehouse_id.ok_or_else(|| Refusal::invalid("The warehouse_id field is required, but it is missing."))?;
    access::warehouse(call, &warehouse_id, Level::Run)?;
    call.world.start_warehouse(call.workspace(), &warehouse_id)?;
    let order = NewSession {
        workspace: call.workspace(),
        user: call.principal.user_name.clone(),
        catalog: body.catalog,
        schema: body.schema,
        settings: body.session_confs,
    };
    Ok(Reply::json(&json!({"session_id": call.lakehouse.open_session(order)})))
}

fn close(call: &mut Call<'_>) -> Answer {
    let (workspace, user, id) = (call.workspace(), call.principal.user_name.clone(), call.captured("id").to_owned());
    if call.lakehouse.close_session(workspace, &user, &id) {
        Ok(Reply::empty())
    } else {
        Err(Refusal::missing(format!("The session {id} was not found.")))
    }
}
