//! Exact decimals: 128 bits unscaled, 256 bits where a product or a quotient needs them, rounding half up.

use std::fmt;

/// A number `unscaled / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits with the point left out.
    pub unscaled: i128,
    /// Digits after the point, at most 38.
    pub scale: u8,
}

/// 10^n for n up to 38; none beyond.
fn power(n: u32) -> Option<i128> {
    10_i128.checked_pow(n)
}

impl Decimal {
    /// A whole number.
    #[must_use]
    pub fn from_integer(value: i64) -> Self {
        Self { unscaled: value.into(), scale: 0 }
    }

    /// Reads plain or scientific notation; none when it is no number or has more than 38 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((m, e)) => (m, e.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix(['-', '+']) {
            Some(rest) => (mantissa.starts_with('-'), rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut unscaled: i128 = all.parse().ok()?;
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while scale < 0 {
            unscaled = unscaled.checked_mul(10)?;
            scale += 1;
        }
        while scale > 38 {
            unscaled = round_digit(unscaled);
            scale -= 1;
        }
        let unscaled = if negative { -unscaled } else { unscaled };
        Some(Self { unscaled, scale: u8::try_from(scale).ok()? })
    }

    /// The same number at another scale, rounded half up; none when it leaves 128 bits.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        let unscaled = if scale >= self.scale {
            self.unscaled.checked_mul(power((scale - self.scale).into())?)?
        } else {
            let drop = self.scale - scale;
            let kept = self.unscaled / power(u32::from(drop) - 1)?;
            round_digit(kept)
        };
        Some(Self { unscaled, scale })
    }

    /// The same number rounded half up to `places` after the point, or with `zeros` before it.
    #[must_use]
    pub fn rounded_to(self, places: u8, zeros: u8) -> Option<Self> {
        if zeros == 0 {
            return self.rescale(places);
        }
        let drop = u32::from(self.scale) + u32::from(zeros);
        // More digits away than there are: nothing is left.
        let kept = power(drop - 1).map_or(0, |unit| round_digit(self.unscaled / unit));
        Some(Self { unscaled: kept.checked_mul(power(zeros.into())?)?, scale: 0 })
    }

    /// The same number fitted into precision and scale; none when it has more digits.
    #[must_use]
    pub fn fit(self, precision: u8, scale: u8) -> Option<Self> {
        let fitted = self.rescale(scale)?;
        (fitted.unscaled.unsigned_abs() < power(precision.into())?.unsigned_abs()).then_some(fitted)
    }

    /// Sum at the greater scale.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unscaled = self.rescale(scale)?.unscaled.checked_add(other.rescale(scale)?.unscaled)?;
        Some(Self { unscaled, scale })
    }

    /// The number with the other sign.
    #[must_use]
    pub fn negate(self) -> Self {
        Self { unscaled: -self.unscaled, scale: self.scale }
    }

    /// Product, rounded to a scale.
    #[must_use]
    pub fn multiply(self, other: Self, scale: u8) -> Option<Self> {
        let negative = (self.unscaled < 0) != (other.unscaled < 0);
        let product = Wide::product(self.unscaled.unsigned_abs(), other.unscaled.unsigned_abs());
        let full = u32::from(self.scale) + u32::from(other.scale);
        let magnitude = if full > u32::from(scale) {
            let mut wide = product;
            for _ in 0..full - u32::from(scale) - 1 {
                wide = wide.divide(10).0;
            }
            let (mut rounded, digit) = wide.divide(10);
            if digit >= 5 {
                rounded = rounded.increment();
            }
            rounded.narrow()?
        } else {
            product.narrow()?.checked_mul(power(u32::from(scale) - full)?.unsigned_abs())?
        };
        signed(magnitude, negative).map(|unscaled| Self { unscaled, scale })
    }

    /// Quotient, rounded half up to a scale; none for a zero divisor or too many digits.
    #[must_use]
    pub fn divide(self, other: Self, scale: u8) -> Option<Self> {
        if other.unscaled == 0 {
            return None;
        }
        let negative = (self.unscaled < 0) != (other.unscaled < 0);
        let up = i32::from(scale) - i32::from(self.scale) + i32::from(other.scale);
        let mut numerator = Wide::product(self.unscaled.unsigned_abs(), 1);
        let mut divisor = other.unscaled.unsigned_abs();
        if up >= 0 {
            let mut left = up.unsigned_abs();
            while left > 0 {
                let step = left.min(38);
                numerator = Wide::product(numerator.narrow()?, power(step)?.unsigned_abs());
                left -= step;
            }
        } else {
            divisor = divisor.checked_mul(power(up.unsigned_abs())?.unsigned_abs())?;
        }
        let (quotient, remainder) = numerator.divide(divisor);
        let rounded = if remainder >= divisor - remainder { quotient.increment() } else { quotient };
        signed(rounded.narrow()?, negative).map(|unscaled| Self { unscaled, scale })
    }

    /// Remainder with the sign of the dividend, at the greater scale.
    #[must_use]
    pub fn remainder(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unscaled = self.rescale(scale)?.unscaled.checked_rem(other.rescale(scale)?.unscaled)?;
        Some(Self { unscaled, scale })
    }

    /// Rounded towards minus infinity to a whole number.
    #[must_use]
    pub fn floor(self) -> i128 {
        self.unscaled.div_euclid(power(self.scale.into()).unwrap_or(i128::MAX))
    }

    /// Cut towards zero to a whole number.
    #[must_use]
    pub fn truncate(self) -> i128 {
        self.unscaled / power(self.scale.into()).unwrap_or(i128::MAX)
    }

    /// The nearest double, by way of the decimal text, so that it is correctly rounded.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

