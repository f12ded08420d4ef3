//! Pipelines API 2.0 (databricks-api.md 4).

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::client::Client;
use super::error::Error;
use super::page::pages;
use super::request::Request;
use super::wire::{events as events_wire, pipelines as wire};
use crate::domain::Instant;
use crate::domain::ids::{PipelineId, UpdateId};
use crate::domain::pipeline::{Level, Pipeline, PipelineEvent, Update};

/// Most pipelines of a page.
const PIPELINES_PER_PAGE: usize = 100;

/// Updates of a page; no bound is documented, this many are always taken.
const UPDATES_PER_PAGE: usize = 25;

/// Most events of a page in practice.
const EVENTS_PER_PAGE: usize = 250;

pages! {
    wire::PipelineList { statuses: wire::Pipeline }
    wire::UpdateList { updates: wire::UpdateInfo }
    events_wire::EventList { events: events_wire::Event }
}

/// Which events to list. All filters must hold; the newest come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsQuery {
    /// The newest so many.
    pub at_most: usize,
    /// Only events written after this instant (workspace time, to the millisecond). Events can appear seconds late, so a
    /// follower asks from a little before the newest that it has and knows events by their id.
    pub newer_than: Option<Instant>,
    /// Only events of this update.
    pub update: Option<UpdateId>,
    /// Only these levels; empty is all but `METRICS`, which come only when asked for.
    pub levels: Vec<Level>,
    /// Only these kinds, such as `flow_progress`; empty is all.
    pub kinds: Vec<String>,
}

impl EventsQuery {
    /// The newest events.
    pub fn newest(at_most: usize) -> Self {
        Self { at_most, newer_than: None, update: None, levels: Vec::new(), kinds: Vec::new() }
    }

    /// The filter in the API's grammar (databricks-api.md 4.5).
    fn filter(&self) -> Option<String> {
        let levels: Vec<_> = self.levels.iter().map(|level| level_word(*level)).collect();
        let terms = [
            self.newer_than.map(|at| format!("timestamp > '{}'", at.to_rfc3339_opts(SecondsFormat::Millis, true))),
            self.update.as_ref().map(|id| format!("update_id = {}", quoted(id.as_str()))),
            one_of("level", &levels),
            one_of("event_type", &self.kinds),
        ];
        let terms: Vec<_> = terms.into_iter().flatten().collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }
}

fn one_of(name: &str, values: &[impl AsRef<str>]) -> Option<String> {
    match values {
        [] => None,
        [only] => Some(format!("{name} = {}", quoted(only.as_ref()))),
        many => {
            let list: Vec<_> = many.iter().map(|value| quoted(value.as_ref())).collect();
            Some(format!("{name} in ({})", list.join(",")))
        }
    }
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Metrics => "METRICS",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

/// An order to start an update. There is no idempotency token: it is sent once (databricks-api.md 4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartUpdate {
    /// What is refreshed.
    pub refresh: Refresh,
    /// Only check, write nothing.
    pub validate_only: bool,
    /// Parameters of the update.
    pub parameters: BTreeMap<String, String>,
}

/// What an update refreshes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// All tables, going on where the last update ended.
    #[default]
    All,
    /// All tables from nothing.
    Full,
    /// Some tables; no table may be in both lists.
    Selected {
        /// Going on where the last update ended.
        tables: Vec<String>,
        /// From nothing.
        full: Vec<String>,
    },
}

impl Client {
    /// All pipelines, as the listing tells them: without specification.
    ///
    /// # Errors
    /// When any page fails: a half-read listing is no answer.
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>, Error> {
        let base = Request::get("/api/2.0/pipelines").query("max_results", PIPELINES_PER_PAGE);
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<wire::PipelineList>(&base, next, None).await?;
        Ok(listed.into_iter().filter_map(wire::Pipeline::into_domain).collect())
    }

