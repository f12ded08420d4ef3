//! Who am I (databricks-api.md 8).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Reply};
use super::call::Call;
use super::rate::Class;
use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/2.0/preview/scim/v2/Me", me).limited(Class::Scim)]
}

fn me(call: &mut Call<'_>) -> Answer {
    let principal = call.principal;
    let groups: Vec<Value> = principal
        .groups
        .iter()
        .map(|group| {
            let id = group_id(group).to_string();
            json!({"display": group, "value": id, "type": "direct", "$ref": format!("Groups/{id}")})
        })
        .collect();
    let mut body = Map::new();
    body.insert(
        "schemas".to_owned(),
        json!([
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:workspace:2.0:User",
        ]),
    );
    body.insert("id".to_owned(), principal.id.clone().into());
    body.insert("userName".to_owned(), principal.user_name.clone().into());
    body.insert("displayName".to_owned(), principal.display_name.clone().into());
    body.insert("active".to_owned(), true.into());
    if !principal.service {
        let (given, family) = principal.display_name.split_once(' ').unwrap_or((principal.display_name.as_str(), ""));
        body.insert("name".to_owned(), json!({"givenName": given, "familyName": family}));
        body.insert("emails".to_owned(), json!([{"type": "work", "value": principal.user_name, "primary": true}]));
    }
    body.insert("groups".to_owned(), groups.into());
    body.insert("entitlements".to_owned(), json!([{"value": "workspace-access"}, {"value": "databricks-sql-access"}]));
    Ok(Reply::json(&body).content_type("application/scim+json"))
}

/// A group's id: the same in every workspace and for every seed.
fn group_id(name: &str) -> u64 {
    let digits = crate::sim::credentials::digits(0, &["group", name]);
    let head = digits.get(..12).unwrap_or_default();
    u64::from_str_radix(head, 16).unwrap_or_default()
}
