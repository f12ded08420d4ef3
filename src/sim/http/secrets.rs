//! Secret scopes, secrets and their access lists (`/api/2.0/secrets`).

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::jobs::required;
use super::route::Route;
use crate::sim::world::principal::Level;
use crate::sim::world::secrets::{Scope, Secret};

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("/api/2.0/secrets/{rest}");
    vec![
        Route::post(path("scopes/create"), create_scope),
        Route::get(path("scopes/list"), list_scopes),
        Route::post(path("scopes/delete"), delete_scope),
        Route::post(path("put"), put),
        Route::get(path("get"), get),
        Route::get(path("list"), list),
        Route::post(path("delete"), delete),
        Route::post(path("acls/put"), put_acl),
        Route::get(path("acls/get"), get_acl),
        Route::get(path("acls/list"), list_acls),
        Route::post(path("acls/delete"), delete_acl),
    ]
}

#[derive(Deserialize)]
struct Order {
    scope: Option<String>,
    key: Option<String>,
    string_value: Option<String>,
    bytes_value: Option<String>,
    principal: Option<String>,
    permission: Option<String>,
    initial_manage_principal: Option<String>,
}

const WORDS: [(Level, &str); 3] = [(Level::View, "READ"), (Level::Edit, "WRITE"), (Level::Manage, "MANAGE")];

fn word(level: Level) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == level).map_or("", |(_, word)| word)
}

/// A scope that the caller may do this with.
fn scope<'a>(call: &'a mut Call<'_>, name: &str, level: Level) -> Result<&'a mut Scope, Refusal> {
    let (workspace, who) = (call.workspace(), call.principal);
    let missing = || Refusal::missing(format!("Scope {name} does not exist!"));
    let scope = call.world.scopes_mut(workspace).get_mut(name).ok_or_else(missing)?;
    if scope.level(who).is_none_or(|held| held < level) {
        let wanted = word(level);
        return Err(Refusal::denied(format!(
            "User {} does not have {wanted} permission on scope {name}.",
            who.user_name
        )));
    }
    Ok(scope)
}

fn asked(call: &Call<'_>, name: &str) -> Result<String, Refusal> {
    required(call.query().text(name).map(str::to_owned), name)
}

fn create_scope(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let name = required(order.scope, "scope")?;
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_alphanumeric() || "-_.@".contains(c)) {
        return Err(Refusal::invalid(format!(
            "Scope name {name} is not valid: 1 to 128 letters, digits, dashes, underscores, periods and @."
        )));
    }
    let manager = match order.initial_manage_principal {
        Some(group) if group == "users" => group,
        Some(other) => {
            return Err(Refusal::invalid(format!("initial_manage_principal may only be 'users', but was '{other}'.")));
        }
        None => call.principal.user_name.clone(),
    };
    let workspace = call.workspace();
    let scopes = call.world.scopes_mut(workspace);
    if scopes.contains_key(&name) {
        let message = format!("Scope {name} already exists!");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS", message));
    }
    let scope = Scope { access: [(manager, Level::Manage)].into(), ..Scope::default() };
    scopes.insert(name, scope);
    Ok(Reply::empty())
}

fn list_scopes(call: &mut Call<'_>) -> Answer {
    let seen = call.world.scopes(call.workspace()).iter().filter(|(_, scope)| scope.level(call.principal).is_some());
    let scopes: Vec<Value> = seen.map(|(name, _)| json!({"name": name, "backend_type": "DATABRICKS"})).collect();
    Ok(if scopes.is_empty() { Reply::empty() } else { Reply::json(&json!({"scopes": scopes})) })
}

fn delete_scope(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let name = required(order.scope, "scope")?;
    scope(call, &name, Level::Manage)?;
    let workspace = call.workspace();
    call.world.scopes_mut(workspace).remove(&name);
    Ok(Reply::empty())
}

