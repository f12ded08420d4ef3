//! The request log: one JSON line for each request, written and flushed before its answer leaves.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::domain::Instant;
use crate::sim::faults::Kind;

/// Lines kept in memory for `GET /requests`.
const KEPT: usize = 20_000;

/// One request and what was answered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// Counts the requests of this simulator from 1.
    pub(super) seq: u64,
    /// The wall clock's instant when the request had been read.
    pub(super) at: Instant,
    /// World time then.
    pub(super) world_at: Instant,
    pub(super) workspace: String,
    /// User name or application id; null when the request bore no valid credential.
    pub(super) principal: Option<String>,
    pub(super) method: String,
    /// The route template; the path itself where no route matches.
    pub(super) route: String,
    pub(super) path: String,
    pub(super) query: String,
    /// 0 when the connection was reset instead of answering.
    pub(super) status: u16,
    /// Wall time from the request read to the answer ready, planted delays included.
    pub(super) ms: u64,
    /// Bytes of the answer's body as its Content-Length says.
    pub(super) bytes: u64,
    pub(super) request_id: String,
    /// The planted fault that the request suffered.
    pub(super) fault: Option<Kind>,
}

/// Where lines go.
#[derive(Debug)]
pub(in crate::sim) struct RequestLog(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    file: Option<File>,
    kept: VecDeque<Line>,
    total: u64,
}

impl RequestLog {
    /// Opens the log; a file that exists is emptied, as a log is of one run of the simulator.
    pub(in crate::sim) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(File::create).transpose()?;
        Ok(Self(Mutex::new(Inner { file, kept: VecDeque::new(), total: 0 })))
    }

    /// Numbers, writes and keeps a line. When this returns the line is in the file.
    pub(super) fn write(&self, mut line: Line) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.total += 1;
        line.seq = inner.total;
        let written = match &mut inner.file {
            Some(file) => serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut json| {
                json.push(b'\n');
                // One write a line: a reader never sees half of one.
                file.write_all(&json)
            }),
            None => Ok(()),
        };
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(line);
        written
    }

    /// How many requests there were, and the newest `at_most` of those that pass, oldest first.
    pub(super) fn newest(&self, at_most: usize, passes: impl Fn(&Line) -> bool) -> (u64, Vec<Line>) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<Line> = inner.kept.iter().rev().filter(|line| passes(line)).take(at_most).cloned().collect();
        lines.reverse();
        (inner.total, lines)
    }
}
