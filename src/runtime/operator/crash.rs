//! Crash points, for tests alone: places before and after every journal write and every request, counted through the life
//! of the process. At the one that `LAKESHIFT_TEST_CRASH_POINT` names, the process says so on standard error and stands
//! still until it is killed from outside, with kill -9, as a real crash would end it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::{BoxFuture, FutureExt};

use super::ports::Journal;
use crate::config::environment::CRASH_POINT;
use crate::databricks::transport::{Broken, Incoming, Outgoing, Transport};
use crate::domain::Instant;
use crate::operations::journal::Recorded;
use crate::operations::plan::{OperationId, Plan};
use crate::store::{self, OutboxRow, Record};

/// Points passed so far, by the whole process: it has one life.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// The point at which the process is to stand still; none outside of tests.
fn wanted(environment: &BTreeMap<String, String>) -> Option<u64> {
    environment.get(CRASH_POINT)?.parse().ok()
}

fn pass(wanted: Option<u64>, place: &str) {
    let Some(wanted) = wanted else { return };
    let point = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if point == wanted {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "crash point {point}: {place}");
        let _ = err.flush();
        drop(err);
        loop {
            std::thread::park();
        }
    }
}

/// A journal with a crash point before and after each write.
pub struct CrashingJournal<J> {
    inner: J,
    wanted: Option<u64>,
}

impl<J> CrashingJournal<J> {
    /// Without the variable it is the journal itself.
    pub fn new(inner: J, environment: &BTreeMap<String, String>) -> Self {
        Self { inner, wanted: wanted(environment) }
    }

    /// The journal itself.
    pub fn inner(&self) -> &J {
        &self.inner
    }

    /// The journal itself.
    pub fn inner_mut(&mut self) -> &mut J {
        &mut self.inner
    }

    /// A write of the journal, with a crash point before and after it.
    pub fn around<T>(&mut self, what: &str, write: impl FnOnce(&mut J) -> T) -> T {
        pass(self.wanted, &format!("before {what}"));
        let written = write(&mut self.inner);
        pass(self.wanted, &format!("after {what}"));
        written
    }
}

fn names(entries: &[Recorded]) -> String {
    let names: Vec<&str> = entries.iter().map(|entry| entry.event.name()).collect();
    format!("writing {}", names.join(", "))
}

impl<J: Journal> Journal for CrashingJournal<J> {
    fn begin(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        rows: &[OutboxRow],
        now: Instant,
    ) -> Result<(), store::Error> {
        self.around(&names(entries), |journal| journal.begin(plan, entries, rows, now))
    }

    fn append(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.around(&names(entries), |journal| journal.append(operation, after, entries, rows, is_over, now))
    }

    fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, store::Error> {
        self.around("taking the operation", |journal| journal.take(operation, now))
    }

    fn release(&mut self, operation: OperationId) -> Result<(), store::Error> {
        self.around("letting go", |journal| journal.release(operation))
    }

    fn beat(&mut self, now: Instant) -> Result<Vec<OperationId>, store::Error> {
        self.inner.beat(now)
    }

    fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, store::Error> {
        self.inner.record(operation, now)
    }

    fn acknowledged(&self, operation: OperationId) -> Result<u64, store::Error> {
        self.inner.acknowledged(operation)
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
    wanted: Option<u64>,
}

impl Transport for CrashingTransport {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Broken>> {
        let what = format!("{} {}", request.method, request.url.path());
        async move {
            pass(self.wanted, &format!("before {what}"));
            let answer = self.inner.exchange(request).await;
            pass(self.wanted, &format!("after {what}"));
            answer
        }
        .boxed()
    }
}
