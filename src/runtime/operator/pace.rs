//! How often a read is made again: at once, then ever more rarely.

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::operations::engine::Effect;

/// The first pause between two equal reads; each further one doubles.
const FIRST: TimeDelta = TimeDelta::milliseconds(500);

/// The longest pause.
const LONGEST: TimeDelta = TimeDelta::seconds(10);

/// Reads that were made and are still due.
#[derive(Default)]
pub(super) struct Pace {
    made: Vec<(Effect, u32, Instant)>,
}

impl Pace {
    /// When a read may be made again; none if it was not made yet.
    pub(super) fn not_before(&self, effect: &Effect) -> Option<Instant> {
        self.made.iter().find(|(made, _, _)| made == effect).map(|(_, _, at)| *at)
    }

    /// A read was made.
    pub(super) fn landed(&mut self, effect: &Effect, now: Instant) {
        let known = self.made.iter_mut().find(|(made, _, _)| made == effect);
        let times = known.as_ref().map_or(0, |(_, times, _)| *times);
        let at = now + (FIRST * (1 << times.min(8))).min(LONGEST);
        match known {
            Some(entry) => (entry.1, entry.2) = (times + 1, at),
            None => self.made.push((effect.clone(), 1, at)),
        }
    }

    /// Forgets what is no longer due: should it be due again, it is made at once.
    pub(super) fn keep(&mut self, due: &[Effect]) {
        self.made.retain(|(made, _, _)| due.contains(made));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::now;
    use crate::domain::ids::RunId;
    use crate::operations::journal::Direction;
    use crate::operations::step::Condition;

    #[test]
    fn a_read_is_made_ever_more_rarely_and_at_once_when_it_is_due_anew() {
        let effect =
            Effect::Check { step: 0, direction: Direction::Do, condition: Condition::RunIsActive { run: RunId(1) } };
        let mut pace = Pace::default();
        assert_eq!(pace.not_before(&effect), None);
        let mut waits = Vec::new();
        for _ in 0..7 {
            pace.landed(&effect, now());
            waits.push((pace.not_before(&effect).expect("made") - now()).num_milliseconds());
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        pace.keep(&[]);
        assert_eq!(pace.not_before(&effect), None);
    }
}
