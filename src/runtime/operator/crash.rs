//! Crash points, for tests alone: places before and after every journal write and every request, counted through the life
//! of the process. At the one that `LAKESHIFT_TEST_CRASH_POINT` names, the process says so on standard error and stands
//! still: until it is killed from outside, with kill -9, as a real crash would end it, or until it reads a line on standard
//! input, with which it goes on.
//!
//! `7` is the seventh point of all, `2@after writing intended` the second of this place, and `list` names all points that
//! are passed and stops at none.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::{BoxFuture, FutureExt};

use super::ports::{Journal, Write};
use crate::config::environment::CRASH_POINT;
use crate::databricks::transport::{Broken, Incoming, Outgoing, Transport};
use crate::operations::journal::Recorded;
use crate::store;

/// Points passed so far that count, by the whole process: it has one life.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Where the process is to stand still.
#[derive(Clone, Debug)]
struct Wanted {
    /// The how manieth point; none to name them all.
    nth: Option<u64>,
    /// Of those with this name; none is of all.
    place: Option<String>,
}

/// The point at which the process is to stand still; none outside of tests.
fn wanted(environment: &BTreeMap<String, String>) -> Option<Wanted> {
    let text = environment.get(CRASH_POINT)?;
    let (nth, place) = text.split_once('@').map_or((text.as_str(), None), |(nth, place)| (nth, Some(place.to_owned())));
    let nth = nth.parse().ok();
    (nth.is_some() || text == "list").then_some(Wanted { nth, place })
}

fn pass(wanted: Option<&Wanted>, place: &str) {
    let Some(wanted) = wanted.filter(|wanted| wanted.place.as_deref().is_none_or(|wanted| wanted == place)) else {
        return;
    };
    let point = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if wanted.nth.is_some_and(|nth| nth != point) {
        return;
    }
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "crash point {point}: {place}");
    let _ = err.flush();
    drop(err);
    if wanted.nth.is_some() {
        let mut line = String::new();
        while !std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            std::thread::park();
        }
    }
}

/// A journal with a crash point before and after each write.
pub struct CrashingJournal {
    inner: store::Journal,
    wanted: Option<Wanted>,
}

impl CrashingJournal {
    /// Without the variable it is the journal itself.
    pub fn new(inner: store::Journal, environment: &BTreeMap<String, String>) -> Self {
        Self { inner, wanted: wanted(environment) }
    }
}

impl Journal for CrashingJournal {
    fn store(&self) -> &store::Journal {
        &self.inner
    }

    fn write<T>(
        &mut self,
        what: Write<'_>,
        write: impl FnOnce(&mut store::Journal) -> Result<T, store::Error>,
    ) -> Result<T, store::Error> {
        let Some(wanted) = &self.wanted else { return write(&mut self.inner) };
        let name = name(what);
        pass(Some(wanted), &format!("before {name}"));
        let written = write(&mut self.inner);
        pass(Some(wanted), &format!("after {name}"));
        written
    }
}

fn name(what: Write<'_>) -> String {
    match what {
        Write::Entries(entries) => {
            let names: Vec<&str> = entries.iter().map(|entry: &Recorded| entry.event.name()).collect();
            format!("writing {}", names.join(", "))
        }
        Write::Take(_) => "taking the operation".to_owned(),
        Write::Release(_) => "letting go".to_owned(),
        Write::Beat => "a sign of life".to_owned(),
        Write::Acknowledge => "noting what the ledger has".to_owned(),
        Write::SetAside => "setting a row aside".to_owned(),
        Write::Proofs => "taking in proofs".to_owned(),
        Write::Adopt(_) => "adopting the operation".to_owned(),
    }
}

/// A transport with a crash point before and after each request. Without the variable it is the transport itself.
pub fn guarded(transport: Arc<dyn Transport>, environment: &BTreeMap<String, String>) -> Arc<dyn Transport> {
    match wanted(environment) {
        None => transport,
        wanted => Arc::new(CrashingTransport { inner: transport, wanted }),
    }
}

struct CrashingTransport {
    inner: Arc<dyn Transport>,
    wanted: Option<Wanted>,
}

impl Transport for CrashingTransport {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        let what = format!("{} {}", request.method, request.url.path());
        async move {
            pass(self.wanted.as_ref(), &format!("before {what}"));
            let answer = self.inner.exchange(request).await;
            pass(self.wanted.as_ref(), &format!("after {what}"));
            answer
        }
        .boxed()
    }
}
