//! From text to statements: tokens and queries by sqlparser's Databricks dialect; Unity Catalog's own statements by the small grammar in
//! [`grammar`], on the same tokens.

mod cursor;
mod dialect;
mod grammar;
mod statement;

pub(crate) use statement::{AlterTable, AlterView, ColumnSpec, Describe, Drop, ObjectKind, Show, Statement};

use super::error::{Result, SqlError};
use cursor::Cursor;
use dialect::Databricks;
use sqlparser::ast::Query;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Whitespace};

/// Evaluates the text inside `IDENTIFIER(...)`: literals, markers and `||` only.
pub(crate) type Constant<'a> = &'a dyn Fn(&sqlparser::ast::Expr) -> Result<String>;

/// Reads exactly one statement.
pub(crate) fn statement(sql: &str, constant: Constant<'_>) -> Result<Statement> {
    let tokens = tokens(sql, constant)?;
    let mut cursor = Cursor::new(sql, tokens);
    let statement = grammar::statement(&mut cursor)?;
    cursor.eat(&Token::SemiColon);
    cursor.expect_end()?;
    Ok(statement)
}

/// Reads the stored text of a view.
pub(crate) fn query(sql: &str) -> Result<Box<Query>> {
    let tokens = tokens(sql, &|_| Err(SqlError::unsupported("IDENTIFIER with a marker inside a view")))?;
    let mut cursor = Cursor::new(sql, tokens);
    let query = cursor.query()?;
    cursor.expect_end()?;
    Ok(query)
}

/// Reads the text of an expression, such as a column's default.
pub(crate) fn expression(sql: &str) -> Result<sqlparser::ast::Expr> {
    let tokens = tokens(sql, &|_| Err(SqlError::unsupported("IDENTIFIER in an expression")))?;
    let mut cursor = Cursor::new(sql, tokens);
    let expr = cursor.expr()?;
    cursor.expect_end()?;
    Ok(expr)
}

/// Tokens with string escapes resolved, `IDENTIFIER(...)` replaced by the name it means, and `t@v1` by `t VERSION AS OF 1`.
fn tokens(sql: &str, constant: Constant<'_>) -> Result<Vec<TokenWithSpan>> {
    let dialect = Databricks;
    let raw =
        Tokenizer::new(&dialect, sql).with_unescape(false).tokenize_with_location().map_err(|e| from_tokenizer(&e))?;
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(raw.len());
    let mut rest = raw.into_iter().peekable();
    while let Some(token) = rest.next() {
        if is_raw_prefix(&token.token)
            && let Some(TokenWithSpan { token: Token::SingleQuotedString(text), span }) =
                rest.next_if(|next| matches!(next.token, Token::SingleQuotedString(_)))
        {
            out.push(TokenWithSpan::new(Token::SingleQuotedString(text), span));
            continue;
        }
        let mut token = with_suffix(unescaped(token));
        if let Token::Number(digits, false) = &mut token.token
            && let Some(suffix) = rest.next_if(|next| next.span.start == token.span.end && is_suffix(&next.token))
        {
            digits.push_str(&suffix.token.to_string());
        }
        if token.token == Token::AtSign
            && let Some(version) = rest.peek().and_then(version_of)
        {
            rest.next();
            let words = Tokenizer::new(&dialect, &format!(" VERSION AS OF {version}"))
                .tokenize()
                .map_err(|e| from_tokenizer(&e))?;
            out.extend(words.into_iter().map(|word| TokenWithSpan::new(word, token.span)));
            continue;
        }
        out.push(token);
    }
    while let Some(at) = out.iter().position(
        |t| matches!(&t.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case("IDENTIFIER")),
    ) {
        let Some((end, name)) = identifier_clause(sql, &out, at, constant)? else { break };
        let span = out.get(at).map_or_else(sqlparser::tokenizer::Span::empty, |t| t.span);
        let replaced = Tokenizer::new(&dialect, &name).tokenize().map_err(|e| from_tokenizer(&e))?;
        out.splice(at..=end, replaced.into_iter().map(|token| TokenWithSpan::new(token, span)));
    }
    Ok(out)
}

/// The clause `IDENTIFIER ( ... )` at a token: where it ends and which name it means; none when it is an ordinary word.
fn identifier_clause(
    sql: &str,
    tokens: &[TokenWithSpan],
    at: usize,
    constant: Constant<'_>,
) -> Result<Option<(usize, String)>> {
    let solid = |from: usize| (from..tokens.len()).find(|i| !matches!(tokens[*i].token, Token::Whitespace(_)));
    let Some(open) = solid(at + 1).filter(|i| tokens[*i].token == Token::LParen) else { return Ok(None) };
    let mut depth = 0_u32;
    for (end, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let inside = tokens.get(open + 1..end).unwrap_or_default().to_vec();
            let expr = Cursor::new(sql, inside).expr()?;
            return Ok(Some((end, constant(&expr)?)));
        }
    }
    Ok(None)
}

