//! sqlparser's Databricks dialect, with the operator `DIV` that it leaves out.

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{DatabricksDialect, Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;

#[derive(Debug)]
pub(super) struct Databricks;

/// Answers a question of the dialect as Databricks' own does.
macro_rules! as_databricks {
    ($($question:ident)*) => {
        $(fn $question(&self) -> bool {
            DatabricksDialect {}.$question()
        })*
    };
}

impl Dialect for Databricks {
    fn dialect(&self) -> TypeId {
        DatabricksDialect {}.dialect()
    }

    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect {}.is_delimited_identifier_start(letter)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DatabricksDialect {}.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect {}.is_identifier_start(letter)
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        DatabricksDialect {}.is_identifier_part(letter)
    }

    as_databricks! {
        supports_numeric_prefix supports_filter_during_aggregation supports_group_by_expr supports_table_versioning
        supports_lambda_functions supports_select_wildcard_except require_interval_qualifier supports_struct_literal
        supports_nested_comments supports_group_by_with_modifier supports_values_as_table_factor supports_optimize_table
        supports_bang_not_operator supports_cte_without_as supports_select_item_multi_column_alias
        supports_map_literal_with_angle_brackets supports_string_literal_backslash_escape
        supports_select_wildcard_replace supports_from_first_select supports_pipe_operator
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        let div = matches!(&parser.peek_token().token, Token::Word(word) if word.keyword == Keyword::DIV);
        div.then(|| {
            parser.next_token();
            let right = parser.parse_subexpr(self.prec_value(Precedence::MulDivModOp))?;
            Ok(Expr::BinaryOp {
                left: Box::new(left.clone()),
                op: BinaryOperator::MyIntegerDivide,
                right: Box::new(right),
            })
        })
    }
}
