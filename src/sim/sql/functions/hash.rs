//! Hashes: `xxhash64` bit for bit as Spark computes it, and digests; random identifiers.

use super::{Checked, MANY, Routine, Signature, int_of, lenient, strict};
use crate::sim::sql::decimal::Decimal;
use crate::sim::sql::error::Result;
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use twox_hash::XxHash64;

pub(super) const ROUTINES: &[Routine] = &[
    lenient(
        "xxhash64",
        (1, MANY),
        |args| Some((args.to_vec(), T::BigInt)),
        |s: &Signature, v| {
            Ok(Value::Integer(v.iter().zip(&s.args).fold(42, |seed, (value, ty)| xxhash64(value, ty, seed))))
        },
    ),
    strict("md5", (1, 1), digest_types, |_, v| Ok(binary(v).map_or(Value::Null, |data| hex(&Md5::digest(data))))),
    strict("sha1", (1, 1), digest_types, |_, v| Ok(binary(v).map_or(Value::Null, |data| hex(&Sha1::digest(data))))),
    strict(
        "crc32",
        (1, 1),
        |_| Some((vec![T::Binary], T::BigInt)),
        |_, v| Ok(binary(v).map_or(Value::Null, |data| Value::Integer(crc32fast::hash(data).into()))),
    ),
    // From a hundred and twenty-eight random bits of the caller.
    strict(
        "uuid",
        (2, 2),
        |_| None,
        |_, v| {
            let bits = u128::from(int_of(&v[0]).cast_unsigned()) << 64 | u128::from(int_of(&v[1]).cast_unsigned());
            Ok(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string().into())
        },
    ),
    strict("sha2", (2, 2), |_| -> Checked { Some((vec![T::Binary, T::Int], T::String)) }, sha2),
];

/// Spark's chain: the hash of each value is the seed of the next; NULL leaves the seed.
fn xxhash64(value: &Value, ty: &T, seed: i64) -> i64 {
    match (value, ty) {
        (Value::Null, _) => seed,
        (Value::Boolean(b), _) => bytes(&i32::from(*b).to_le_bytes(), seed),
        (Value::Integer(n), T::TinyInt | T::SmallInt | T::Int | T::Date | T::YearMonth) => {
            bytes(&i32::try_from(*n).unwrap_or_default().to_le_bytes(), seed)
        }
        (Value::Integer(n), _) => bytes(&n.to_le_bytes(), seed),
        (Value::Double(d), T::Float) => {
            #[expect(clippy::cast_possible_truncation, reason = "a FLOAT holds what fits 32 bits")]
            let narrow = if *d == 0.0 { 0.0_f32 } else { *d as f32 };
            bytes(&narrow.to_bits().to_le_bytes(), seed)
        }
        (Value::Double(d), _) => {
            let positive_zero = if *d == 0.0 { 0.0 } else { *d };
            bytes(&positive_zero.to_bits().to_le_bytes(), seed)
        }
        (Value::Decimal(d), T::Decimal(precision, _)) => decimal(*d, *precision, seed),
        (Value::String(s), _) => bytes(s.as_bytes(), seed),
        (Value::Binary(b), _) => bytes(b, seed),
        (Value::List(items), T::Array(item)) => items.iter().fold(seed, |seed, v| xxhash64(v, item, seed)),
        (Value::List(items), T::Struct(fields)) => {
            items.iter().zip(fields).fold(seed, |seed, (v, (_, t))| xxhash64(v, t, seed))
        }
        (Value::Map(entries), T::Map(key, value)) => {
            entries.iter().fold(seed, |seed, (k, v)| xxhash64(v, value, xxhash64(k, key, seed)))
        }
        _ => seed,
    }
}

fn bytes(data: &[u8], seed: i64) -> i64 {
    XxHash64::oneshot(seed.cast_unsigned(), data).cast_signed()
}

/// Up to 18 digits as a long; beyond, as the shortest big-endian two's complement, like Java's `BigInteger.toByteArray`.
fn decimal(value: Decimal, precision: u8, seed: i64) -> i64 {
    if precision <= 18 {
        return bytes(&i64::try_from(value.unscaled).unwrap_or_default().to_le_bytes(), seed);
    }
    let full = value.unscaled.to_be_bytes();
    let sign = if value.unscaled < 0 { 0xFF } else { 0 };
    let redundant = full.windows(2).take_while(|pair| pair[0] == sign && (pair[1] & 0x80) == (sign & 0x80)).count();
    bytes(full.get(redundant..).unwrap_or(&full), seed)
}

fn digest_types(_: &[T]) -> Checked {
    Some((vec![T::Binary], T::String))
}

fn binary(v: &[Value]) -> Option<&[u8]> {
    if let Value::Binary(data) = &v[0] { Some(data) } else { None }
}

fn hex(digest: &[u8]) -> Value {
    Value::String(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn sha2(_: &Signature, v: &[Value]) -> Result<Value> {
    let Some(data) = binary(v) else { return Ok(Value::Null) };
    Ok(match int_of(&v[1]) {
        0 | 256 => hex(&Sha256::digest(data)),
        224 => hex(&Sha224::digest(data)),
        384 => hex(&Sha384::digest(data)),
        512 => hex(&Sha512::digest(data)),
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(value: impl Into<Value>, ty: &T) -> i64 {
        xxhash64(&value.into(), ty, 42)
    }

    #[test]
    fn known_vectors_of_spark() {
        let documented = [
            (Value::from("Spark"), T::String),
            (Value::List(vec![123.into()]), T::Array(Box::new(T::Int))),
            (2.into(), T::Int),
        ];
        assert_eq!(
            documented.iter().fold(42, |seed, (value, ty)| xxhash64(value, ty, seed)),
            5_602_566_077_635_097_486
        );
        assert_eq!(hash(1, &T::Int), -6_698_625_589_789_238_999);
        assert_eq!(hash(1, &T::BigInt), -7_001_672_635_703_045_582);
        assert_eq!(hash("", &T::String), -7_444_071_767_201_028_348);
        assert_eq!(hash(Value::Null, &T::Int), 42);
        assert_eq!(hash(true, &T::Boolean), hash(1, &T::Int));
        assert_eq!(hash(Value::Double(-0.0), &T::Double), hash(Value::Double(0.0), &T::Double));
    }

    #[test]
    fn wide_decimals_hash_their_shortest_bytes() {
        for (text, shortest) in
            [("0", vec![0]), ("127", vec![127]), ("128", vec![0, 128]), ("-1", vec![255]), ("-129", vec![255, 127])]
        {
            let value = Decimal::parse(text).unwrap();
            assert_eq!(decimal(value, 20, 42), bytes(&shortest, 42), "{text}");
        }
    }
}
