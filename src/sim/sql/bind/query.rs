//! Queries: SELECT, set operations, VALUES, common table expressions, ordering and limits.

use super::from::Source;
use super::scope::{Scope, ScopeColumn};
use super::select_list::{Item, generates};
use super::{Binder, Bound, Named, Output, Plan};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query, Select, SetExpr, SetOperator,
    SetQuantifier, Values,
};

impl Binder<'_> {
    /// Binds a query; `outer` is the scope of the query around a correlated subquery.
    pub(crate) fn query(&self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Plan> {
        let before = self.named.borrow().len();
        if let Some(with) = &query.with {
            if with.recursive {
                return Err(SqlError::unsupported("recursive common table expressions"));
            }
            for cte in &with.cte_tables {
                let sees = self.named.borrow().len();
                let columns = cte.alias.columns.iter().map(|c| c.name.value.clone()).collect();
                self.named.borrow_mut().push(Named {
                    name: cte.alias.name.value.clone(),
                    query: (*cte.query).clone(),
                    columns,
                    sees,
                });
            }
        }
        let plan = self.body(query, outer);
        self.named.borrow_mut().truncate(before);
        if !query.pipe_operators.is_empty() || query.fetch.is_some() {
            return Err(SqlError::unsupported("pipe operators and FETCH"));
        }
        plan
    }

    fn body(&self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Plan> {
        let limit = self.limit(query.limit_clause.as_ref())?;
        if let SetExpr::Select(select) = query.body.as_ref() {
            return self.select(select, query.order_by.as_ref(), &limit, outer);
        }
        let mut plan = self.set_expr(&query.body, outer)?;
        if query.order_by.is_none() && limit.is_empty() {
            return Ok(plan);
        }
        let columns = plan.columns.iter().enumerate().map(|(n, c)| ScopeColumn {
            qualifier: Vec::new(),
            name: c.name.clone(),
            ty: c.ty.clone(),
            nullable: c.nullable,
            sql: format!("s.c{n}"),
            shown: true,
        });
        let scope = Scope { columns: columns.collect(), parent: outer, ..Scope::default() };
        let keys = self.order_keys(query.order_by.as_ref(), plan.columns.len(), &|n| format!("s.c{n}"), &scope)?;
        let list: Vec<_> = (0..plan.columns.len()).map(|n| format!("s.c{n} AS c{n}")).collect();
        plan.sql = format!("SELECT {} FROM ({}) s{keys}{limit}", list.join(", "), plan.sql);
        Ok(plan)
    }

    fn limit(&self, clause: Option<&LimitClause>) -> Result<String> {
        let number = |e: &Expr| -> Result<i64> {
            let bound = self.constant(e)?;
            let n = bound.literal.as_ref().and_then(Value::integer).filter(|_| bound.ty.is_integer());
            let n = n.ok_or_else(|| {
                SqlError::new(
                    "INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE",
                    "42K0E",
                    format!("The limit like expression \"{e}\" is invalid: The limit expression must be integer type."),
                )
            })?;
            if n < 0 {
                return Err(SqlError::new(
                    "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE",
                    "42K0E",
                    format!(
                        "The limit like expression \"{e}\" is invalid: The limit expression must be equal to or greater than 0, but got {n}."
                    ),
                ));
            }
            Ok(n)
        };
        match clause {
            None => Ok(String::new()),
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                let limit = limit.as_ref().map(&number).transpose()?.unwrap_or(-1);
                let offset = offset.as_ref().map(|o| number(&o.value)).transpose()?.unwrap_or(0);
                Ok(format!(" LIMIT {limit} OFFSET {offset}"))
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => Err(SqlError::syntax(",", "expected OFFSET")),
        }
    }

    fn set_expr(&self, body: &SetExpr, outer: Option<&Scope<'_>>) -> Result<Plan> {
        match body {
            SetExpr::Select(select) => self.select(select, None, "", outer),
            SetExpr::Query(query) => self.query(query, outer),
            SetExpr::Values(values) => self.values(values, outer),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left, right) = (self.set_expr(left, outer)?, self.set_expr(right, outer)?);
                self.set_operation(&left, *op, *set_quantifier, &right)
            }
            SetExpr::Table(table) => {
                let name = [table.schema_name.clone(), table.table_name.clone()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(".");
                self.query(&*super::super::parse::query(&format!("SELECT * FROM {name}"))?, outer)
            }
            other => Err(SqlError::unsupported(format!("{other} inside a query"))),
        }
    }

    fn set_operation(&self, left: &Plan, op: SetOperator, quantifier: SetQuantifier, right: &Plan) -> Result<Plan> {
        let word = match op {
            SetOperator::Union => "UNION",
            SetOperator::Except | SetOperator::Minus => "EXCEPT",
            SetOperator::Intersect => "INTERSECT",
        };
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::new(
                "NUM_COLUMNS_MISMATCH",
                "42826",
                format!(
                    "{word} can only be performed on inputs with the same number of columns, but the first input has {} columns and the second input has {} columns.",
                    left.columns.len(),
                    right.columns.len()
                ),
            ));
        }
        let all = match quantifier {
            SetQuantifier::All if op == SetOperator::Union => " ALL",
            SetQuantifier::None | SetQuantifier::Distinct => "",
            other => return Err(SqlError::unsupported(format!("{word} {other}"))),
        };
        let mut columns = Vec::new();
        for (n, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
            let ty = T::common(&a.ty, &b.ty).ok_or_else(|| {
                SqlError::new("INCOMPATIBLE_COLUMN_TYPE", "42825", format!("{word} can only be performed on tables with compatible column types. The {} column of the second table is \"{}\" type which is not compatible with \"{}\" at the same column of the first table.", n + 1, b.ty, a.ty))
            })?;
            columns.push(Output { name: a.name.clone(), ty, nullable: a.nullable || b.nullable });
        }
        let (a, b) = (self.aligned(left, &columns)?, self.aligned(right, &columns)?);
        Ok(Plan { sql: format!("{a} {word}{all} {b}"), columns })
    }

    /// A plan's text with each column in the type of the set operation.
    fn aligned(&self, plan: &Plan, columns: &[Output]) -> Result<String> {
        let mut list = Vec::new();
        for (n, (from, to)) in plan.columns.iter().zip(columns).enumerate() {
            let bound = Bound {
                sql: format!("s.c{n}"),
                ty: from.ty.clone(),
                nullable: from.nullable,
                literal: None,
                loose: false,
                aggregate: false,
                window: false,
            };
            list.push(format!("{} AS c{n}", self.coerce(&bound, &to.ty, &from.name)?.sql));
        }
        Ok(format!("SELECT {} FROM ({}) s", list.join(", "), plan.sql))
    }

    fn values(&self, values: &Values, outer: Option<&Scope<'_>>) -> Result<Plan> {
        let scope = Scope { parent: outer, ..Scope::default() };
        let rows = values
            .rows
            .iter()
            .map(|row| row.content.iter().map(|e| self.expr(e, &scope)).collect::<Result<Vec<_>>>())
            .collect::<Result<Vec<_>>>()?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(SqlError::new(
                "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                "42000",
                format!("Invalid inline table: Inline table expected {width} columns."),
            ));
        }
        let mut columns = Vec::new();
        for n in 0..width {
            let mut ty = T::Void;
            for row in &rows {
                ty = T::common(&ty, &row[n].ty).ok_or_else(|| {
                    SqlError::new(
                        "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE",
                        "42000",
                        format!(
                            "Invalid inline table: Found incompatible types in the column `col{}` for inline table.",
                            n + 1
                        ),
                    )
                })?;
            }
            columns.push(Output {
                name: format!("col{}", n + 1),
                ty,
                nullable: rows.iter().any(|row| row[n].nullable),
            });
        }
        let mut texts = Vec::new();
        for row in &rows {
            let list = row
                .iter()
                .zip(&columns)
                .enumerate()
                .map(|(n, (b, c))| Ok(format!("{} AS c{n}", self.coerce(b, &c.ty, &c.name)?.sql)));
            texts.push(format!("SELECT {}", list.collect::<Result<Vec<_>>>()?.join(", ")));
        }
        Ok(Plan { sql: texts.join(" UNION ALL "), columns })
    }

    fn select(
        &self,
        select: &Select,
        order_by: Option<&OrderBy>,
        limit: &str,
        outer: Option<&Scope<'_>>,
    ) -> Result<Plan> {
        if select.qualify.is_some() || select.top.is_some() || select.into.is_some() || !select.connect_by.is_empty() {
            return Err(SqlError::unsupported("QUALIFY, TOP, INTO and CONNECT BY"));
        }
        let mut source = self.from(&select.from, outer)?;
        for view in &select.lateral_views {
            self.lateral(&mut source, view, outer)?;
        }
        let mut scope = Scope { columns: source.columns.clone(), parent: outer, ..Scope::default() };
        let filter = select.selection.as_ref().map(|e| self.condition_of(e, &scope, "WHERE")).transpose()?;

        // Bound once without groups, to learn which items aggregate and what GROUP BY's numbers and aliases mean.
        let first = self.items(select, &mut scope, &mut source)?;
        let (keys, grouped) = self.group_keys(&select.group_by, &first, &mut scope)?;
        if grouped && source.sql.contains(" json_each(") && select.projection.iter().any(generates) {
            return Err(SqlError::new(
                "UNSUPPORTED_GENERATOR.OUTSIDE_SELECT",
                "42K0E",
                "The generator is not supported: outside the SELECT clause, found: Aggregate.",
            ));
        }
        let items = if grouped {
            self.items(select, &mut scope, &mut Source { sql: String::new(), columns: Vec::new() })?
        } else {
            first
        };
        let having = select.having.as_ref().map(|e| self.truth(&self.expr(e, &scope)?, e)).transpose()?;
        let aggregates = grouped || having.is_some() || items.iter().any(|i| i.bound.aggregate);
        if aggregates && let Some(item) = items.iter().find(|i| i.bound.loose) {
            return Err(missing_group(&item.name, grouped));
        }
        if aggregates && having.as_ref().is_some_and(|h| h.loose) {
            return Err(missing_group("HAVING", grouped));
        }
        if items.is_empty() {
            return Err(SqlError::syntax("FROM", "expected a column"));
        }

        let list: Vec<_> = items.iter().enumerate().map(|(n, i)| format!("{} AS c{n}", i.bound.sql)).collect();
        let distinct = match &select.distinct {
            Some(Distinct::Distinct) => "DISTINCT ",
            None | Some(Distinct::All) => "",
            Some(Distinct::On(_)) => return Err(SqlError::unsupported("DISTINCT ON")),
        };
        let mut sql = format!("SELECT {distinct}{}", list.join(", "));
        if !source.sql.is_empty() {
            sql.push_str(&format!(" FROM {}", source.sql));
        }
        if let Some(filter) = filter {
            sql.push_str(&format!(" WHERE {}", filter.sql));
        }
        if grouped && !keys.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        if let Some(having) = having {
            // SQLite wants a group to have HAVING; a constant makes the one group of all rows.
            let group = if grouped { "" } else { " GROUP BY NULL" };
            sql.push_str(&format!("{group} HAVING {}", having.sql));
        }
        scope.aliases = items.iter().map(|i| (i.name.clone(), i.bound.clone())).collect();
        sql.push_str(&self.select_order(order_by, &items, &scope, aggregates)?);
        sql.push_str(limit);
        let columns =
            items.into_iter().map(|i| Output { name: i.name, ty: i.bound.ty, nullable: i.bound.nullable }).collect();
        Ok(Plan { sql, columns })
    }

    fn condition_of(&self, expr: &Expr, scope: &Scope<'_>, clause: &str) -> Result<Bound> {
        let bound = self.truth(&self.expr(expr, scope)?, expr)?;
        if bound.aggregate || bound.window {
            return Err(SqlError::new(
                "INVALID_WHERE_CONDITION",
                "42903",
                format!(
                    "The {clause} condition \"{expr}\" contains invalid expressions: an aggregate or window function. Rewrite the query to avoid window functions, aggregate functions, and generator functions in the {clause} clause."
                ),
            ));
        }
        Ok(bound)
    }

    /// Texts for GROUP BY, whether there is one, and the scope told of the grouping expressions.
    fn group_keys(&self, group_by: &GroupByExpr, items: &[Item], scope: &mut Scope<'_>) -> Result<(Vec<String>, bool)> {
        let keys: Vec<Bound> = match group_by {
            GroupByExpr::All(modifiers) if modifiers.is_empty() => {
                items.iter().filter(|i| !i.bound.aggregate).map(|i| i.bound.clone()).collect()
            }
            GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => {
                if exprs.is_empty() {
                    return Ok((Vec::new(), false));
                }
                exprs.iter().map(|e| self.group_key(e, items, scope)).collect::<Result<_>>()?
            }
            other => return Err(SqlError::unsupported(format!("{other}"))),
        };
        // Constants would be read as positions: they group nothing, but something must stand there.
        let mut texts: Vec<String> = keys.iter().filter(|k| k.literal.is_none()).map(|k| k.sql.clone()).collect();
        if texts.is_empty() {
            texts.push("NULL".to_owned());
        }
        scope.groups = keys.into_iter().map(|k| k.sql).collect();
        Ok((texts, true))
    }

    /// A column, else an alias, else the position of an item.
    fn group_key(&self, expr: &Expr, items: &[Item], scope: &Scope<'_>) -> Result<Bound> {
        if let Some(position) = ordinal(expr) {
            let item = position.checked_sub(1).and_then(|at| items.get(at)).ok_or_else(|| {
                SqlError::new(
                    "GROUP_BY_POS_OUT_OF_RANGE",
                    "42805",
                    format!(
                        "GROUP BY position {position} is not in select list (valid range is [1, {}]).",
                        items.len()
                    ),
                )
            })?;
            if item.bound.aggregate {
                return Err(SqlError::new(
                    "GROUP_BY_POS_AGGREGATE",
                    "42903",
                    format!(
                        "GROUP BY {position} refers to an expression {} that contains an aggregate function. Aggregate functions are not allowed in GROUP BY.",
                        item.name
                    ),
                ));
            }
            return Ok(item.bound.clone());
        }
        let bound = self.expr(expr, scope)?;
        if bound.aggregate {
            return Err(SqlError::new(
                "GROUP_BY_AGGREGATE",
                "42903",
                format!("Aggregate functions are not allowed in GROUP BY, but found {expr}."),
            ));
        }
        Ok(bound)
    }

    /// ORDER BY of a SELECT: output columns by position or name first, then whatever the FROM has.
    fn select_order(
        &self,
        order_by: Option<&OrderBy>,
        items: &[Item],
        scope: &Scope<'_>,
        aggregates: bool,
    ) -> Result<String> {
        let Some(order) = order_by else { return Ok(String::new()) };
        let OrderByKind::Expressions(exprs) = &order.kind else {
            let keys: Vec<_> = (0..items.len()).map(|n| format!("c{n}")).collect();
            return Ok(format!(" ORDER BY {}", keys.join(", ")));
        };
        let mut keys = Vec::new();
        for item in exprs {
            let named = match &item.expr {
                Expr::Identifier(ident) => items.iter().position(|i| i.name.eq_ignore_ascii_case(&ident.value)),
                expr => self.position(expr, items.len())?,
            };
            let sql = match named {
                Some(n) => format!("c{n}"),
                None => {
                    let bound = self.expr(&item.expr, scope)?;
                    if aggregates && bound.loose {
                        return Err(missing_group(&item.expr.to_string(), true));
                    }
                    bound.sql
                }
            };
            keys.push(self.order_item(item, &sql)?);
        }
        Ok(format!(" ORDER BY {}", keys.join(", ")))
    }

    fn position(&self, expr: &Expr, width: usize) -> Result<Option<usize>> {
        let Some(position) = ordinal(expr) else { return Ok(None) };
        if !(1..=width).contains(&position) {
            return Err(SqlError::new(
                "ORDER_BY_POS_OUT_OF_RANGE",
                "42805",
                format!("ORDER BY position {position} is not in select list (valid range is [1, {width}])."),
            ));
        }
        Ok(Some(position - 1))
    }

    /// ORDER BY over a set operation or VALUES.
    fn order_keys(
        &self,
        order_by: Option<&OrderBy>,
        width: usize,
        text: &dyn Fn(usize) -> String,
        scope: &Scope<'_>,
    ) -> Result<String> {
        let Some(order) = order_by else { return Ok(String::new()) };
        let OrderByKind::Expressions(exprs) = &order.kind else {
            return Ok(format!(" ORDER BY {}", (0..width).map(text).collect::<Vec<_>>().join(", ")));
        };
        let key = |item: &OrderByExpr| {
            let sql = match self.position(&item.expr, width)? {
                Some(n) => text(n),
                None => self.expr(&item.expr, scope)?.sql,
            };
            self.order_item(item, &sql)
        };
        Ok(format!(" ORDER BY {}", exprs.iter().map(key).collect::<Result<Vec<_>>>()?.join(", ")))
    }
}

fn ordinal(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn missing_group(name: &str, grouped: bool) -> SqlError {
    if grouped {
        return SqlError::new(
            "MISSING_AGGREGATION",
            "42803",
            format!(
                "The non-aggregating expression \"{name}\" is based on columns which are not participating in the GROUP BY clause. Add the columns or the expression to the GROUP BY, aggregate the expression, or use \"any_value({name})\" if you do not care which of the values within a group is returned."
            ),
        );
    }
    SqlError::new(
        "MISSING_GROUP_BY",
        "42803",
        "The query does not include a GROUP BY clause. Add GROUP BY or turn it into the window functions using OVER clauses.",
    )
}
