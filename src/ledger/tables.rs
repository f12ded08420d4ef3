//! The ledger's tables as data: columns, and the statements on each that follow from them.
//!
//! The tables are those of the domain design (6.2) with three differences: the audit's `op_id` and `seq` are columns of
//! their own, so that one operation's journal is found without opening every JSON; whole numbers are `BIGINT`; and money
//! is an exact `DECIMAL`, since rows are hashed.
//!
//! Every table of facts ends with who, when and what was said: `actor` and `recorded_at` are the server's
//! (`session_user()`, `current_timestamp()`), `content_hash` is the writer's.

use serde::{Deserialize, Serialize};

use crate::domain::sql::NamedStatement;

/// What a column holds. In rows every value is text, so that what is hashed is what is stored and read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `STRING`.
    Text,
    /// `BIGINT`; in rows its decimal digits.
    Number,
    /// `BOOLEAN`; in rows `true` or `false`.
    Truth,
    /// `TIMESTAMP`; in rows the microseconds since 1970.
    Time,
    /// `ARRAY<STRING>`; in rows a JSON array without spaces.
    Texts,
    /// `DECIMAL(18,6)`, in US dollars; in rows with all six decimals.
    Money,
}

/// A column of a table of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must have a value.
    pub required: bool,
}

/// What is known of a table, and the statements on it.
#[derive(Debug)]
pub struct Spec {
    /// Its name, which is also the marker in its statements.
    pub name: &'static str,
    /// The columns that together tell one fact from another.
    pub key: &'static [&'static str],
    /// The columns of its own; `actor`, `recorded_at` and `content_hash` follow them.
    pub columns: &'static [Column],
    /// Makes it, if it is not there.
    pub create: NamedStatement,
    /// Appends the rows of a JSON array `:rows`, all in one commit.
    pub append: NamedStatement,
    /// The same through the procedure of the same name, with its owner's rights.
    pub call: NamedStatement,
    /// The rows of a version, recorded in a span of time.
    pub read: NamedStatement,
    /// The rows of a version that an earlier version does not have, recorded in a span of time.
    pub changes: NamedStatement,
    /// How many rows of a version were recorded in each hour.
    pub hours: NamedStatement,
    /// Its newest commits, newest first.
    pub history: NamedStatement,
}

/// The columns that end every table of facts.
pub const SUFFIX: [&str; 3] = ["actor", "recorded_at", "content_hash"];

macro_rules! sql_type {
    (Text) => {
        "STRING"
    };
    (Number) => {
        "BIGINT"
    };
    (Truth) => {
        "BOOLEAN"
    };
    (Time) => {
        "TIMESTAMP"
    };
    (Texts) => {
        "ARRAY<STRING>"
    };
    (Money) => {
        "DECIMAL(18,6)"
    };
}

macro_rules! not_null {
    (required) => {
        " NOT NULL"
    };
    (optional) => {
        ""
    };
}

macro_rules! is_required {
    (required) => {
        true
    };
    (optional) => {
        false
    };
}

/// A field of the JSON row `r` as the column's type.
macro_rules! written {
    (Text $name:ident) => {
        concat!("r.", stringify!($name))
    };
    (Time $name:ident) => {
        concat!("timestamp_micros(CAST(r.", stringify!($name), " AS BIGINT))")
    };
    (Texts $name:ident) => {
        concat!("from_json(r.", stringify!($name), ", 'array<string>')")
    };
    ($kind:ident $name:ident) => {
        concat!("CAST(r.", stringify!($name), " AS ", sql_type!($kind), ")")
    };
}

/// A column as the text that rows hold.
macro_rules! read {
    (Time $name:ident) => {
        concat!("unix_micros(", stringify!($name), ") AS ", stringify!($name))
    };
    (Texts $name:ident) => {
        concat!("to_json(", stringify!($name), ") AS ", stringify!($name))
    };
    ($kind:ident $name:ident) => {
        stringify!($name)
    };
}

