//! The SELECT list: wildcards, aliases, generators, and the names of columns without alias.

use super::from::{Source, generator_call};
use super::scope::Scope;
use super::{Binder, Bound, levels};
use crate::sim::sql::error::{Result, SqlError};
use sqlparser::ast::{Expr, Select, SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions};

/// A result column before it is written down.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) bound: Bound,
}

impl Binder<'_> {
    /// The SELECT list, wildcards unfolded; earlier aliases are in sight of later items.
    pub(super) fn items(&self, select: &Select, scope: &mut Scope<'_>, source: &mut Source) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        scope.aliases.clear();
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(options) => wildcard(scope, &[], options, &mut items)?,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    wildcard(scope, &levels(name)?, options, &mut items)?;
                }
                SelectItem::UnnamedExpr(expr) if generator_call(expr).is_some() => {
                    self.unfold(expr, &[], scope, source, &mut items)?;
                }
                SelectItem::ExprWithAlias { expr, alias } if generator_call(expr).is_some() => {
                    self.unfold(expr, std::slice::from_ref(&alias.value), scope, source, &mut items)?;
                }
                SelectItem::ExprWithAliases { expr, aliases } if generator_call(expr).is_some() => {
                    let aliases: Vec<String> = aliases.iter().map(|a| a.value.clone()).collect();
                    self.unfold(expr, &aliases, scope, source, &mut items)?;
                }
                SelectItem::UnnamedExpr(expr) => {
                    items.push(Item { name: automatic_name(expr), bound: self.expr(expr, scope)? });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let bound = self.expr(expr, scope)?;
                    scope.aliases.push((alias.value.clone(), bound.clone()));
                    items.push(Item { name: alias.value.clone(), bound });
                }
                other => return Err(SqlError::unsupported(format!("the SELECT item {other}"))),
            }
        }
        Ok(items)
    }

    /// `SELECT explode(x)`: a join that unfolds, and its columns.
    fn unfold(
        &self,
        expr: &Expr,
        aliases: &[String],
        scope: &mut Scope<'_>,
        source: &mut Source,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        let Some((name, array)) = generator_call(expr) else { return Ok(()) };
        let more = self.generator(&name, &self.expr(array, scope)?, name.ends_with("_outer"))?;
        let join =
            if source.sql.is_empty() { more.sql.replacen("CROSS JOIN ", "", 1) } else { format!(" {}", more.sql) };
        source.sql.push_str(&join);
        for (at, column) in more.columns.into_iter().enumerate() {
            let bound = Bound {
                sql: column.sql,
                ty: column.ty,
                nullable: true,
                literal: None,
                loose: true,
                aggregate: false,
                window: false,
            };
            items.push(Item { name: aliases.get(at).cloned().unwrap_or(column.name), bound });
        }
        Ok(())
    }
}

/// Whether an item unfolds rows.
pub(super) fn generates(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::ExprWithAliases { expr, .. } => generator_call(expr).is_some(),
        _ => false,
    }
}

/// `*`, `t.*`, and either with EXCEPT.
fn wildcard(
    scope: &Scope<'_>,
    qualifier: &[String],
    options: &WildcardAdditionalOptions,
    items: &mut Vec<Item>,
) -> Result<()> {
    if options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
    {
        return Err(SqlError::unsupported("REPLACE, RENAME, ILIKE and EXCLUDE after *"));
    }
    let except: Vec<&str> = options
        .opt_except
        .iter()
        .flat_map(|e| std::iter::once(&e.first_element).chain(&e.additional_elements))
        .map(|i| i.value.as_str())
        .collect();
    let before = items.len();
    for column in &scope.columns {
        let wanted = if qualifier.is_empty() { column.shown } else { column.qualified_by(qualifier) };
        if !wanted || except.iter().any(|name| name.eq_ignore_ascii_case(&column.name)) {
            continue;
        }
        let bound = Bound {
            sql: column.sql.clone(),
            ty: column.ty.clone(),
            nullable: column.nullable,
            literal: None,
            loose: true,
            aggregate: false,
            window: false,
        };
        items.push(Item { name: column.name.clone(), bound: scope.settle(bound) });
    }
    if items.len() == before && except.is_empty() {
        let name = crate::sim::sql::names::quote(qualifier);
        return Err(SqlError::new(
            "CANNOT_RESOLVE_STAR_EXPAND",
            "42704",
            format!(
                "Cannot resolve {name}.* given input columns. Please check that the specified table or struct exists and is accessible in the input columns."
            ),
        ));
    }
    Ok(())
}

/// The name that Spark gives a column without alias.
pub(super) fn automatic_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => automatic_name(inner),
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", automatic_name(left), automatic_name(right)),
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::SingleQuotedString(text) | sqlparser::ast::Value::DoubleQuotedString(text) => {
                text.clone()
            }
            sqlparser::ast::Value::Null => "NULL".to_owned(),
            other => other.to_string(),
        },
        Expr::Function(function) if function.over.is_none() && function.filter.is_none() => {
            let args = super::call::arguments(function)
                .map(|a| a.exprs.iter().map(|e| automatic_name(e)).collect::<Vec<_>>())
                .unwrap_or_default();
            let args =
                if args.is_empty() && function.to_string().ends_with("(*)") { vec!["1".to_owned()] } else { args };
            format!("{}({})", function.name.to_string().to_lowercase(), args.join(", "))
        }
        Expr::Cast { expr, data_type, .. } => {
            format!("CAST({} AS {})", automatic_name(expr), data_type.to_string().to_uppercase())
        }
        other => other.to_string(),
    }
}
