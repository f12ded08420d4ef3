//! The ledger's statements beside those on its tables of facts: schema, seals, leases; and the list of all.

use super::tables::Table;
use crate::domain::sql::NamedStatement;

/// Makes the schema.
pub const CREATE_SCHEMA: NamedStatement = NamedStatement::idempotent(
    "ledger.create_schema",
    "CREATE SCHEMA IF NOT EXISTS {schema} COMMENT 'lakeshift: the shared record'",
    &[],
);

/// Makes the table of seals.
pub const CREATE_SEAL: NamedStatement = NamedStatement::idempotent(
    "ledger.create.seal",
    "CREATE TABLE IF NOT EXISTS {seal} (seal_id STRING NOT NULL, seq BIGINT NOT NULL, upto TIMESTAMP NOT NULL, \
     tables_json STRING NOT NULL, prev_hash STRING NOT NULL, seal_hash STRING NOT NULL, anchor STRING, \
     actor STRING NOT NULL, recorded_at TIMESTAMP NOT NULL) USING DELTA TBLPROPERTIES (\
     'delta.appendOnly' = 'true', 'delta.enableRowTracking' = 'true', 'delta.enableDeletionVectors' = 'true', \
     'delta.logRetentionDuration' = 'interval 400 days', 'delta.deletedFileRetentionDuration' = 'interval 30 days', \
     'delta.isolationLevel' = 'Serializable')",
    &[],
);

/// Makes the one table whose rows change. Serializable, and with deletion vectors: so two changes of one row conflict
/// while changes of different rows do not (databricks-api.md 10.5).
pub const CREATE_LEASE: NamedStatement = NamedStatement::idempotent(
    "ledger.create.lease",
    "CREATE TABLE IF NOT EXISTS {lease} (product STRING NOT NULL, holder STRING, nonce STRING, fence BIGINT NOT NULL, \
     op_id STRING, acquired_at TIMESTAMP, expires_at TIMESTAMP) USING DELTA TBLPROPERTIES (\
     'delta.enableDeletionVectors' = 'true', 'delta.isolationLevel' = 'Serializable')",
    &[],
);

/// Gives each product of a JSON array its row, if it has none. At install time only, by one person, and never to take
/// a lease: whether two at once conflict is not told for each engine (databricks-api.md 10.5), and two rows are no lock.
pub const ADD_PRODUCTS: NamedStatement = NamedStatement::idempotent(
    "ledger.lease.add_products",
    "INSERT INTO {lease} (product, holder, nonce, fence, op_id, acquired_at, expires_at) \
     SELECT p.product, CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(0 AS BIGINT), CAST(NULL AS STRING), \
     CAST(NULL AS TIMESTAMP), CAST(NULL AS TIMESTAMP) \
     FROM (SELECT explode(from_json(:products, 'array<string>')) AS product) AS p \
     WHERE NOT EXISTS (SELECT 1 FROM {lease} AS l WHERE l.product = p.product)",
    &[("products", "STRING")],
);

/// Every lease, with the server's time.
pub const LEASES: NamedStatement = NamedStatement::read(
    "ledger.leases",
    "SELECT product, holder, nonce, fence, op_id, unix_micros(acquired_at) AS acquired_us, \
     unix_micros(expires_at) AS expires_us, unix_micros(current_timestamp()) AS now_us FROM {lease} ORDER BY product",
    &[],
);

/// One lease, with the server's time.
pub const LEASE: NamedStatement = NamedStatement::read(
    "ledger.lease.look",
    "SELECT product, holder, nonce, fence, op_id, unix_micros(acquired_at) AS acquired_us, \
     unix_micros(expires_at) AS expires_us, unix_micros(current_timestamp()) AS now_us FROM {lease} \
     WHERE product = :product",
    &[("product", "STRING")],
);

/// Takes a lease that is free or over, exactly as it was seen: every taking raises the fence, so that a statement that
/// arrives late finds another one and changes nothing.
pub const LEASE_ACQUIRE: NamedStatement = NamedStatement::idempotent(
    "ledger.lease.acquire",
    "UPDATE {lease} SET holder = session_user(), nonce = :nonce, op_id = :op_id, fence = fence + 1, \
     acquired_at = current_timestamp(), expires_at = current_timestamp() + INTERVAL 120 SECONDS \
     WHERE product = :product AND fence = :seen AND (holder IS NULL OR expires_at < current_timestamp())",
    &[("product", "STRING"), ("seen", "BIGINT"), ("nonce", "STRING"), ("op_id", "STRING")],
);