/// Where and as of when a reading statement looks.
macro_rules! at {
    ($table:literal, $version:literal) => {
        concat!(
            " FROM {",
            $table,
            "} VERSION AS OF {",
            $version,
            "}",
            " WHERE recorded_at >= timestamp_micros(:from_us) AND recorded_at < timestamp_micros(:to_us)"
        )
    };
}

/// The parameters of a reading statement.
const SPAN: &[(&str, &str)] = &[("from_us", "BIGINT"), ("to_us", "BIGINT")];

macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal by $cluster:ident key($($key:literal),+) { $($column:ident $kind:ident $null:ident,)+ }
    )+) => {
        /// A table of facts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Table {
            $($(#[$doc])* $variant,)+
        }

        impl Table {
            /// All tables of facts.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What is known of it.
            pub fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$variant => {
                        const SPEC: &Spec = &Spec {
                            name: $name,
                            key: &[$($key,)+],
                            columns: &[$(Column {
                                name: stringify!($column),
                                kind: Kind::$kind,
                                required: is_required!($null),
                            },)+],
                            create: NamedStatement::idempotent(
                                concat!("ledger.create.", $name),
                                concat!(
                                    "CREATE TABLE IF NOT EXISTS {", $name, "} (",
                                    $(stringify!($column), " ", sql_type!($kind), not_null!($null), ", ",)+
                                    "actor STRING NOT NULL, recorded_at TIMESTAMP NOT NULL, content_hash STRING NOT NULL) ",
                                    "USING DELTA CLUSTER BY (", stringify!($cluster), ") TBLPROPERTIES (",
                                    "'delta.appendOnly' = 'true', 'delta.enableRowTracking' = 'true', ",
                                    "'delta.enableDeletionVectors' = 'true', ",
                                    "'delta.logRetentionDuration' = 'interval 400 days', ",
                                    "'delta.deletedFileRetentionDuration' = 'interval 30 days')"
                                ),
                                &[],
                            ),
                            append: NamedStatement::once(
                                concat!("ledger.append.", $name),
                                concat!(
                                    "INSERT INTO {", $name, "} (", $(stringify!($column), ", ",)+
                                    "actor, recorded_at, content_hash) SELECT ", $(written!($kind $column), ", ",)+
                                    "session_user(), current_timestamp(), r.content_hash FROM (SELECT explode(from_json(:rows, ",
                                    "'array<struct<", $(stringify!($column), ":string,",)+ "content_hash:string>>')) AS r)"
                                ),
                                &[("rows", "STRING")],
                            ),
                            call: NamedStatement::once(
                                concat!("ledger.call.append_", $name),
                                concat!("CALL {append_", $name, "}(:rows)"),
                                &[("rows", "STRING")],
                            ),
                            read: NamedStatement::read(
                                concat!("ledger.read.", $name),
                                concat!(
                                    "SELECT ", $(read!($kind $column), ", ",)+
                                    "actor, unix_micros(recorded_at) AS recorded_at, content_hash", at!($name, "version")
                                ),
                                SPAN,
                            ),
                            changes: NamedStatement::read(
                                concat!("ledger.changes.", $name),
                                concat!(
                                    "SELECT ", $(read!($kind $column), ", ",)+
                                    "actor, unix_micros(recorded_at) AS recorded_at, content_hash", at!($name, "version"),
                                    " EXCEPT SELECT ", $(read!($kind $column), ", ",)+
                                    "actor, unix_micros(recorded_at) AS recorded_at, content_hash", at!($name, "since")
                                ),
                                SPAN,
                            ),
                            hours: NamedStatement::read(
                                concat!("ledger.hours.", $name),
                                concat!(
                                    "SELECT unix_micros(date_trunc('HOUR', recorded_at)) AS hour_us, count(*) AS row_count",
                                    " FROM {", $name, "} VERSION AS OF {version}",
                                    " GROUP BY unix_micros(date_trunc('HOUR', recorded_at)) ORDER BY hour_us"
                                ),
                                &[],
                            ),
                            history: NamedStatement::read(
                                concat!("ledger.history.", $name),
                                concat!("DESCRIBE HISTORY {", $name, "} LIMIT {limit}"),
                                &[],
                            ),
                        };
                        SPEC
                    })+
                }
            }
        }
    };
}