fn signed(magnitude: u128, negative: bool) -> Option<i128> {
    let value = i128::try_from(magnitude).ok()?;
    Some(if negative { -value } else { value })
}

/// Drops the last digit, rounding half up by magnitude.
fn round_digit(value: i128) -> i128 {
    let (quotient, digit) = (value / 10, value % 10);
    if digit.abs() >= 5 { quotient + value.signum() } else { quotient }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// An unsigned number of 256 bits.
#[derive(Clone, Copy)]
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    fn product(a: u128, b: u128) -> Self {
        const HALF: u128 = (1 << 64) - 1;
        let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
        let (low, mid1, mid2, high) = (a0 * b0, a1 * b0, a0 * b1, a1 * b1);
        let carry = (low >> 64) + (mid1 & HALF) + (mid2 & HALF);
        Self { high: high + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64), low: (carry << 64) | (low & HALF) }
    }

    /// Quotient and remainder, bit by bit: divisors are below 10^38, so the remainder never leaves 128 bits.
    fn divide(self, divisor: u128) -> (Self, u128) {
        let (mut quotient, mut remainder) = (Self { high: 0, low: 0 }, 0_u128);
        for bit in (0..256).rev() {
            let set = if bit >= 128 { self.high >> (bit - 128) & 1 } else { self.low >> bit & 1 };
            remainder = (remainder << 1) | set;
            if remainder >= divisor {
                remainder -= divisor;
                if bit >= 128 { quotient.high |= 1 << (bit - 128) } else { quotient.low |= 1 << bit }
            }
        }
        (quotient, remainder)
    }

    fn increment(self) -> Self {
        let (low, carried) = self.low.overflowing_add(1);
        Self { high: self.high + u128::from(carried), low }
    }

    fn narrow(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn arithmetic_is_exact_and_rounds_half_up() {
        assert_eq!(decimal("1.005").rescale(2).unwrap().to_string(), "1.01");
        assert_eq!(decimal("-1.005").rescale(2).unwrap().to_string(), "-1.01");
        assert_eq!(decimal("0.04").rescale(0).unwrap().to_string(), "0");
        let price = decimal("1000.000000000000000001");
        assert_eq!(price.multiply(price, 6).unwrap().to_string(), "1000000.000000");
        assert_eq!(decimal("1").divide(decimal("3"), 6).unwrap().to_string(), "0.333333");
        assert_eq!(decimal("2").divide(decimal("3"), 6).unwrap().to_string(), "0.666667");
        assert_eq!(decimal("1e3").to_string(), "1000");
        assert_eq!(decimal("-0.5").floor(), -1);
        assert_eq!(decimal("7").remainder(decimal("-2.5")).unwrap().to_string(), "2.0");
        assert!(decimal("100").fit(4, 2).is_none());
        assert!(Decimal::parse("1.2.3").is_none() && Decimal::parse("").is_none() && Decimal::parse("-").is_none());
    }

    proptest! {
        #[test]
        fn products_agree_with_whole_numbers(a in any::<i64>(), b in any::<i64>()) {
            let product = Decimal::from_integer(a).multiply(Decimal::from_integer(b), 0).unwrap();
            prop_assert_eq!(product.unscaled, i128::from(a) * i128::from(b));
            if b != 0 {
                let quotient = product.divide(Decimal::from_integer(b), 0).unwrap();
                prop_assert_eq!(quotient.unscaled, i128::from(a));
            }
        }
    }
}
