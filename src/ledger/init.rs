//! The installation of a ledger: schema, tables, leases, procedures and grants, as a list of statements that can be printed
//! or run, and run again.

use super::lease::OWN;
use super::place::Place;
use super::sql::Ask;
use super::statements::{ADD_PRODUCTS, CREATE_LEASE, CREATE_SCHEMA, CREATE_SEAL, pairs};
use super::tables::Table;
use crate::domain::sql::{NamedStatement, Part, TextError};

/// Grants a privilege.
pub const GRANT: NamedStatement =
    NamedStatement::idempotent("ledger.grant", "GRANT {privileges} ON {kind} {object} TO {principal}", &[]);

/// Makes a procedure that does what a statement does, with its owner's rights; `session_user()` in it is still the caller.
pub const CREATE_PROCEDURE: NamedStatement = NamedStatement::idempotent(
    "ledger.create.procedure",
    "CREATE OR REPLACE PROCEDURE {procedure}({parameters}) LANGUAGE SQL SQL SECURITY DEFINER AS BEGIN {body}; END",
    &[],
);

/// What principals do with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerRole {
    /// Reads.
    Viewer,
    /// Starts, stops, repairs, rolls back.
    Operator,
    /// Switches production.
    Captain,
    /// Approves and rejects.
    Approver,
    /// Deploys.
    Deployer,
}

impl LedgerRole {
    /// The tables of facts to which the role appends (domain.md 6.7).
    pub fn appends(self) -> &'static [Table] {
        use Table::*;
        match self {
            Self::Viewer => &[],
            Self::Operator => &[
                Operation,
                OperationStep,
                StepResult,
                Backfill,
                BackfillSliceEvent,
                IncidentEvent,
                ReleaseEvent,
                AuditEvent,
            ],
            Self::Captain => &[
                Operation,
                OperationStep,
                StepResult,
                Backfill,
                BackfillSliceEvent,
                IncidentEvent,
                ReleaseEvent,
                GateResult,
                AuditEvent,
            ],
            Self::Approver => &[Approval, ReleaseEvent, AuditEvent],
            Self::Deployer => &[Release, ReleaseEvent, Promotion, GateResult, AuditEvent],
        }
    }

    /// Whether the role takes leases and seals.
    pub fn leases(self) -> bool {
        matches!(self, Self::Operator | Self::Captain)
    }
}

/// A group or service principal and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub principal: String,
    /// What it does.
    pub role: LedgerRole,
}

/// What an installation consists of.
#[derive(Clone, Debug)]
pub struct Installation<'a> {
    /// Where.
    pub place: &'a Place,
    /// The products that have a lease each.
    pub products: &'a [String],
    /// Who is granted what.
    pub members: &'a [Member],
    /// Whether rows are written through procedures: then they are made, and nobody is granted `MODIFY`.
    pub procedures: bool,
}

/// One statement of an installation.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What it is for.
    pub what: String,
    /// The statement.
    pub ask: Ask,
}

impl Piece {
    /// The statement as a person can run it: its parameters written as literals.
    ///
    /// # Errors
    /// When its text cannot be completed.
    pub fn sql(&self) -> Result<String, TextError> {
        let text = self.ask.named.sql(&self.ask.parts)?;
        Ok(self.ask.parameters.iter().fold(text, |text, (name, value)| {
            let value = value.as_deref().map_or_else(|| "NULL".to_owned(), literal);
            with_word(&text, &format!(":{name}"), &value)
        }))
    }
}

