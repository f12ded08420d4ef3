//! Time in a run: one true time, which tokio's paused timers move, and what each machine's clock makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;

/// True time: the world's.
pub(super) struct TrueTime {
    origin: Instant,
    began: tokio::time::Instant,
}

impl TrueTime {
    /// Begins at an instant. Must be made inside the paused runtime.
    pub(super) fn begin(origin: Instant) -> Arc<Self> {
        Arc::new(Self { origin, began: tokio::time::Instant::now() })
    }

    /// How long the run has lasted.
    pub(super) fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(self.began.elapsed()).unwrap()
    }
}

impl Clock for TrueTime {
    fn now(&self) -> Instant {
        self.origin + self.elapsed()
    }
}

/// A machine's clock: it is off by some time, and can be set.
pub(super) struct MachineClock {
    truth: Arc<TrueTime>,
    offset_ms: AtomicI64,
}

impl MachineClock {
    pub(super) fn new(truth: Arc<TrueTime>, offset_ms: i64) -> Arc<Self> {
        Arc::new(Self { truth, offset_ms: AtomicI64::new(offset_ms) })
    }

    /// Somebody, or a time server, sets it.
    pub(super) fn jump(&self, ms: i64) {
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        self.truth.now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }
}
