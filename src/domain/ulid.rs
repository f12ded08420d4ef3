//! ULIDs: identifiers that sort by the time at which they were made, so that rows of a ledger need no sequence.
//!
//! Nothing here draws: the instant and the chance are handed in, so a simulation makes the same ids again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Crockford's base 32: no I, L, O or U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Digits of a ULID.
const LENGTH: u32 = 26;

/// Bits of chance below the 48 bits of time.
const CHANCE_BITS: u32 = 80;

/// 48 bits of milliseconds since 1970 and 80 bits of chance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ulid(u128);

/// A text is not a ULID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a ULID: expected 26 of the digits and letters 0-9 A-Z without I, L, O and U")]
pub struct NoUlid(String);

impl Ulid {
    /// From an instant (milliseconds since 1970) and 80 bits of chance; further bits of both are left out.
    pub fn new(ms: u64, chance: u128) -> Self {
        Self((u128::from(ms) << CHANCE_BITS) | (chance & ((1 << CHANCE_BITS) - 1)))
    }

    /// When it was made, in milliseconds since 1970.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0 >> CHANCE_BITS).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LENGTH).rev() {
            let digit = usize::try_from((self.0 >> (place * 5)) & 31).unwrap_or(0);
            write!(f, "{}", char::from(DIGITS[digit]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Ulid {
    type Err = NoUlid;

    fn from_str(text: &str) -> Result<Self, NoUlid> {
        let wrong = || NoUlid(super::text::line(text).chars().take(40).collect());
        if text.len() != 26 || text.as_bytes()[0] > b'7' {
            return Err(wrong());
        }
        let mut value: u128 = 0;
        for letter in text.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == letter.to_ascii_uppercase()).ok_or_else(wrong)?;
            value = (value << 5) | u128::try_from(digit).map_err(|_| wrong())?;
        }
        Ok(Self(value))
    }
}

impl Serialize for Ulid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ulid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_reads_what_it_prints_and_sorts_by_time(ms in 0u64..1 << 48, chance: u128, later in 1u64..1_000_000) {
            let id = Ulid::new(ms, chance);
            prop_assert_eq!(id.to_string().len(), 26);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.ms(), ms);
            let next = Ulid::new((ms + later).min((1 << 48) - 1), 0);
            if next.ms() > ms {
                prop_assert!(next.to_string() > id.to_string(), "the text sorts as the time does");
            }
        }
    }

    #[test]
    fn what_is_no_ulid_is_refused() {
        for text in
            ["", "01", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FA\u{1b}"]
        {
            assert!(text.parse::<Ulid>().is_err(), "{text:?}");
        }
        assert!("01arz3ndektsv4rrffq69g5fav".parse::<Ulid>().is_ok(), "typed in small letters");
    }
}