/// Takes a lease from its holder, exactly as it was seen.
pub const LEASE_STEAL: NamedStatement = NamedStatement::idempotent(
    "ledger.lease.steal",
    "UPDATE {lease} SET holder = session_user(), nonce = :nonce, op_id = :op_id, fence = fence + 1, \
     acquired_at = current_timestamp(), expires_at = current_timestamp() + INTERVAL 120 SECONDS \
     WHERE product = :product AND fence = :seen",
    &[("product", "STRING"), ("seen", "BIGINT"), ("nonce", "STRING"), ("op_id", "STRING")],
);

/// Lengthens a lease that is held and not over.
pub const LEASE_RENEW: NamedStatement = NamedStatement::idempotent(
    "ledger.lease.renew",
    "UPDATE {lease} SET expires_at = current_timestamp() + INTERVAL 120 SECONDS \
     WHERE product = :product AND nonce = :nonce AND fence = :fence AND expires_at > current_timestamp()",
    &[("product", "STRING"), ("nonce", "STRING"), ("fence", "BIGINT")],
);

/// Gives a lease back.
pub const LEASE_RELEASE: NamedStatement = NamedStatement::idempotent(
    "ledger.lease.release",
    "UPDATE {lease} SET holder = NULL, nonce = NULL, op_id = NULL, expires_at = NULL \
     WHERE product = :product AND nonce = :nonce AND fence = :fence",
    &[("product", "STRING"), ("nonce", "STRING"), ("fence", "BIGINT")],
);

/// One operation's journal and all else that the audit has of it.
pub const OPERATION: NamedStatement = NamedStatement::read(
    "ledger.operation",
    "SELECT audit_id, op_id, seq, verb, target, outcome, detail_json, client_version, actor, \
     unix_micros(recorded_at) AS recorded_at, content_hash FROM {audit_event} WHERE op_id = :op_id",
    &[("op_id", "STRING")],
);

/// The newest rows of the audit: what a screen shows.
pub const RECENT: NamedStatement = NamedStatement::read(
    "ledger.recent",
    "SELECT audit_id, op_id, seq, verb, target, outcome, detail_json, client_version, actor, \
     unix_micros(recorded_at) AS recorded_at, content_hash FROM {audit_event} \
     ORDER BY recorded_at DESC, audit_id DESC LIMIT 2000",
    &[],
);

/// Appends a seal, unless there is one of its number: of two sealers at once the later one is refused, since both read
/// the table that they write.
pub const APPEND_SEAL: NamedStatement = NamedStatement::idempotent(
    "ledger.append.seal",
    "INSERT INTO {seal} (seal_id, seq, upto, tables_json, prev_hash, seal_hash, anchor, actor, recorded_at) \
     SELECT :seal_id, CAST(:seq AS BIGINT), timestamp_micros(CAST(:upto_us AS BIGINT)), :tables_json, :prev_hash, \
     :seal_hash, CAST(:anchor AS STRING), session_user(), current_timestamp() \
     WHERE NOT EXISTS (SELECT 1 FROM {seal} AS s WHERE s.seq = CAST(:seq AS BIGINT))",
    &[
        ("seal_id", "STRING"),
        ("seq", "BIGINT"),
        ("upto_us", "BIGINT"),
        ("tables_json", "STRING"),
        ("prev_hash", "STRING"),
        ("seal_hash", "STRING"),
        ("anchor", "STRING"),
    ],
);

/// Seals from one on, oldest first, few at a time: their lists can be long.
pub const SEALS: NamedStatement = NamedStatement::read(
    "ledger.seals",
    "SELECT seal_id, seq, unix_micros(upto) AS upto_us, tables_json, prev_hash, seal_hash, anchor, actor, \
     unix_micros(recorded_at) AS recorded_at FROM {seal} WHERE seq >= :from_seq AND seq < :to_seq ORDER BY seq, recorded_at",
    &[("from_seq", "BIGINT"), ("to_seq", "BIGINT")],
);

/// How many seals there are, and how far the last one goes: all that is to be known without a list of rows.
pub const SEAL_ENDS: NamedStatement = NamedStatement::read(
    "ledger.seal_ends",
    "SELECT count(*) AS row_count, coalesce(min(seq), 0) AS first_seq, coalesce(max(seq), 0) AS last_seq, \
     unix_micros(max_by(upto, seq)) AS upto_us, max_by(seal_hash, seq) AS seal_hash FROM {seal}",
    &[],
);

