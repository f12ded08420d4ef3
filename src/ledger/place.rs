//! Where the ledger is, and in which form it is written.

use super::sql::Ask;
use super::statements::pairs;
use crate::domain::sql::{BadName, NamedStatement, Part, Parts, QualifiedName};

/// The ledger's catalog and schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    schema: QualifiedName,
    procedures: bool,
}

impl Place {
    /// A ledger in a schema, written through its procedures or directly.
    ///
    /// # Errors
    /// When one of the names cannot be one.
    pub fn new(catalog: &str, schema: &str, procedures: bool) -> Result<Self, BadName> {
        Ok(Self { schema: QualifiedName::new([catalog, schema])?, procedures })
    }

    /// Its schema.
    pub fn schema(&self) -> &QualifiedName {
        &self.schema
    }

    /// Whether rows are written under their actors' own identity.
    pub fn is_direct(&self) -> bool {
        !self.procedures
    }

    /// A statement on the ledger's own tables. One that changes rows becomes the call of its procedure where the ledger is
    /// written through procedures.
    pub fn ask(&self, named: &'static NamedStatement) -> Ask {
        let call = pairs().into_iter().find(|(direct, _)| self.procedures && direct.name == named.name);
        let named = call.map_or(named, |(_, call)| call);
        Ask { named, parts: self.parts(named), parameters: Vec::new() }
    }

    /// What the markers of a statement stand for: the schema, and the tables and procedures in it.
    pub(super) fn parts(&self, named: &'static NamedStatement) -> Parts {
        let name = |marker: &'static str| match marker {
            "schema" => Some((marker, Part::Name(self.schema.clone()))),
            // Numbers are the reader's to give.
            "version" | "since" | "limit" => None,
            _ => self.schema.child(marker).ok().map(|name| (marker, Part::Name(name))),
        };
        named.markers().into_iter().filter_map(name).collect()
    }
}

impl Ask {
    /// The same with a value.
    #[must_use]
    pub fn with(mut self, parameter: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.parameters.push((parameter, Some(value.to_string())));
        self
    }

    /// The same with a value that may be missing.
    #[must_use]
    pub fn with_option(mut self, parameter: &'static str, value: Option<&str>) -> Self {
        self.parameters.push((parameter, value.map(str::to_owned)));
        self
    }

    /// The same with a number for a marker: as of which version of its table, or for how many commits. The grammar takes no
    /// parameter there, so it is written into the text.
    #[must_use]
    pub fn at(mut self, marker: &'static str, number: u64) -> Self {
        self.parts.insert(marker, Part::Sql(number.to_string()));
        self
    }

    /// The same for rows recorded in a span of time.
    #[must_use]
    pub fn span(self, span: Span) -> Self {
        self.with("from_us", &span.from_us).with("to_us", &span.to_us)
    }
}

/// A span of recorded time in microseconds since 1970, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from_us: i64,
    /// Its end.
    pub to_us: i64,
}

impl Span {
    /// All of time, as far as SQL can tell it: the years 1 to 9999.
    pub const ALL: Self = Self { from_us: -62_135_596_800_000_000, to_us: 253_402_300_799_999_999 };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::statements;
    use crate::ledger::tables::Table;

    #[test]
    fn a_statement_stands_on_the_ledgers_own_names() {
        let place = Place::new("ops", "re`lease", false).expect("names");
        let ask = place.ask(&statements::LEASE_RELEASE);
        let sql = ask.named.sql(&ask.parts).expect("completed");
        assert!(sql.starts_with("UPDATE `ops`.`re``lease`.`lease` SET"), "{sql}");
        assert!(Place::new("ops", "a b", false).is_err());
    }

    #[test]
    fn every_statement_can_be_completed_in_both_forms() {
        for procedures in [false, true] {
            let place = Place::new("ops", "release", procedures).expect("names");
            for named in statements::all() {
                let mut ask = place.ask(named);
                for marker in ["version", "since", "limit"] {
                    if ask.named.markers().contains(&marker) {
                        ask = ask.at(marker, 3);
                    }
                }
                ask.named.sql(&ask.parts).unwrap_or_else(|error| panic!("{error}"));
                for (parameter, _) in ask.named.parameters {
                    assert!(
                        ask.named.text.contains(&format!(":{parameter}")),
                        "{} has no :{parameter}",
                        ask.named.name
                    );
                }
            }
        }
    }

    #[test]
    fn through_procedures_nothing_that_changes_rows_is_sent_directly() {
        let place = Place::new("ops", "release", true).expect("names");
        for (direct, _) in pairs() {
            assert!(place.ask(direct).named.text.starts_with("CALL {"), "{}", direct.name);
        }
        let ask = place.ask(&Table::AuditEvent.spec().append);
        assert_eq!(ask.named.sql(&ask.parts).expect("completed"), "CALL `ops`.`release`.`append_audit_event`(:rows)");
    }

    #[test]
    fn names_of_statements_are_unique() {
        let mut names: Vec<&str> = statements::all().iter().map(|named| named.name).collect();
        names.extend(pairs().iter().map(|(_, call)| call.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
