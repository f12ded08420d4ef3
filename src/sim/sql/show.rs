//! DESCRIBE and SHOW.

use super::bind::Binder;
use super::catalog::{Table, TableKind};
use super::delta::Commit;
use super::engine::{PARTITIONS, StatementResult};
use super::error::{Result, SqlError};
use super::functions::like;
use super::names::{Securable, TableName, quote};
use super::parse::{Describe, ObjectKind, Show};
use super::types::DataType as T;
use super::values::Value;

impl Binder<'_> {
    /// A table that the user may see, by its levels.
    fn seen(&self, levels: &[String]) -> Result<(TableName, &Table)> {
        let name = self.table_name(levels)?;
        let catalog = self.engine().catalog();
        let table = catalog.table(&name).map_err(|_| SqlError::table_not_found(&quote(levels)))?;
        catalog.require_reach(self.user(), &name.catalog, &name.schema)?;
        let securable = Securable::Table(name.clone());
        if !catalog.sees(self.user(), &securable) {
            return Err(SqlError::lacks_privilege("SELECT", "Table", &name.to_string()));
        }
        Ok((name, table))
    }

    pub(crate) fn describe(&self, describe: &Describe) -> Result<StatementResult> {
        match describe {
            Describe::Table { name, extended } => {
                if name.len() <= 2
                    && self.seen(name).is_err()
                    && self
                        .engine()
                        .catalog()
                        .schema(name.first().map_or("", String::as_str), name.get(1).map_or("", String::as_str))
                        .is_ok()
                {
                    return Err(SqlError::unsupported("DESCRIBE SCHEMA without its keyword"));
                }
                let (name, table) = self.seen(name)?;
                Ok(described(&name, table, *extended))
            }
            Describe::Query(query) => {
                let plan = self.query(query, None)?;
                let rows = plan
                    .columns
                    .iter()
                    .map(|c| vec![c.name.as_str().into(), c.ty.simple().into(), Value::Null])
                    .collect();
                Ok(StatementResult::table(
                    &[("col_name", T::String), ("data_type", T::String), ("comment", T::String)],
                    rows,
                ))
            }
            Describe::History { name: levels, limit } => {
                let (name, table) = self.seen(levels)?;
                self.engine().catalog().require_select(self.user(), &name)?;
                let delta = self.engine().delta(table.facts.id).map_err(|_| not_delta(&name))?;
                let newest = delta.commits.iter().rev().take(limit.unwrap_or(usize::MAX));
                Ok(StatementResult::table(&history_columns(), newest.map(history_row).collect()))
            }
            Describe::Detail(levels) => {
                let (name, table) = self.seen(levels)?;
                let delta = self.engine().delta(table.facts.id).map_err(|_| not_delta(&name))?;
                let rows = delta.count(self.engine().connection(), delta.newest())?;
                let last = delta.commits.last().map_or(table.facts.updated_at, |c| c.at);
                let partitions = table
                    .facts
                    .properties
                    .get(PARTITIONS)
                    .map(|p| p.split(',').map(Value::from).collect())
                    .unwrap_or_default();
                let strings = || T::Array(Box::new(T::String));
                let columns = [
                    ("format", T::String),
                    ("id", T::String),
                    ("name", T::String),
                    ("description", T::String),
                    ("location", T::String),
                    ("createdAt", T::Timestamp),
                    ("lastModified", T::Timestamp),
                    ("partitionColumns", strings()),
                    ("clusteringColumns", strings()),
                    ("numFiles", T::BigInt),
                    ("sizeInBytes", T::BigInt),
                    ("properties", T::Map(Box::new(T::String), Box::new(T::String))),
                    ("minReaderVersion", T::Int),
                    ("minWriterVersion", T::Int),
                    ("tableFeatures", strings()),
                ];
                let row = vec![
                    "delta".into(),
                    table.facts.id.to_string().into(),
                    name.to_string().into(),
                    table.facts.comment.clone().into(),
                    Value::from(""),
                    table.facts.created_at.timestamp_micros().into(),
                    last.timestamp_micros().into(),
                    Value::List(partitions),
                    Value::List(Vec::new()),
                    i64::from(rows > 0).into(),
                    (rows * 100).into(),
                    properties(table),
                    3.into(),
                    7.into(),
                    Value::List(vec!["appendOnly".into(), "deletionVectors".into(), "invariants".into()]),
                ];
                Ok(StatementResult::table(&columns, vec![row]))
            }
        }
    }

    pub(crate) fn show(&self, show: &Show) -> Result<StatementResult> {
        let catalog = self.engine().catalog();
        let fits = |name: &str, pattern: &Option<String>| pattern.as_ref().is_none_or(|p| matches(name, p));
        match show {
            Show::Catalogs(pattern) => {
                let names = catalog.catalogs.keys().filter(|name| {
                    catalog.sees(self.user(), &Securable::Catalog((*name).clone())) && fits(name, pattern)
                });
                Ok(StatementResult::table(
                    &[("catalog", T::String)],
                    names.map(|name| vec![name.as_str().into()]).collect(),
                ))
            }
            Show::Schemas { catalog: wanted, like: pattern } => {
                let name = wanted.clone().unwrap_or_else(|| self.default_schema().0).to_lowercase();
                let entry = catalog.catalog(&name)?;
                let names = entry.schemas.keys().filter(|s| {
                    catalog.sees(self.user(), &Securable::Schema(name.clone(), (*s).clone())) && fits(s, pattern)
                });
                Ok(StatementResult::table(
                    &[("databaseName", T::String)],
                    names.map(|s| vec![s.as_str().into()]).collect(),
                ))
            }
            Show::Tables { schema, like } => {
                let rows = self.listed(schema.as_deref(), like.as_deref(), false)?;
                Ok(StatementResult::table(
                    &[("database", T::String), ("tableName", T::String), ("isTemporary", T::Boolean)],
                    rows,
                ))
            }
            Show::Views { schema, like } => {
                let rows = self.listed(schema.as_deref(), like.as_deref(), true)?;
                Ok(StatementResult::table(
                    &[("namespace", T::String), ("viewName", T::String), ("isTemporary", T::Boolean)],
                    rows,
                ))
            }
            Show::Columns(levels) => {
                let (_, table) = self.seen(levels)?;
                Ok(StatementResult::table(
                    &[("col_name", T::String)],
                    table.columns.iter().map(|c| vec![c.name.as_str().into()]).collect(),
                ))
            }
            Show::Properties(levels) => {
                let (_, table) = self.seen(levels)?;
                let rows = table.facts.properties.iter().filter(|(key, _)| *key != PARTITIONS);
                Ok(StatementResult::table(
                    &[("key", T::String), ("value", T::String)],
                    rows.map(|(k, v)| vec![k.as_str().into(), v.as_str().into()]).collect(),
                ))
            }
            Show::CreateTable(levels) => {
                let (name, table) = self.seen(levels)?;
                Ok(StatementResult::table(
                    &[("createtab_stmt", T::String)],
                    vec![vec![create_text(&name, table).into()]],
                ))
            }
            Show::Grants { principal, kind, name } => self.grants(principal.as_deref(), *kind, name),
        }
    }

    fn listed(&self, schema: Option<&[String]>, pattern: Option<&str>, views: bool) -> Result<Vec<Vec<Value>>> {
        let (catalog_name, schema_name) = match schema {
            None => self.default_schema(),
            Some([schema]) => (self.default_schema().0, schema.to_lowercase()),
            Some([catalog, schema]) => (catalog.to_lowercase(), schema.to_lowercase()),
            Some(other) => return Err(SqlError::schema_not_found(&quote(other))),
        };
        let catalog = self.engine().catalog();
        let tables = &catalog.schema(&catalog_name, &schema_name)?.tables;
        catalog.require_reach(self.user(), &catalog_name, &schema_name)?;
        let shown = tables.iter().filter(|(name, table)| {
            let securable = Securable::Table(TableName::new(&catalog_name, &schema_name, name));
            (!views || matches!(table.kind, TableKind::View { .. }))
                && pattern.is_none_or(|p| matches(name, p))
                && catalog.sees(self.user(), &securable)
        });
        Ok(shown.map(|(name, _)| vec![schema_name.as_str().into(), name.as_str().into(), false.into()]).collect())
    }

    fn grants(&self, principal: Option<&str>, kind: ObjectKind, name: &[String]) -> Result<StatementResult> {
        let catalog = self.engine().catalog();
        let securable = match kind {
            ObjectKind::Metastore => Securable::Metastore,
            ObjectKind::Catalog => Securable::Catalog(name.concat().to_lowercase()),
            ObjectKind::Schema => match name {
                [schema] => Securable::Schema(self.default_schema().0, schema.to_lowercase()),
                [catalog, schema] => Securable::Schema(catalog.to_lowercase(), schema.to_lowercase()),
                _ => return Err(SqlError::schema_not_found(&quote(name))),
            },
            ObjectKind::Table | ObjectKind::View => Securable::Table(self.table_name(name)?),
            ObjectKind::Volume => Securable::Volume(self.table_name(name)?),
        };
        let effective = catalog.effective_grants(&securable)?;
        // Everybody sees their own grants; the rest needs ownership or MANAGE.
        let own = catalog.identities(self.user());
        let all = catalog.manages(self.user(), &securable);
        let rows = effective
            .into_iter()
            .filter(|g| principal.is_none_or(|p| p == g.principal) && (all || own.contains(&g.principal)))
            .map(|g| {
                let from = g.inherited_from.unwrap_or_else(|| securable.clone());
                vec![g.principal.into(), g.privilege.to_string().into(), from.kind().into(), from.to_string().into()]
            });
        Ok(StatementResult::table(
            &[("Principal", T::String), ("ActionType", T::String), ("ObjectType", T::String), ("ObjectKey", T::String)],
            rows.collect(),
        ))
    }
}

