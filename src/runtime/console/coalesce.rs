//! What one turn may leave out: facts that a later one of the same turn makes pointless. Keys are never left out.

use std::collections::HashSet;

use crate::app::{Fact, Feed, Message};

/// Keeps the order, and of each workspace's snapshots, of sizes, and of ticks only the newest.
pub(super) fn coalesce(messages: Vec<Message>) -> Vec<Message> {
    if messages.len() < 2 {
        return messages;
    }
    let mut seen: HashSet<Kind> = HashSet::new();
    let mut kept: Vec<Message> =
        messages.into_iter().rev().filter(|m| kind(&m.fact).is_none_or(|k| seen.insert(k))).collect();
    kept.reverse();
    kept
}

#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Fleet(Feed),
    Size,
    Tick,
}

fn kind(fact: &Fact) -> Option<Kind> {
    match fact {
        Fact::Observed { feed: feed @ Feed::Fleet(_), .. } => Some(Kind::Fleet(feed.clone())),
        Fact::Resized { .. } => Some(Kind::Size),
        Fact::Ticked => Some(Kind::Tick),
        _ => None,
    }
}
