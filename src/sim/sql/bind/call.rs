//! Function calls: routines, aggregates, and the few that are not functions of values.

use super::scope::{Scope, quoted};
use super::{Binder, Bound};
use crate::sim::sql::datetime;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::functions::{self, Signature, aggregates};
use crate::sim::sql::names::quote;
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

/// The arguments of a call, as parsed.
pub(super) struct Arguments<'f> {
    pub(super) exprs: Vec<&'f Expr>,
    star: bool,
    distinct: bool,
}

pub(super) fn arguments(function: &Function) -> Result<Arguments<'_>> {
    let mut found = Arguments { exprs: Vec::new(), star: false, distinct: false };
    let FunctionArguments::List(list) = &function.args else { return Ok(found) };
    found.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => found.exprs.push(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => found.star = true,
            other => return Err(SqlError::unsupported(format!("the argument {other}"))),
        }
    }
    Ok(found)
}

impl Binder<'_> {
    pub(super) fn function(&self, function: &Function, scope: &Scope<'_>, whole: &Expr) -> Result<Bound> {
        let name = super::levels(&function.name)?.pop().unwrap_or_default().to_lowercase();
        let args = arguments(function)?;
        if function.over.is_some() || functions_of_windows(&name) {
            return self.windowed(function, &name, &args, scope, whole);
        }
        if let Some(bound) = self.aggregate(function, &name, &args, scope, whole)? {
            return Ok(bound);
        }
        if function.filter.is_some() || args.distinct {
            return Err(SqlError::new(
                "INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
                "42000",
                format!("Invalid SQL syntax: The function {} does not support DISTINCT or FILTER.", quote(&[&name])),
            ));
        }
        if let Some(bound) = self.special(&name, &args.exprs, scope, whole)? {
            return Ok(bound);
        }
        let bound = args.exprs.iter().map(|e| self.expr(e, scope)).collect::<Result<Vec<_>>>()?;
        self.routine(&name, &bound, whole)
    }

    /// A routine by the name that the user wrote.
    pub(super) fn routine(&self, name: &str, args: &[Bound], whole: &Expr) -> Result<Bound> {
        self.apply(name, args, &whole.to_string())
    }

    /// A routine on bound arguments; `what` is the expression in errors.
    pub(super) fn apply(&self, name: &str, args: &[Bound], what: &str) -> Result<Bound> {
        let Some(routine) = functions::find(name) else {
            let home = self.home();
            let path = format!("[`system`.`builtin`, `system`.`session`, {}]", quote(&[&home.catalog, &home.schema]));
            return Err(SqlError::new(
                "UNRESOLVED_ROUTINE",
                "42883",
                format!("Cannot resolve routine {} on search path {path}.", quote(&[name])),
            ));
        };
        check_count(name, args.len(), routine.arity)?;
        let types: Vec<T> = args.iter().map(|a| a.ty.clone()).collect();
        let (wanted, result) = (routine.check)(&types).ok_or_else(|| {
            let found: Vec<_> = types.iter().map(|t| format!("\"{t}\"")).collect();
            SqlError::new(
                "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                "42K09",
                format!(
                    "Cannot resolve \"{what}\" due to data type mismatch: `{name}` does not take {}.",
                    found.join(", ")
                ),
            )
        })?;
        let args = args.iter().zip(&wanted).map(|(arg, ty)| self.coerce(arg, ty, what)).collect::<Result<Vec<_>>>()?;
        let signature = Signature::encode(routine.name, &wanted, &result);
        let texts: String = args.iter().map(|a| format!(", {}", a.sql)).collect();
        let bound = Bound::over(format!("call({}{texts})", quoted(&signature)), result, &args);
        // What gives NULL by itself, besides for NULL arguments.
        let gives_null = matches!(
            routine.name,
            "get_json_object"
                | "from_json"
                | "element_at"
                | "get"
                | "item"
                | "ln"
                | "unhex"
                | "try_divide"
                | "try_add"
                | "concat_ws"
                | "date_trunc"
                | "trunc"
                | "sha2"
                | "log"
                | "factorial"
                | "regexp_substr"
                | "array_max"
                | "array_min"
                | "arrays_overlap"
                | "flatten"
                | "try_element_at"
        );
        Ok(if gives_null { bound.maybe_null() } else { bound })
    }

    /// Functions that are part of the grammar: conditions, constants of the statement, units without quotes.
    fn special(&self, name: &str, args: &[&Expr], scope: &Scope<'_>, whole: &Expr) -> Result<Option<Bound>> {
        let bind = |at: usize| self.expr(args[at], scope);
        let all = || args.iter().map(|e| self.expr(e, scope)).collect::<Result<Vec<_>>>();
        let count = |least, most| check_count(name, args.len(), (least, most));
        Ok(Some(match name {
            "coalesce" | "nvl" | "ifnull" => {
                count(1, functions::MANY)?;
                let (bounds, ty) = self.unify(&all()?, &whole.to_string())?;
                let texts: Vec<_> = bounds.iter().map(|b| b.sql.as_str()).collect();
                let sql = if bounds.len() == 1 { texts.concat() } else { format!("coalesce({})", texts.join(", ")) };
                let mut bound = Bound::over(sql, ty, &bounds);
                bound.nullable = bounds.iter().all(|b| b.nullable);
                bound
            }
            "if" | "iff" => {
                count(3, 3)?;
                self.branches(&[self.truth(&bind(0)?, args[0])?], &[bind(1)?, bind(2)?], whole)?
            }
            "nvl2" => {
                count(3, 3)?;
                let test = bind(0)?;
                let test = Bound::over(format!("({} IS NOT NULL)", test.sql), T::Boolean, [&test]);
                self.branches(&[test], &[bind(1)?, bind(2)?], whole)?
            }
            "nullif" => {
                count(2, 2)?;
                let (a, b) = (bind(0)?, bind(1)?);
                let test = self.compare(&a, "=", &b, whole)?;
                self.branches(&[test], &[Bound::literal(Value::Null, a.ty.clone()), a], whole)?
            }
            "isnull" | "isnotnull" => {
                count(1, 1)?;
                let value = bind(0)?;
                let sign = if name == "isnull" { "IS NULL" } else { "IS NOT NULL" };
                let mut bound = Bound::over(format!("({} {sign})", value.sql), T::Boolean, [&value]);
                bound.nullable = false;
                bound
            }
            "typeof" => {
                count(1, 1)?;
                Bound::literal(bind(0)?.ty.simple().into(), T::String)
            }
            "extract" | "date_part" | "datepart" => {
                count(2, 2)?;
                let field = bind(0)?.literal.and_then(|v| v.text().map(str::to_owned)).unwrap_or_default();
                self.part(&field, bind(1)?)?
            }
            "timestampdiff" | "timestampadd" | "datediff" | "date_diff" | "dateadd" | "date_add" if args.len() == 3 => {
                let unit = match args[0] {
                    Expr::Identifier(unit) => unit.value.clone(),
                    _ => bind(0)?.literal.and_then(|v| v.text().map(str::to_owned)).unwrap_or_default(),
                };
                if datetime::unit(&unit).is_none() {
                    return Err(SqlError::new(
                        "INVALID_PARAMETER_VALUE.DATETIME_UNIT",
                        "22023",
                        format!(
                            "The value of parameter(s) `unit` in `{name}` is invalid: expects one of the units without quotes YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND, but got the string literal '{unit}'."
                        ),
                    ));
                }
                self.apply(name, &[Bound::literal(unit.into(), T::String), bind(1)?, bind(2)?], &whole.to_string())?
            }
            "uuid" => {
                count(0, 1)?;
                let signature = Signature::encode("uuid", &[T::BigInt, T::BigInt], &T::String);
                Bound::over(format!("call({}, draw(), draw())", quoted(&signature)), T::String, [])
            }
            "rand" | "random" => {
                count(0, 1)?;
                let signature = Signature::encode("rand", &[T::BigInt], &T::Double);
                Bound::over(format!("call({}, draw())", quoted(&signature)), T::Double, [])
            }
            "unix_timestamp" | "to_unix_timestamp" if args.is_empty() => {
                Bound::literal(Value::Integer(self.now.timestamp()), T::BigInt)
            }
            "round" if args.len() == 2 => {
                let (value, places) = (bind(0)?, bind(1)?);
                let kept = places.literal.as_ref().and_then(Value::integer).and_then(|n| i8::try_from(n).ok());
                let rounded = self.routine(name, &[value.clone(), places], whole)?;
                match (value.ty, kept) {
                    (T::Decimal(p, s), Some(kept)) => {
                        // One digit more than before the point; as many zeros as were rounded away.
                        let whole = (p - s + 1).max(if kept < 0 { kept.unsigned_abs() + 1 } else { 0 });
                        let scale = u8::try_from(kept).unwrap_or(0).min(s);
                        self.coerce(&rounded, &T::Decimal((whole + scale).min(38), scale), name)?
                    }
                    _ => rounded,
                }
            }
            "struct" | "named_struct" => {
                let bounds = all()?;
                self.structure(name == "named_struct", args, &bounds, whole)?
            }
            "from_json" => {
                count(2, 3)?;
                let schema = bind(1)?.literal.and_then(|v| v.text().map(str::to_owned)).unwrap_or_default();
                let ty = T::parse(&schema).or_else(|_| T::parse(&format!("struct<{schema}>")))?;
                let text = self.coerce(&bind(0)?, &T::String, &whole.to_string())?;
                let signature = Signature::encode("from_json", &[T::String], &ty);
                Bound::over(format!("call({}, {})", quoted(&signature), text.sql), ty, [&text]).maybe_null()
            }
            "is_account_group_member" | "is_member" => {
                count(1, 1)?;
                let group = bind(0)?.literal.and_then(|v| v.text().map(str::to_owned)).unwrap_or_default();
                Bound::literal(
                    Value::Boolean(self.engine.catalog().identities(&self.session.user).contains(&group)),
                    T::Boolean,
                )
            }
            _ if args.is_empty() => match self.bare_function(name) {
                Some(bound) => bound,
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// Functions without arguments; some need no parentheses.
    pub(super) fn bare_function(&self, name: &str) -> Option<Bound> {
        let now = datetime::now_us(self.now);
        let home = self.home();
        Some(match name.to_lowercase().as_str() {
            "current_timestamp" | "now" => Bound::literal(Value::Integer(now), T::Timestamp),
            "localtimestamp" => Bound::literal(Value::Integer(now), T::TimestampNtz),
            "current_date" | "curdate" => Bound::literal(Value::Integer(now.div_euclid(datetime::DAY_US)), T::Date),
            "current_user" | "user" | "session_user" => Bound::literal(self.session.user.as_str().into(), T::String),
            "current_catalog" => Bound::literal(home.catalog.into(), T::String),
            "current_schema" | "current_database" => Bound::literal(home.schema.into(), T::String),
            "current_timezone" => Bound::literal("Etc/UTC".into(), T::String),
            "current_metastore" => Bound::literal(self.engine.catalog().metastore.id.to_string().into(), T::String),
            "version" => Bound::literal("lakeshift-sim".into(), T::String),
            "e" => Bound::literal(Value::Double(std::f64::consts::E), T::Double),
            "pi" => Bound::literal(Value::Double(std::f64::consts::PI), T::Double),
            _ => return None,
        })
    }

    fn structure(&self, named: bool, args: &[&Expr], bounds: &[Bound], whole: &Expr) -> Result<Bound> {
        let (names, values): (Vec<String>, Vec<Bound>) = if named {
            check_count("named_struct", args.len() - args.len() % 2, (args.len(), args.len()))?;
            bounds
                .chunks(2)
                .map(|pair| {
                    (pair[0].literal.as_ref().and_then(Value::text).unwrap_or_default().to_owned(), pair[1].clone())
                })
                .unzip()
        } else {
            let name = |at: usize, e: &Expr| match e {
                Expr::Identifier(ident) => ident.value.clone(),
                Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()).unwrap_or_default(),
                _ => format!("col{}", at + 1),
            };
            args.iter().enumerate().map(|(at, e)| name(at, e)).zip(bounds.iter().cloned()).unzip()
        };
        if values.is_empty() {
            return Err(SqlError::type_mismatch(&whole.to_string(), "a struct needs a field"));
        }
        let types: Vec<T> = values.iter().map(|v| v.ty.clone()).collect();
        let ty = T::Struct(names.into_iter().zip(types.iter().cloned()).collect());
        let texts: String = values.iter().map(|v| format!(", {}", v.sql)).collect();
        let mut bound =
            Bound::over(format!("call({}{texts})", quoted(&Signature::encode("struct", &types, &ty))), ty, &values);
        bound.nullable = false;
        Ok(bound)
    }

    /// An aggregate in a group; none when the name is no aggregate.
    pub(super) fn aggregate(
        &self,
        function: &Function,
        name: &str,
        args: &Arguments<'_>,
        scope: &Scope<'_>,
        whole: &Expr,
    ) -> Result<Option<Bound>> {
        let Some(mut bound) = self.aggregate_call(name, args, scope, whole, false)? else { return Ok(None) };
        // The FILTER belongs to the aggregate itself, not to what is wrapped around it.
        let filter = function.filter.as_ref().map(|f| self.truth(&self.expr(f, scope)?, whole)).transpose()?;
        let filter = filter.map(|f| format!("FILTER (WHERE {})", f.sql)).unwrap_or_default();
        bound.sql = bound.sql.replacen("/*filter*/", &filter, 1);
        bound.aggregate = true;
        bound.loose = false;
        Ok(Some(bound))
    }

    /// The text of an aggregate, with a mark where FILTER or OVER goes.
    pub(super) fn aggregate_call(
        &self,
        name: &str,
        args: &Arguments<'_>,
        scope: &Scope<'_>,
        whole: &Expr,
        window: bool,
    ) -> Result<Option<Bound>> {
        let mut bounds = Vec::new();
        let known = matches!(
            name,
            "count" | "count_if" | "min" | "max" | "first" | "any_value" | "first_value" | "approx_count_distinct"
        ) || aggregates::known(name);
        if !known {
            return Ok(None);
        }
        for arg in &args.exprs {
            let bound = self.expr(arg, scope)?;
            if bound.aggregate && !window {
                return Err(SqlError::new(
                    "NESTED_AGGREGATE_FUNCTION",
                    "42607",
                    "It is not allowed to use an aggregate function in the argument of another aggregate function. Please use the inner aggregate function in a sub-query.",
                ));
            }
            bounds.push(bound);
        }
        let distinct = if args.distinct { "DISTINCT " } else { "" };
        let mut bound = match name {
            "count" if args.star || bounds.is_empty() => Bound::over("count(*) /*filter*/".to_owned(), T::BigInt, []),
            "count" if bounds.len() == 1 => {
                Bound::over(format!("count({distinct}{}) /*filter*/", bounds[0].sql), T::BigInt, [])
            }
            "count" => {
                let signature =
                    Signature::encode("tuple", &bounds.iter().map(|b| b.ty.clone()).collect::<Vec<_>>(), &T::String);
                let texts: String = bounds.iter().map(|b| format!(", {}", b.sql)).collect();
                Bound::over(format!("count({distinct}call({}{texts})) /*filter*/", quoted(&signature)), T::BigInt, [])
            }
            "approx_count_distinct" => {
                check_count(name, bounds.len(), (1, 2))?;
                Bound::over(format!("count(DISTINCT {}) /*filter*/", bounds[0].sql), T::BigInt, [])
            }
            "count_if" => {
                check_count(name, bounds.len(), (1, 1))?;
                let test = self.truth(&bounds[0], whole)?;
                Bound::over(format!("count({distinct}CASE WHEN {} THEN 1 END) /*filter*/", test.sql), T::BigInt, [])
            }
            "min" | "max" => {
                check_count(name, bounds.len(), (1, 1))?;
                Bound::over(format!("{name}({}) /*filter*/", bounds[0].sql), bounds[0].ty.clone(), []).maybe_null()
            }
            "first" | "any_value" | "first_value" => {
                check_count(name, bounds.len(), (1, 2))?;
                let signature = Signature::encode("first", std::slice::from_ref(&bounds[0].ty), &bounds[0].ty);
                Bound::over(
                    format!("aggregate({}, {}) /*filter*/", quoted(&signature), bounds[0].sql),
                    bounds[0].ty.clone(),
                    [],
                )
                .maybe_null()
            }
            _ => self.typed_aggregate(name, &bounds, args.distinct, whole)?,
        };
        for part in &bounds {
            bound.window |= part.window;
            bound.loose |= part.loose;
            bound.aggregate |= part.aggregate;
        }
        Ok(Some(bound))
    }

    fn typed_aggregate(&self, name: &str, bounds: &[Bound], distinct: bool, whole: &Expr) -> Result<Bound> {
        let what = whole.to_string();
        let types: Vec<T> = bounds.iter().map(|b| b.ty.clone()).collect();
        let Some(aggregation) = aggregates::check(name, &types) else {
            let found: Vec<_> = types.iter().map(|t| format!("\"{t}\"")).collect();
            return Err(SqlError::new(
                "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                "42K09",
                format!(
                    "Cannot resolve \"{what}\" due to data type mismatch: `{name}` does not take ({}).",
                    found.join(", ")
                ),
            ));
        };
        let args = bounds
            .iter()
            .zip(&aggregation.args)
            .map(|(b, ty)| self.coerce(b, ty, &what))
            .collect::<Result<Vec<_>>>()?;
        let texts: String = args.iter().map(|a| format!(", {}", a.sql)).collect();
        // SQLite takes DISTINCT with one argument only: the values then come as one, behind the signature.
        let name = if distinct && name == "sum" {
            "sum_distinct"
        } else if distinct && matches!(name, "avg" | "mean") {
            "avg_distinct"
        } else {
            name
        };
        if distinct && !name.ends_with("_distinct") && name != "collect_list" {
            return Err(SqlError::unsupported(format!("{name}(DISTINCT ...)")));
        }
        let name = if distinct && name == "collect_list" { "collect_set" } else { name };
        let call = format!("aggregate({}{texts}) /*filter*/", quoted(&aggregates::encode(name, &aggregation)));
        let collects = matches!(name, "collect_list" | "collect_set" | "array_agg");
        let sql = if collects { format!("coalesce({call}, '[]')") } else { call };
        let bound = Bound::over(sql, aggregation.result, []);
        Ok(if collects { bound } else { bound.maybe_null() })
    }
}

fn functions_of_windows(name: &str) -> bool {
    matches!(
        name,
        "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile" | "lag" | "lead" | "nth_value"
    )
}

pub(super) fn check_count(name: &str, found: usize, (least, most): (usize, usize)) -> Result<()> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let wanted = if least == most {
        least.to_string()
    } else if most == functions::MANY {
        format!("> {}", least.saturating_sub(1))
    } else {
        format!("[{least}, {most}]")
    };
    Err(SqlError::new(
        "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
        "42605",
        format!("The {} requires {wanted} parameters but the actual number is {found}.", quote(&[name])),
    ))
}