    /// One pipeline, with its specification.
    ///
    /// # Errors
    /// A missing pipeline is [`Error::is_not_found`].
    pub async fn pipeline(&self, id: &PipelineId) -> Result<Pipeline, Error> {
        let request = Request::get("/api/2.0/pipelines/{pipeline_id}").at(id);
        let pipeline: wire::Pipeline = self.fetch(&request).await?;
        pipeline.into_domain().ok_or_else(|| self.incomplete(&request, "the pipeline has no id"))
    }

    /// A pipeline's newest updates, newest first. The platform keeps weeks of them.
    ///
    /// # Errors
    /// As any listing.
    pub async fn pipeline_updates(&self, id: &PipelineId, at_most: usize) -> Result<Vec<Update>, Error> {
        let base = Request::get("/api/2.0/pipelines/{pipeline_id}/updates")
            .at(id)
            .query("max_results", at_most.clamp(1, UPDATES_PER_PAGE));
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<wire::UpdateList>(&base, next, Some(at_most)).await?;
        Ok(listed.into_iter().filter_map(wire::UpdateInfo::into_domain).collect())
    }

    /// One update.
    ///
    /// # Errors
    /// A missing update is [`Error::is_not_found`].
    pub async fn pipeline_update(&self, id: &PipelineId, update: &UpdateId) -> Result<Update, Error> {
        let request = Request::get("/api/2.0/pipelines/{pipeline_id}/updates/{update_id}").at(id).at(update);
        let answer: wire::UpdateAnswer = self.fetch(&request).await?;
        let update = answer.update.and_then(wire::UpdateInfo::into_domain);
        update.ok_or_else(|| self.incomplete(&request, "the update has no id"))
    }

    /// A pipeline's newest events, newest first.
    ///
    /// # Errors
    /// As any listing.
    pub async fn pipeline_events(&self, id: &PipelineId, query: &EventsQuery) -> Result<Vec<PipelineEvent>, Error> {
        let base = Request::get("/api/2.0/pipelines/{pipeline_id}/events")
            .at(id)
            .query("max_results", query.at_most.clamp(1, EVENTS_PER_PAGE));
        let first = base.clone().query_if("filter", query.filter()).query("order_by", "timestamp desc");
        // A page token excludes all else but the page's size.
        let next = |token: &str| base.clone().query("page_token", token);
        let listed = self.list::<events_wire::EventList>(&first, next, Some(query.at_most)).await?;
        Ok(listed.into_iter().filter_map(events_wire::Event::into_domain).collect())
    }

    /// Starts an update. Sent once: after a lost answer, list the updates before asking again.
    ///
    /// # Errors
    /// When an update is active, the platform refuses (409, or 400 `INVALID_STATE`).
    pub async fn start_update(&self, id: &PipelineId, order: &StartUpdate) -> Result<UpdateId, Error> {
        let named = |tables: &[String]| (!tables.is_empty()).then(|| tables.to_vec());
        let (tables, full) = match &order.refresh {
            Refresh::Selected { tables, full } => (named(tables), named(full)),
            Refresh::All | Refresh::Full => (None, None),
        };
        let body = wire::StartUpdateRequest {
            full_refresh: (order.refresh == Refresh::Full).then_some(true),
            refresh_selection: tables,
            full_refresh_selection: full,
            validate_only: order.validate_only.then_some(true),
            parameters: (!order.parameters.is_empty()).then(|| order.parameters.clone()),
            ..Default::default()
        };
        let request = Request::post("/api/2.0/pipelines/{pipeline_id}/updates").at(id).json(&body);
        let answer: wire::StartUpdateResponse = self.fetch(&request).await?;
        let update = answer.update_id.filter(|id| !id.is_empty()).map(UpdateId::new);
        update.ok_or_else(|| self.incomplete(&request, "the answer names no update"))
    }

    /// Asks for the active update to be stopped. Done means accepted; with nothing active it does nothing.
    ///
    /// # Errors
    /// As any request.
    pub async fn stop_pipeline(&self, id: &PipelineId) -> Result<(), Error> {
        let body = serde_json::Map::new();
        self.order(&Request::post("/api/2.0/pipelines/{pipeline_id}/stop").at(id).json(&body).idempotent()).await
    }
}

#[cfg(test)]
mod tests;