tables! {
    /// A version that was asked to go to production.
    Release "release" by release_id key("release_id") {
        release_id Text required, product Text required, kind Text required, git_sha Text required,
        bundle_digest Text required, manifest_json Text required, authors Texts required, pr_url Text optional,
        sox Truth required, not_before Time optional, requested_by Text required,
    }
    /// A change of a release's state.
    ReleaseEvent "release_event" by release_id key("event_id") {
        event_id Text required, release_id Text required, seq Number required, from_state Text optional,
        event Text required, to_state Text required, op_id Text optional, fence Number optional, detail_json Text optional,
    }
    /// A bundle that was deployed somewhere.
    Promotion "promotion" by release_id key("promotion_id") {
        promotion_id Text required, release_id Text required, env Text required, target Text required,
        bundle_digest Text required, plan_json Text optional, second_plan_changes Number optional, ci_run_url Text optional,
        result Text required,
    }
    /// What a gate measured, and its verdict.
    GateResult "gate_result" by release_id key("result_id") {
        result_id Text required, release_id Text required, gate Text required, phase Text required, severity Text required,
        verdict Text required, window_lo Time optional, window_hi Time optional, versions_json Text optional,
        measured_json Text required, thresholds_json Text required, sql_sha256 Text optional, statement_id Text optional,
        bytes_read Number optional,
    }
    /// What a person decided: approve, reject, revoke, waive, extend.
    Approval "approval" by release_id key("approval_id") {
        approval_id Text required, release_id Text required, decision Text required, role Text required,
        plan_digest Text required, gate_digest Text required, reason Text optional, expires_at Time required,
    }
    /// An operation that was planned.
    Operation "operation" by op_id key("op_id") {
        op_id Text required, release_id Text optional, kind Text required, plan_digest Text required, reason Text optional,
        fence Number optional,
    }
    /// A step of a planned operation.
    OperationStep "operation_step" by op_id key("op_id", "step") {
        op_id Text required, step Number required, object_name Text required, object_id Text optional,
        action_text Text required, undo_text Text optional, pre_hash Text optional, post_hash Text optional,
    }
    /// How an attempt of a step ended: applied, reverted, unknown, failed.
    StepResult "step_result" by op_id key("op_id", "step", "attempt", "outcome", "ended_at") {
        op_id Text required, step Number required, attempt Number required, outcome Text required,
        observed_hash Text optional, statement_id Text optional, started_at Time optional, ended_at Time optional,
        error_class Text optional,
    }
    /// A backfill that was planned.
    Backfill "backfill" by backfill_id key("backfill_id") {
        backfill_id Text required, spec_json Text required, spec_digest Text required, estimate_json Text optional,
    }
    /// What became of one slice of a backfill.
    BackfillSliceEvent "backfill_slice_event" by backfill_id key("backfill_id", "node", "slice", "attempt", "event") {
        backfill_id Text required, node Text required, slice Text required, attempt Number required, event Text required,
        token Text optional, run_id Number optional, cost_usd Money optional, evidence_json Text optional,
    }
    /// A step in the course of an incident.
    IncidentEvent "incident_event" by incident_id key("incident_id", "event", "happened_at") {
        incident_id Text required, event Text required, happened_at Time required, detail_json Text optional,
    }
    /// What somebody did, asked for or was refused; the journals of operations among them.
    AuditEvent "audit_event" by op_id key("audit_id") {
        audit_id Text required, op_id Text optional, seq Number optional, verb Text required, target Text optional,
        outcome Text required, detail_json Text optional, client_version Text optional,
    }
}

impl Table {
    /// Its name in the ledger's schema.
    pub fn name(self) -> &'static str {
        self.spec().name
    }
}
