//! The columns of the system tables as they are documented (databricks-api.md 9).

use crate::sim::sql::catalog::Column;
use crate::sim::sql::{DataType, Result};

/// Every table, with its columns as a CREATE TABLE would have them.
pub(super) const TABLES: [(&str, &str); 12] = [
    (
        "system.billing.usage",
        "record_id STRING, account_id STRING, workspace_id STRING, sku_name STRING, cloud STRING, usage_start_time TIMESTAMP, \
         usage_end_time TIMESTAMP, usage_date DATE, custom_tags MAP<STRING,STRING>, usage_unit STRING, usage_quantity DECIMAL(38,18), \
         usage_metadata STRUCT<cluster_id:STRING,job_id:STRING,job_run_id:STRING,job_name:STRING,run_name:STRING,warehouse_id:STRING,\
         node_type:STRING,notebook_id:STRING,notebook_path:STRING,dlt_pipeline_id:STRING,dlt_update_id:STRING,dlt_maintenance_id:STRING,\
         endpoint_name:STRING,endpoint_id:STRING,metastore_id:STRING,budget_policy_id:STRING,usage_policy_id:STRING,\
         uc_table_catalog:STRING,uc_table_schema:STRING,uc_table_name:STRING>, \
         identity_metadata STRUCT<run_as:STRING,created_by:STRING,owned_by:STRING,run_by:STRING>, record_type STRING, ingestion_date DATE, \
         billing_origin_product STRING, product_features STRUCT<jobs_tier:STRING,sql_tier:STRING,dlt_tier:STRING,is_serverless:BOOLEAN,\
         is_photon:BOOLEAN,serving_type:STRING,performance_target:STRING>, usage_type STRING",
    ),
    (
        "system.billing.list_prices",
        "account_id STRING, price_start_time TIMESTAMP, price_end_time TIMESTAMP, sku_name STRING, cloud STRING, currency_code STRING, \
         usage_unit STRING, pricing STRUCT<default:DECIMAL(38,18),promotional:STRUCT<default:DECIMAL(38,18)>,\
         effective_list:STRUCT<default:DECIMAL(38,18)>>",
    ),
    (
        "system.lakeflow.jobs",
        "account_id STRING, workspace_id STRING, job_id STRING, name STRING, description STRING, creator_id STRING, \
         creator_user_name STRING, tags MAP<STRING,STRING>, change_time TIMESTAMP, create_time TIMESTAMP, delete_time TIMESTAMP, run_as STRING, \
         run_as_user_name STRING, trigger_type STRING, paused BOOLEAN, timeout_seconds BIGINT",
    ),
    (
        "system.lakeflow.job_tasks",
        "account_id STRING, workspace_id STRING, job_id STRING, task_key STRING, depends_on_keys ARRAY<STRING>, change_time TIMESTAMP, \
         delete_time TIMESTAMP, timeout_seconds BIGINT",
    ),
    (
        "system.lakeflow.job_run_timeline",
        "account_id STRING, workspace_id STRING, job_id STRING, run_id STRING, period_start_time TIMESTAMP, period_end_time TIMESTAMP, \
         trigger_type STRING, run_type STRING, run_name STRING, compute_ids ARRAY<STRING>, result_state STRING, termination_code STRING, \
         termination_type STRING, job_parameters MAP<STRING,STRING>, source_task_run_id STRING, root_task_run_id STRING, \
         setup_duration_seconds BIGINT, queue_duration_seconds BIGINT, run_duration_seconds BIGINT, cleanup_duration_seconds BIGINT, \
         execution_duration_seconds BIGINT",
    ),
    (
        "system.lakeflow.job_task_run_timeline",
        "account_id STRING, workspace_id STRING, job_id STRING, run_id STRING, job_run_id STRING, parent_run_id STRING, \
         period_start_time TIMESTAMP, period_end_time TIMESTAMP, task_key STRING, compute_ids ARRAY<STRING>, result_state STRING, \
         termination_code STRING, termination_type STRING, setup_duration_seconds BIGINT, cleanup_duration_seconds BIGINT, \
         execution_duration_seconds BIGINT",
    ),
    (
        "system.lakeflow.pipelines",
        "account_id STRING, workspace_id STRING, pipeline_id STRING, pipeline_type STRING, name STRING, created_by STRING, run_as STRING, \
         tags MAP<STRING,STRING>, settings STRUCT<photon:BOOLEAN,development:BOOLEAN,continuous:BOOLEAN,serverless:BOOLEAN,edition:STRING,\
         channel:STRING>, configuration MAP<STRING,STRING>, change_time TIMESTAMP, delete_time TIMESTAMP, create_time TIMESTAMP",
    ),
    (
        "system.lakeflow.pipeline_update_timeline",
        "account_id STRING, workspace_id STRING, pipeline_id STRING, update_id STRING, update_type STRING, request_id STRING, \
         run_as_user_name STRING, trigger_type STRING, trigger_details STRUCT<job_task:STRUCT<job_id:STRING,job_task_run_id:STRING>>, \
         result_state STRING, compute STRUCT<type:STRING,cluster_id:STRING>, period_start_time TIMESTAMP, period_end_time TIMESTAMP, \
         refresh_selection ARRAY<STRING>, full_refresh_selection ARRAY<STRING>, reset_checkpoint_selection ARRAY<STRING>",
    ),
    (
        "system.query.history",
        "account_id STRING, workspace_id STRING, statement_id STRING, session_id STRING, execution_status STRING, \
         compute STRUCT<type:STRING,cluster_id:STRING,warehouse_id:STRING>, executed_by_user_id STRING, executed_by STRING, \
         statement_text STRING, statement_type STRING, error_message STRING, client_application STRING, client_driver STRING, \
         total_duration_ms BIGINT, waiting_for_compute_duration_ms BIGINT, waiting_at_capacity_duration_ms BIGINT, \
         execution_duration_ms BIGINT, compilation_duration_ms BIGINT, result_fetch_duration_ms BIGINT, start_time TIMESTAMP, \
         end_time TIMESTAMP, update_time TIMESTAMP, read_rows BIGINT, produced_rows BIGINT, read_bytes BIGINT, from_result_cache BOOLEAN, \
         executed_as STRING, executed_as_user_id STRING, query_tags MAP<STRING,STRING>",
    ),
    (
        "system.access.audit",
        "account_id STRING, workspace_id STRING, version STRING, event_time TIMESTAMP, event_date DATE, source_ip_address STRING, \
         user_agent STRING, session_id STRING, user_identity STRUCT<email:STRING,subject_name:STRING>, service_name STRING, \
         action_name STRING, request_id STRING, request_params MAP<STRING,STRING>, \
         response STRUCT<status_code:INT,error_message:STRING,result:STRING>, audit_level STRING, event_id STRING, \
         identity_metadata STRUCT<run_by:STRING,run_as:STRING>",
    ),
    ("system.access.table_lineage", LINEAGE),
    ("system.access.column_lineage", COLUMN_LINEAGE),
];

