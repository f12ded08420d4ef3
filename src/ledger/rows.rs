//! Rows of the ledger: what is written, what was recorded, and their hashes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sql::SqlTrouble;
use super::tables::{Kind, Table};
use crate::domain::Instant;
use crate::domain::sql::Row;

/// Values by column, as text (see [`Kind`]); none is NULL.
pub type Values = BTreeMap<String, Option<String>>;

/// A fact on its way into the ledger.
///
/// Who says it and when is not part of it: the server adds both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Where it belongs.
    pub table: Table,
    /// What tells it from other facts of its table: the values of the key, with `/` between them.
    pub id: String,
    /// Its values. Columns that are not named are NULL.
    pub columns: Values,
    /// Of table and values, so that a retry is a visible double of the same fact.
    pub content_hash: String,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, or JSON.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Truth(bool),
    /// An instant.
    Time(Instant),
    /// Texts.
    Texts(Vec<String>),
    /// Millionths of a US dollar.
    Money(i64),
}

/// Why values are no row of a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// A required column has no value.
    #[error("a row of {table} needs `{column}`")]
    Missing {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A value is not of the column's kind, or there is no such column.
    #[error("a row of {table} cannot have this `{column}`")]
    Unfit {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
}

impl Value {
    /// Its kind and its text as rows hold it.
    fn text(self) -> (Kind, String) {
        match self {
            Self::Text(text) => (Kind::Text, text),
            Self::Number(number) => (Kind::Number, number.to_string()),
            Self::Truth(truth) => (Kind::Truth, truth.to_string()),
            Self::Time(at) => (Kind::Time, at.timestamp_micros().to_string()),
            Self::Texts(texts) => (Kind::Texts, serde_json::Value::from(texts).to_string()),
            Self::Money(millionths) => {
                let sign = if millionths < 0 { "-" } else { "" };
                let whole = millionths.unsigned_abs();
                (Kind::Money, format!("{sign}{}.{:06}", whole / 1_000_000, whole % 1_000_000))
            }
        }
    }
}

impl LedgerRow {
    /// A row of a table.
    ///
    /// # Errors
    /// When a required value is missing, or a value does not fit its column.
    pub fn new(table: Table, values: impl IntoIterator<Item = (&'static str, Value)>) -> Result<Self, BadRow> {
        let spec = table.spec();
        let mut columns: Values = spec.columns.iter().map(|column| (column.name.to_owned(), None)).collect();
        for (name, value) in values {
            let (kind, text) = value.text();
            let fits = spec.columns.iter().any(|column| column.name == name && column.kind == kind);
            match columns.get_mut(name).filter(|_| fits) {
                Some(place) => *place = Some(text),
                None => return Err(BadRow::Unfit { table: spec.name, column: name.to_owned() }),
            }
        }
        for column in spec.columns.iter().filter(|column| column.required) {
            if columns.get(column.name).is_none_or(Option::is_none) {
                return Err(BadRow::Missing { table: spec.name, column: column.name });
            }
        }
        Ok(Self { table, id: id_of(table, &columns), content_hash: content_hash(table, &columns), columns })
    }

    /// The row as the append statement takes it: a JSON object of texts.
    pub fn json(&self) -> serde_json::Value {
        let hash = [("content_hash".to_owned(), Some(self.content_hash.clone()))];
        let fields = self.columns.clone().into_iter().chain(hash);
        fields.filter_map(|(name, value)| Some((name, serde_json::Value::from(value?)))).collect()
    }
}

/// A fact as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its table.
    pub table: Table,
    /// What tells it from other facts of its table.
    pub id: String,
    /// Its values, as they were written.
    pub columns: Values,
    /// Who said it: the server's word.
    pub actor: String,
    /// When it was said, by the server's clock, in microseconds since 1970.
    pub recorded_us: i64,
    /// As the writer said.
    pub content_hash: String,
}

impl Recorded {
    /// Reads a row of a table's reading statements.
    ///
    /// # Errors
    /// When a column is missing or has no readable value.
    pub fn read(table: Table, row: Row<'_>) -> Result<Self, SqlTrouble> {
        let mut columns = Values::new();
        for column in table.spec().columns {
            columns.insert(column.name.to_owned(), row.text(column.name)?.map(str::to_owned));
        }
        Ok(Self {
            table,
            id: id_of(table, &columns),
            columns,
            // A NULL here can only come from somebody who went around the tables' own rules: it must be seen, not refused.
            actor: row.text("actor")?.unwrap_or_default().to_owned(),
            recorded_us: if row.is_null("recorded_at")? { 0 } else { row.int("recorded_at")? },
            content_hash: row.text("content_hash")?.unwrap_or_default().to_owned(),
        })
    }

    /// A value; none if it is NULL.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.columns.get(column)?.as_deref()
    }

    /// A whole number; none if it is NULL or none.
    pub fn number(&self, column: &str) -> Option<i64> {
        self.text(column)?.parse().ok()
    }

    /// When it was recorded.
    pub fn recorded_at(&self) -> Option<Instant> {
        Instant::from_timestamp_micros(self.recorded_us)
    }

    /// The hash of all its columns, who and when included.
    pub fn row_hash(&self) -> String {
        self.row_hash_at(self.recorded_us)
    }

    /// What its hash would be had it been recorded at another time.
    pub fn row_hash_at(&self, recorded_us: i64) -> String {
        let all = (self.table.name(), &self.columns, &self.actor, recorded_us, &self.content_hash);
        hash_of(&all)
    }

    /// Whether its content is what its writer hashed.
    pub fn content_holds(&self) -> bool {
        content_hash(self.table, &self.columns) == self.content_hash
    }
}

