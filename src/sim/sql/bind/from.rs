//! FROM: tables at a version, views, subqueries, joins, generators.

use super::scope::{Scope, ScopeColumn};
use super::{Binder, Bound, Output, Plan, at, levels};
use crate::sim::sql::catalog::{Column, Privilege, TableKind};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::names::{Securable, TableName, quote};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, LateralView, TableAlias, TableFactor, TableVersion, TableWithJoins,
};

/// Relations in FROM: SQLite text, and the columns in sight.
pub(crate) struct Source {
    pub(crate) sql: String,
    pub(crate) columns: Vec<ScopeColumn>,
}

/// A column that USING or NATURAL merges: its name, and the columns of both sides.
type Merged = (String, ScopeColumn, ScopeColumn);

/// What `AS OF` asks for.
enum AsOf {
    Version(i64),
    Instant(i64),
}

impl Binder<'_> {
    /// All relations of a FROM clause, joined.
    pub(super) fn from(&self, from: &[TableWithJoins], parent: Option<&Scope<'_>>) -> Result<Source> {
        let mut whole: Option<Source> = None;
        for item in from {
            let source = self.joined(item, parent)?;
            whole = Some(match whole {
                None => source,
                Some(left) => Source {
                    sql: format!("{} CROSS JOIN {}", left.sql, source.sql),
                    columns: [left.columns, source.columns].concat(),
                },
            });
        }
        Ok(whole.unwrap_or(Source { sql: String::new(), columns: Vec::new() }))
    }

    fn joined(&self, item: &TableWithJoins, parent: Option<&Scope<'_>>) -> Result<Source> {
        let mut left = self.factor(&item.relation, parent)?;
        for join in &item.joins {
            left = self.join(left, join, parent)?;
        }
        Ok(left)
    }

    fn join(&self, left: Source, join: &Join, parent: Option<&Scope<'_>>) -> Result<Source> {
        use JoinOperator as J;
        let right = self.factor(&join.relation, parent)?;
        let (word, constraint, left_null, right_null) = match &join.join_operator {
            J::Join(c) | J::Inner(c) => ("JOIN", c, false, false),
            J::CrossJoin(c) => ("JOIN", c, false, false),
            J::Left(c) | J::LeftOuter(c) => ("LEFT JOIN", c, false, true),
            J::Right(c) | J::RightOuter(c) => ("RIGHT JOIN", c, true, false),
            J::FullOuter(c) => ("FULL JOIN", c, true, true),
            J::Semi(c) | J::LeftSemi(c) => return self.half_join(left, &right, c, true, parent),
            J::Anti(c) | J::LeftAnti(c) => return self.half_join(left, &right, c, false, parent),
            other => return Err(SqlError::unsupported(format!("the join {other:?}"))),
        };
        let (condition, merged) = self.join_condition(&left, &right, constraint, parent)?;
        let null = |columns: Vec<ScopeColumn>, nullable: bool| {
            columns.into_iter().map(move |c| ScopeColumn { nullable: c.nullable || nullable, ..c })
        };
        let mut columns: Vec<ScopeColumn> =
            null(left.columns, left_null).chain(null(right.columns, right_null)).collect();
        let mut shared = Vec::new();
        for (name, a, b) in merged {
            let mut hidden = columns.iter_mut().filter(|c| c.sql == a.sql || c.sql == b.sql);
            hidden.by_ref().for_each(|c| c.shown = false);
            let sql = match word {
                "FULL JOIN" => format!("coalesce({}, {})", a.sql, b.sql),
                "RIGHT JOIN" => b.sql.clone(),
                _ => a.sql.clone(),
            };
            let nullable = a.nullable || b.nullable;
            shared.push(ScopeColumn { qualifier: Vec::new(), name, ty: a.ty, nullable, sql, shown: true });
        }
        // Shared columns come first in `*`, as the standard says.
        shared.extend(columns);
        Ok(Source { sql: format!("{} {word} {} ON {condition}", left.sql, right.sql), columns: shared })
    }

    /// The ON text, and the pairs of columns that USING or NATURAL merges.
    fn join_condition(
        &self,
        left: &Source,
        right: &Source,
        constraint: &JoinConstraint,
        parent: Option<&Scope<'_>>,
    ) -> Result<(String, Vec<Merged>)> {
        let names: Vec<String> = match constraint {
            JoinConstraint::None => return Ok(("1".to_owned(), Vec::new())),
            JoinConstraint::On(expr) => {
                let scope = Scope {
                    columns: [left.columns.clone(), right.columns.clone()].concat(),
                    parent,
                    ..Scope::default()
                };
                return Ok((self.truth(&self.expr(expr, &scope)?, expr)?.sql, Vec::new()));
            }
            JoinConstraint::Using(names) => names.iter().map(|n| Ok(levels(n)?.concat())).collect::<Result<_>>()?,
            JoinConstraint::Natural => {
                let both = |c: &&ScopeColumn| {
                    c.shown && right.columns.iter().any(|r| r.shown && r.name.eq_ignore_ascii_case(&c.name))
                };
                left.columns.iter().filter(both).map(|c| c.name.clone()).collect()
            }
        };
        let mut texts = Vec::new();
        let mut merged = Vec::new();
        for name in names {
            let find = |side: &Source, word: &str| {
                side.columns.iter().find(|c| c.shown && c.name.eq_ignore_ascii_case(&name)).cloned().ok_or_else(|| {
                    let known: Vec<_> = side.columns.iter().map(|c| format!("`{}`", c.name)).collect();
                    SqlError::new("UNRESOLVED_USING_COLUMN_FOR_JOIN", "42703", format!("USING column `{name}` cannot be resolved on the {word} side of the join. The {word}-side columns: [{}].", known.join(", ")))
                })
            };
            let (a, b) = (find(left, "left")?, find(right, "right")?);
            let pair = [&a, &b].map(|c| Bound {
                sql: c.sql.clone(),
                ty: c.ty.clone(),
                nullable: c.nullable,
                literal: None,
                loose: false,
                aggregate: false,
                window: false,
            });
            let (unified, _) = self.unify(&pair, &name)?;
            texts.push(format!("{} = {}", unified[0].sql, unified[1].sql));
            merged.push((name.clone(), a, b));
        }
        Ok((if texts.is_empty() { "1".to_owned() } else { texts.join(" AND ") }, merged))
    }

    /// Rows of the left side that have (or have not) a match: the right side stays out of sight.
    fn half_join(
        &self,
        left: Source,
        right: &Source,
        constraint: &JoinConstraint,
        matching: bool,
        parent: Option<&Scope<'_>>,
    ) -> Result<Source> {
        let (condition, _) = self.join_condition(&left, right, constraint, parent)?;
        let alias = self.alias();
        let list: Vec<_> = left.columns.iter().enumerate().map(|(n, c)| format!("{} AS c{n}", c.sql)).collect();
        let not = if matching { "" } else { "NOT " };
        let sql = format!(
            "(SELECT {} FROM {} WHERE {not}EXISTS (SELECT 1 FROM {} WHERE {condition})) {alias}",
            list.join(", "),
            left.sql,
            right.sql
        );
        let columns = left
            .columns
            .into_iter()
            .enumerate()
            .map(|(n, c)| ScopeColumn { sql: format!("{alias}.c{n}"), ..c })
            .collect();
        Ok(Source { sql, columns })
    }

    pub(crate) fn factor(&self, factor: &TableFactor, parent: Option<&Scope<'_>>) -> Result<Source> {
        match factor {
            TableFactor::Table { name, alias, args: None, version, sample: None, .. } => {
                let parts = levels(name)?;
                let first = name.0.first().and_then(|p| p.as_ident());
                self.relation(&parts, alias.as_ref(), version.as_ref(), first)
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.generator_table(&name.to_string(), &args.args, alias.as_ref())
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let plan = self.query(subquery, parent)?;
                self.wrap(&plan, alias.as_ref(), &[])
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let inner = self.joined(table_with_joins, parent)?;
                Ok(Source { sql: format!("({})", inner.sql), columns: inner.columns })
            }
            other => Err(SqlError::unsupported(format!("the relation {other}"))),
        }
    }

    /// A plan as a relation under an alias.
    fn wrap(&self, plan: &Plan, alias: Option<&TableAlias>, qualifier: &[String]) -> Result<Source> {
        let inner = self.alias();
        let names: Vec<String> = match alias {
            Some(alias) if !alias.columns.is_empty() => {
                if alias.columns.len() != plan.columns.len() {
                    return Err(SqlError::new(
                        "ASSIGNMENT_ARITY_MISMATCH",
                        "42802",
                        format!(
                            "The number of columns or variables assigned or aliased: {} does not match the number of source expressions: {}.",
                            alias.columns.len(),
                            plan.columns.len()
                        ),
                    ));
                }
                alias.columns.iter().map(|c| c.name.value.clone()).collect()
            }
            _ => plan.columns.iter().map(|c| c.name.clone()).collect(),
        };
        let qualifier = alias.map_or_else(|| qualifier.to_vec(), |a| vec![a.name.value.clone()]);
        let column = |(n, (output, name)): (usize, (&Output, String))| ScopeColumn {
            qualifier: qualifier.clone(),
            name,
            ty: output.ty.clone(),
            nullable: output.nullable,
            sql: format!("{inner}.c{n}"),
            shown: true,
        };
        let columns = plan.columns.iter().zip(names).enumerate().map(column).collect();
        Ok(Source { sql: format!("({}) {inner}", plan.sql), columns })
    }

    fn relation(
        &self,
        parts: &[String],
        alias: Option<&TableAlias>,
        version: Option<&TableVersion>,
        ident: Option<&Ident>,
    ) -> Result<Source> {
        if let [name] = parts
            && let Some(source) = self.common_table(name, alias)?
        {
            return Ok(source);
        }
        let name = self.table_name(parts)?;
        let depth = self.home.borrow().len();
        self.sources.borrow_mut().insert((depth, name.clone()));
        if depth == 1 {
            self.engine.last_sources.borrow_mut().insert(name.clone());
        }
        let qualifier = [name.catalog.clone(), name.schema.clone(), name.table.clone()];
        let principal = self.home().principal;
        let as_of = version.map(|v| self.as_of(v)).transpose()?;
        if as_of.is_some() && self.engine.breaks.time_travel {
            return Err(no_time_travel(&name));
        }
        let catalog = self.engine.catalog();
        if let Some(computed) = self.engine.computed(&name, &principal)? {
            if as_of.is_some() {
                return Err(no_time_travel(&name));
            }
            return self.scan_plan(&computed.sql, &computed.columns, alias, &qualifier);
        }
        let table = catalog.table(&name).map_err(|_| at(ident, SqlError::table_not_found(&quote(parts))))?;
        catalog.require_select(&principal, &name)?;
        if let Some(plan) = self.view(&name, &table.kind, &table.facts.owner) {
            if as_of.is_some() {
                return Err(no_time_travel(&name));
            }
            let mut plan = plan?;
            if plan.columns.len() != table.columns.len() {
                return Err(SqlError::new(
                    "INCOMPATIBLE_VIEW_SCHEMA_CHANGE",
                    "51024",
                    format!("The SQL query of view {} has an incompatible schema change.", name.quoted()),
                ));
            }
            for (output, column) in plan.columns.iter_mut().zip(&table.columns) {
                column.name.clone_into(&mut output.name);
            }
            return self.wrap(&plan, alias, &qualifier);
        }
        let newest = self.engine.newest_version(table.facts.id)?;
        let version = match as_of {
            None => {
                self.live_reads.borrow_mut().push(name);
                newest
            }
            Some(AsOf::Version(version)) => self.engine.checked_version(&name, table.facts.id, version)?,
            Some(AsOf::Instant(us)) => self.engine.version_at(&name, table.facts.id, us)?,
        };
        let (sql, columns) = self.engine.scan(table.facts.id, version, &table.columns)?;
        self.scan_plan(&sql, &columns, alias, &qualifier)
    }

    fn scan_plan(
        &self,
        sql: &str,
        columns: &[Column],
        alias: Option<&TableAlias>,
        qualifier: &[String],
    ) -> Result<Source> {
        let columns =
            columns.iter().map(|c| Output { name: c.name.clone(), ty: c.ty.clone(), nullable: c.nullable }).collect();
        self.wrap(&Plan { sql: sql.to_owned(), columns }, alias, qualifier)
    }

    fn common_table(&self, name: &str, alias: Option<&TableAlias>) -> Result<Option<Source>> {
        let named = self.named.borrow().clone();
        let Some(found) = named.iter().rev().find(|n| n.name.eq_ignore_ascii_case(name)) else { return Ok(None) };
        *self.named.borrow_mut() = named.get(..found.sees).unwrap_or_default().to_vec();
        let plan = self.query(&found.query, None);
        *self.named.borrow_mut() = named.clone();
        let mut plan = plan?;
        if !found.columns.is_empty() {
            if found.columns.len() != plan.columns.len() {
                return Err(SqlError::new(
                    "ASSIGNMENT_ARITY_MISMATCH",
                    "42802",
                    format!(
                        "The number of columns or variables assigned or aliased: {} does not match the number of source expressions: {}.",
                        found.columns.len(),
                        plan.columns.len()
                    ),
                ));
            }
            for (output, name) in plan.columns.iter_mut().zip(&found.columns) {
                name.clone_into(&mut output.name);
            }
        }
        self.wrap(&plan, alias, &[name.to_owned()]).map(Some)
    }

    fn as_of(&self, version: &TableVersion) -> Result<AsOf> {
        match version {
            TableVersion::VersionAsOf(expr) => {
                let bound = self.constant(expr)?;
                bound
                    .literal
                    .as_ref()
                    .and_then(Value::integer)
                    .map(AsOf::Version)
                    .ok_or_else(|| SqlError::syntax(&expr.to_string(), "expected a version"))
            }
            TableVersion::TimestampAsOf(expr) => {
                let bound = self.constant(expr)?;
                let at = self.coerce(&bound, &T::Timestamp, &expr.to_string())?;
                at.literal.as_ref().and_then(Value::integer).map(AsOf::Instant).ok_or_else(|| {
                    SqlError::new("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", "42K0E", format!("The time travel timestamp expression \"{expr}\" is invalid: Cannot be casted to the \"TIMESTAMP\" type."))
                })
            }
            other => Err(SqlError::unsupported(format!("time travel by {other}"))),
        }
    }

    /// `explode(array)` in FROM.
    fn generator_table(
        &self,
        name: &str,
        args: &[sqlparser::ast::FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Result<Source> {
        use sqlparser::ast::{FunctionArg, FunctionArgExpr};
        let exprs: Vec<&Expr> = args
            .iter()
            .filter_map(|a| if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = a { Some(e) } else { None })
            .collect();
        let scope = Scope::default();
        match (name.to_lowercase().as_str(), exprs.as_slice()) {
            ("explode" | "posexplode", [array]) => {
                let mut source = self.generator(&name.to_lowercase(), &self.expr(array, &scope)?, false)?;
                source.sql = source.sql.trim_start_matches("CROSS JOIN ").to_owned();
                self.rename(&mut source.columns, alias);
                Ok(source)
            }
            ("event_log", [pipeline]) => {
                let id = self.constant(pipeline)?;
                let id = id.literal.as_ref().and_then(Value::text).unwrap_or_default();
                let missing = || SqlError::table_not_found(&quote(&["event_log", id]));
                let name = self.engine.event_log(id).ok_or_else(missing)?.clone();
                let principal = self.home().principal;
                let computed = self.engine.computed(&name, &principal)?.ok_or_else(missing)?;
                self.scan_plan(&computed.sql, &computed.columns, alias, &[])
            }
            ("range", [_] | [_, _]) => {
                let bounds = exprs
                    .iter()
                    .map(|e| self.coerce(&self.constant(e)?, &T::BigInt, "range"))
                    .collect::<Result<Vec<_>>>()?;
                let numbers: Vec<i64> =
                    bounds.iter().filter_map(|b| b.literal.as_ref().and_then(Value::integer)).collect();
                let (start, end) = if let [start, end] = numbers.as_slice() {
                    (*start, *end)
                } else {
                    (0, numbers.first().copied().unwrap_or(0))
                };
                let sql = format!(
                    "WITH RECURSIVE n(c0) AS (SELECT {start} WHERE {start} < {end} UNION ALL SELECT c0 + 1 FROM n WHERE c0 + 1 < {end}) SELECT c0 FROM n"
                );
                self.wrap(
                    &Plan { sql, columns: vec![Output { name: "id".to_owned(), ty: T::BigInt, nullable: false }] },
                    alias,
                    &[],
                )
            }
            _ => Err(SqlError::new(
                "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
                "42883",
                format!(
                    "Could not resolve {} to a table-valued function. Please make sure that it is defined as a table-valued function and that all required parameters are provided correctly.",
                    quote(&[name])
                ),
            )),
        }
    }

    fn rename(&self, columns: &mut [ScopeColumn], alias: Option<&TableAlias>) {
        let Some(alias) = alias else { return };
        for (at, column) in columns.iter_mut().enumerate() {
            column.qualifier = vec![alias.name.value.clone()];
            if let Some(name) = alias.columns.get(at) {
                column.name.clone_from(&name.name.value);
            }
        }
    }

    /// `LATERAL VIEW [OUTER] explode(x) t AS a, b`.
    pub(super) fn lateral(&self, source: &mut Source, view: &LateralView, parent: Option<&Scope<'_>>) -> Result<()> {
        let scope = Scope { columns: source.columns.clone(), parent, ..Scope::default() };
        let Some((name, array)) = generator_call(&view.lateral_view) else {
            return Err(SqlError::unsupported(format!("LATERAL VIEW {}", view.lateral_view)));
        };
        let mut more = self.generator(&name, &self.expr(array, &scope)?, view.outer || name.ends_with("_outer"))?;
        for (at, column) in more.columns.iter_mut().enumerate() {
            column.qualifier = levels(&view.lateral_view_name)?;
            if let Some(alias) = view.lateral_col_alias.get(at) {
                column.name.clone_from(&alias.value);
            }
        }
        source.sql = format!("{} {}", source.sql, more.sql);
        source.columns.extend(more.columns);
        Ok(())
    }

    /// The join that unfolds an array or a map: text to append to FROM, and its columns.
    pub(super) fn generator(&self, name: &str, input: &Bound, outer: bool) -> Result<Source> {
        let alias = self.alias();
        let word = if outer { "LEFT JOIN" } else { "CROSS JOIN" };
        let sql = format!("{word} json_each({}) {alias}{}", input.sql, if outer { " ON 1" } else { "" });
        let index = Bound {
            sql: format!("{alias}.key"),
            ty: T::Int,
            nullable: outer,
            literal: None,
            loose: false,
            aggregate: false,
            window: false,
        };
        let mut found: Vec<(&str, Bound)> = Vec::new();
        if name.starts_with("pos") {
            found.push(("pos", index.clone()));
        }
        match &input.ty {
            T::Array(_) => found.push(("col", self.apply("get", &[input.clone(), index], name)?)),
            T::Map(..) => {
                for (column, part) in [("key", "map_keys"), ("value", "map_values")] {
                    let part = self.apply(part, std::slice::from_ref(input), name)?;
                    found.push((column, self.apply("get", &[part, index.clone()], name)?));
                }
            }
            other => {
                return Err(SqlError::type_mismatch(
                    &format!("{name}(...)"),
                    &format!(
                        "the parameter requires the (\"ARRAY\" or \"MAP\") type, however it has the type \"{other}\""
                    ),
                ));
            }
        }
        let column = |(name, bound): (&str, Bound)| ScopeColumn {
            qualifier: Vec::new(),
            name: name.to_owned(),
            ty: bound.ty,
            nullable: true,
            sql: bound.sql,
            shown: true,
        };
        Ok(Source { sql, columns: found.into_iter().map(column).collect() })
    }

    /// The relation that a row change writes: its name, rights checked, and its kind fit for it.
    pub(crate) fn writable(&self, parts: &[String], ident: Option<&Ident>) -> Result<TableName> {
        let name = self.table_name(parts)?;
        let catalog = self.engine.catalog();
        let table = catalog.table(&name).map_err(|_| at(ident, SqlError::table_not_found(&quote(parts))))?;
        let refusal = |what: &str| {
            SqlError::new(
                "UNSUPPORTED_FEATURE.TABLE_OPERATION",
                "0A000",
                format!(
                    "The feature is not supported: Table {} does not support {what}. Please check the current catalog and namespace to make sure the qualified table name is expected.",
                    name.quoted()
                ),
            )
        };
        match &table.kind {
            TableKind::Managed => {}
            TableKind::View { .. } => {
                return Err(SqlError::new(
                    "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
                    "42809",
                    format!("'DML' expects a table but {} is a view.", name.quoted()),
                ));
            }
            TableKind::StreamingTable { .. } => {
                return Err(SqlError::new(
                    "STREAMING_TABLE_OPERATION_NOT_ALLOWED.UNSUPPORTED_OPERATION",
                    "42601",
                    format!(
                        "The operation is not allowed: {} is a streaming table, which its pipeline alone writes.",
                        name.quoted()
                    ),
                ));
            }
            TableKind::MaterializedView { .. } => {
                return Err(SqlError::new(
                    "MATERIALIZED_VIEW_OPERATION_NOT_ALLOWED.MV_NOT_ENABLED",
                    "42601",
                    format!(
                        "The operation is not allowed: {} is a materialized view, which its pipeline alone writes.",
                        name.quoted()
                    ),
                ));
            }
            TableKind::Computed => return Err(refusal("row changes")),
        }
        catalog.require_reach(&self.home().principal, &name.catalog, &name.schema)?;
        catalog.require(&self.home().principal, Privilege::MODIFY, &Securable::Table(name.clone()))?;
        Ok(name)
    }
}

/// `explode(x)`, `posexplode(x)` and their `_outer` forms.
pub(super) fn generator_call(expr: &Expr) -> Option<(String, &Expr)> {
    let Expr::Function(function) = expr else { return None };
    let name = function.name.to_string().to_lowercase();
    if !matches!(name.as_str(), "explode" | "posexplode" | "explode_outer" | "posexplode_outer") {
        return None;
    }
    super::call::arguments(function).ok()?.exprs.first().map(|array| (name, *array))
}

fn no_time_travel(name: &TableName) -> SqlError {
    SqlError::new(
        "UNSUPPORTED_FEATURE.TIME_TRAVEL",
        "0A000",
        format!("The feature is not supported: Time travel on the relation: {}.", name.quoted()),
    )
}