/// Patterns of SHOW: `*` any text, `|` between alternatives; LIKE's `%` is taken too.
fn matches(name: &str, pattern: &str) -> bool {
    pattern.split('|').any(|p| like(name, &p.replace('*', "%").to_lowercase(), Some('\\')).unwrap_or(false))
}

fn not_delta(name: &TableName) -> SqlError {
    SqlError::new("DELTA_MISSING_DELTA_TABLE", "42P01", format!("{} is not a Delta table.", name.quoted()))
}

fn properties(table: &Table) -> Value {
    Value::Map(
        table
            .facts
            .properties
            .iter()
            .filter(|(key, _)| *key != PARTITIONS)
            .map(|(k, v)| (k.as_str().into(), v.as_str().into()))
            .collect(),
    )
}

fn described(name: &TableName, table: &Table, extended: bool) -> StatementResult {
    let mut rows: Vec<Vec<Value>> = table
        .columns
        .iter()
        .map(|c| vec![c.name.as_str().into(), c.ty.simple().into(), c.comment.clone().into()])
        .collect();
    if extended {
        let mut add = |key: &str, value: &str| rows.push(vec![key.into(), value.into(), "".into()]);
        add("", "");
        add("# Detailed Table Information", "");
        add("Catalog", &name.catalog);
        add("Database", &name.schema);
        add("Table", &name.table);
        add("Owner", &table.facts.owner);
        add("Created Time", &table.facts.created_at.format("%a %b %d %H:%M:%S UTC %Y").to_string());
        add("Type", table.kind.word());
        match &table.kind {
            TableKind::View { text, catalog, schema } => {
                add("View Text", text);
                add("View Catalog and Namespace", &format!("{catalog}.{schema}"));
            }
            _ => add("Provider", "delta"),
        }
        if let Some(comment) = &table.facts.comment {
            add("Comment", comment);
        }
        let properties: Vec<_> =
            table.facts.properties.iter().filter(|(k, _)| *k != PARTITIONS).map(|(k, v)| format!("{k}={v}")).collect();
        add("Table Properties", &format!("[{}]", properties.join(",")));
    }
    StatementResult::table(&[("col_name", T::String), ("data_type", T::String), ("comment", T::String)], rows)
}

