//! What names mean at a place in a query, and what an expression becomes.

use crate::sim::sql::types::DataType;
use crate::sim::sql::values::Value;

/// A column in sight.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    /// Names by which it can be qualified: an alias, or the levels of a table.
    pub(crate) qualifier: Vec<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) ty: DataType,
    /// Whether it can be NULL.
    pub(crate) nullable: bool,
    /// The SQLite text that reads it.
    pub(crate) sql: String,
    /// Whether `*` and plain names see it; columns merged by USING are hidden behind the merged one.
    pub(crate) shown: bool,
}

impl ScopeColumn {
    /// Whether `parts` is the end of the qualifier.
    pub(crate) fn qualified_by(&self, parts: &[String]) -> bool {
        let skip = self.qualifier.len().checked_sub(parts.len());
        skip.and_then(|skip| self.qualifier.get(skip..))
            .is_some_and(|tail| tail.iter().zip(parts).all(|(a, b)| a.eq_ignore_ascii_case(b)))
    }
}

/// Names in sight, and those of the queries around.
#[derive(Default)]
pub(crate) struct Scope<'p> {
    pub(crate) columns: Vec<ScopeColumn>,
    pub(crate) parent: Option<&'p Scope<'p>>,
    /// Output columns by alias, for lateral aliases and ORDER BY.
    pub(crate) aliases: Vec<(String, Bound)>,
    /// Texts of the grouping expressions, when there are any.
    pub(crate) groups: Vec<String>,
}

impl Scope<'_> {
    /// The bound expression, no longer loose when it is one of the grouping expressions.
    pub(crate) fn settle(&self, mut bound: Bound) -> Bound {
        if bound.loose && self.groups.contains(&bound.sql) {
            bound.loose = false;
        }
        bound
    }
}

/// An expression with its type.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// SQLite text.
    pub(crate) sql: String,
    /// Type of the value.
    pub(crate) ty: DataType,
    /// Whether it can be NULL.
    pub(crate) nullable: bool,
    /// The value, when it is a constant.
    pub(crate) literal: Option<Value>,
    /// Whether a column of this query is used outside an aggregate and outside the grouping expressions.
    pub(crate) loose: bool,
    /// Whether an aggregate is inside.
    pub(crate) aggregate: bool,
    /// Whether a window function is inside.
    pub(crate) window: bool,
}

impl Bound {
    /// A constant.
    pub(crate) fn literal(value: Value, ty: DataType) -> Self {
        Self {
            sql: text(&value, &ty),
            nullable: value.is_null(),
            literal: Some(value),
            ty,
            loose: false,
            aggregate: false,
            window: false,
        }
    }

    /// An expression over others.
    pub(crate) fn over<'a>(sql: String, ty: DataType, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut whole = Self { sql, ty, nullable: false, literal: None, loose: false, aggregate: false, window: false };
        for part in parts {
            whole.nullable |= part.nullable;
            whole.loose |= part.loose;
            whole.aggregate |= part.aggregate;
            whole.window |= part.window;
        }
        whole
    }

    /// The same expression, said to be possibly NULL.
    pub(crate) fn maybe_null(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// The SQLite literal of a value.
pub(crate) fn text(value: &Value, ty: &DataType) -> String {
    use rusqlite::types::Value as Stored;
    match value.to_stored(ty) {
        Stored::Null => "NULL".to_owned(),
        Stored::Integer(n) => format!("({n})"),
        Stored::Real(d) if d.is_infinite() => {
            if d > 0.0 {
                "9e999".to_owned()
            } else {
                "(-9e999)".to_owned()
            }
        }
        Stored::Real(d) => format!("({d:e})"),
        Stored::Text(s) => quoted(&s),
        Stored::Blob(bytes) => format!("x'{}'", hex(&bytes)),
    }
}

/// A SQLite string literal; a text with a NUL byte goes through a blob, since literals end there.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains('\0') {
        return format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
