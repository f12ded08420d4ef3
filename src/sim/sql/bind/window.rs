//! Window functions.

use super::call::{Arguments, check_count};
use super::scope::Scope;
use super::{Binder, Bound};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use sqlparser::ast::{Expr, Function, OrderByExpr, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType};

impl Binder<'_> {
    pub(super) fn windowed(
        &self,
        function: &Function,
        name: &str,
        args: &Arguments<'_>,
        scope: &Scope<'_>,
        whole: &Expr,
    ) -> Result<Bound> {
        let Some(WindowType::WindowSpec(spec)) = &function.over else {
            return Err(SqlError::new(
                "WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE",
                "42601",
                format!("Window function \"{whole}\" requires an OVER clause."),
            ));
        };
        let (over, loose) = self.over(spec, scope)?;
        let bind = |at: usize| self.expr(args.exprs[at], scope);
        let args_loose = args.exprs.iter().any(|e| self.expr(e, scope).is_ok_and(|b| b.loose));
        let (call, ty, nullable) = match name {
            "row_number" | "rank" | "dense_rank" => (format!("{name}()"), T::Int, false),
            "percent_rank" | "cume_dist" => (format!("{name}()"), T::Double, false),
            "ntile" => {
                check_count(name, args.exprs.len(), (1, 1))?;
                (format!("ntile({})", bind(0)?.sql), T::Int, false)
            }
            "lag" | "lead" => {
                check_count(name, args.exprs.len(), (1, 3))?;
                let value = bind(0)?;
                let offset = if args.exprs.len() > 1 { bind(1)? } else { Bound::literal(Value::Integer(1), T::Int) };
                let default = if args.exprs.len() > 2 {
                    self.coerce(&bind(2)?, &value.ty, &whole.to_string())?
                } else {
                    Bound::literal(Value::Null, T::Void)
                };
                (format!("{name}({}, {}, {})", value.sql, offset.sql, default.sql), value.ty, true)
            }
            "first_value" | "last_value" | "first" | "last" => {
                check_count(name, args.exprs.len(), (1, 1))?;
                let value = bind(0)?;
                let name = if name.starts_with("first") { "first_value" } else { "last_value" };
                (format!("{name}({})", value.sql), value.ty, true)
            }
            "nth_value" => {
                check_count(name, args.exprs.len(), (2, 2))?;
                let value = bind(0)?;
                (format!("nth_value({}, {})", value.sql, bind(1)?.sql), value.ty, true)
            }
            _ => {
                let Some(bound) = self.aggregate_call(name, args, scope, whole, true)? else {
                    return Err(SqlError::new(
                        "UNSUPPORTED_EXPR_FOR_WINDOW",
                        "42P20",
                        format!("Expression \"{whole}\" not supported within a window function."),
                    ));
                };
                let filter = function.filter.as_ref().map(|f| self.truth(&self.expr(f, scope)?, whole)).transpose()?;
                let filter = filter.map(|f| format!("FILTER (WHERE {}) ", f.sql)).unwrap_or_default();
                let sql = bound.sql.replacen("/*filter*/", &format!("{filter}OVER ({over})"), 1);
                return Ok(Bound { sql, window: true, loose: bound.loose | loose, ..bound });
            }
        };
        let mut bound = Bound::over(format!("{call} OVER ({over})"), ty, []);
        bound.window = true;
        bound.loose = loose || args_loose;
        bound.nullable = nullable;
        Ok(bound)
    }

    /// The text inside OVER, and whether loose columns are in it.
    fn over(&self, spec: &WindowSpec, scope: &Scope<'_>) -> Result<(String, bool)> {
        if spec.window_name.is_some() {
            return Err(SqlError::unsupported("named windows"));
        }
        let mut text = String::new();
        let mut loose = false;
        let partition = spec.partition_by.iter().map(|e| self.expr(e, scope)).collect::<Result<Vec<_>>>()?;
        let order = spec.order_by.iter().map(|o| Ok((o, self.expr(&o.expr, scope)?))).collect::<Result<Vec<_>>>()?;
        if !partition.is_empty() {
            let keys: Vec<_> = partition.iter().map(|b| b.sql.as_str()).collect();
            text.push_str(&format!("PARTITION BY {} ", keys.join(", ")));
        }
        if !order.is_empty() {
            let keys =
                order.iter().map(|(item, bound)| self.order_item(item, &bound.sql)).collect::<Result<Vec<_>>>()?;
            text.push_str(&format!("ORDER BY {} ", keys.join(", ")));
        }
        loose |= partition.iter().chain(order.iter().map(|(_, b)| b)).any(|b| b.loose);
        if let Some(frame) = &spec.window_frame {
            let units = match frame.units {
                WindowFrameUnits::Rows => "ROWS",
                WindowFrameUnits::Range => "RANGE",
                WindowFrameUnits::Groups => return Err(SqlError::unsupported("GROUPS frames")),
            };
            let start = self.frame_bound(&frame.start_bound)?;
            let end = frame.end_bound.as_ref().map_or_else(|| Ok("CURRENT ROW".to_owned()), |b| self.frame_bound(b))?;
            text.push_str(&format!("{units} BETWEEN {start} AND {end}"));
        }
        Ok((text, loose))
    }

    fn frame_bound(&self, bound: &WindowFrameBound) -> Result<String> {
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Preceding(None) => "UNBOUNDED PRECEDING".to_owned(),
            WindowFrameBound::Following(None) => "UNBOUNDED FOLLOWING".to_owned(),
            WindowFrameBound::Preceding(Some(n)) => format!("{} PRECEDING", self.constant(n)?.sql),
            WindowFrameBound::Following(Some(n)) => format!("{} FOLLOWING", self.constant(n)?.sql),
        })
    }

    /// One sort key: SQLite's default places of NULL are Spark's, first ascending and last descending.
    pub(super) fn order_item(&self, item: &OrderByExpr, sql: &str) -> Result<String> {
        use sqlparser::ast::OrderBySort;
        let direction = match &item.options.sort {
            None | Some(OrderBySort::Asc) => " ASC",
            Some(OrderBySort::Desc) => " DESC",
            Some(other) => return Err(SqlError::unsupported(format!("ORDER BY ... {other:?}"))),
        };
        let nulls = match item.options.nulls_first {
            None => "",
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
        };
        Ok(format!("{sql}{direction}{nulls}"))
    }
}