fn put(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let (name, key) = (required(order.scope, "scope")?, required(order.key, "key")?);
    let value = match (order.string_value, order.bytes_value) {
        (Some(text), None) => SecretString::from(text),
        (None, Some(bytes)) => decoded(&bytes)?,
        _ => return Err(Refusal::invalid("Exactly one of string_value and bytes_value must be given.")),
    };
    let updated_at = call.world.now();
    scope(call, &name, Level::Edit)?.secrets.insert(key, Secret { value, updated_at });
    Ok(Reply::empty())
}

fn decoded(bytes: &str) -> Result<SecretString, Refusal> {
    let text = STANDARD.decode(bytes).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(SecretString::from).ok_or_else(|| Refusal::invalid("bytes_value must be UTF-8 text encoded in base64."))
}

/// The one answer that holds a value, for those who may read it, as the vendor documents.
fn get(call: &mut Call<'_>) -> Answer {
    let (name, key) = (asked(call, "scope")?, asked(call, "key")?);
    let scope = scope(call, &name, Level::View)?;
    let secret = scope.secrets.get(&key);
    let secret = secret.ok_or_else(|| Refusal::missing(format!("Secret {key} does not exist in scope {name}.")))?;
    Ok(Reply::json(&json!({"key": key, "value": STANDARD.encode(secret.value.expose_secret())})))
}

fn list(call: &mut Call<'_>) -> Answer {
    let name = asked(call, "scope")?;
    let secrets: Vec<Value> = scope(call, &name, Level::View)?
        .secrets
        .iter()
        .map(|(key, secret)| json!({"key": key, "last_updated_timestamp": secret.updated_at.timestamp_millis()}))
        .collect();
    Ok(if secrets.is_empty() { Reply::empty() } else { Reply::json(&json!({"secrets": secrets})) })
}

fn delete(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let (name, key) = (required(order.scope, "scope")?, required(order.key, "key")?);
    let gone = scope(call, &name, Level::Edit)?.secrets.remove(&key);
    gone.map(|_| Reply::empty())
        .ok_or_else(|| Refusal::missing(format!("Secret {key} does not exist in scope {name}.")))
}

fn put_acl(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let (name, principal) = (required(order.scope, "scope")?, required(order.principal, "principal")?);
    let permission = required(order.permission, "permission")?;
    let level = WORDS.iter().find(|(_, word)| *word == permission).map(|(level, _)| *level);
    let level = level.ok_or_else(|| Refusal::invalid(format!("Unknown permission: {permission}")))?;
    scope(call, &name, Level::Manage)?.access.insert(principal, level);
    Ok(Reply::empty())
}

fn list_acls(call: &mut Call<'_>) -> Answer {
    let name = asked(call, "scope")?;
    let items: Vec<Value> = scope(call, &name, Level::Manage)?
        .access
        .iter()
        .map(|(principal, level)| json!({"principal": principal, "permission": word(*level)}))
        .collect();
    Ok(if items.is_empty() { Reply::empty() } else { Reply::json(&json!({"items": items})) })
}

fn get_acl(call: &mut Call<'_>) -> Answer {
    let (name, principal) = (asked(call, "scope")?, asked(call, "principal")?);
    let level = scope(call, &name, Level::Manage)?.access.get(&principal).copied();
    let missing = || Refusal::missing(format!("No access list entry of {principal} on scope {name}."));
    level.map(|level| Reply::json(&json!({"principal": principal, "permission": word(level)}))).ok_or_else(missing)
}

fn delete_acl(call: &mut Call<'_>) -> Answer {
    let order: Order = call.body()?;
    let (name, principal) = (required(order.scope, "scope")?, required(order.principal, "principal")?);
    let gone = scope(call, &name, Level::Manage)?.access.remove(&principal);
    gone.map(|_| Reply::empty())
        .ok_or_else(|| Refusal::missing(format!("No access list entry of {principal} on scope {name}.")))
}
