//! Expressions: names, operators, conditions, subqueries.

use super::scope::{Scope, ScopeColumn, quoted};
use super::{Binder, Bound, at};
use crate::sim::sql::cast;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::functions::Signature;
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, Expr, Ident, JsonPathElem, Query, Subscript, UnaryOperator,
};

impl Binder<'_> {
    /// Binds an expression in a scope.
    pub(crate) fn expr(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Bound> {
        let bound = self.expr_inner(expr, scope)?;
        Ok(scope.settle(bound))
    }

    fn expr_inner(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Bound> {
        let sub = |e: &Expr| self.expr(e, scope);
        match expr {
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident), scope),
            Expr::CompoundIdentifier(parts) => self.column(parts, scope),
            Expr::Nested(inner) => sub(inner),
            Expr::Value(value) => self.literal(&value.value),
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Interval(interval) => self.interval(interval),
            Expr::BinaryOp { left, op, right } => self.binary(&sub(left)?, op, &sub(right)?, expr),
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner, scope, expr),
            Expr::IsNull(inner) => Ok(never_null(&sub(inner)?, "IS NULL")),
            Expr::IsNotNull(inner) => Ok(never_null(&sub(inner)?, "IS NOT NULL")),
            Expr::IsTrue(inner) => Ok(never_null(&self.truth(&sub(inner)?, expr)?, "IS 1")),
            Expr::IsNotTrue(inner) => Ok(never_null(&self.truth(&sub(inner)?, expr)?, "IS NOT 1")),
            Expr::IsFalse(inner) => Ok(never_null(&self.truth(&sub(inner)?, expr)?, "IS 0")),
            Expr::IsNotFalse(inner) => Ok(never_null(&self.truth(&sub(inner)?, expr)?, "IS NOT 0")),
            Expr::IsNotDistinctFrom(a, b) => self.compare(&sub(a)?, "IS", &sub(b)?, expr),
            Expr::IsDistinctFrom(a, b) => self.compare(&sub(a)?, "IS NOT", &sub(b)?, expr),
            Expr::Between { expr: inner, negated, low, high } => {
                let value = sub(inner)?;
                let above = self.compare(&value, ">=", &sub(low)?, expr)?;
                let below = self.compare(&value, "<=", &sub(high)?, expr)?;
                let sql = format!("({}{} AND {})", if *negated { "NOT (" } else { "" }, above.sql, below.sql)
                    + if *negated { ")" } else { "" };
                Ok(Bound::over(sql, T::Boolean, [&above, &below]))
            }
            Expr::InList { expr: inner, list, negated } => self.in_list(&sub(inner)?, list, *negated, scope, expr),
            Expr::InSubquery { expr: inner, subquery, negated } => {
                self.in_subquery(&sub(inner)?, subquery, *negated, scope, expr)
            }
            Expr::Exists { subquery, negated } => {
                let plan = self.query(subquery, Some(scope))?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Bound::over(format!("({not}EXISTS ({}))", plan.sql), T::Boolean, []))
            }
            Expr::Subquery(query) => self.scalar_subquery(query, scope),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope, expr)
            }
            Expr::Cast { kind, expr: inner, data_type, .. } => {
                let to = T::parse(&data_type.to_string())?;
                self.cast_to(&sub(inner)?, &to, matches!(kind, CastKind::TryCast | CastKind::SafeCast), expr)
            }
            Expr::Like { negated, any: false, expr: inner, pattern, escape_char } => {
                self.like("like", *negated, [inner, pattern], escape_char.as_deref(), scope)
            }
            Expr::ILike { negated, any: false, expr: inner, pattern, escape_char } => {
                self.like("ilike", *negated, [inner, pattern], escape_char.as_deref(), scope)
            }
            Expr::RLike { negated, expr: inner, pattern, .. } => {
                let test = self.routine("rlike", &[sub(inner)?, sub(pattern)?], expr)?;
                Ok(if *negated { Bound::over(format!("(NOT {})", test.sql), T::Boolean, [&test]) } else { test })
            }
            Expr::Extract { field, expr: inner, .. } => self.part(&field.to_string(), sub(inner)?),
            Expr::Ceil { expr: inner, .. } => self.routine("ceil", &[sub(inner)?], expr),
            Expr::Floor { expr: inner, .. } => self.routine("floor", &[sub(inner)?], expr),
            Expr::Position { expr: needle, r#in } => self.routine("locate", &[sub(needle)?, sub(r#in)?], expr),
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                let from =
                    substring_from.as_deref().map_or_else(|| Ok(Bound::literal(Value::Integer(1), T::Int)), sub)?;
                let mut args = vec![sub(inner)?, from];
                args.extend(substring_for.as_deref().map(sub).transpose()?);
                self.routine("substring", &args, expr)
            }
            Expr::Trim { trim_where, trim_what, expr: inner, trim_characters } => {
                use sqlparser::ast::TrimWhereField as Side;
                let name = match trim_where {
                    Some(Side::Leading) => "ltrim",
                    Some(Side::Trailing) => "rtrim",
                    _ => "trim",
                };
                let mut args = vec![sub(inner)?];
                let what = trim_what.as_deref().or_else(|| trim_characters.as_ref().and_then(|all| all.first()));
                args.extend(what.map(sub).transpose()?);
                self.routine(name, &args, expr)
            }
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, scope, expr),
            Expr::JsonAccess { value, path } => self.json_access(value, &path.path, scope, expr),
            Expr::Function(function) => self.function(function, scope, expr),
            other => Err(SqlError::unsupported(format!("the expression {other}"))),
        }
    }

    /// A column, a field of a struct column, a column of a query around, or an alias of this SELECT.
    fn column(&self, parts: &[Ident], scope: &Scope<'_>) -> Result<Bound> {
        let names: Vec<String> = parts.iter().map(|p| p.value.clone()).collect();
        let mut level = Some(scope);
        let mut inner = true;
        while let Some(here) = level {
            // The longest qualifier wins, then fields of structs follow.
            for split in (0..names.len()).rev() {
                let Some((qualifier, [name, fields @ ..])) = names.get(..split).zip(names.get(split..)) else {
                    continue;
                };
                let mut found = here.columns.iter().filter(|c| {
                    c.name.eq_ignore_ascii_case(name)
                        && if qualifier.is_empty() { c.shown } else { c.qualified_by(qualifier) }
                });
                let Some(column) = found.next() else { continue };
                if let Some(other) = found.next() {
                    return Err(at(parts.first(), ambiguous(&names, [column, other])));
                }
                let bound = Bound {
                    sql: column.sql.clone(),
                    ty: column.ty.clone(),
                    nullable: column.nullable,
                    literal: None,
                    loose: inner,
                    aggregate: false,
                    window: false,
                };
                return self.fields(here.settle(bound), fields).map_err(|e| at(parts.first(), e));
            }
            if let [name] = names.as_slice()
                && let Some((_, bound)) = here.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))
            {
                return Ok(bound.clone());
            }
            level = here.parent;
            inner = false;
        }
        if let [name] = names.as_slice()
            && let Some(bound) = self.bare_function(name)
        {
            return Ok(bound);
        }
        Err(at(parts.first(), unresolved(&names, scope)))
    }

    fn fields(&self, mut bound: Bound, fields: &[String]) -> Result<Bound> {
        for field in fields {
            bound = self.field(bound, field)?;
        }
        Ok(bound)
    }

    /// A field of a struct, a key of a map, or that field of every struct in an array.
    fn field(&self, bound: Bound, field: &str) -> Result<Bound> {
        match bound.ty.clone() {
            T::Struct(fields) => {
                let Some(index) = fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(field)) else {
                    let known: Vec<_> = fields.iter().map(|(name, _)| format!("`{name}`")).collect();
                    return Err(SqlError::new(
                        "FIELD_NOT_FOUND",
                        "42704",
                        format!("No such struct field `{field}` in {}.", known.join(", ")),
                    ));
                };
                let signature = Signature::encode("field", &[bound.ty.clone(), T::Int], &fields[index].1);
                let sql = format!("call({}, {}, {index})", quoted(&signature), bound.sql);
                Ok(Bound::over(sql, fields[index].1.clone(), [&bound]).maybe_null())
            }
            T::Map(..) => self.apply("element_at", &[bound, Bound::literal(field.into(), T::String)], field),
            other => Err(SqlError::new(
                "INVALID_EXTRACT_BASE_FIELD_TYPE",
                "42000",
                format!(
                    "Can't extract a value from \"{field}\". Need a complex type [STRUCT, ARRAY, MAP] but got \"{other}\"."
                ),
            )),
        }
    }

    fn access(&self, root: &Expr, chain: &[AccessExpr], scope: &Scope<'_>, whole: &Expr) -> Result<Bound> {
        let mut bound = self.expr(root, scope)?;
        for access in chain {
            bound = match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => self.field(bound, &ident.value)?,
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.expr(index, scope)?;
                    match (&bound.ty, &index.literal) {
                        (T::Struct(_), Some(Value::String(name))) => self.field(bound.clone(), name)?,
                        _ => self.apply("item", &[bound, index], &whole.to_string())?,
                    }
                }
                _ => return Err(SqlError::unsupported(format!("the expression {whole}"))),
            };
        }
        Ok(bound)
    }

    /// `column:path.to[0].field` over a JSON text.
    fn json_access(&self, value: &Expr, path: &[JsonPathElem], scope: &Scope<'_>, whole: &Expr) -> Result<Bound> {
        let mut text = "$".to_owned();
        for element in path {
            match element {
                JsonPathElem::Dot { key, .. } => text.push_str(&format!(".{key}")),
                JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => {
                    let key = self.constant(key)?;
                    text.push_str(&format!("[{}]", key.literal.map(|v| v.to_text(&key.ty)).unwrap_or_default()));
                }
            }
        }
        let bound = self.expr(value, scope)?;
        self.routine("get_json_object", &[bound, Bound::literal(text.into(), T::String)], whole)
    }

    /// Converts without asking where ANSI allows it; literals are converted here and now.
    pub(crate) fn coerce(&self, bound: &Bound, to: &T, what: &str) -> Result<Bound> {
        if bound.ty == *to {
            return Ok(bound.clone());
        }
        if !cast::implicit(&bound.ty, to) {
            return Err(SqlError::type_mismatch(what, &format!("\"{}\" cannot be converted to \"{to}\"", bound.ty)));
        }
        self.convert(bound, to, false)
    }

    fn cast_to(&self, bound: &Bound, to: &T, lenient: bool, whole: &Expr) -> Result<Bound> {
        if bound.ty != *to && !cast::allowed(&bound.ty, to) {
            return Err(SqlError::new(
                "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
                "42K09",
                format!(
                    "Cannot resolve \"{whole}\" due to data type mismatch: cannot cast \"{}\" to \"{to}\".",
                    bound.ty
                ),
            ));
        }
        self.convert(bound, to, lenient)
    }

    fn convert(&self, bound: &Bound, to: &T, lenient: bool) -> Result<Bound> {
        if bound.ty == *to {
            return Ok(bound.clone());
        }
        if bound.ty == T::Void {
            let mut typed = bound.clone();
            typed.ty = to.clone();
            return Ok(typed);
        }
        if let Some(value) = &bound.literal {
            let cast = cast::cast(value, &bound.ty, to);
            return Ok(match cast {
                Ok(value) => Bound::literal(value, to.clone()),
                Err(_) if lenient => Bound::literal(Value::Null, to.clone()),
                // Raised when it runs, so that a branch not taken raises nothing.
                Err(_) => self.cast_call(bound, to, if lenient { "try_cast" } else { "cast" }),
            });
        }
        Ok(self.cast_call(bound, to, if lenient { "try_cast" } else { "cast" }))
    }

    /// A number on its way into a column of another number's type: what does not fit is told as such.
    pub(crate) fn number_into_column(&self, bound: &Bound, to: &T) -> Bound {
        self.cast_call(bound, to, "store")
    }

    fn cast_call(&self, bound: &Bound, to: &T, name: &str) -> Bound {
        let signature = Signature::encode(name, std::slice::from_ref(&bound.ty), to);
        let cast = Bound::over(format!("call({}, {})", quoted(&signature), bound.sql), to.clone(), [bound]);
        if name == "try_cast" { cast.maybe_null() } else { cast }
    }

    /// Brings operands to their common type.
    pub(super) fn unify(&self, bounds: &[Bound], what: &str) -> Result<(Vec<Bound>, T)> {
        let mut ty = T::Void;
        for bound in bounds {
            ty = T::common(&ty, &bound.ty).ok_or_else(|| {
                SqlError::new("DATATYPE_MISMATCH.DATA_DIFF_TYPES", "42K09", format!("Cannot resolve \"{what}\" due to data type mismatch: Input to the expression should all be the same type, but it's \"{ty}\" and \"{}\".", bound.ty))
            })?;
        }
        let unified = bounds.iter().map(|bound| self.coerce(bound, &ty, what)).collect::<Result<_>>()?;
        Ok((unified, ty))
    }

    /// A comparison of two operands in their common type.
    pub(super) fn compare(&self, a: &Bound, sign: &str, b: &Bound, whole: &Expr) -> Result<Bound> {
        let what = whole.to_string();
        let common = T::common(&a.ty, &b.ty).filter(|t| !matches!(t, T::Map(..))).ok_or_else(|| {
            SqlError::new("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES", "42K09", format!("Cannot resolve \"{what}\" due to data type mismatch: the left and right operands of the binary operator have incompatible types (\"{}\" and \"{}\").", a.ty, b.ty))
        })?;
        let (a, b) = (self.coerce(a, &common, &what)?, self.coerce(b, &common, &what)?);
        let mut bound = Bound::over(format!("({} {sign} {})", a.sql, b.sql), T::Boolean, [&a, &b]);
        if sign.starts_with("IS") {
            bound.nullable = false;
        }
        Ok(bound)
    }

    /// A condition: BOOLEAN, or something that converts to it.
    pub(crate) fn truth(&self, bound: &Bound, whole: &Expr) -> Result<Bound> {
        match bound.ty {
            T::Boolean => Ok(bound.clone()),
            T::Void | T::String => self.coerce(bound, &T::Boolean, &whole.to_string()),
            _ => Err(SqlError::new(
                "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                "42K09",
                format!(
                    "Cannot resolve \"{whole}\" due to data type mismatch: a \"BOOLEAN\" is required, however \"{whole}\" has the type \"{}\".",
                    bound.ty
                ),
            )),
        }
    }

    fn binary(&self, a: &Bound, op: &BinaryOperator, b: &Bound, whole: &Expr) -> Result<Bound> {
        use BinaryOperator as Op;
        let sign = match op {
            Op::Eq => "=",
            Op::NotEq => "<>",
            Op::Lt => "<",
            Op::LtEq => "<=",
            Op::Gt => ">",
            Op::GtEq => ">=",
            Op::Spaceship => "IS",
            Op::And | Op::Or => {
                let (a, b) = (self.truth(a, whole)?, self.truth(b, whole)?);
                return Ok(Bound::over(format!("({} {op} {})", a.sql, b.sql), T::Boolean, [&a, &b]));
            }
            Op::Plus | Op::Minus => return self.plus_minus(a, *op == Op::Minus, b, whole),
            Op::Multiply if matches!(a.ty, T::DayTime | T::YearMonth) => {
                return self.routine("stretched", &[a.clone(), b.clone()], whole);
            }
            Op::Multiply if matches!(b.ty, T::DayTime | T::YearMonth) => {
                return self.routine("stretched", &[b.clone(), a.clone()], whole);
            }
            Op::Multiply => return self.routine("*", &self.operands(a, b, whole)?, whole),
            Op::Divide => return self.routine("/", &self.operands(a, b, whole)?, whole),
            Op::Modulo => return self.routine("%", &self.operands(a, b, whole)?, whole),
            Op::MyIntegerDivide | Op::DuckIntegerDivide => {
                return self.routine("div", &[a.clone(), b.clone()], whole);
            }
            Op::StringConcat => return self.routine("concat", &[a.clone(), b.clone()], whole),
            Op::BitwiseAnd => return self.routine("&", &[a.clone(), b.clone()], whole),
            Op::BitwiseOr => return self.routine("|", &[a.clone(), b.clone()], whole),
            Op::BitwiseXor => return self.routine("^", &[a.clone(), b.clone()], whole),
            other => return Err(SqlError::unsupported(format!("the operator {other}"))),
        };
        self.compare(a, sign, b, whole)
    }

    /// Numbers, or dates and instants with intervals and days.
    fn plus_minus(&self, a: &Bound, minus: bool, b: &Bound, whole: &Expr) -> Result<Bound> {
        let interval = |t: &T| matches!(t, T::DayTime | T::YearMonth);
        let clock = |t: &T| t.is_temporal();
        if interval(&a.ty) && clock(&b.ty) && !minus {
            return self.plus_minus(b, false, a, whole);
        }
        if (clock(&a.ty) || a.ty == T::String) && interval(&b.ty) {
            let step = if minus { self.routine("-1", std::slice::from_ref(b), whole)? } else { b.clone() };
            // Whole days keep a date a date, as Spark does.
            if let (T::Date, T::DayTime, Some(Value::Integer(us))) = (&a.ty, &b.ty, &b.literal)
                && us % crate::sim::sql::datetime::DAY_US == 0
            {
                let days = us / crate::sim::sql::datetime::DAY_US * if minus { -1 } else { 1 };
                return self.routine("date_add", &[a.clone(), Bound::literal(Value::Integer(days), T::Int)], whole);
            }
            return self.routine("moved", &[a.clone(), step], whole);
        }
        if a.ty == T::Date && b.ty.is_integer() {
            return self.routine(if minus { "date_sub" } else { "date_add" }, &[a.clone(), b.clone()], whole);
        }
        if minus && clock(&a.ty) && (clock(&b.ty) || b.ty == T::String) || minus && a.ty == T::String && clock(&b.ty) {
            return self.routine("span", &[a.clone(), b.clone()], whole);
        }
        self.routine(if minus { "-" } else { "+" }, &self.operands(a, b, whole)?, whole)
    }

    /// The operands of arithmetic. Beside a decimal, a whole number written as such has as many digits as it shows, not
    /// as many as its type could hold.
    fn operands(&self, a: &Bound, b: &Bound, whole: &Expr) -> Result<[Bound; 2]> {
        let Expr::BinaryOp { left, right, .. } = whole else { return Ok([a.clone(), b.clone()]) };
        let fitted = |bound: &Bound, expr: &Expr, other: &Bound| match &bound.literal {
            Some(Value::Integer(n))
                if matches!(other.ty, T::Decimal(..)) && bound.ty.is_integer() && is_number(expr) =>
            {
                let digits = u8::try_from(n.unsigned_abs().to_string().len()).unwrap_or(19);
                self.convert(bound, &T::Decimal(digits, 0), false)
            }
            _ => Ok(bound.clone()),
        };
        Ok([fitted(a, left, b)?, fitted(b, right, a)?])
    }

    fn unary(&self, op: UnaryOperator, inner: &Expr, scope: &Scope<'_>, whole: &Expr) -> Result<Bound> {
        // The most negative numbers exist only with their sign.
        if let (UnaryOperator::Minus, Expr::Value(value)) = (op, inner)
            && let sqlparser::ast::Value::Number(text, long) = &value.value
            && let signed = sqlparser::ast::Value::Number(format!("-{text}"), *long)
        {
            return self.literal(&signed);
        }
        let bound = self.expr(inner, scope)?;
        match op {
            UnaryOperator::Plus => Ok(bound),
            UnaryOperator::Minus => self.routine("-1", &[bound], whole),
            UnaryOperator::BitwiseNot => self.routine("~", &[bound], whole),
            UnaryOperator::Not | UnaryOperator::BangNot => {
                let bound = self.truth(&bound, whole)?;
                Ok(Bound::over(format!("(NOT {})", bound.sql), T::Boolean, [&bound]))
            }
            other => Err(SqlError::unsupported(format!("the operator {other}"))),
        }
    }

    fn in_list(&self, value: &Bound, list: &[Expr], negated: bool, scope: &Scope<'_>, whole: &Expr) -> Result<Bound> {
        let mut all = vec![value.clone()];
        for item in list {
            all.push(self.expr(item, scope)?);
        }
        let (all, _) = self.unify(&all, &whole.to_string())?;
        let items: Vec<_> = all.iter().skip(1).map(|b| b.sql.as_str()).collect();
        let not = if negated { "NOT " } else { "" };
        Ok(Bound::over(format!("({} {not}IN ({}))", all[0].sql, items.join(", ")), T::Boolean, &all))
    }

    fn in_subquery(
        &self,
        value: &Bound,
        query: &Query,
        negated: bool,
        scope: &Scope<'_>,
        whole: &Expr,
    ) -> Result<Bound> {
        let plan = self.query(query, Some(scope))?;
        let [column] = plan.columns.as_slice() else {
            return Err(SqlError::new(
                "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
                "42K09",
                format!(
                    "Cannot resolve \"{whole}\" due to data type mismatch: The number of columns in the left hand side of an IN subquery does not match the number of columns in the output of subquery."
                ),
            ));
        };
        let inner = Bound {
            sql: "q.c0".to_owned(),
            ty: column.ty.clone(),
            nullable: column.nullable,
            literal: None,
            loose: false,
            aggregate: false,
            window: false,
        };
        let (both, _) = self.unify(&[value.clone(), inner], &whole.to_string())?;
        let not = if negated { "NOT " } else { "" };
        Ok(Bound::over(
            format!("({} {not}IN (SELECT {} FROM ({}) q))", both[0].sql, both[1].sql, plan.sql),
            T::Boolean,
            [value],
        )
        .maybe_null())
    }

    /// A subquery as a value; more than one row is an error when it runs.
    fn scalar_subquery(&self, query: &Query, scope: &Scope<'_>) -> Result<Bound> {
        let plan = self.query(query, Some(scope))?;
        let [column] = plan.columns.as_slice() else {
            return Err(SqlError::new(
                "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
                "42823",
                format!(
                    "Invalid subquery: Scalar subquery must return only one column, but found {}.",
                    plan.columns.len()
                ),
            ));
        };
        Ok(Bound::over(format!("(SELECT only_row(q.c0) FROM ({}) q)", plan.sql), column.ty.clone(), []).maybe_null())
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
        whole: &Expr,
    ) -> Result<Bound> {
        let operand = operand.map(|o| self.expr(o, scope)).transpose()?;
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for when in conditions {
            let condition = self.expr(&when.condition, scope)?;
            tests.push(match &operand {
                Some(value) => self.compare(value, "=", &condition, whole)?,
                None => self.truth(&condition, whole)?,
            });
            results.push(self.expr(&when.result, scope)?);
        }
        results.push(otherwise.map_or_else(|| Ok(Bound::literal(Value::Null, T::Void)), |e| self.expr(e, scope))?);
        self.branches(&tests, &results, whole)
    }

    /// CASE over bound tests and results; the last result is the one for "otherwise".
    pub(super) fn branches(&self, tests: &[Bound], results: &[Bound], whole: &Expr) -> Result<Bound> {
        let (results, ty) = self.unify(results, &whole.to_string())?;
        let whens: String =
            tests.iter().zip(&results).map(|(t, r)| format!(" WHEN {} THEN {}", t.sql, r.sql)).collect();
        let last = results.last().map_or("NULL", |b| b.sql.as_str());
        let mut bound = Bound::over(format!("(CASE{whens} ELSE {last} END)"), ty, tests.iter().chain(&results));
        bound.nullable = results.iter().any(|r| r.nullable);
        Ok(bound)
    }

    fn like(
        &self,
        name: &str,
        negated: bool,
        operands: [&Expr; 2],
        escape: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        let mut args = operands.into_iter().map(|e| self.expr(e, scope)).collect::<Result<Vec<_>>>()?;
        args.push(escape.map_or_else(|| Ok(Bound::literal("\\".into(), T::String)), |e| self.expr(e, scope))?);
        let bound = self.apply(name, &args, name)?;
        Ok(if negated { Bound::over(format!("(NOT {})", bound.sql), T::Boolean, [&bound]) } else { bound })
    }

    /// A part of an instant; seconds come with their fraction.
    pub(super) fn part(&self, field: &str, value: Bound) -> Result<Bound> {
        if field.to_uppercase().starts_with("SECOND") {
            return self.apply("part_second", &[value], field);
        }
        self.apply("part", &[Bound::literal(field.into(), T::String), value], field)
    }
}

