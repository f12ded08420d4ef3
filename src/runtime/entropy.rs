//! The door to chance: what must differ between two processes that start in the same millisecond on two machines.
//!
//! Everything else that draws is seeded by its caller; ids of operations and of journal entries cannot be.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::domain::Instant;
use crate::domain::ulid::Ulid;

/// Makes ids. A simulation hands in one that counts.
pub trait Ids: Send {
    /// A new id, made at an instant.
    fn ulid(&mut self, at: Instant) -> Ulid;
}

/// Ids by the operating system's own chance.
#[derive(Debug, Default)]
pub struct SystemIds {
    drawn: u64,
}

impl Ids for SystemIds {
    fn ulid(&mut self, at: Instant) -> Ulid {
        self.drawn += 1;
        // The standard library keys its hash maps from the operating system's generator: its one way to it.
        let half = || {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(self.drawn);
            u128::from(hasher.finish())
        };
        let chance = (half() << 64) | half();
        Ulid::new(u64::try_from(at.timestamp_millis()).unwrap_or(0), chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_differ() {
        let at = crate::domain::fixture::now();
        let (mut one, mut other) = (SystemIds::default(), SystemIds::default());
        let ids: std::collections::BTreeSet<Ulid> = (0..1_000).flat_map(|_| [one.ulid(at), other.ulid(at)]).collect();
        assert_eq!(ids.len(), 2_000);
    }
}