/// The newest commits of the table of seals, newest first.
pub const SEAL_HISTORY: NamedStatement =
    NamedStatement::read("ledger.history.seal", "DESCRIBE HISTORY {seal} LIMIT {limit}", &[]);

/// How many rows of the audit no seal can know yet, and since when the oldest of them waits for one.
pub const UNSEALED: NamedStatement = NamedStatement::read(
    "ledger.unsealed",
    "SELECT count(*) AS row_count, unix_micros(min(recorded_at)) AS oldest_us FROM {audit_event} \
     WHERE recorded_at > timestamp_micros(:upto_us)",
    &[("upto_us", "BIGINT")],
);

/// The time and identity of the server, and whether it answers at all.
pub const HELLO: NamedStatement = NamedStatement::read(
    "ledger.hello",
    "SELECT session_user() AS session_user, unix_micros(current_timestamp()) AS now_us",
    &[],
);

macro_rules! calls {
    ($($konst:ident $name:literal of $direct:ident ($($parameter:literal $kind:literal),+);)+) => {
        $(
            /// The same through the procedure, with its owner's rights.
            pub const $konst: NamedStatement = NamedStatement {
                name: concat!("ledger.call.", $name),
                text: calls!(@text $name $($parameter)+),
                parameters: &[$(($parameter, $kind)),+],
                repeats: $direct.repeats,
            };
        )+
    };
    (@text $name:literal $first:literal $($rest:literal)*) => {
        concat!("CALL {", $name, "}(:", $first, $(", :", $rest,)* ")")
    };
}

calls! {
    CALL_LEASE_ACQUIRE "lease_acquire" of LEASE_ACQUIRE ("product" "STRING", "seen" "BIGINT", "nonce" "STRING", "op_id" "STRING");
    CALL_LEASE_STEAL "lease_steal" of LEASE_STEAL ("product" "STRING", "seen" "BIGINT", "nonce" "STRING", "op_id" "STRING");
    CALL_LEASE_RENEW "lease_renew" of LEASE_RENEW ("product" "STRING", "nonce" "STRING", "fence" "BIGINT");
    CALL_LEASE_RELEASE "lease_release" of LEASE_RELEASE ("product" "STRING", "nonce" "STRING", "fence" "BIGINT");
    CALL_APPEND_SEAL "append_seal" of APPEND_SEAL (
        "seal_id" "STRING", "seq" "BIGINT", "upto_us" "BIGINT", "tables_json" "STRING", "prev_hash" "STRING",
        "seal_hash" "STRING", "anchor" "STRING"
    );
}

/// Every statement that changes rows, with the `CALL` that does the same with its owner's rights.
pub fn pairs() -> Vec<(&'static NamedStatement, &'static NamedStatement)> {
    let fixed: [(&NamedStatement, &NamedStatement); 5] = [
        (&LEASE_ACQUIRE, &CALL_LEASE_ACQUIRE),
        (&LEASE_STEAL, &CALL_LEASE_STEAL),
        (&LEASE_RENEW, &CALL_LEASE_RENEW),
        (&LEASE_RELEASE, &CALL_LEASE_RELEASE),
        (&APPEND_SEAL, &CALL_APPEND_SEAL),
    ];
    let of_tables = Table::ALL.iter().map(|table| (&table.spec().append, &table.spec().call));
    fixed.into_iter().chain(of_tables).collect()
}

/// Every statement that the ledger sends in its direct form, but for the grants that `ledger init` prints.
pub fn all() -> Vec<&'static NamedStatement> {
    let fixed = [
        &CREATE_SCHEMA,
        &CREATE_SEAL,
        &CREATE_LEASE,
        &ADD_PRODUCTS,
        &LEASES,
        &LEASE,
        &LEASE_ACQUIRE,
        &LEASE_STEAL,
        &LEASE_RENEW,
        &LEASE_RELEASE,
        &OPERATION,
        &RECENT,
        &APPEND_SEAL,
        &SEALS,
        &SEAL_ENDS,
        &SEAL_HISTORY,
        &UNSEALED,
        &HELLO,
    ];
    let of_tables = Table::ALL.iter().flat_map(|table| {
        let spec = table.spec();
        [&spec.create, &spec.append, &spec.read, &spec.changes, &spec.hours, &spec.history]
    });
    fixed.into_iter().chain(of_tables).collect()
}
