//! Who am I, and who else is there (databricks-api.md 8).

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::rate::Class;
use super::route::Route;
use crate::sim::world::principal::Principal;

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("/api/2.0/preview/scim/v2/{rest}");
    let routes = vec![
        Route::get(path("Me"), me),
        Route::get(path("Users"), users),
        Route::get(path("Users/{id}"), user),
        Route::get(path("ServicePrincipals"), service_principals),
        Route::get(path("ServicePrincipals/{id}"), service_principal),
        Route::get(path("Groups"), groups),
        Route::get(path("Groups/{id}"), group),
    ];
    routes.into_iter().map(|route| route.limited(Class::Scim)).collect()
}

fn scim(body: &impl Serialize) -> Reply {
    Reply::json(body).content_type("application/scim+json")
}

fn me(call: &mut Call<'_>) -> Answer {
    Ok(scim(&person(call.principal)))
}

fn person(principal: &Principal) -> Value {
    let groups: Vec<Value> = principal
        .groups
        .iter()
        .map(|group| {
            let id = group_id(group).to_string();
            json!({"display": group, "value": id, "type": "direct", "$ref": format!("Groups/{id}")})
        })
        .collect();
    let mut body = Map::new();
    let kind = if principal.service { "ServicePrincipal" } else { "User" };
    body.insert(
        "schemas".to_owned(),
        json!([
            format!("urn:ietf:params:scim:schemas:core:2.0:{kind}"),
            "urn:ietf:params:scim:schemas:extension:workspace:2.0:User",
        ]),
    );
    body.insert("id".to_owned(), principal.id.clone().into());
    body.insert("userName".to_owned(), principal.user_name.clone().into());
    body.insert("displayName".to_owned(), principal.display_name.clone().into());
    body.insert("active".to_owned(), true.into());
    if principal.service {
        body.insert("applicationId".to_owned(), principal.user_name.clone().into());
    } else {
        let (given, family) = principal.display_name.split_once(' ').unwrap_or((principal.display_name.as_str(), ""));
        body.insert("name".to_owned(), json!({"givenName": given, "familyName": family}));
        body.insert("emails".to_owned(), json!([{"type": "work", "value": principal.user_name, "primary": true}]));
    }
    body.insert("groups".to_owned(), groups.into());
    body.insert("entitlements".to_owned(), json!([{"value": "workspace-access"}, {"value": "databricks-sql-access"}]));
    Value::Object(body)
}

/// A window of those that pass the filter. Past the end it is empty: a caller pages until it is.
fn listing(call: &Call<'_>, mut all: Vec<Value>) -> Answer {
    if let Some(filter) = call.query().text("filter") {
        let (attribute, wanted) = filter
            .split_once(" eq ")
            .map(|(attribute, value)| (attribute.trim(), value.trim().trim_matches(['"', '\''])))
            .ok_or_else(|| Refusal::invalid(format!("Unsupported filter: {filter}")))?;
        all.retain(|one| {
            let found = one.as_object().into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case(attribute));
            found.and_then(|(_, value)| value.as_str()).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        });
    }
    let number = |name: &str, usual: i64| -> Result<usize, Refusal> {
        let value = call.query().integer(name)?.unwrap_or(usual);
        Ok(usize::try_from(value).unwrap_or_default())
    };
    let (start, count) = (number("startIndex", 1)?.max(1), number("count", 100)?.min(100));
    let window: Vec<Value> = all.iter().skip(start - 1).take(count).cloned().collect();
    Ok(scim(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": all.len(),
        "startIndex": start,
        "itemsPerPage": window.len(),
        "Resources": window,
    })))
}

fn people(call: &Call<'_>, service: bool) -> Vec<Value> {
    call.world.principals().iter().filter(|principal| principal.service == service).map(person).collect()
}

fn teams(call: &Call<'_>) -> Vec<Value> {
    let mut names: Vec<&str> =
        call.world.principals().iter().flat_map(|principal| principal.groups.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let member = |principal: &Principal| {
        let kind = if principal.service { "ServicePrincipals" } else { "Users" };
        json!({"display": principal.display_name, "value": principal.id, "$ref": format!("{kind}/{}", principal.id)})
    };
    names
        .into_iter()
        .map(|name| {
            let members = call.world.principals().iter().filter(|principal| principal.groups.contains(&name));
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "id": group_id(name).to_string(),
                "displayName": name,
                "members": members.map(member).collect::<Vec<_>>(),
                "groups": [],
                "meta": {"resourceType": "WorkspaceGroup"},
            })
        })
        .collect()
}

fn one(call: &Call<'_>, kind: &str, all: Vec<Value>) -> Answer {
    let id = call.captured("id");
    let found = all.into_iter().find(|one| one["id"] == id);
    found.map(|one| scim(&one)).ok_or_else(|| Refusal::missing(format!("{kind} with id {id} not found.")))
}

fn users(call: &mut Call<'_>) -> Answer {
    listing(call, people(call, false))
}

fn user(call: &mut Call<'_>) -> Answer {
    one(call, "User", people(call, false))
}

fn service_principals(call: &mut Call<'_>) -> Answer {
    listing(call, people(call, true))
}

fn service_principal(call: &mut Call<'_>) -> Answer {
    one(call, "Service principal", people(call, true))
}

fn groups(call: &mut Call<'_>) -> Answer {
    listing(call, teams(call))
}

fn group(call: &mut Call<'_>) -> Answer {
    one(call, "Group", teams(call))
}

/// A group's id: the same in every workspace and for every seed.
fn group_id(name: &str) -> u64 {
    let digits = crate::sim::credentials::digits(0, &["group", name]);
    let head = digits.get(..12).unwrap_or_default();
    u64::from_str_radix(head, 16).unwrap_or_default()
}
