//! World time as a function of the wall clock: it starts at the wall's now, runs at a speed, pauses, and jumps ahead.

use chrono::TimeDelta;

use crate::domain::Instant;

/// The longest single jump, in seconds: 400 days. History is a function of the seed, so more would only be waited for.
pub(crate) const LONGEST_JUMP_S: f64 = 400.0 * 86_400.0;

/// Maps wall instants to world instants. World time never runs backwards as long as the wall does not.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    world_anchor: Instant,
    wall_anchor: Instant,
    speed: f64,
    paused: bool,
}

impl Pace {
    /// World time equals `wall` now and runs at `speed` world seconds a wall second.
    pub(crate) fn new(wall: Instant, speed: f64) -> Self {
        Self { world_anchor: wall, wall_anchor: wall, speed, paused: false }
    }

    /// The world's instant at the wall's.
    pub(crate) fn world_at(&self, wall: Instant) -> Instant {
        if self.paused || self.speed == 0.0 {
            return self.world_anchor;
        }
        let elapsed_ms = (wall - self.wall_anchor).num_milliseconds().max(0);
        self.world_anchor + scaled(elapsed_ms, self.speed)
    }

    /// World seconds per wall second while not paused.
    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    /// Whether world time stands still.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Stops world time. Twice is once.
    pub(crate) fn pause(&mut self, wall: Instant) {
        self.anchor(wall);
        self.paused = true;
    }

    /// Lets world time run on from where it stood.
    pub(crate) fn resume(&mut self, wall: Instant) {
        self.anchor(wall);
        self.paused = false;
    }

    /// Jumps ahead by `seconds` (not negative, at most [`LONGEST_JUMP_S`]), paused or not.
    pub(crate) fn advance(&mut self, wall: Instant, seconds: f64) {
        self.anchor(wall);
        self.world_anchor += scaled(1000, seconds.clamp(0.0, LONGEST_JUMP_S));
    }

    fn anchor(&mut self, wall: Instant) {
        self.world_anchor = self.world_at(wall);
        self.wall_anchor = self.wall_anchor.max(wall);
    }
}

/// `milliseconds * factor`, to the millisecond.
fn scaled(milliseconds: i64, factor: f64) -> TimeDelta {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "milliseconds of a process's life times a bounded factor fit both ways; a float cast saturates"
    )]
    let product = (milliseconds as f64 * factor).round() as i64;
    TimeDelta::try_milliseconds(product).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(second: i64) -> Instant {
        Instant::from_timestamp(1_790_000_000 + second, 0).expect("in range")
    }

    #[test]
    fn world_time_starts_at_the_walls_now_and_runs_at_its_speed() {
        let pace = Pace::new(wall(0), 60.0);
        assert_eq!(pace.world_at(wall(0)), wall(0));
        assert_eq!(pace.world_at(wall(2)), wall(120));
    }

    #[test]
    fn a_pause_stands_still_and_resuming_goes_on_from_there() {
        let mut pace = Pace::new(wall(0), 10.0);
        pace.pause(wall(3));
        assert!(pace.is_paused());
        assert_eq!(pace.world_at(wall(100)), wall(30));
        pace.pause(wall(200));
        pace.resume(wall(300));
        assert_eq!(pace.world_at(wall(300)), wall(30));
        assert_eq!(pace.world_at(wall(301)), wall(40));
    }

    #[test]
    fn a_jump_adds_to_world_time_paused_or_not() {
        let mut pace = Pace::new(wall(0), 1.0);
        pace.advance(wall(5), 3600.0);
        assert_eq!(pace.world_at(wall(5)), wall(3605));
        pace.pause(wall(5));
        pace.advance(wall(6), 0.5);
        assert_eq!(pace.world_at(wall(9)), wall(3605) + TimeDelta::milliseconds(500));
    }

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_turn_world_time_back() {
        let mut pace = Pace::new(wall(100), 1.0);
        pace.advance(wall(110), 0.0);
        assert_eq!(pace.world_at(wall(50)), wall(110));
    }
}