impl Installation<'_> {
    /// All statements in the order in which they must run. Each can be run again.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = vec![self.piece("the schema", &CREATE_SCHEMA)];
        for table in Table::ALL {
            pieces.push(self.piece(&format!("the table {}", table.name()), &table.spec().create));
        }
        pieces.push(self.piece("the table of seals", &CREATE_SEAL));
        pieces.push(self.piece("the table of leases", &CREATE_LEASE));
        pieces.push(self.leases());
        if self.procedures {
            pieces.extend(pairs().into_iter().map(|(direct, call)| self.procedure(direct, call)));
        }
        for member in self.members {
            pieces.extend(self.grants(member));
        }
        pieces
    }

    fn piece(&self, what: &str, named: &'static NamedStatement) -> Piece {
        let ask = Ask { named, parts: self.place.parts(named), parameters: Vec::new() };
        Piece { what: what.to_owned(), ask }
    }

    fn leases(&self) -> Piece {
        let mut products: Vec<&str> = self.products.iter().map(String::as_str).chain(OWN).collect();
        products.sort_unstable();
        let mut piece = self.piece("a lease for each product", &ADD_PRODUCTS);
        piece.ask = piece.ask.with("products", &serde_json::Value::from(products));
        piece
    }

    fn procedure(&self, direct: &'static NamedStatement, call: &'static NamedStatement) -> Piece {
        let argument = |name: &str| format!("p_{name}");
        let parameters: Vec<String> =
            direct.parameters.iter().map(|(name, kind)| format!("{} {kind}", argument(name))).collect();
        let body = direct.sql(&self.place.parts(direct)).unwrap_or_default();
        let body = direct
            .parameters
            .iter()
            .fold(body, |body, (name, _)| with_word(&body, &format!(":{name}"), &argument(name)));
        let mut piece = self.piece(&format!("the procedure for {}", direct.name), &CREATE_PROCEDURE);
        let own = call.markers().into_iter().find_map(|marker| self.place.schema().child(marker).ok());
        piece.ask.parts = [("parameters", Part::Sql(parameters.join(", "))), ("body", Part::Sql(body))].into();
        piece.ask.parts.extend(own.map(|name| ("procedure", Part::Name(name))));
        piece
    }

    fn grants(&self, member: &Member) -> Vec<Piece> {
        let schema = self.place.schema();
        let mut grants = Vec::new();
        if let Some(catalog) = schema.parent() {
            grants.push(("USE CATALOG", "CATALOG", catalog));
        }
        grants.push(("USE SCHEMA, SELECT", "SCHEMA", schema.clone()));
        let mut names: Vec<&str> = member.role.appends().iter().map(|table| table.name()).collect();
        if member.role.leases() {
            names.extend(["lease", "seal"]);
        }
        if self.procedures {
            let of_role = |call: &NamedStatement| {
                let marker = call.markers().first().copied().unwrap_or_default();
                let table = marker.strip_prefix("append_").unwrap_or("lease");
                names.contains(&table).then(|| schema.child(marker).ok()).flatten()
            };
            let procedures = pairs().into_iter().filter_map(|(_, call)| of_role(call));
            grants.extend(procedures.map(|name| ("EXECUTE", "PROCEDURE", name)));
        } else {
            let tables = names.iter().filter_map(|name| schema.child(name).ok());
            grants.extend(tables.map(|name| ("MODIFY", "TABLE", name)));
        }
        let piece = |(privileges, kind, object): (&str, &str, crate::domain::sql::QualifiedName)| {
            let what = format!("{privileges} on {object} for {}", member.principal);
            let mut piece = self.piece(&what, &GRANT);
            piece.ask.parts = [
                ("privileges", Part::Sql(privileges.to_owned())),
                ("kind", Part::Sql(kind.to_owned())),
                ("object", Part::Name(object)),
                ("principal", Part::Sql(principal(&member.principal))),
            ]
            .into();
            piece
        };
        grants.into_iter().map(piece).collect()
    }
}

/// A principal's name inside SQL. Unlike the name of an object it may hold spaces and dots; it cannot end its quotes.
fn principal(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("`{}`", plain.replace('`', "``"))
}

/// A text as a literal of Spark's SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The text with every whole word `from` replaced.
fn with_word(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(&rest[..at]);
        out.push_str(if ends { to } else { from });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("ops", "release", false).expect("names")
    }

    fn sql(procedures: bool, members: &[Member]) -> Vec<String> {
        let products = ["sales".to_owned(), "it's \\ odd".to_owned()];
        let place = place();
        let installation = Installation { place: &place, products: &products, members, procedures };
        installation.pieces().iter().map(|piece| piece.sql().expect("complete")).collect()
    }

    #[test]
    fn the_direct_form_is_as_it_was_reviewed() {
        let members = [
            Member { principal: "ops-viewers".into(), role: LedgerRole::Viewer },
            Member { principal: "release `captains`".into(), role: LedgerRole::Captain },
        ];
        insta::assert_snapshot!(sql(false, &members).join(";\n"));
    }

    #[test]
    fn through_procedures_nobody_is_granted_modify() {
        let members = [Member { principal: "sales-oncall".into(), role: LedgerRole::Operator }];
        let found = sql(true, &members);
        assert!(!found.iter().any(|sql| sql.starts_with("GRANT MODIFY")), "{found:?}");
        assert!(
            found.contains(
                &"GRANT EXECUTE ON PROCEDURE `ops`.`release`.`append_audit_event` TO `sales-oncall`".to_owned()
            )
        );
        assert!(!found.iter().any(|sql| sql.contains("append_approval` TO `sales-oncall`")), "{found:?}");
        let procedures: Vec<&String> = found.iter().filter(|sql| sql.starts_with("CREATE OR REPLACE")).collect();
        assert_eq!(procedures.len(), pairs().len());
        // No parameter marker is left: a procedure has arguments.
        for (procedure, (direct, _)) in procedures.iter().zip(pairs()) {
            for (name, _) in direct.parameters {
                assert_eq!(with_word(procedure, &format!(":{name}"), "").len(), procedure.len(), "{procedure}");
            }
        }
        insta::assert_snapshot!(procedures[0]);
    }

    #[test]
    fn a_literal_ends_where_it_should() {
        assert_eq!(literal("it's \\ odd"), "'it\\'s \\\\ odd'");
        assert_eq!(with_word(":a :ab (:a)", ":a", "p"), "p :ab (p)");
    }
}
