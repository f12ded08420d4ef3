//! A statement's result as it is handed out: cut to its limits and into chunks.

use crate::sim::sql::{ResultColumn, StatementResult, Value};

use super::statement::{Disposition, Failure, Format, Order};

/// The most that an inline result may hold, in bytes (databricks-api.md 5.4).
const MOST_INLINE: u64 = 25 * 1024 * 1024;
/// The most that one chunk holds, in bytes: below the vendor's, so that chunks are met sooner.
const CHUNK: u64 = 4 * 1024 * 1024;

/// A result.
#[derive(Debug)]
pub(in crate::sim) struct Output {
    /// Columns; none for what has no result.
    pub(in crate::sim) columns: Vec<ResultColumn>,
    /// Typed rows.
    pub(in crate::sim) rows: Vec<Vec<Value>>,
    /// Where it is cut.
    pub(in crate::sim) chunks: Vec<Chunk>,
    /// Whether a limit cut it short.
    pub(in crate::sim) truncated: bool,
}

/// A part of a result: some rows in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Chunk {
    /// Which part, from 0.
    pub(in crate::sim) index: usize,
    /// How many rows are before it.
    pub(in crate::sim) row_offset: usize,
    /// How many rows it has.
    pub(in crate::sim) row_count: usize,
    /// Its size as text.
    pub(in crate::sim) byte_count: u64,
}

impl Output {
    /// Cuts a result as its order asked.
    ///
    /// # Errors
    /// When it is too big to be handed out in the answer.
    pub(super) fn new(result: StatementResult, order: &Order) -> Result<Self, Failure> {
        let StatementResult { columns, mut rows } = result;
        let most_rows = order.row_limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let mut truncated = rows.len() > most_rows;
        rows.truncate(most_rows);
        let mut sizes: Vec<u64> = rows.iter().map(|row| size(row, &columns)).collect();
        if let Some(limit) = order.byte_limit {
            let mut left = limit;
            let fitting = sizes.iter().take_while(|bytes| take(&mut left, **bytes)).count();
            truncated |= fitting < rows.len();
            rows.truncate(fitting);
            sizes.truncate(fitting);
        }
        if order.disposition == Disposition::Inline && sizes.iter().sum::<u64>() > MOST_INLINE {
            return Err(Failure {
                code: "BAD_REQUEST",
                message: format!(
                    "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most {MOST_INLINE} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download the full result."
                ),
                sqlstate: None,
            });
        }
        Ok(Self { columns, chunks: chunks(&sizes), rows, truncated })
    }

    /// All bytes, as text.
    pub(in crate::sim) fn byte_count(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.byte_count).sum()
    }

    /// The rows of a chunk.
    pub(in crate::sim) fn rows_of(&self, chunk: &Chunk) -> &[Vec<Value>] {
        self.rows.get(chunk.row_offset..chunk.row_offset + chunk.row_count).unwrap_or_default()
    }

    /// The rows of a chunk as texts and nulls.
    pub(in crate::sim) fn texts(&self, chunk: &Chunk) -> Vec<Vec<Option<String>>> {
        let text = |row: &Vec<Value>| row.iter().zip(&self.columns).map(|(value, c)| value.render(&c.ty)).collect();
        self.rows_of(chunk).iter().map(text).collect()
    }

    /// A chunk as a file.
    pub(in crate::sim) fn file(&self, chunk: &Chunk, format: Format) -> Vec<u8> {
        match format {
            Format::JsonArray => serde_json::to_vec(&self.texts(chunk)).unwrap_or_default(),
            Format::Csv => {
                let header = self.columns.iter().map(|column| Some(column.name.clone())).collect();
                let lines = (chunk.index == 0).then_some(header).into_iter().chain(self.texts(chunk));
                lines.map(|line| csv(&line)).collect::<String>().into_bytes()
            }
        }
    }
}

fn take(left: &mut u64, bytes: u64) -> bool {
    let fits = bytes <= *left;
    *left = left.saturating_sub(bytes);
    fits
}

/// A row's size as text: its cells with quotes and commas.
fn size(row: &[Value], columns: &[ResultColumn]) -> u64 {
    let cell = |(value, column): (&Value, &ResultColumn)| value.render(&column.ty).map_or(4, |text| text.len() + 2);
    row.iter().zip(columns).map(cell).map(|bytes| bytes as u64 + 1).sum::<u64>() + 1
}

fn chunks(sizes: &[u64]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for (row, bytes) in sizes.iter().enumerate() {
        match chunks.last_mut() {
            Some(last) if last.byte_count + bytes <= CHUNK => {
                last.row_count += 1;
                last.byte_count += bytes;
            }
            _ => chunks.push(Chunk { index: chunks.len(), row_offset: row, row_count: 1, byte_count: *bytes }),
        }
    }
    chunks
}

/// One line; a cell with a comma, a quote or a line break is quoted.
fn csv(cells: &[Option<String>]) -> String {
    let quoted = |cell: &Option<String>| match cell {
        Some(text) if text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Some(text) => text.clone(),
        None => String::new(),
    };
    format!("{}\r\n", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_tile_the_rows() {
        let sizes = [CHUNK - 1, 1, 1, CHUNK + 5, 2];
        let cut = chunks(&sizes);
        assert_eq!(
            cut.iter().map(|chunk| (chunk.row_offset, chunk.row_count)).collect::<Vec<_>>(),
            [(0, 2), (2, 1), (3, 1), (4, 1)]
        );
        assert_eq!(cut.iter().map(|chunk| chunk.byte_count).sum::<u64>(), sizes.iter().sum::<u64>());
        assert!(chunks(&[]).is_empty());
    }

    #[test]
    fn a_cell_with_a_comma_is_quoted() {
        assert_eq!(csv(&[Some("a,\"b".to_owned()), None, Some("c".to_owned())]), "\"a,\"\"b\",,c\r\n");
    }
}
