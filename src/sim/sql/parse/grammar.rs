//! The grammar of statements. Queries and row changes go to sqlparser; the rest is read here.

use super::cursor::Cursor;
use super::from_parser;
use super::statement::{AlterTable, AlterView, ColumnSpec, Describe, Drop, ObjectKind, Properties, Show, Statement};
use crate::sim::sql::catalog::Privilege;
use crate::sim::sql::error::{Result, SqlError};
use sqlparser::ast::Statement as Parsed;
use sqlparser::tokenizer::Token;

pub(super) fn statement(c: &mut Cursor<'_>) -> Result<Statement> {
    if c.eat_words("CREATE OR REPLACE") {
        return create(c, true);
    }
    if c.eat_words("CREATE") {
        return create(c, false);
    }
    if c.eat_words("DROP") {
        return drop(c);
    }
    if c.eat_words("ALTER") {
        return alter(c);
    }
    if c.eat_words("COMMENT ON") {
        return comment(c);
    }
    if c.at("GRANT") || c.at("REVOKE") {
        return grant(c);
    }
    if c.eat_words("DESCRIBE") || c.eat_words("DESC") {
        return describe(c);
    }
    if c.eat_words("SHOW") {
        return show(c).map(Statement::Show);
    }
    if c.eat_words("USE") {
        if c.eat_words("CATALOG") {
            return Ok(Statement::UseCatalog(c.principal()?));
        }
        let _ = c.eat_words("SCHEMA") || c.eat_words("DATABASE");
        return Ok(Statement::UseSchema(c.name()?));
    }
    if c.eat_words("SET") {
        return set(c);
    }
    if c.eat_words("TRUNCATE TABLE") {
        return Ok(Statement::Truncate(c.name()?));
    }
    if c.eat_words("RESTORE") {
        return restore(c);
    }
    if c.eat_words("EXPLAIN") {
        let _ = c.eat_words("EXTENDED") || c.eat_words("FORMATTED") || c.eat_words("COST") || c.eat_words("CODEGEN");
        return Ok(Statement::Explain(Box::new(statement(c)?)));
    }
    let known = ["SELECT", "WITH", "VALUES", "FROM", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"]
        .iter()
        .any(|word| c.at(word));
    if !known && c.peek() != Token::LParen {
        return Err(c.unexpected(""));
    }
    parsed(c)
}

fn parsed(c: &mut Cursor<'_>) -> Result<Statement> {
    match c.parser.parse_statement().map_err(from_parser)? {
        Parsed::Query(query) => Ok(Statement::Query(query)),
        Parsed::Insert(insert) => Ok(Statement::Insert(Box::new(insert))),
        Parsed::Update(update) => Ok(Statement::Update(Box::new(update))),
        Parsed::Delete(delete) => Ok(Statement::Delete(Box::new(delete))),
        Parsed::Merge(merge) => Ok(Statement::Merge(Box::new(merge))),
        other => Err(SqlError::unsupported(format!("the statement {other}"))),
    }
}

fn if_not_exists(c: &mut Cursor<'_>) -> bool {
    c.eat_words("IF NOT EXISTS")
}

fn kind(c: &mut Cursor<'_>) -> Result<ObjectKind> {
    for (words, kind) in [
        ("METASTORE", ObjectKind::Metastore),
        ("CATALOG", ObjectKind::Catalog),
        ("SCHEMA", ObjectKind::Schema),
        ("DATABASE", ObjectKind::Schema),
        ("TABLE", ObjectKind::Table),
        ("VIEW", ObjectKind::View),
        ("VOLUME", ObjectKind::Volume),
    ] {
        if c.eat_words(words) {
            return Ok(kind);
        }
    }
    Err(c.unexpected("CATALOG, SCHEMA, TABLE, VIEW or VOLUME"))
}

fn create(c: &mut Cursor<'_>, replace: bool) -> Result<Statement> {
    let kind = kind(c)?;
    let if_not_exists = if_not_exists(c);
    if replace && (if_not_exists || !matches!(kind, ObjectKind::Table | ObjectKind::View)) {
        return Err(c.unexpected("TABLE or VIEW without IF NOT EXISTS"));
    }
    match kind {
        ObjectKind::Catalog => {
            let name = c.ident()?;
            Ok(Statement::CreateCatalog { name, if_not_exists, comment: clauses(c)?.comment })
        }
        ObjectKind::Schema => {
            let name = c.name()?;
            let clauses = clauses(c)?;
            Ok(Statement::CreateSchema {
                name,
                if_not_exists,
                comment: clauses.comment,
                properties: clauses.properties,
            })
        }
        ObjectKind::Volume => {
            let name = c.name()?;
            Ok(Statement::CreateVolume { name, if_not_exists, comment: clauses(c)?.comment })
        }
        ObjectKind::Table => {
            let name = c.name()?;
            let columns = if c.peek() == Token::LParen { columns(c, true)? } else { Vec::new() };
            let clauses = clauses(c)?;
            let query = if c.eat_words("AS") || c.at("SELECT") || c.at("WITH") { Some(c.query()?) } else { None };
            Ok(Statement::CreateTable {
                name,
                replace,
                if_not_exists,
                columns,
                comment: clauses.comment,
                properties: clauses.properties,
                partitioned: clauses.partitioned,
                query,
            })
        }
        ObjectKind::View => {
            let name = c.name()?;
            let columns = if c.peek() == Token::LParen { columns(c, false)? } else { Vec::new() };
            let clauses = clauses(c)?;
            c.expect_words("AS")?;
            let text = c.query_text()?;
            Ok(Statement::CreateView {
                name,
                replace,
                if_not_exists,
                columns,
                comment: clauses.comment,
                properties: clauses.properties,
                text,
            })
        }
        ObjectKind::Metastore => Err(SqlError::syntax("METASTORE", "")),
    }
}

#[derive(Default)]
struct Clauses {
    comment: Option<String>,
    properties: Properties,
    partitioned: Vec<String>,
}

fn clauses(c: &mut Cursor<'_>) -> Result<Clauses> {
    let mut found = Clauses::default();
    loop {
        if c.eat_words("COMMENT") {
            found.comment = Some(c.string()?);
        } else if c.eat_words("TBLPROPERTIES") || c.eat_words("WITH DBPROPERTIES") || c.eat_words("DBPROPERTIES") {
            found.properties = properties(c)?;
        } else if c.eat_words("USING") {
            if !c.eat_words("DELTA") {
                return Err(SqlError::unsupported("a table format other than DELTA"));
            }
        } else if c.eat_words("CLUSTER BY") {
            if !c.eat_words("AUTO") && !c.eat_words("NONE") {
                c.list(Cursor::name)?;
            }
        } else if c.eat_words("PARTITIONED BY") {
            found.partitioned = c.list(Cursor::ident)?;
        } else if c.eat_words("WITH SCHEMA") {
            let _ = c.eat_words("BINDING")
                || c.eat_words("COMPENSATION")
                || c.eat_words("TYPE EVOLUTION")
                || c.eat_words("EVOLUTION");
        } else if c.eat_words("DEFAULT COLLATION") {
            c.expect_words("UTF8_BINARY")?;
        } else {
            return Ok(found);
        }
    }
}

/// `('key' = 'value', key.part = true, ...)`.
fn properties(c: &mut Cursor<'_>) -> Result<Properties> {
    c.list(|c| {
        let key = property_key(c)?;
        c.eat(&Token::Eq);
        let value = match c.peek() {
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => c.string()?,
            Token::Word(word) => {
                c.parser.next_token();
                word.value.to_lowercase()
            }
            Token::Number(number, _) => {
                c.parser.next_token();
                number
            }
            _ => return Err(c.unexpected("a property's value")),
        };
        Ok((key, value))
    })
}

fn property_key(c: &mut Cursor<'_>) -> Result<String> {
    match c.peek() {
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => c.string(),
        _ => Ok(c.name()?.join(".")),
    }
}

fn columns(c: &mut Cursor<'_>, typed: bool) -> Result<Vec<ColumnSpec>> {
    let found = c.list(|c| {
        // Keys are informational on Databricks: read, and not kept.
        if c.eat_words("CONSTRAINT") {
            c.ident()?;
        }
        if c.eat_words("PRIMARY KEY") {
            c.list(Cursor::ident)?;
            let _ = c.eat_words("RELY") || c.eat_words("NORELY");
            return Ok(None);
        }
        column(c, typed).map(Some)
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn column(c: &mut Cursor<'_>, typed: bool) -> Result<ColumnSpec> {
    let name = c.ident()?;
    let ty = if typed { Some(c.data_type()?) } else { None };
    let mut spec = ColumnSpec { name, ty, nullable: true, comment: None, default: None };
    loop {
        if c.eat_words("NOT NULL") {
            spec.nullable = false;
        } else if c.eat_words("COMMENT") {
            spec.comment = Some(c.string()?);
        } else if c.eat_words("DEFAULT") {
            spec.default = Some(c.expr_text()?);
        } else if c.eat_words("PRIMARY KEY") {
            spec.nullable = false;
        } else if c.at("GENERATED") {
            return Err(SqlError::unsupported("generated and identity columns"));
        } else {
            return Ok(spec);
        }
    }
}

fn drop(c: &mut Cursor<'_>) -> Result<Statement> {
    let kind = kind(c)?;
    let if_exists = c.eat_words("IF EXISTS");
    let name = c.name()?;
    let cascade = c.eat_words("CASCADE");
    let _ = !cascade && c.eat_words("RESTRICT");
    Ok(Statement::Drop(Drop { kind, name, if_exists, cascade }))
}

fn owner(c: &mut Cursor<'_>) -> Result<Option<String>> {
    if c.eat_words("SET OWNER TO") || c.eat_words("OWNER TO") { c.principal().map(Some) } else { Ok(None) }
}

fn alter(c: &mut Cursor<'_>) -> Result<Statement> {
    let kind = kind(c)?;
    let name = c.name()?;
    if let Some(owner) = owner(c)? {
        return Ok(match kind {
            ObjectKind::View => Statement::AlterView { name, action: AlterView::Owner(owner) },
            ObjectKind::Table => Statement::AlterTable { name, action: AlterTable::Owner(owner) },
            kind => Statement::AlterOwner { kind, name, owner },
        });
    }
    match kind {
        ObjectKind::View => Ok(Statement::AlterView { name, action: alter_view(c)? }),
        ObjectKind::Table => Ok(Statement::AlterTable { name, action: alter_table(c)? }),
        _ => Err(c.unexpected("OWNER TO")),
    }
}

fn alter_view(c: &mut Cursor<'_>) -> Result<AlterView> {
    if c.eat_words("AS") {
        return c.query_text().map(AlterView::As);
    }
    if c.eat_words("RENAME TO") {
        return c.name().map(AlterView::Rename);
    }
    if c.eat_words("SET TBLPROPERTIES") {
        return properties(c).map(AlterView::SetProperties);
    }
    if c.eat_words("UNSET TBLPROPERTIES") {
        c.eat_words("IF EXISTS");
        return c.list(property_key).map(AlterView::UnsetProperties);
    }
    Err(c.unexpected("AS, RENAME TO, SET, UNSET or OWNER TO"))
}

fn alter_table(c: &mut Cursor<'_>) -> Result<AlterTable> {
    if c.eat_words("ADD COLUMNS") || c.eat_words("ADD COLUMN") {
        if c.peek() == Token::LParen {
            return columns(c, true).map(AlterTable::AddColumns);
        }
        return Ok(AlterTable::AddColumns(vec![column(c, true)?]));
    }
    if c.eat_words("DROP COLUMN") {
        return c.ident().map(AlterTable::DropColumn);
    }
    if c.eat_words("RENAME COLUMN") {
        let from = c.ident()?;
        c.expect_words("TO")?;
        return Ok(AlterTable::RenameColumn(from, c.ident()?));
    }
    if c.eat_words("RENAME TO") {
        return c.name().map(AlterTable::Rename);
    }
    if c.eat_words("ALTER COLUMN") || c.eat_words("CHANGE COLUMN") {
        let name = c.ident()?;
        if c.eat_words("COMMENT") {
            return Ok(AlterTable::CommentColumn(name, c.string()?));
        }
        if c.eat_words("SET NOT NULL") {
            return Ok(AlterTable::SetNotNull(name, true));
        }
        c.expect_words("DROP NOT NULL")?;
        return Ok(AlterTable::SetNotNull(name, false));
    }
    if c.eat_words("SET TBLPROPERTIES") {
        return properties(c).map(AlterTable::SetProperties);
    }
    if c.eat_words("UNSET TBLPROPERTIES") {
        c.eat_words("IF EXISTS");
        return c.list(property_key).map(AlterTable::UnsetProperties);
    }
    Err(c.unexpected("ADD, DROP, ALTER, RENAME, SET, UNSET or OWNER TO"))
}

fn comment(c: &mut Cursor<'_>) -> Result<Statement> {
    let column = c.eat_words("COLUMN");
    let kind = if column { ObjectKind::Table } else { kind(c)? };
    let name = c.name()?;
    c.expect_words("IS")?;
    let comment = if c.eat_words("NULL") { None } else { Some(c.string()?) };
    Ok(if column { Statement::CommentColumn { name, comment } } else { Statement::Comment { kind, name, comment } })
}

fn grant(c: &mut Cursor<'_>) -> Result<Statement> {
    let revoke = c.eat_words("REVOKE");
    if !revoke {
        c.expect_words("GRANT")?;
    }
    let mut privileges = Vec::new();
    loop {
        let mut words = Vec::new();
        while !c.at("ON") && !matches!(c.peek(), Token::Comma) {
            words.push(c.ident()?);
        }
        let text = words.join(" ");
        let privilege = Privilege::parse(&text).ok_or_else(|| {
            SqlError::new(
                "INVALID_PARAMETER_VALUE",
                "22023",
                format!("Privilege {} is not a known privilege.", text.to_uppercase()),
            )
        })?;
        privileges.push(privilege);
        if !c.eat(&Token::Comma) {
            break;
        }
    }
    c.expect_words("ON")?;
    let kind =
        kind(c).or_else(|wrong| if matches!(c.peek(), Token::Word(_)) { Ok(ObjectKind::Table) } else { Err(wrong) })?;
    let name = if kind == ObjectKind::Metastore { Vec::new() } else { c.name()? };
    c.expect_words(if revoke { "FROM" } else { "TO" })?;
    let principal = c.principal()?;
    Ok(if revoke {
        Statement::Revoke { privileges, kind, name, principal }
    } else {
        Statement::Grant { privileges, kind, name, principal }
    })
}

fn describe(c: &mut Cursor<'_>) -> Result<Statement> {
    if c.eat_words("HISTORY") {
        let name = c.name()?;
        let limit = if c.eat_words("LIMIT") { Some(c.count()?) } else { None };
        return Ok(Statement::Describe(Describe::History { name, limit }));
    }
    if c.eat_words("DETAIL") {
        return Ok(Statement::Describe(Describe::Detail(c.name()?)));
    }
    if c.eat_words("QUERY") || c.at("SELECT") || c.at("WITH") {
        return Ok(Statement::Describe(Describe::Query(c.query()?)));
    }
    c.eat_words("TABLE");
    let extended = c.eat_words("EXTENDED") || c.eat_words("FORMATTED");
    Ok(Statement::Describe(Describe::Table { name: c.name()?, extended }))
}

fn like(c: &mut Cursor<'_>) -> Result<Option<String>> {
    let written = c.eat_words("LIKE");
    if written || matches!(c.peek(), Token::SingleQuotedString(_)) { c.string().map(Some) } else { Ok(None) }
}

fn inside(c: &mut Cursor<'_>) -> Result<Option<Vec<String>>> {
    if c.eat_words("IN") || c.eat_words("FROM") { c.name().map(Some) } else { Ok(None) }
}

fn show(c: &mut Cursor<'_>) -> Result<Show> {
    if c.eat_words("CATALOGS") {
        return Ok(Show::Catalogs(like(c)?));
    }
    if c.eat_words("SCHEMAS") || c.eat_words("DATABASES") {
        let catalog = inside(c)?.and_then(|mut name| name.pop());
        return Ok(Show::Schemas { catalog, like: like(c)? });
    }
    if c.eat_words("TABLES") {
        let schema = inside(c)?;
        return Ok(Show::Tables { schema, like: like(c)? });
    }
    if c.eat_words("VIEWS") {
        let schema = inside(c)?;
        return Ok(Show::Views { schema, like: like(c)? });
    }
    if c.eat_words("COLUMNS") {
        let name = inside(c)?.ok_or_else(|| c.unexpected("IN"))?;
        return Ok(Show::Columns(name));
    }
    if c.eat_words("TBLPROPERTIES") {
        return Ok(Show::Properties(c.name()?));
    }
    if c.eat_words("CREATE TABLE") {
        return Ok(Show::CreateTable(c.name()?));
    }
    if c.eat_words("GRANTS") || c.eat_words("GRANT") {
        let principal = if c.at("ON") { None } else { Some(c.principal()?) };
        c.expect_words("ON")?;
        let kind = kind(c)?;
        let name = if kind == ObjectKind::Metastore { Vec::new() } else { c.name()? };
        return Ok(Show::Grants { principal, kind, name });
    }
    Err(c.unexpected("CATALOGS, SCHEMAS, TABLES, VIEWS, COLUMNS, GRANTS, TBLPROPERTIES or CREATE TABLE"))
}

fn set(c: &mut Cursor<'_>) -> Result<Statement> {
    if c.eat_words("TIME ZONE") {
        return Ok(Statement::Set { key: Some("timezone".to_owned()), value: Some(c.principal()?) });
    }
    if c.at_end() {
        return Ok(Statement::Set { key: None, value: None });
    }
    let key = c.name()?.join(".");
    let value = if c.eat(&Token::Eq) { Some(c.expr_text()?.trim_matches('\'').to_owned()) } else { None };
    Ok(Statement::Set { key: Some(key), value })
}

fn restore(c: &mut Cursor<'_>) -> Result<Statement> {
    c.eat_words("TABLE");
    let table = c.name()?;
    c.eat_words("TO");
    if c.eat_words("VERSION AS OF") {
        return Ok(Statement::Restore { table, version: Some(Box::new(c.expr()?)), timestamp: None });
    }
    c.expect_words("TIMESTAMP AS OF")?;
    Ok(Statement::Restore { table, version: None, timestamp: Some(Box::new(c.expr()?)) })
}
