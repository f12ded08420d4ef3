//! The request budget of a workspace, shared by all clients that speak to it whatever their credential.
//!
//! The platform limits requests per workspace, not per token (databricks-api.md 2.4). Lanes are served strictly in
//! order, within a lane first come first served; a rollback never waits, and what it takes is missing to the others.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

use crate::domain::request::Lane;

/// How far back [`Budget::sent_last_minute`] counts.
const MINUTE: Duration = Duration::from_secs(60);

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Tokio's time as governor wants it, so that tests can pause it.
#[derive(Clone, Debug)]
struct TokioClock {
    origin: tokio::time::Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// Admits requests at a bounded rate, in the order of their lanes.
#[derive(Debug)]
pub struct Budget {
    limiter: Limiter,
    clock: TokioClock,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeSet<(Lane, u64)>,
    next_ticket: u64,
    sent: VecDeque<Duration>,
}

/// A place in the queue; given up when dropped, so that a canceled request does not block those behind it.
struct Place<'a> {
    budget: &'a Budget,
    ticket: (Lane, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.lock().waiting.remove(&self.ticket);
        self.budget.changed.notify_waiters();
    }
}

enum Turn {
    Taken,
    Behind,
    Wait(Duration),
}

impl Budget {
    /// A budget of `per_second` requests on average and `burst` at once. Must be made inside a tokio runtime or outside of
    /// any; its time is tokio's.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Arc<Self> {
        let clock = TokioClock { origin: tokio::time::Instant::now() };
        Arc::new(Self {
            limiter: RateLimiter::direct_with_clock(Quota::per_second(per_second).allow_burst(burst), clock.clone()),
            clock,
            queue: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Waits until a request of `lane` may leave. A rollback may at once.
    pub async fn admit(&self, lane: Lane) {
        if lane == Lane::Rollback {
            // Takes its share if there is one, and goes ahead in any case.
            let _ = self.limiter.check();
            self.count();
            return;
        }
        let place = self.take_place(lane);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listen before looking: a change in between must not be missed.
            changed.as_mut().enable();
            match self.try_take(place.ticket) {
                Turn::Taken => break,
                Turn::Behind => changed.await,
                Turn::Wait(time) => {
                    tokio::select! {
                        () = tokio::time::sleep(time) => {}
                        () = changed => {}
                    }
                }
            }
        }
        self.count();
    }

    /// Requests that left within the last minute, all clients of the workspace together.
    pub fn sent_last_minute(&self) -> u32 {
        let mut queue = self.lock();
        queue.forget_before(self.clock.now());
        u32::try_from(queue.sent.len()).unwrap_or(u32::MAX)
    }

    fn take_place(&self, lane: Lane) -> Place<'_> {
        let mut queue = self.lock();
        let ticket = (lane, queue.next_ticket);
        queue.next_ticket += 1;
        queue.waiting.insert(ticket);
        drop(queue);
        Place { budget: self, ticket }
    }

    fn try_take(&self, ticket: (Lane, u64)) -> Turn {
        if self.lock().waiting.first() != Some(&ticket) {
            return Turn::Behind;
        }
        match self.limiter.check() {
            Ok(()) => Turn::Taken,
            Err(not_yet) => Turn::Wait(not_yet.wait_time_from(self.clock.now())),
        }
    }

    fn count(&self) {
        let now = self.clock.now();
        let mut queue = self.lock();
        queue.sent.push_back(now);
        queue.forget_before(now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock; a poisoned one is still whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn forget_before(&mut self, now: Duration) {
        while self.sent.front().is_some_and(|sent| now.saturating_sub(*sent) > MINUTE) {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream::{FuturesUnordered, StreamExt};

    fn one_a_second() -> Arc<Budget> {
        Budget::new(NonZeroU32::MIN, NonZeroU32::MIN)
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollback_goes_first_and_the_others_follow_by_lane_with_the_budget_exhausted() {
        let budget = one_a_second();
        budget.admit(Lane::Poll).await;
        let begun = tokio::time::Instant::now();
        let lanes = [Lane::Poll, Lane::Look, Lane::Poll, Lane::Act, Lane::Rollback, Lane::Look];
        let mut all: FuturesUnordered<_> = lanes
            .into_iter()
            .map(|lane| {
                let budget = &budget;
                async move {
                    budget.admit(lane).await;
                    (lane, (begun.elapsed().as_millis() + 500) / 1_000)
                }
            })
            .collect();
        let mut order = Vec::new();
        while let Some(admitted) = all.next().await {
            order.push(admitted);
        }
        // The first to ask is at the head when the queue is empty; it waits for time, and better lanes overtake it.
        assert_eq!(
            order,
            [(Lane::Rollback, 0), (Lane::Act, 1), (Lane::Look, 2), (Lane::Look, 3), (Lane::Poll, 4), (Lane::Poll, 5)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_blocks_nobody() {
        let budget = one_a_second();
        budget.admit(Lane::Poll).await;
        let waiting = budget.admit(Lane::Act);
        let canceled = tokio::time::timeout(Duration::from_millis(10), waiting).await;
        assert!(canceled.is_err());
        let begun = tokio::time::Instant::now();
        budget.admit(Lane::Poll).await;
        assert!(begun.elapsed() <= Duration::from_secs(1));
        assert!(budget.lock().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_minute_is_counted_and_forgotten() {
        let budget = Budget::new(NonZeroU32::new(100).expect("not zero"), NonZeroU32::new(100).expect("not zero"));
        for _ in 0..5 {
            budget.admit(Lane::Poll).await;
        }
        budget.admit(Lane::Rollback).await;
        assert_eq!(budget.sent_last_minute(), 6);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(budget.sent_last_minute(), 0);
    }
}
