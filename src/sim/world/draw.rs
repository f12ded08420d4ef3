//! Randomness as a pure function: a draw is a key, and the same key always gives the same value.
//!
//! A world that is asked for yesterday's runs before today's must answer as one that is asked the other way round,
//! so nothing here has a state that depends on the order of the questions.

/// A point in the space of random values; derive further points with [`Draw::at`] and [`Draw::named`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw(u64);

impl Draw {
    /// The root of all draws of one seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x1a6e_5b1f_7000_0001))
    }

    /// The draw below this one with a number.
    pub(super) fn at(self, key: u64) -> Self {
        Self(mix(self.0 ^ mix(key.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// The draw below this one with a name.
    pub(super) fn named(self, key: &str) -> Self {
        // FNV-1a: short names, no need for more.
        let hash = key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        self.at(hash)
    }

    /// All 64 bits.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub(super) fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..bound`; 0 for an empty range.
    pub(super) fn below(self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0 % bound }
    }

    /// True with the probability `p`.
    pub(super) fn chance(self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of the choices; the slice must not be empty.
    pub(super) fn pick<T>(self, choices: &[T]) -> &T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        &choices[index]
    }

    /// Standard normal (Box and Muller).
    pub(super) fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.at(1).unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.at(2).unit()).cos()
    }

    /// Log-normal about a median; `sigma` is the standard deviation of the logarithm. Cut at 2.5 sigma, since the
    /// tail beyond it would look like a fault that nobody put there.
    pub(super) fn log_normal(self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal().clamp(-2.5, 2.5)).exp()
    }

    /// A version 4 UUID in lower case.
    pub(super) fn uuid(self) -> String {
        let (high, low) = (self.at(11).0, self.at(12).0);
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

/// The finalizer of splitmix64: every bit of the key moves every bit of the value.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_value_and_another_key_another() {
        let root = Draw::new(7);
        assert_eq!(root.named("a").at(3), Draw::new(7).named("a").at(3));
        assert_ne!(root.named("a").at(3), root.named("a").at(4));
        assert_ne!(Draw::new(7).uuid(), Draw::new(8).uuid());
    }

    #[test]
    fn the_median_of_a_log_normal_is_where_it_was_put() {
        let mut values: Vec<f64> = (0..2_001).map(|key| Draw::new(1).at(key).log_normal(100.0, 0.3)).collect();
        values.sort_by(f64::total_cmp);
        assert!((95.0..105.0).contains(&values[1_000]), "median {}", values[1_000]);
        assert!(values[1_900] > 140.0, "the upper tail is thin: {}", values[1_900]);
    }

    #[test]
    fn chances_come_out_in_proportion() {
        let hits = (0..10_000).filter(|key| Draw::new(5).at(*key).chance(0.25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }
}