/// Of doubles of a fact, the one that counts: the earliest, whatever order they come in.
pub fn earliest(rows: impl IntoIterator<Item = Recorded>) -> Vec<Recorded> {
    let mut first: BTreeMap<(Table, String), Recorded> = BTreeMap::new();
    for row in rows {
        match first.entry((row.table, row.id.clone())) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(row);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let older = |row: &Recorded| (row.recorded_us, row.row_hash());
                if older(&row) < older(place.get()) {
                    place.insert(row);
                }
            }
        }
    }
    let mut kept: Vec<Recorded> = first.into_values().collect();
    kept.sort_by(|a, b| (a.recorded_us, &a.id).cmp(&(b.recorded_us, &b.id)));
    kept
}

fn id_of(table: Table, columns: &Values) -> String {
    // Escaped, so that no two keys make one id.
    let escaped = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    let parts = table.spec().key.iter().map(|key| columns.get(*key).and_then(Option::as_deref).map(escaped));
    parts.map(Option::unwrap_or_default).collect::<Vec<_>>().join("/")
}

/// The hash of a table's name and a row's values: SHA-256 of their JSON with sorted keys, in hexadecimal.
fn content_hash(table: Table, columns: &Values) -> String {
    hash_of(&(table.name(), columns))
}

pub(super) fn hash_of(content: &impl Serialize) -> String {
    // Texts, numbers and maps with text keys always serialize.
    hex(&Sha256::digest(serde_json::to_vec(content).unwrap_or_default()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(id: &str, verb: &str) -> LedgerRow {
        let text = |text: &str| Value::Text(text.to_owned());
        LedgerRow::new(
            Table::AuditEvent,
            [("audit_id", text(id)), ("verb", text(verb)), ("outcome", text("ok")), ("seq", Value::Number(3))],
        )
        .expect("a row")
    }

    fn recorded(row: &LedgerRow, recorded_us: i64) -> Recorded {
        Recorded {
            table: row.table,
            id: row.id.clone(),
            columns: row.columns.clone(),
            actor: "ana".to_owned(),
            recorded_us,
            content_hash: row.content_hash.clone(),
        }
    }

    #[test]
    fn the_same_fact_has_the_same_hash_and_another_one_another() {
        assert_eq!(audit("a", "planned").content_hash, audit("a", "planned").content_hash);
        assert_ne!(audit("a", "planned").content_hash, audit("a", "approved").content_hash);
        let row = recorded(&audit("a", "planned"), 7);
        assert!(row.content_holds());
        let edited = Recorded { columns: audit("a", "approved").columns, ..row.clone() };
        assert!(!edited.content_holds());
        assert_ne!(row.row_hash(), Recorded { actor: "bob".into(), ..row.clone() }.row_hash());
        assert_ne!(row.row_hash(), row.row_hash_at(8));
    }

    #[test]
    fn a_row_that_its_table_would_refuse_is_refused_before_it_is_sent() {
        let missing = LedgerRow::new(Table::AuditEvent, [("audit_id", Value::Text("a".into()))]);
        assert_eq!(missing.expect_err("no verb").to_string(), "a row of audit_event needs `verb`");
        let unfit = LedgerRow::new(Table::AuditEvent, [("seq", Value::Text("3".into()))]);
        assert_eq!(unfit.expect_err("text").to_string(), "a row of audit_event cannot have this `seq`");
        assert!(LedgerRow::new(Table::AuditEvent, [("when", Value::Number(3))]).is_err());
    }

    #[test]
    fn values_have_one_spelling() {
        let text = |value: Value| value.text().1;
        assert_eq!(text(Value::Money(-1_500_000)), "-1.500000");
        assert_eq!(text(Value::Money(7)), "0.000007");
        assert_eq!(text(Value::Texts(vec!["a\"b".into(), "c".into()])), r#"["a\"b","c"]"#);
        assert_eq!(text(Value::Truth(true)), "true");
        let at = "2026-11-22T12:00:00.000001Z".parse().expect("an instant");
        assert_eq!(text(Value::Time(at)), "1795348800000001");
    }

    #[test]
    fn of_doubles_the_earliest_counts_whatever_their_order() {
        let (first, second, other) = (audit("a", "planned"), audit("a", "planned"), audit("b", "planned"));
        let rows = [recorded(&first, 5), recorded(&second, 3), recorded(&other, 4)];
        let mut backwards = rows.to_vec();
        backwards.reverse();
        let kept = earliest(rows);
        assert_eq!(kept.iter().map(|row| (row.id.as_str(), row.recorded_us)).collect::<Vec<_>>(), [("a", 3), ("b", 4)]);
        assert_eq!(earliest(backwards), kept);
    }

    #[test]
    fn keys_of_several_columns_make_one_id() {
        let row = LedgerRow::new(
            Table::StepResult,
            [
                ("op_id", Value::Text("01J".into())),
                ("step", Value::Number(2)),
                ("attempt", Value::Number(1)),
                ("outcome", Value::Text("applied".into())),
                ("ended_at", Value::Time(crate::domain::Instant::UNIX_EPOCH)),
            ],
        );
        assert_eq!(row.expect("a row").id, "01J/2/1/applied/0");
    }
}
