//! The functions of the engine: each says which types it takes and gives, and how it computes. All reach SQLite through one door, `call`
//! (and `aggregate`), whose first argument is the resolved signature.

pub(crate) mod aggregates;
mod arrays;
mod hash;
mod math;
mod nested;
mod numeric;
mod pattern;
mod text;
mod time;

pub(crate) use text::like;

use super::cast;
use super::error::{Result, SqlError};
use super::types::DataType;
use super::values::Value;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The types that a call takes after conversion, and the type that it gives.
pub(crate) type Checked = Option<(Vec<DataType>, DataType)>;

/// A scalar function.
pub(crate) struct Routine {
    /// Lower-case name; names that no user can write (`+`, `cast`) are operators.
    pub(crate) name: &'static str,
    /// Fewest and most arguments.
    pub(crate) arity: (usize, usize),
    /// Whether NULL arguments reach the function; otherwise any NULL gives NULL.
    pub(crate) sees_null: bool,
    /// Resolves argument types; none when they do not fit.
    pub(crate) check: fn(&[DataType]) -> Checked,
    /// Computes.
    pub(crate) eval: fn(&Signature, &[Value]) -> Result<Value>,
}

/// No upper bound of arguments.
pub(crate) const MANY: usize = usize::MAX;

/// A shorthand for tables of routines: a function that gives NULL for NULL.
const fn strict(
    name: &'static str,
    arity: (usize, usize),
    check: fn(&[DataType]) -> Checked,
    eval: fn(&Signature, &[Value]) -> Result<Value>,
) -> Routine {
    Routine { name, arity, sees_null: false, check, eval }
}

/// A shorthand for tables of routines: a function that looks at NULLs itself.
const fn lenient(
    name: &'static str,
    arity: (usize, usize),
    check: fn(&[DataType]) -> Checked,
    eval: fn(&Signature, &[Value]) -> Result<Value>,
) -> Routine {
    Routine { name, arity, sees_null: true, check, eval }
}

/// A routine with its types settled.
pub(crate) struct Signature {
    routine: &'static Routine,
    /// Types of the arguments.
    pub(crate) args: Vec<DataType>,
    /// Type of the result.
    pub(crate) result: DataType,
}

/// Between the parts of a signature's text: a sign that no type contains.
const PART: char = '\u{1}';

impl Signature {
    /// The text that stands as first argument of `call`.
    pub(crate) fn encode(name: &str, args: &[DataType], result: &DataType) -> String {
        let mut parts = vec![name.to_owned(), result.to_string()];
        parts.extend(args.iter().map(ToString::to_string));
        parts.join(&PART.to_string())
    }

    fn decode(text: &str) -> Result<Self> {
        let mut parts = text.split(PART);
        let routine = parts.next().and_then(find).ok_or_else(|| SqlError::from_text("a call without routine"))?;
        let result = DataType::parse(parts.next().unwrap_or_default())?;
        let args = parts.map(DataType::parse).collect::<Result<_>>()?;
        Ok(Self { routine, args, result })
    }

    /// Runs the routine on values of its argument types.
    pub(crate) fn evaluate(&self, values: &[Value]) -> Result<Value> {
        if !self.routine.sees_null && values.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        (self.routine.eval)(self, values)
    }
}

/// The routine of a name.
pub(crate) fn find(name: &str) -> Option<&'static Routine> {
    static ALL: LazyLock<HashMap<&'static str, &'static Routine>> = LazyLock::new(|| {
        let tables = [
            CASTS,
            numeric::ROUTINES,
            math::DOUBLES,
            math::ROUTINES,
            text::ROUTINES,
            pattern::ROUTINES,
            time::ROUTINES,
            nested::ROUTINES,
            arrays::ROUTINES,
            hash::ROUTINES,
        ];
        tables.into_iter().flatten().map(|routine| (routine.name, routine)).collect()
    });
    let name = match name {
        "substr" => "substring",
        "char_length" | "character_length" | "len" => "length",
        "lcase" => "lower",
        "ucase" => "upper",
        "mod" => "%",
        "ceiling" => "ceil",
        "pow" => "power",
        "negative" => "-1",
        "date_diff" => "datediff",
        "dateadd" => "date_add",
        "day" => "dayofmonth",
        "sign" => "signum",
        "cardinality" => "size",
        "rlike" | "regexp" => "regexp_like",
        "sha" => "sha1",
        "char" => "chr",
        "to_unix_timestamp" => "unix_timestamp",
        other => other,
    };
    ALL.get(name).copied()
}

const CASTS: &[Routine] = &[
    lenient("store", (1, 1), |_| None, |s, v| cast::into_column(&v[0], &s.args[0], &s.result)),
    lenient("cast", (1, 1), |_| None, |s, v| cast::cast(&v[0], &s.args[0], &s.result)),
    lenient("try_cast", (1, 1), |_| None, |s, v| Ok(cast::cast(&v[0], &s.args[0], &s.result).unwrap_or(Value::Null))),
];

/// Gives a connection the doors `call`, `aggregate` and `draw`: that one gives sixty-four random bits each time.
pub(crate) fn register(connection: &Connection, seed: u64) -> rusqlite::Result<()> {
    let random = Mutex::new(ChaCha8Rng::seed_from_u64(seed));
    connection.create_scalar_function("draw", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        Ok(random.lock().unwrap_or_else(PoisonError::into_inner).random::<i64>())
    })?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("call", -1, flags, |context| {
        let signature = context.get_or_create_aux(0, |raw| Signature::decode(raw.as_str().unwrap_or_default()))?;
        let values = signature.args.iter().enumerate().map(|(at, ty)| Value::from_stored(context.get_raw(at + 1), ty));
        let values = values.collect::<Result<Vec<_>>>().map_err(user_error)?;
        signature.evaluate(&values).map(|value| value.to_stored(&signature.result)).map_err(user_error)
    })?;
    aggregates::register(connection)
}

/// Hands an error to SQLite, which carries its text.
fn user_error(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(error))
}

/// A check for fixed argument types; a call with fewer arguments takes the first ones.
fn takes(args: &[DataType], wanted: &[DataType], result: DataType) -> Checked {
    Some((wanted.get(..args.len())?.to_vec(), result))
}

/// The text argument of a routine that is known to take one.
fn text_of(value: &Value) -> &str {
    value.text().unwrap_or_default()
}

/// The integer argument of a routine that is known to take one.
fn int_of(value: &Value) -> i64 {
    value.integer().unwrap_or_default()
}
