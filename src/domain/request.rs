//! Requests as the Log screen and the request budget see them.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::ids::WorkspaceName;

/// Who asks: a lane's requests never wait behind those of a lane below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// A rollback: never waits.
    Rollback,
    /// An operation that changes the world.
    Act,
    /// A person looks at something and waits for it.
    Look,
    /// Background polling.
    Poll,
}

/// One attempt of one request, as it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// When it was sent, in local time.
    pub at: Instant,
    /// The workspace asked.
    pub workspace: WorkspaceName,
    /// Its lane.
    pub lane: Lane,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The route template, such as `/api/2.2/jobs/runs/list`.
    pub route: String,
    /// The path as sent.
    #[serde(default)]
    pub path: String,
    /// The query as sent, without page tokens and not longer than some hundred characters; empty if none.
    pub query: String,
    /// Whether path and query are all that was sent, so that they can be sent again.
    #[serde(default)]
    pub is_whole: bool,
    /// The answer's status; none if no answer came.
    pub status: Option<u16>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// From sending to the end of the body, in milliseconds.
    pub ms: u64,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The vendor's request id.
    pub request_id: Option<String>,
    /// What went wrong, in a few words.
    pub error: Option<String>,
}
