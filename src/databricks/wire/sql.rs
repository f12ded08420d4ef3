//! The SQL statement execution API (databricks-api.md 5.2, 5.3).

use std::collections::BTreeMap;

use super::{Int, object};

object! {
    /// Body of `POST /sql/statements`.
    StatementRequest {
        statement: String,
        warehouse_id: String,
        catalog: String,
        schema: String,
        parameters: Vec<StatementParameter>,
        row_limit: Int,
        byte_limit: Int,
        wait_timeout: String,
        on_wait_timeout: String,
        disposition: String,
        format: String,
        query_tags: Vec<QueryTag>,
    }
    /// A named parameter. Without a value it is SQL's NULL.
    StatementParameter {
        name: String,
        value: String,
        r#type: String,
    }
    QueryTag {
        key: String,
        value: String,
    }
    /// Answer of the statement endpoints. A failing statement is an answer with status 200 too.
    StatementResponse {
        statement_id: String,
        status: StatementStatus,
        manifest: Manifest,
        result: ResultData,
    }
    StatementStatus {
        state: String,
        error: StatementError,
        sql_state: String,
    }
    StatementError {
        error_code: String,
        message: String,
    }
    Manifest {
        format: String,
        schema: ResultSchema,
        total_chunk_count: Int,
        total_row_count: Int,
        total_byte_count: Int,
        truncated: bool,
        chunks: Vec<ChunkInfo>,
    }
    ResultSchema {
        column_count: Int,
        columns: Vec<ResultColumn>,
    }
    ResultColumn {
        name: String,
        position: Int,
        type_name: String,
        type_text: String,
        type_precision: Int,
        type_scale: Int,
        type_interval_type: String,
    }
    ChunkInfo {
        chunk_index: Int,
        row_offset: Int,
        row_count: Int,
        byte_count: Int,
    }
    /// The first chunk inside a statement's answer, or a later chunk by itself.
    ResultData {
        chunk_index: Int,
        row_offset: Int,
        row_count: Int,
        byte_count: Int,
        next_chunk_index: Int,
        next_chunk_internal_link: String,
        data_array: Vec<Vec<Option<String>>>,
        external_links: Vec<ExternalLink>,
    }
    ExternalLink {
        chunk_index: Int,
        row_offset: Int,
        row_count: Int,
        byte_count: Int,
        next_chunk_index: Int,
        next_chunk_internal_link: String,
        external_link: String,
        expiration: String,
        http_headers: BTreeMap<String, String>,
    }
}