fn version_of(token: &TokenWithSpan) -> Option<u64> {
    match &token.token {
        Token::Word(word) => word.value.strip_prefix(['v', 'V'])?.parse().ok(),
        _ => None,
    }
}

/// The `r` before a raw string.
fn is_raw_prefix(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("r"))
}

/// The letters behind a number that choose its type, longest first.
pub(crate) const SUFFIXES: [&str; 6] = ["BD", "L", "S", "Y", "D", "F"];

/// Whether a token is nothing but the suffix of a number.
fn is_suffix(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && SUFFIXES.contains(&word.value.to_uppercase().as_str()))
}

/// `1L` and `2.5D` are numbers, which the tokenizer takes for words.
fn with_suffix(mut token: TokenWithSpan) -> TokenWithSpan {
    if let Token::Word(word) = &token.token
        && word.quote_style.is_none()
        && let digits = word.value.trim_end_matches(|c: char| c.is_ascii_alphabetic())
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && SUFFIXES.contains(&word.value[digits.len()..].to_uppercase().as_str())
    {
        token.token = Token::Number(word.value.clone(), false);
    }
    token
}

/// Resolves Spark's escapes, which are more than sqlparser knows (`\u001f` among them).
fn unescaped(mut token: TokenWithSpan) -> TokenWithSpan {
    match &mut token.token {
        Token::SingleQuotedString(text) => *text = unescape(text, '\''),
        Token::DoubleQuotedString(text) => *text = unescape(text, '"'),
        Token::Word(word) if word.quote_style == Some('`') => word.value = word.value.replace("``", "`"),
        _ => {}
    }
    token
}

fn unescape(raw: &str, quote: char) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut letters = raw.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == quote && letters.peek() == Some(&quote) {
            letters.next();
            out.push(quote);
            continue;
        }
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        let code = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>, width: usize| {
            let digits: String = letters.clone().take(width).collect();
            let decoded = (digits.len() == width)
                .then(|| u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32))
                .flatten();
            decoded.inspect(|_| {
                letters.nth(width - 1);
            })
        };
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('0') => out.push('\0'),
            Some('Z') => out.push('\u{1a}'),
            // LIKE patterns keep their escapes.
            Some(sign @ ('%' | '_')) => out.extend(['\\', sign]),
            Some('u') => out.push(code(&mut letters, 4).unwrap_or('u')),
            Some('U') => out.push(code(&mut letters, 8).unwrap_or('U')),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

fn from_tokenizer(error: &TokenizerError) -> SqlError {
    SqlError::syntax(&error.message, "").at(error.location.line, error.location.column)
}

/// A parser's complaint in Databricks' words; its text ends with the place.
fn from_parser(error: ParserError) -> SqlError {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(
                "FAILED_TO_PARSE_TOO_COMPLEX",
                "54001",
                "The statement was too complex to be parsed.",
            );
        }
    };
    let (sentence, place) = text.rsplit_once(" at Line: ").unwrap_or((&text, ""));
    let near = sentence.rsplit_once("found: ").map_or("", |(_, found)| found);
    let near = if near == "EOF" { "end of input" } else { near };
    let expected = sentence
        .split_once("Expected: ")
        .and_then(|(_, rest)| rest.split_once(", found:"))
        .map_or(sentence, |(e, _)| e);
    let hint = if near.is_empty() { sentence.to_owned() } else { format!("expected {expected}") };
    let mut numbers = place.split(", Column: ").filter_map(|n| n.trim().parse().ok());
    SqlError::syntax(near, &hint).at(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Where a location lies in the text, in bytes.
fn offset(sql: &str, location: Location) -> usize {
    let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(0);
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(0);
    let start: usize = sql.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = sql.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// Whether a token is only space or a comment.
fn is_blank(token: &Token) -> bool {
    matches!(
        token,
        Token::Whitespace(
            Whitespace::Space
                | Whitespace::Newline
                | Whitespace::Tab
                | Whitespace::SingleLineComment { .. }
                | Whitespace::MultiLineComment(_)
        )
    )
}

/// A parser over prepared tokens.
fn parser(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&Databricks).with_tokens_with_locations(tokens)
}