fn never_null(inner: &Bound, test: &str) -> Bound {
    let mut bound = Bound::over(format!("({} {test})", inner.sql), T::Boolean, [inner]);
    bound.nullable = false;
    bound
}

fn ambiguous(names: &[String], found: [&ScopeColumn; 2]) -> SqlError {
    let options: Vec<_> = found
        .iter()
        .map(|c| crate::sim::sql::names::quote(&[c.qualifier.clone(), vec![c.name.clone()]].concat()))
        .collect();
    SqlError::new(
        "AMBIGUOUS_REFERENCE",
        "42704",
        format!("Reference {} is ambiguous, could be: [{}].", crate::sim::sql::names::quote(names), options.join(", ")),
    )
}

fn unresolved(names: &[String], scope: &Scope<'_>) -> SqlError {
    let name = crate::sim::sql::names::quote(names);
    let mut known: Vec<_> = scope
        .columns
        .iter()
        .filter(|c| c.shown)
        .map(|c| (strsim::levenshtein(&c.name, names.last().map_or("", String::as_str)), c))
        .collect();
    known.sort_by_key(|(distance, _)| *distance);
    if known.is_empty() {
        return SqlError::new(
            "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
            "42703",
            format!("A column, variable, or function parameter with name {name} cannot be resolved."),
        );
    }
    let known: Vec<_> = known.into_iter().take(5).map(|(_, c)| format!("`{}`", c.name)).collect();
    SqlError::new(
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        "42703",
        format!(
            "A column, variable, or function parameter with name {name} cannot be resolved. Did you mean one of the following? [{}].",
            known.join(", ")
        ),
    )
}

/// Whether an expression is a number as written, with or without a minus.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, sqlparser::ast::Value::Number(..)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_number(expr),
        _ => false,
    }
}