fn history_columns() -> Vec<(&'static str, T)> {
    let map = || T::Map(Box::new(T::String), Box::new(T::String));
    let fields = |names: &[&str]| T::Struct(names.iter().map(|n| ((*n).to_owned(), T::String)).collect());
    vec![
        ("version", T::BigInt),
        ("timestamp", T::Timestamp),
        ("userId", T::String),
        ("userName", T::String),
        ("operation", T::String),
        ("operationParameters", map()),
        ("job", fields(&["jobId", "jobName", "jobRunId", "runId", "jobOwnerId", "triggerType"])),
        ("notebook", fields(&["notebookId"])),
        ("clusterId", T::String),
        ("readVersion", T::BigInt),
        ("isolationLevel", T::String),
        ("isBlindAppend", T::Boolean),
        ("operationMetrics", map()),
        ("userMetadata", T::String),
        ("engineInfo", T::String),
    ]
}

fn history_row(commit: &Commit) -> Vec<Value> {
    let parameters =
        Value::Map(commit.parameters.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect());
    let metrics = Value::Map(commit.metrics.iter().map(|(k, v)| (k.as_str().into(), v.to_string().into())).collect());
    vec![
        commit.version.into(),
        commit.at.timestamp_micros().into(),
        Value::Null,
        commit.user.as_str().into(),
        commit.operation.as_str().into(),
        parameters,
        commit.job.as_ref().map_or(Value::Null, |job| {
            let parts = [&job.job_id, &job.job_name, &job.job_run_id, &job.run_id, &job.owner, &job.trigger];
            Value::List(parts.into_iter().map(|part| part.as_str().into()).collect())
        }),
        Value::Null,
        Value::Null,
        commit.read_version.into(),
        commit.isolation.into(),
        commit.blind_append.into(),
        metrics,
        Value::Null,
        Value::Null,
    ]
}

fn create_text(name: &TableName, table: &Table) -> String {
    if let TableKind::View { text, .. } = &table.kind {
        let columns: Vec<_> = table.columns.iter().map(|c| format!("  {}", c.name)).collect();
        return format!("CREATE VIEW {name} (\n{})\nAS {text}\n", columns.join(",\n"));
    }
    let column = |c: &super::catalog::Column| {
        let null = if c.nullable { "" } else { " NOT NULL" };
        let comment =
            c.comment.as_ref().map(|text| format!(" COMMENT '{}'", text.replace('\'', "\\'"))).unwrap_or_default();
        format!("  {} {}{null}{comment}", c.name, c.ty)
    };
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    format!("CREATE TABLE {name} (\n{})\nUSING delta\n", columns.join(",\n"))
}
