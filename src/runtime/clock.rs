//! The door to the machine's clock: the only place of the crate that reads it.

use crate::domain::Instant;
use crate::domain::clock::Clock;

/// The machine's own clock. A workspace's clock may differ; the client learns by how much from its answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock that the rest of the crate is handed")]
    fn now(&self) -> Instant {
        std::time::SystemTime::now().into()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// World time that moves with tokio's timers, so that a paused test sees both move together.
    pub(crate) struct TimerClock {
        origin: Instant,
        began: tokio::time::Instant,
    }

    impl TimerClock {
        /// Begins at noon of an arbitrary day.
        pub(crate) fn new() -> Self {
            let origin = "2026-03-02T12:00:00Z".parse().expect("an instant");
            Self { origin, began: tokio::time::Instant::now() }
        }
    }

    /// A clock that stands until it is set.
    pub(crate) struct SetClock(std::sync::Mutex<Instant>);

    impl Default for SetClock {
        fn default() -> Self {
            Self(std::sync::Mutex::new(crate::domain::fixture::now()))
        }
    }

    impl SetClock {
        pub(crate) fn set(&self, at: Instant) {
            *self.0.lock().expect("unpoisoned") = at;
        }
    }

    impl Clock for SetClock {
        fn now(&self) -> Instant {
            *self.0.lock().expect("unpoisoned")
        }
    }

    impl Clock for TimerClock {
        fn now(&self) -> Instant {
            self.origin + chrono::TimeDelta::from_std(self.began.elapsed()).expect("a short test")
        }
    }

    #[test]
    fn the_machine_lives_after_this_was_written() {
        let written: Instant = "2026-01-01T00:00:00Z".parse().expect("an instant");
        assert!(SystemClock.now() > written);
    }
}
