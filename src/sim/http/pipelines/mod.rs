//! Pipelines: list, get, updates, events, start, stop (databricks-api.md 4.1, 4.4, 4.5).

mod filter;
mod render;
mod write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::page::{self, Trail};
use super::query::Query;
use super::route::Route;
use crate::domain::Instant;
use crate::sim::world::EventCursor;
use crate::sim::world::pipeline::StartUpdate;
use crate::sim::world::principal::Level;
use filter::{Filter, Listing};

const PIPELINES: &str = "/api/2.0/pipelines";
/// Entries on a page unless asked otherwise, and at most.
const USUAL_PAGE: i64 = 25;
const LARGEST_PAGE: i64 = 100;
/// Updates that the service remembers of a pipeline: its history is bounded (databricks-api.md 4.1).
const UPDATES_KEPT: usize = 1_000;
/// Events on a page at most: more is cut down, not refused.
const LARGEST_EVENT_PAGE: i64 = 250;

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("{PIPELINES}/{{pipeline_id}}{rest}");
    vec![
        Route::get(PIPELINES, list),
        Route::post(PIPELINES, write::create),
        Route::get(path(""), get),
        Route::put(path(""), write::edit),
        Route::delete(path(""), write::delete),
        Route::get(path("/updates"), updates),
        Route::post(path("/updates"), start),
        Route::get(path("/updates/{update_id}"), update),
        Route::get(path("/events"), events),
        Route::post(path("/stop"), stop),
    ]
}

fn list(call: &mut Call<'_>) -> Answer {
    let size = max_results(call, LARGEST_PAGE)?;
    let text = call.query().text("filter").unwrap_or_default().to_owned();
    let filter = if text.is_empty() { None } else { Some(Listing::parse(&text)?) };
    let mut descending = false;
    for order in call.query().all("order_by") {
        descending = match order {
            "id" | "id asc" => false,
            "id desc" => true,
            _ => return Err(Refusal::invalid(format!("Unsupported order_by: {order}"))),
        };
    }
    let question = format!("pipelines {descending} {text}");
    let offset = page::offset(&question, call.query().text("page_token"))?;
    let sight = access::Sight::of(call);
    let mut views: Vec<_> = call
        .world
        .pipelines(call.workspace())
        .into_iter()
        .filter(|view| sight.pipeline(&view.pipeline.pipeline_id))
        .filter(|view| match &filter {
            None => true,
            Some(Listing::Name(pattern)) => filter::like(pattern, &view.pipeline.spec.name),
            Some(Listing::Notebook(path)) => view.pipeline.spec.extra.get("libraries").is_some_and(|libraries| {
                let notebooks = libraries.as_array().into_iter().flatten();
                notebooks.filter_map(|library| library["notebook"]["path"].as_str()).any(|found| found == path)
            }),
        })
        .collect();
    views.sort_by(|a, b| a.pipeline.pipeline_id.cmp(&b.pipeline.pipeline_id));
    if descending {
        views.reverse();
    }
    let (window, next) = page::window(&views, offset, size);
    let mut body = Map::new();
    if !window.is_empty() {
        let statuses: Vec<Value> = window.iter().map(render::listed).collect();
        body.insert("statuses".to_owned(), statuses.into());
    }
    if let Some(next) = next {
        body.insert("next_page_token".to_owned(), page::token(&question, &next.to_string()).into());
    }
    Ok(Reply::json(&body))
}

fn max_results(call: &Call<'_>, largest: i64) -> Result<usize, Refusal> {
    let size = call.query().integer("max_results")?.unwrap_or(USUAL_PAGE);
    if !(1..=largest).contains(&size) {
        return Err(Refusal::invalid(format!("max_results must be between 1 and {largest}, but was {size}.")));
    }
    Ok(usize::try_from(size).unwrap_or_default())
}

/// The pipeline that the path names, if the caller may do this with it.
fn pipeline(call: &mut Call<'_>, level: Level) -> Result<String, Refusal> {
    let id = call.captured("pipeline_id").to_owned();
    access::pipeline(call, &id, level)?;
    Ok(id)
}

fn get(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::View)?;
    Ok(Reply::json(&render::whole(&call.world.pipeline(call.workspace(), &id)?)))
}

fn updates(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::View)?;
    let size = max_results(call, LARGEST_PAGE)?;
    let question = format!("updates {id}");
    // Updates are born at the front: a position is the last update seen, not a count.
    let trail = Trail::of(&question, call.query().text("page_token"), String::new)?;
    let until = call.query().text("until_update_id").map(str::to_owned);
    let view = call.world.pipeline(call.workspace(), &id)?;
    let all = call.world.updates(call.workspace(), &id, UPDATES_KEPT)?;
    let start = match trail.start() {
        "" => 0,
        last => all.iter().position(|update| update.update_id == last).map_or(all.len(), |at| at + 1),
    };
    let end = match &until {
        None => all.len(),
        Some(until) => all.iter().position(|update| update.update_id == *until).map_or(all.len(), |at| at + 1),
    };
    let (window, next) = page::window(all.get(..end).unwrap_or_default(), start, size);
    let mut body = Map::new();
    if !window.is_empty() {
        let rendered: Vec<Value> = window.iter().map(|update| render::update(update, &view.pipeline.spec)).collect();
        body.insert("updates".to_owned(), rendered.into());
    }
    let next = window.last().filter(|_| next.is_some()).map(|last| last.update_id.clone());
    body.extend(trail.links(&question, next));
    Ok(Reply::json(&body))
}

