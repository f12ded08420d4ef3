//! A place in the tokens of one statement, with the small steps that the grammar is made of.

use super::{from_parser, is_blank, offset, parser};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType;
use sqlparser::ast::{Expr, Query};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

pub(super) struct Cursor<'a> {
    sql: &'a str,
    pub(super) parser: Parser<'static>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a str, tokens: Vec<TokenWithSpan>) -> Self {
        Self { sql, parser: parser(tokens) }
    }

    pub(super) fn peek(&self) -> Token {
        self.parser.peek_token().token
    }

    fn nth_word(&self, n: usize) -> Option<String> {
        match self.parser.peek_nth_token(n).token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    /// Whether the next words are these, without taking them.
    pub(super) fn at(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(n, word)| self.nth_word(n).as_deref() == Some(word))
    }

    /// Takes the words when they come next.
    pub(super) fn eat_words(&mut self, words: &str) -> bool {
        let here = self.at(words);
        if here {
            for _ in words.split(' ') {
                self.parser.next_token();
            }
        }
        here
    }

    pub(super) fn expect_words(&mut self, words: &str) -> Result<()> {
        if self.eat_words(words) { Ok(()) } else { Err(self.unexpected(words)) }
    }

    pub(super) fn eat(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&token.to_string())) }
    }

    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek(), Token::EOF | Token::SemiColon)
    }

    pub(super) fn expect_end(&mut self) -> Result<()> {
        if self.peek() == Token::EOF { Ok(()) } else { Err(self.unexpected("end of input")) }
    }

    /// The syntax error for the token that comes next.
    pub(super) fn unexpected(&self, expected: &str) -> SqlError {
        let token = self.parser.peek_token();
        let near = if token.token == Token::EOF { "end of input".to_owned() } else { token.token.to_string() };
        let hint = if expected.is_empty() { String::new() } else { format!("expected {expected}") };
        SqlError::syntax(&near, &hint).at(token.span.start.line, token.span.start.column)
    }

    /// One identifier, quoted or not.
    pub(super) fn ident(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word(word) => {
                self.parser.next_token();
                Ok(word.value)
            }
            _ => Err(self.unexpected("an identifier")),
        }
    }

    /// A name of one or more levels.
    pub(super) fn name(&mut self) -> Result<Vec<String>> {
        let mut levels = vec![self.ident()?];
        while self.eat(&Token::Period) {
            levels.push(self.ident()?);
        }
        Ok(levels)
    }

    /// A principal: an identifier, in backticks where it has signs, or a string.
    pub(super) fn principal(&mut self) -> Result<String> {
        match self.peek() {
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => self.string(),
            _ => self.ident(),
        }
    }

    pub(super) fn string(&mut self) -> Result<String> {
        match self.peek() {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                self.parser.next_token();
                Ok(text)
            }
            _ => Err(self.unexpected("a string")),
        }
    }

    /// A number of rows.
    pub(super) fn count(&mut self) -> Result<usize> {
        match self.peek() {
            Token::Number(digits, _) => {
                let count = digits.parse().map_err(|_| self.unexpected("a number of rows"))?;
                self.parser.next_token();
                Ok(count)
            }
            _ => Err(self.unexpected("a number of rows")),
        }
    }

    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.parser.parse_expr().map_err(from_parser)
    }

    pub(super) fn query(&mut self) -> Result<Box<Query>> {
        self.parser.parse_query().map_err(from_parser)
    }

    /// The text from here to the end of the statement, after it was read as a query.
    pub(super) fn query_text(&mut self) -> Result<String> {
        let start = offset(self.sql, self.parser.peek_token().span.start);
        self.query()?;
        let next = self.parser.peek_token();
        let end = if next.token == Token::EOF { self.sql.len() } else { offset(self.sql, next.span.start) };
        Ok(self.sql.get(start..end).unwrap_or_default().trim().to_owned())
    }

    /// The text of an expression, after it was read as one.
    pub(super) fn expr_text(&mut self) -> Result<String> {
        Ok(self.expr()?.to_string())
    }

    /// A type, up to whatever cannot belong to one.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let mut text = String::new();
        let mut depth = 0_i32;
        loop {
            let token = self.parser.peek_token().token;
            let word = self.nth_word(0);
            let stops = matches!(
                word.as_deref(),
                Some(
                    "NOT"
                        | "COMMENT"
                        | "DEFAULT"
                        | "GENERATED"
                        | "PRIMARY"
                        | "CONSTRAINT"
                        | "MASK"
                        | "FIRST"
                        | "AFTER"
                        | "USING"
                        | "NULL"
                )
            );
            match &token {
                Token::EOF | Token::SemiColon => break,
                Token::Comma | Token::RParen if depth == 0 => break,
                _ if depth == 0 && stops => break,
                Token::Lt | Token::LParen => depth += 1,
                Token::Gt | Token::RParen => depth -= 1,
                Token::ShiftRight => depth -= 2,
                _ => {}
            }
            self.parser.next_token();
            if !is_blank(&token) {
                text.push_str(&token.to_string());
                text.push(' ');
            }
        }
        DataType::parse(&text)
    }

    /// A list in parentheses.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect(&Token::LParen)?;
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok(items)
    }
}
