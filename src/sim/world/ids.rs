//! Run ids that say, to those who know, which run they name: a run of three weeks ago needs no table to be found.
//!
//! An id holds a [`RunKey`] and a slot (the run itself, an attempt of a task, a repair), scrambled so that ids look as
//! arbitrary as real ones. All fit in 53 bits, so that no reader of JSON loses any.

use crate::domain::Instant;

/// Names one job run of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RunKey(u64);

/// What of a run an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The job run.
    Run,
    /// An attempt of the task with that index.
    Attempt {
        /// Index of the task in the job's settings.
        task: usize,
        /// 0 for the first.
        number: u32,
    },
    /// A repair, counted from 0.
    Repair(u64),
    /// An iteration of an attempt of a for-each task.
    Iteration {
        /// Which of the job's for-each tasks, counted from 0.
        each: usize,
        /// Of which attempt.
        number: u32,
        /// 0 for the first input.
        index: u64,
    },
}

const ID_BITS: u32 = 53;
const ID_MASK: u64 = (1 << ID_BITS) - 1;
const SLOT_BITS: u32 = 18;
const JOB_BITS: u32 = 10;
const LIVE: u64 = 1 << 34;
/// Half of the living runs' numbers are counted, half derived.
const DERIVED: u64 = 1 << 33;
/// Attempts of one task that can be told apart.
pub(super) const MAX_ATTEMPTS: u64 = 16;
/// Slots from here on name repairs.
const REPAIRS: u64 = 0x7e00;
/// Slots from here on name iterations.
const ITERATIONS: u64 = 0x8000;
/// For-each tasks of a job whose iterations can be told apart.
pub(super) const MAX_EACH: usize = 8;
/// Attempts of a for-each task whose iterations can be told apart.
const MAX_EACH_ATTEMPTS: u64 = 4;
/// Iterations of one attempt: the service allows 5,000.
const MAX_INDEX: u64 = 7_168;
/// Odd, so that multiplying by it can be undone.
const FACTOR: u64 = 0x12_5a1d_9c3b_6e95 & ID_MASK;
/// Where minutes are counted from: 2020-01-01.
const EPOCH_S: i64 = 1_577_836_800;

impl RunKey {
    /// The run that a job's schedule launched in one minute. `job` is the job's index in its workspace.
    pub(super) fn fired(job: usize, at: Instant) -> Self {
        let minute = u64::try_from((at.timestamp() - EPOCH_S).div_euclid(60)).unwrap_or(0) & 0xff_ffff;
        Self(minute << JOB_BITS | (job as u64 & ((1 << JOB_BITS) - 1)))
    }

    /// The `number`th run that the living world launched.
    pub(super) fn live(number: u64) -> Self {
        Self(LIVE | (number & (DERIVED - 1)))
    }

    /// The run that an attempt of a task of another run launches, where that other run has no minute of its own.
    pub(super) fn derived(parent: Self, task: usize, number: u32) -> Self {
        let draw = super::draw::Draw::new(parent.0).at(task as u64).at(u64::from(number));
        Self(LIVE | DERIVED | (draw.bits() & (DERIVED - 1)))
    }

    /// The job's index and the minute, of a run that history holds; none for one that the living world launched.
    pub(super) fn fire(self) -> Option<(usize, Instant)> {
        if self.0 & LIVE != 0 {
            return None;
        }
        let job = usize::try_from(self.0 & ((1 << JOB_BITS) - 1)).ok()?;
        let minute = i64::try_from(self.0 >> JOB_BITS).ok()?;
        Some((job, Instant::from_timestamp(EPOCH_S + minute * 60, 0)?))
    }

    /// The id of a slot of this run.
    pub(super) fn id(self, slot: Slot) -> u64 {
        let slot = match slot {
            Slot::Run => 0,
            Slot::Attempt { task, number } => 1 + task as u64 * MAX_ATTEMPTS + u64::from(number).min(MAX_ATTEMPTS - 1),
            Slot::Repair(number) => REPAIRS + number.min(0x1ff),
            Slot::Iteration { each, number, index } => {
                let attempt =
                    each.min(MAX_EACH - 1) as u64 * MAX_EACH_ATTEMPTS + u64::from(number).min(MAX_EACH_ATTEMPTS - 1);
                ITERATIONS + attempt * MAX_INDEX + index.min(MAX_INDEX - 1)
            }
        };
        scramble(self.0 << SLOT_BITS | slot)
    }

    /// What an id names.
    pub(super) fn of(id: u64) -> Option<(Self, Slot)> {
        if id > ID_MASK {
            return None;
        }
        let plain = unscramble(id);
        let slot = match plain & ((1 << SLOT_BITS) - 1) {
            0 => Slot::Run,
            slot if slot >= ITERATIONS => {
                let (attempt, index) = ((slot - ITERATIONS) / MAX_INDEX, (slot - ITERATIONS) % MAX_INDEX);
                Slot::Iteration {
                    each: usize::try_from(attempt / MAX_EACH_ATTEMPTS).ok()?,
                    number: u32::try_from(attempt % MAX_EACH_ATTEMPTS).ok()?,
                    index,
                }
            }
            slot if slot >= REPAIRS => Slot::Repair(slot - REPAIRS),
            slot => Slot::Attempt {
                task: usize::try_from((slot - 1) / MAX_ATTEMPTS).ok()?,
                number: u32::try_from((slot - 1) % MAX_ATTEMPTS).ok()?,
            },
        };
        Some((Self(plain >> SLOT_BITS), slot))
    }

    /// For draws.
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

fn scramble(plain: u64) -> u64 {
    let mixed = plain.wrapping_mul(FACTOR) & ID_MASK;
    (mixed ^ (mixed >> 27)).wrapping_mul(FACTOR) & ID_MASK
}

fn unscramble(id: u64) -> u64 {
    let inverse = inverse();
    let mixed = id.wrapping_mul(inverse) & ID_MASK;
    (mixed ^ (mixed >> 27)).wrapping_mul(inverse) & ID_MASK
}

/// The inverse of [`FACTOR`] modulo 2^64 (Newton's iteration doubles the right bits), hence modulo 2^53 too.
const fn inverse() -> u64 {
    let mut inverse = FACTOR;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_run_and_slot(
            job in 0_usize..1_024, minute in 0_i64..15_000_000, task in 0_usize..1_000, number in 0_u32..16,
        ) {
            let at = Instant::from_timestamp(EPOCH_S + minute * 60, 0).expect("in range");
            let key = RunKey::fired(job, at);
            prop_assert_eq!(key.fire(), Some((job, at)));
            let iteration = Slot::Iteration { each: task % MAX_EACH, number: number % 4, index: task as u64 * 7 };
            for slot in [iteration, Slot::Run, Slot::Attempt { task, number }, Slot::Repair(u64::from(number))] {
                let id = key.id(slot);
                prop_assert!(id < 1 << 53);
                prop_assert_eq!(RunKey::of(id), Some((key, slot)));
            }
            prop_assert_eq!(RunKey::live(minute.unsigned_abs()).fire(), None);
        }
    }

    #[test]
    fn an_id_that_no_run_has_names_nothing() {
        assert_eq!(RunKey::of(u64::MAX), None);
    }
}