fn update(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::View)?;
    let update_id = call.captured("update_id").to_owned();
    let view = call.world.pipeline(call.workspace(), &id)?;
    let update = call.world.update(call.workspace(), &id, &update_id)?;
    Ok(Reply::json(&json!({"update": render::update(&update, &view.pipeline.spec)})))
}

#[derive(Deserialize)]
struct StartBody {
    #[serde(default)]
    full_refresh: bool,
    #[serde(default)]
    refresh_selection: Vec<String>,
    #[serde(default)]
    full_refresh_selection: Vec<String>,
    #[serde(default)]
    validate_only: bool,
}

fn start(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::Run)?;
    let body: StartBody = call.body()?;
    if let Some(table) = body.refresh_selection.iter().find(|table| body.full_refresh_selection.contains(table)) {
        return Err(Refusal::invalid(format!(
            "Table {table} cannot be in both refresh_selection and full_refresh_selection."
        )));
    }
    let order = StartUpdate {
        full_refresh: body.full_refresh,
        full_refresh_selection: body.full_refresh_selection,
        refresh_selection: body.refresh_selection,
        validate_only: body.validate_only,
    };
    let update_id = call.world.start_update(call.workspace(), call.principal, &id, order)?;
    Ok(Reply::json(&json!({"update_id": update_id})))
}

fn stop(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::Run)?;
    call.world.stop_pipeline(call.workspace(), &id)?;
    Ok(Reply::empty())
}

/// Where a listing of events stands: the question is in the token, since the token excludes repeating it.
#[derive(Deserialize, Serialize)]
struct EventPosition {
    filter: String,
    ascending: bool,
    /// Instant and sequence of the last event given.
    after: Option<(Instant, u64)>,
}

fn events(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::View)?;
    let query = call.query();
    let size = query.integer("max_results")?.unwrap_or(USUAL_PAGE).clamp(1, LARGEST_EVENT_PAGE);
    let size = usize::try_from(size).unwrap_or_default();
    let question = format!("events {id}");
    let (trail, mut position) = event_position(query, &question)?;
    let filter = Filter::parse(&position.filter)?;
    let narrowed = filter.narrowed(position.ascending);
    let mut after = position.after.map(|(timestamp, sequence)| EventCursor { timestamp, sequence });
    let mut events = Vec::with_capacity(size);
    loop {
        let page = call.world.events(call.workspace(), &id, &narrowed, after, size - events.len())?;
        events.extend(page.events.into_iter().filter(|event| filter.passes(event)));
        after = page.next;
        if after.is_none() || events.len() == size {
            break;
        }
    }
    let mut body = Map::new();
    if !events.is_empty() {
        let rendered: Vec<Value> = events.iter().map(|event| render::event(event, call.site())).collect();
        body.insert("events".to_owned(), rendered.into());
    }
    let next = after.map(|EventCursor { timestamp, sequence }| {
        position.after = Some((timestamp, sequence));
        json!(position).to_string()
    });
    body.extend(trail.links(&question, next));
    Ok(Reply::json(&body))
}

/// What is asked and from where on. With a token, other fields must ask what the token's first page asked: the text
/// of the API forbids them, and the vendor's own SDK repeats them.
fn event_position(query: &Query, question: &str) -> Result<(Trail, EventPosition), Refusal> {
    let mut ascending = None;
    for order in query.all("order_by") {
        ascending = Some(match order {
            "timestamp asc" | "timestamp" => true,
            "timestamp desc" => false,
            _ => return Err(Refusal::invalid(format!("Unsupported order_by: {order}"))),
        });
    }
    let filter = query.text("filter");
    let token = query.text("page_token");
    let trail = Trail::of(question, token, || {
        let filter = filter.unwrap_or_default().to_owned();
        json!(EventPosition { filter, ascending: ascending.unwrap_or(false), after: None }).to_string()
    })?;
    let position: EventPosition = serde_json::from_str(trail.start())
        .map_err(|_| Refusal::invalid(format!("Invalid page token: {}", token.unwrap_or_default())))?;
    let other_filter = filter.is_some_and(|filter| filter != position.filter);
    if other_filter || ascending.is_some_and(|ascending| ascending != position.ascending) {
        return Err(Refusal::invalid("page_token cannot be combined with other fields besides max_results."));
    }
    Ok((trail, position))
}
