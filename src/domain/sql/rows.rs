//! Rows of a result, complete, with typed access to their cells.
//!
//! Engines render every value as text or null (databricks-api.md 5.3); the reader says what it expects, and what does
//! not fit is an error that names column and row, never a default.

use chrono::{DateTime, NaiveDate};

use super::decimal::Decimal;
use crate::domain::Instant;
use crate::domain::ids::StatementId;
use crate::domain::text;

/// The longest value that an error shows, in characters.
const MAX_SHOWN: usize = 60;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name. From outside.
    pub name: String,
    /// Its SQL type as the engine words it: `BIGINT`, `DECIMAL(10,2)`, `ARRAY<STRING>`.
    pub type_text: String,
}

/// What a statement gave. Statements that return nothing have no columns and no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The statement at its engine: the key into query history.
    pub statement: StatementId,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The cells, row by row, one a column.
    pub cells: Vec<Vec<Option<String>>>,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    at: usize,
    cells: &'a [Option<String>],
}

/// A cell that is not what its reader expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// There is no such column.
    #[error("the result has no column {column}")]
    NoColumn {
        /// The column asked for.
        column: String,
    },
    /// It is NULL where a value must be.
    #[error("row {row}, column {column} is NULL")]
    Null {
        /// The row, from 1.
        row: usize,
        /// The column.
        column: String,
    },
    /// Its text is no value of the expected type.
    #[error("row {row}, column {column}: `{shown}` is no {expected}")]
    Unreadable {
        /// The row, from 1.
        row: usize,
        /// The column.
        column: String,
        /// The beginning of its text.
        shown: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.iter().enumerate().map(|(at, cells)| Row { rows: self, at, cells })
    }

    /// The first row.
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// How many rows an `INSERT`, `UPDATE`, `DELETE` or `MERGE` changed.
    ///
    /// # Errors
    /// When the result has no such count: it is of another kind of statement.
    pub fn affected(&self) -> Result<u64, CellError> {
        let missing = || CellError::NoColumn { column: AFFECTED.to_owned() };
        self.first().ok_or_else(missing)?.read(AFFECTED, "count", |text| text.parse().ok())
    }
}

/// What the engines call the number of changed rows.
const AFFECTED: &str = "num_affected_rows";

impl<'a> Row<'a> {
    /// The text of a cell; none if it is NULL.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn text(&self, column: &str) -> Result<Option<&'a str>, CellError> {
        let at = self.rows.columns.iter().position(|known| known.name.eq_ignore_ascii_case(column));
        let cell = at.and_then(|at| self.cells.get(at));
        Ok(cell.ok_or_else(|| CellError::NoColumn { column: column.to_owned() })?.as_deref())
    }

    /// The text of a cell that must not be NULL.
    ///
    /// # Errors
    /// When there is no such column, or it is NULL.
    pub fn string(&self, column: &str) -> Result<&'a str, CellError> {
        self.text(column)?.ok_or_else(|| CellError::Null { row: self.at + 1, column: column.to_owned() })
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is missing, NULL, or no whole number of 64 bits.
    pub fn int(&self, column: &str) -> Result<i64, CellError> {
        self.read(column, "whole number", |text| text.parse().ok())
    }

    /// A truth value.
    ///
    /// # Errors
    /// When it is missing, NULL, or neither `true` nor `false`.
    pub fn bool(&self, column: &str) -> Result<bool, CellError> {
        self.read(column, "truth value", |text| text.parse().ok())
    }

    /// An exact decimal.
    ///
    /// # Errors
    /// When it is missing, NULL, or no decimal.
    pub fn decimal(&self, column: &str) -> Result<Decimal, CellError> {
        self.read(column, "decimal", |text| text.parse().ok())
    }

    /// A `TIMESTAMP`. The statement API renders milliseconds: select `unix_micros(...)` where order matters below them.
    ///
    /// # Errors
    /// When it is missing, NULL, or has no zone.
    pub fn timestamp(&self, column: &str) -> Result<Instant, CellError> {
        self.read(column, "timestamp", |text| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))
    }

    /// A `DATE`.
    ///
    /// # Errors
    /// When it is missing, NULL, or no date.
    pub fn date(&self, column: &str) -> Result<NaiveDate, CellError> {
        self.read(column, "date", |text| text.parse().ok())
    }

    /// Whether a cell is NULL: for columns that may be, before the typed read.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn is_null(&self, column: &str) -> Result<bool, CellError> {
        self.text(column).map(|text| text.is_none())
    }

    fn read<T>(
        &self,
        column: &str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, CellError> {
        let found = self.string(column)?;
        parse(found).ok_or_else(|| CellError::Unreadable {
            row: self.at + 1,
            column: column.to_owned(),
            shown: text::line(found).chars().take(MAX_SHOWN).collect(),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[(&str, Option<&str>)]) -> Rows {
        let column = |name: &str| Column { name: name.to_owned(), type_text: "STRING".to_owned() };
        Rows {
            statement: StatementId::new("s"),
            columns: cells.iter().map(|(name, _)| column(name)).collect(),
            cells: vec![cells.iter().map(|(_, cell)| cell.map(str::to_owned)).collect()],
        }
    }

    #[test]
    fn cells_are_read_by_their_type() {
        let rows = rows(&[
            ("s", Some("x")),
            ("i", Some("-9223372036854775808")),
            ("b", Some("true")),
            ("d", Some("12.50")),
            ("t", Some("2021-06-15T12:34:56.789-07:00")),
            ("day", Some("2026-02-28")),
            ("n", None),
        ]);
        let row = rows.first().expect("a row");
        assert_eq!((row.string("S"), row.int("i"), row.bool("b")), (Ok("x"), Ok(i64::MIN), Ok(true)));
        assert_eq!(row.decimal("d").map(|d| d.to_string()).as_deref(), Ok("12.50"));
        assert_eq!(row.timestamp("t").map(|t| t.to_rfc3339()).as_deref(), Ok("2021-06-15T19:34:56.789+00:00"));
        assert_eq!(row.date("day").map(|d| d.to_string()).as_deref(), Ok("2026-02-28"));
        assert_eq!((row.text("n"), row.is_null("n"), row.is_null("s")), (Ok(None), Ok(true), Ok(false)));
    }

    #[test]
    fn what_does_not_fit_names_its_place() {
        let rows = rows(&[("n", None), ("x", Some("1.5\u{1b}[2J"))]);
        let row = rows.first().expect("a row");
        let said = |error: CellError| error.to_string();
        assert_eq!(row.string("n").map_err(said), Err("row 1, column n is NULL".into()));
        assert_eq!(row.int("x").map_err(said), Err("row 1, column x: `1.5` is no whole number".into()));
        assert_eq!(row.int("y").map_err(said), Err("the result has no column y".into()));
        assert_eq!(rows.affected().map_err(said), Err("the result has no column num_affected_rows".into()));
    }

    #[test]
    fn changed_rows_are_counted() {
        assert_eq!(rows(&[("num_affected_rows", Some("3"))]).affected(), Ok(3));
        assert!(rows(&[("num_affected_rows", Some("-1"))]).affected().is_err());
    }
}