const LINEAGE: &str = "account_id STRING, metastore_id STRING, workspace_id STRING, entity_type STRING, entity_id STRING, \
     entity_run_id STRING, source_table_full_name STRING, source_table_catalog STRING, source_table_schema STRING, source_table_name STRING, \
     source_type STRING, target_table_full_name STRING, target_table_catalog STRING, target_table_schema STRING, target_table_name STRING, \
     target_type STRING, created_by STRING, event_time TIMESTAMP, event_date DATE, record_id STRING, event_id STRING, statement_id STRING";
const COLUMN_LINEAGE: &str = "account_id STRING, metastore_id STRING, workspace_id STRING, entity_type STRING, entity_id STRING, \
     entity_run_id STRING, source_table_full_name STRING, source_table_catalog STRING, source_table_schema STRING, source_table_name STRING, \
     source_type STRING, target_table_full_name STRING, target_table_catalog STRING, target_table_schema STRING, target_table_name STRING, \
     target_type STRING, created_by STRING, event_time TIMESTAMP, event_date DATE, record_id STRING, event_id STRING, statement_id STRING, \
     source_column_name STRING, target_column_name STRING";

/// Reads the columns of a table.
pub(super) fn columns(text: &str) -> Result<Vec<Column>> {
    let mut depth = 0_i32;
    let parts = text.split(|letter: char| {
        depth += match letter {
            '<' | '(' => 1,
            '>' | ')' => -1,
            _ => 0,
        };
        letter == ',' && depth == 0
    });
    let column = |part: &str| {
        let (name, ty) = part.trim().split_once(' ').unwrap_or((part, "STRING"));
        Ok(Column::new(name, DataType::parse(ty)?))
    };
    parts.map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_type() {
        for (name, text) in TABLES {
            let columns = columns(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(columns.len() > 6 && columns[0].name.ends_with("_id"), "{name}");
        }
        let usage = columns(TABLES[0].1).expect("columns");
        assert_eq!(usage[10].ty, DataType::Decimal(38, 18));
        assert!(matches!(&usage[11].ty, DataType::Struct(fields) if fields.len() == 20));
    }
}
