//! Signed links to parts of a result: good for a quarter of an hour, for whoever holds them.

use axum::http::StatusCode;
use chrono::{SecondsFormat, TimeDelta};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::{Call, Visit};
use super::super::route::Captures;
use super::part;
use crate::domain::Instant;
use crate::sim::credentials::digits;
use crate::sim::lakehouse::{Chunk, Format, Lakehouse, Statement};

/// Where the files of results are.
pub(super) const FILES: &str = "/simulated-storage/results";
/// How long a link is good, by the wall clock.
const LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// A link to a chunk, and until when it is good.
pub(super) fn sign(statement: &Statement, chunk: &Chunk, call: &Call<'_>) -> (String, String) {
    let until = call.visit.wall + LIFETIME;
    let signature = signature(&statement.id, chunk.index, until);
    let link = format!(
        "{}{FILES}/{}/{}/{}-{signature}",
        call.site().host,
        statement.id,
        chunk.index,
        until.timestamp_millis()
    );
    (link, until.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The file behind a link.
pub(super) fn file(visit: &Visit<'_>, captures: &Captures, lakehouse: &Lakehouse) -> Answer {
    let of = |name: &str| captures.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let refused = |text: &str| Refusal::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", text);
    let (id, index) = (of("id"), of("index"));
    let (until, given) = of("signature").split_once('-').ok_or_else(|| refused("The link is not signed."))?;
    let until = until.parse().ok().and_then(Instant::from_timestamp_millis).ok_or_else(|| refused("Not a link."))?;
    if given != signature(id, index.parse().unwrap_or(usize::MAX), until) {
        return Err(refused("The signature does not match."));
    }
    if visit.wall > until {
        return Err(refused("The link has expired."));
    }
    if visit.authorization.is_some() {
        // Object stores refuse a request that is signed in two ways.
        return Err(Refusal::invalid("Only one authentication mechanism is allowed: the link is signed."));
    }
    let gone = || Refusal::missing(format!("The result of statement {id} is no longer there."));
    let statement = lakehouse.statement(id).ok_or_else(gone)?;
    let output = statement.output().ok_or_else(gone)?;
    let chunk = part(output, index).ok_or_else(gone)?;
    let content_type = match statement.order.format {
        Format::JsonArray => "application/json",
        Format::Csv => "text/csv",
    };
    let mut reply = Reply::empty().content_type(content_type);
    reply.body = output.file(chunk, statement.order.format);
    Ok(reply)
}

fn signature(id: &str, index: usize, until: Instant) -> String {
    let mut digits = digits(0, &["result link", id, &index.to_string(), &until.timestamp_millis().to_string()]);
    digits.truncate(32);
    digits
}
