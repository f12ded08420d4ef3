//! Decimals as SQL has them: exact, with up to 38 digits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most digits of a SQL decimal.
const MAX_DIGITS: usize = 38;

/// An exact decimal: `unscaled` times ten to the power of minus `scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    unscaled: i128,
    scale: u8,
}

/// A text that is no decimal of at most 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of at most 38 digits")]
pub struct NotADecimal;

impl Decimal {
    /// All its digits as one integer.
    pub fn unscaled(self) -> i128 {
        self.unscaled
    }

    /// How many of its digits stand behind the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Sign, integer part and fraction, the fraction filled up to 38 digits: this orders decimals of any scale.
    fn parts(self) -> (i128, i128) {
        let unit = 10_i128.pow(u32::from(self.scale));
        let rest = 10_i128.pow(u32::try_from(MAX_DIGITS).unwrap_or(0) - u32::from(self.scale));
        (self.unscaled / unit, (self.unscaled % unit) * rest)
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    /// Reads plain notation (`-12.50`); SQL writes no exponents here.
    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || fraction.len() > MAX_DIGITS {
            return Err(NotADecimal);
        }
        if all.trim_start_matches('0').len() > MAX_DIGITS {
            return Err(NotADecimal);
        }
        let unscaled: i128 = all.parse().map_err(|_| NotADecimal)?;
        let scale = u8::try_from(fraction.len()).map_err(|_| NotADecimal)?;
        Ok(Self { unscaled: if negative { -unscaled } else { unscaled }, scale })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let point = if scale > 0 { "." } else { "" };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl PartialEq for Decimal {
    /// By value: 1.5 is 1.50.
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn values_are_compared_exactly() {
        assert_eq!(decimal("1.5"), decimal("+1.50"));
        assert!(decimal("-0.001") < decimal("0"));
        assert!(decimal("-2.5") < decimal("-2.4"));
        assert!(decimal("0.1") < decimal("0.10000000000000000000000000000000000001"));
        let most = "99999999999999999999999999999999999999";
        assert!(decimal(most) > decimal("9999999999999999999999999999999999999.9"));
        assert_eq!(decimal(most).to_string(), most);
        assert_eq!((decimal("12.340").unscaled(), decimal("12.340").scale()), (12_340, 3));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for bad in ["", ".", "-", "1e3", "1.2.3", "NaN", " 1", "100000000000000000000000000000000000000"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_prints_what_it_read(whole in 0u64.., fraction in "[0-9]{0,18}", negative: bool) {
            let point = if fraction.is_empty() { "" } else { "." };
            let zero = whole == 0 && fraction.bytes().all(|byte| byte == b'0');
            let sign = if negative && !zero { "-" } else { "" };
            let text = format!("{sign}{whole}{point}{fraction}");
            prop_assert_eq!(decimal(&text).to_string(), text);
        }
    }
}
