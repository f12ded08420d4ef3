//! The statements of the doctor, beside those of the ledger that it tries on objects of its own.

use crate::domain::sql::NamedStatement;

/// The newest usage that is billed, of a week.
pub const USAGE_AGE: NamedStatement = NamedStatement::read(
    "doctor.age.usage",
    "SELECT unix_micros(max(usage_end_time)) AS newest_us, unix_micros(current_timestamp()) AS now_us FROM {usage} \
     WHERE usage_date >= date_sub(current_date(), 7)",
    &[],
);

/// The newest run of a job, of a week.
pub const RUNS_AGE: NamedStatement = NamedStatement::read(
    "doctor.age.runs",
    "SELECT unix_micros(max(period_end_time)) AS newest_us, unix_micros(current_timestamp()) AS now_us FROM {runs} \
     WHERE period_end_time >= current_timestamp() - INTERVAL 7 DAYS",
    &[],
);

/// The newest audited event, of a week.
pub const AUDIT_AGE: NamedStatement = NamedStatement::read(
    "doctor.age.audit",
    "SELECT unix_micros(max(event_time)) AS newest_us, unix_micros(current_timestamp()) AS now_us FROM {audit} \
     WHERE event_date >= date_sub(current_date(), 7)",
    &[],
);

/// How many events of flows a published log has of a day, and how many have their figures where they are looked for.
pub const EVENT_LOG: NamedStatement = NamedStatement::read(
    "doctor.event_log",
    "SELECT count(*) AS events, count(coalesce(get_json_object(details, '$.flow_progress.metrics.num_output_rows'), \
     get_json_object(details, '$.flow_progress.metrics.backlog_bytes'), \
     get_json_object(details, '$.flow_progress.metrics.backlog_records'))) AS with_figures, \
     count(get_json_object(details, '$.flow_progress.data_quality.expectations')) AS with_expectations \
     FROM {event_log} WHERE event_type = 'flow_progress' AND timestamp >= current_timestamp() - INTERVAL 1 DAY",
    &[],
);

/// Makes the schema of a self-test.
pub const CREATE_SCHEMA: NamedStatement = NamedStatement::idempotent(
    "doctor.create_schema",
    "CREATE SCHEMA IF NOT EXISTS {schema} COMMENT 'lakeshift doctor: a self-test, to be dropped'",
    &[],
);

/// Drops it with all that is in it.
pub const DROP_SCHEMA: NamedStatement =
    NamedStatement::idempotent("doctor.drop_schema", "DROP SCHEMA IF EXISTS {schema} CASCADE", &[]);

/// Makes a view of one column with a comment.
pub const CREATE_VIEW: NamedStatement =
    NamedStatement::once("doctor.create_view", "CREATE VIEW {view} (n COMMENT 'kept or lost') AS SELECT 0 AS n", &[]);

/// Switches it to another number, with a comment in its text.
pub const ALTER_VIEW: NamedStatement = NamedStatement::idempotent(
    "doctor.alter_view",
    "ALTER VIEW {view} AS SELECT /* lakeshift doctor */ {number} AS n",
    &[],
);

/// The view's number.
pub const READ_VIEW: NamedStatement = NamedStatement::read("doctor.read_view", "SELECT n FROM {view}", &[]);

/// Makes a table of one row, in one commit.
pub const CREATE_TABLE: NamedStatement =
    NamedStatement::once("doctor.create_table", "CREATE TABLE {table} USING DELTA AS SELECT 1 AS n", &[]);

/// Adds a second row, in a second commit.
pub const INSERT: NamedStatement = NamedStatement::once("doctor.insert", "INSERT INTO {table} SELECT 2 AS n", &[]);

/// How many rows its first version has.
pub const FIRST_VERSION: NamedStatement =
    NamedStatement::read("doctor.first_version", "SELECT count(*) AS row_count FROM {table} VERSION AS OF 0", &[]);

/// Makes a view of the first version.
pub const CREATE_PIN: NamedStatement =
    NamedStatement::once("doctor.create_pin", "CREATE VIEW {pin} AS SELECT n FROM {table} VERSION AS OF 0", &[]);

/// How many rows the view of the first version has.
pub const COUNT_PIN: NamedStatement =
    NamedStatement::read("doctor.count_pin", "SELECT count(*) AS row_count FROM {pin}", &[]);

/// Makes the table into which a procedure writes its caller.
pub const CREATE_CALLERS: NamedStatement =
    NamedStatement::once("doctor.create_callers", "CREATE TABLE {callers} (who STRING) USING DELTA", &[]);

/// Calls it.
pub const CALL: NamedStatement = NamedStatement::once("doctor.call", "CALL {procedure}()", &[]);

/// Who called.
pub const CALLERS: NamedStatement = NamedStatement::read("doctor.callers", "SELECT who FROM {callers}", &[]);

/// Makes the route of one row.
pub const CREATE_ROUTE: NamedStatement =
    NamedStatement::once("doctor.create_route", "CREATE VIEW {route} AS SELECT 'blue' AS color", &[]);

/// Makes a view that chooses its table by the route.
pub const CREATE_ROUTED: NamedStatement = NamedStatement::once(
    "doctor.create_routed",
    "CREATE VIEW {routed} AS SELECT n FROM {blue} WHERE (SELECT color FROM {route}) = 'blue' \
     UNION ALL SELECT n FROM {green} WHERE (SELECT color FROM {route}) = 'green'",
    &[],
);

/// What it reads.
pub const EXPLAIN_ROUTED: NamedStatement =
    NamedStatement::read("doctor.explain_routed", "EXPLAIN SELECT n FROM {routed}", &[]);

/// All of them.
pub fn all() -> Vec<&'static NamedStatement> {
    vec![
        &USAGE_AGE,
        &RUNS_AGE,
        &AUDIT_AGE,
        &EVENT_LOG,
        &CREATE_SCHEMA,
        &DROP_SCHEMA,
        &CREATE_VIEW,
        &ALTER_VIEW,
        &READ_VIEW,
        &CREATE_TABLE,
        &INSERT,
        &FIRST_VERSION,
        &CREATE_PIN,
        &COUNT_PIN,
        &CREATE_CALLERS,
        &CALL,
        &CALLERS,
        &CREATE_ROUTE,
        &CREATE_ROUTED,
        &EXPLAIN_ROUTED,
    ]
}
