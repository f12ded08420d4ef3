//! The engine: one metastore, its tables in memory, and the way of a statement through it.

use super::bind::{Binder, Plan};
use super::catalog::{Catalog, Column, Facts, Table, TableKind};
use super::delta::{Change, Commit, DeltaTable, Reads};
use super::error::{Result, SqlError};
use super::functions;
use super::names::TableName;
use super::parse::{self, Statement};
use super::types::DataType;
use super::values::Value;
use crate::sim::scenario::Breaks;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Instructions of SQLite's machine between two looks at the work done.
const WORK_STEP: i32 = 10_000;
/// The most work for one statement, in steps: some seconds. What needs more is given up ([`SqlError::is_endless`]).
const MOST_WORK: u64 = 30_000;

/// Who asks, and where unqualified names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The user or service principal.
    pub user: String,
    /// The default catalog.
    pub catalog: String,
    /// The default schema.
    pub schema: String,
    /// Settings made with SET.
    pub settings: BTreeMap<String, String>,
    /// The warehouse through which the statement came; none where it came through none.
    pub warehouse: Option<String>,
}

impl Session {
    /// A session of a user with the defaults of a new warehouse session.
    #[must_use]
    pub fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            catalog: "main".to_owned(),
            schema: "default".to_owned(),
            settings: BTreeMap::new(),
            warehouse: None,
        }
    }
}

/// The value of a named marker `:name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name without its colon.
    pub name: String,
    /// The value as text; none is NULL.
    pub value: Option<String>,
    /// The type to which the text is cast.
    pub ty: DataType,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: DataType,
}

/// What a statement gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatementResult {
    /// Columns; none for DDL.
    pub columns: Vec<ResultColumn>,
    /// Rows of values of the columns' types.
    pub rows: Vec<Vec<Value>>,
}

impl StatementResult {
    /// A result with columns of given names and types.
    pub(crate) fn table(columns: &[(&str, DataType)], rows: Vec<Vec<Value>>) -> Self {
        let columns =
            columns.iter().map(|(name, ty)| ResultColumn { name: (*name).to_owned(), ty: ty.clone() }).collect();
        Self { columns, rows }
    }

    /// The count in `num_affected_rows`, for a row change.
    #[must_use]
    pub fn affected(&self) -> Option<i64> {
        let at = self.columns.iter().position(|c| c.name == "num_affected_rows")?;
        self.rows.first()?.get(at)?.integer()
    }

    /// Rows as the statement API writes them: every value a text, or none for NULL.
    #[must_use]
    pub fn rendered(&self) -> Vec<Vec<Option<String>>> {
        self.rows
            .iter()
            .map(|row| row.iter().zip(&self.columns).map(|(value, column)| value.render(&column.ty)).collect())
            .collect()
    }
}

/// A row change that has read its snapshot and waits for its commit.
#[derive(Debug, Clone)]
pub struct Transaction {
    table: TableName,
    id: Uuid,
    change: Change,
    user: String,
    result: StatementResult,
}

impl Transaction {
    /// The table that it changes.
    #[must_use]
    pub fn table(&self) -> &TableName {
        &self.table
    }

    pub(crate) fn set_result(&mut self, result: StatementResult) {
        self.result = result;
    }
}

/// A statement that has begun.
#[derive(Debug, Clone)]
pub enum Begun {
    /// It changes rows: nothing is visible before [`Engine::commit`].
    Pending(Box<Transaction>),
    /// It is done.
    Done(StatementResult),
}

/// One metastore with data.
pub struct Engine {
    pub(super) connection: Connection,
    pub(super) catalog: Catalog,
    deltas: HashMap<Uuid, DeltaTable>,
    pub(super) attached: HashMap<TableName, String>,
    pub(super) event_logs: HashMap<String, TableName>,
    next_storage: std::cell::Cell<u64>,
    /// What it does otherwise than the platform promises.
    pub(super) breaks: Breaks,
    /// Views that other warehouses go on reading as they were: through which each was changed, and its text before.
    pub(super) lagging_views: BTreeMap<TableName, (Option<String>, String)>,
    /// What the last statement named itself.
    pub(crate) last_sources: std::cell::RefCell<BTreeSet<TableName>>,
    /// How much the statement under way has done, in [`WORK_STEP`]s.
    work: Arc<AtomicU64>,
    /// Tables of SQLite that live for one statement.
    pub(super) scratch: std::cell::RefCell<Vec<String>>,
}

impl Engine {
    /// An empty metastore owned by `owner`. Errors: only when SQLite has no memory.
    pub fn new(seed: u64, owner: &str, now: DateTime<Utc>) -> Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("PRAGMA case_sensitive_like = ON; PRAGMA temp_store = MEMORY")?;
        functions::register(&connection, seed)?;
        let work = Arc::new(AtomicU64::new(0));
        let done = Arc::clone(&work);
        let is_too_much = move || done.fetch_add(1, Ordering::Relaxed) >= MOST_WORK;
        connection.progress_handler(WORK_STEP, Some(is_too_much))?;
        let catalog = Catalog::new(seed, owner, now);
        Ok(Self {
            last_sources: std::cell::RefCell::default(),
            work,
            connection,
            catalog,
            deltas: HashMap::new(),
            attached: HashMap::new(),
            event_logs: HashMap::new(),
            next_storage: std::cell::Cell::new(0),
            breaks: Breaks::default(),
            lagging_views: BTreeMap::new(),
            scratch: std::cell::RefCell::default(),
        })
    }

    /// Breaks these promises of the platform from now on, and keeps all others.
    pub fn set_breaks(&mut self, breaks: Breaks) {
        self.breaks = breaks;
        if !breaks.view_lag {
            self.lagging_views.clear();
        }
    }

    /// The objects, to read.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The objects, to change owners, grants, comments and groups. Tables and views change through statements and [`Self::create_table`].
    pub fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// Runs one statement to its end.
    pub fn execute(
        &mut self,
        session: &mut Session,
        sql: &str,
        parameters: &[Parameter],
        now: DateTime<Utc>,
    ) -> Result<StatementResult> {
        match self.begin(session, sql, parameters, now)? {
            Begun::Done(result) => Ok(result),
            Begun::Pending(transaction) => self.commit(*transaction, now),
        }
    }

    /// Runs a statement up to its commit: a row change reads its snapshot now and writes when it is committed.
    pub fn begin(
        &mut self,
        session: &mut Session,
        sql: &str,
        parameters: &[Parameter],
        now: DateTime<Utc>,
    ) -> Result<Begun> {
        self.work.store(0, Ordering::Relaxed);
        self.last_sources.borrow_mut().clear();
        for storage in std::mem::take(&mut *self.scratch.borrow_mut()) {
            self.connection.execute_batch(&format!("DROP TABLE {storage}"))?;
        }
        let statement = {
            let binder = Binder::new(self, session, parameters, now);
            parse::statement(sql, &|expr| {
                let bound = binder.constant(expr)?;
                let text = bound.literal.as_ref().and_then(Value::text).map(str::to_owned);
                text.ok_or_else(|| SqlError::new("NOT_A_CONSTANT_STRING.WRONG_TYPE", "42601", format!("The expression \"{expr}\" used for the routine or clause `IDENTIFIER` must be a constant STRING which is NOT NULL.")))
            })?
        };
        self.dispatch(session, statement, parameters, now)
    }

    fn dispatch(
        &mut self,
        session: &mut Session,
        statement: Statement,
        parameters: &[Parameter],
        now: DateTime<Utc>,
    ) -> Result<Begun> {
        let change = {
            let binder = Binder::new(self, session, parameters, now);
            match &statement {
                Statement::Query(query) => {
                    let plan = binder.query(query, None)?;
                    return Ok(Begun::Done(self.run(&plan)?));
                }
                Statement::Insert(insert) => Some(binder.insert(insert)?),
                Statement::Update(update) => Some(binder.update(update)?),
                Statement::Delete(delete) => Some(binder.delete(delete)?),
                Statement::Merge(merge) => Some(binder.merge(merge)?),
                Statement::Truncate(name) => Some(binder.truncate(name)?),
                Statement::Restore { table, version, timestamp } => {
                    Some(binder.restore(table, version.as_deref(), timestamp.as_deref())?)
                }
                Statement::Explain(inner) => return Ok(Begun::Done(explain(&binder, inner))),
                Statement::Describe(describe) => return Ok(Begun::Done(binder.describe(describe)?)),
                Statement::Show(show) => return Ok(Begun::Done(binder.show(show)?)),
                _ => None,
            }
        };
        match change {
            Some(change) => Ok(Begun::Pending(Box::new(change))),
            None => self.define(session, statement, parameters, now).map(Begun::Done),
        }
    }

    /// Commits a row change. Errors: the `DELTA_CONCURRENT_*` family when another commit since its snapshot conflicts; nothing is written then.
    pub fn commit(&mut self, transaction: Transaction, now: DateTime<Utc>) -> Result<StatementResult> {
        let Transaction { table, id, change, user, result } = transaction;
        if self.catalog.table(&table)?.facts.id != id {
            return Err(SqlError::new(
                "DELTA_METADATA_CHANGED",
                "2D521",
                format!(
                    "The metadata of the Delta table {} has been changed by a concurrent update. Please try the operation again.",
                    table.quoted()
                ),
            ));
        }
        self.work.store(0, Ordering::Relaxed);
        let delta = self.deltas.get_mut(&id).ok_or_else(|| SqlError::table_not_found(&table.quoted()))?;
        if !self.breaks.write_conflicts {
            delta.check(&self.connection, &change, &table.quoted())?;
        }
        delta.apply(&self.connection, change, &user, now)?;
        Ok(result)
    }

    /// Makes a table (or a view's metadata) without a statement, for the world that is simulated. Errors: the name is taken, or its schema is not there.
    pub fn create_table(
        &mut self,
        name: &TableName,
        kind: TableKind,
        columns: Vec<Column>,
        owner: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.add_table(name, kind, columns, owner, now, BTreeMap::new(), "CREATE TABLE")
    }

    #[expect(clippy::too_many_arguments, reason = "one call site a form of CREATE; a struct would only rename them")]
    pub(crate) fn add_table(
        &mut self,
        name: &TableName,
        kind: TableKind,
        mut columns: Vec<Column>,
        owner: &str,
        now: DateTime<Utc>,
        properties: BTreeMap<String, String>,
        operation: &str,
    ) -> Result<()> {
        if self.catalog.schema(&name.catalog, &name.schema)?.tables.contains_key(&name.table) {
            let text = format!(
                "Cannot create table or view {} because it already exists. Choose a different name, drop or replace the existing object, add the IF NOT EXISTS clause to tolerate pre-existing objects, or add the OR REFRESH clause to refresh the existing streaming table.",
                name.quoted()
            );
            return Err(SqlError::new("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07", text));
        }
        let mut next_field = 0;
        for column in &mut columns {
            next_field += 1;
            column.field = next_field;
        }
        let mut facts: Facts = self.catalog.new_facts(owner, now);
        facts.properties = properties;
        if !matches!(kind, TableKind::View { .. } | TableKind::Computed) {
            let number = self.storage_number();
            let mut delta = DeltaTable::create(&self.connection, number, &columns)?;
            delta.change_metadata(&self.connection, operation, BTreeMap::new(), None, owner, now)?;
            set_levels(&mut delta, &facts.properties);
            self.deltas.insert(facts.id, delta);
        }
        let table = Table { facts, kind, columns, next_field };
        self.catalog.schema_mut(&name.catalog, &name.schema)?.tables.insert(name.table.clone(), table);
        Ok(())
    }

    /// Begins a table anew: its name, owner, grants and history stay, its id is another, as streams that read it notice.
    pub(crate) fn replace_table(
        &mut self,
        name: &TableName,
        mut columns: Vec<Column>,
        user: &str,
        now: DateTime<Utc>,
        properties: BTreeMap<String, String>,
        operation: &str,
    ) -> Result<()> {
        let new_id = self.catalog.new_facts(user, now).id;
        let table = self.catalog.table_mut(name)?;
        let (old_id, first_field) = (table.facts.id, table.next_field + 1);
        for (column, field) in columns.iter_mut().zip(first_field..) {
            column.field = field;
            table.next_field = field;
        }
        let delta = self.deltas.get_mut(&old_id).ok_or_else(|| SqlError::table_not_found(&name.quoted()))?;
        delta.replace(&self.connection, operation, &columns, user, now)?;
        set_levels(delta, &properties);
        table.columns = columns;
        table.facts.id = new_id;
        table.facts.properties = properties;
        table.facts.updated_at = now;
        user.clone_into(&mut table.facts.updated_by);
        if let Some(delta) = self.deltas.remove(&old_id) {
            self.deltas.insert(new_id, delta);
        }
        Ok(())
    }

    /// Appends rows as the table's own writer does (a run, a pipeline); gives the new version. Errors: a row of another width, no such table.
    pub fn append(
        &mut self,
        name: &TableName,
        rows: &[Vec<Value>],
        operation: &str,
        user: &str,
        now: DateTime<Utc>,
    ) -> Result<i64> {
        self.work.store(0, Ordering::Relaxed);
        let table = self.catalog.table(name)?;
        let (id, columns) = (table.facts.id, table.columns.clone());
        if rows.iter().any(|row| row.len() != columns.len()) {
            return Err(SqlError::new(
                "INSERT_COLUMN_ARITY_MISMATCH",
                "21S01",
                format!("Cannot write to {}: a row has not {} values.", name.quoted(), columns.len()),
            ));
        }
        let adds: Vec<Vec<Stored>> = rows
            .iter()
            .map(|row| row.iter().zip(&columns).map(|(value, column)| value.to_stored(&column.ty)).collect())
            .collect();
        let delta = self.deltas.get_mut(&id).ok_or_else(|| SqlError::table_not_found(&name.quoted()))?;
        let count = i64::try_from(adds.len()).unwrap_or(i64::MAX);
        let change = Change {
            read_version: delta.newest(),
            removes: Vec::new(),
            adds,
            reads: Reads::Nothing,
            operation: operation.to_owned(),
            parameters: BTreeMap::new(),
            metrics: BTreeMap::from([("numOutputRows".to_owned(), count)]),
        };
        delta.apply(&self.connection, change, user, now)
    }

    /// Puts rows into the commit that made a table.
    pub(crate) fn fill(&mut self, name: &TableName, rows: &[Vec<Value>]) -> Result<()> {
        let table = self.catalog.table(name)?;
        let stored =
            |row: &Vec<Value>| row.iter().zip(&table.columns).map(|(value, c)| value.to_stored(&c.ty)).collect();
        let (id, rows) = (table.facts.id, rows.iter().map(stored).collect());
        let delta = self.deltas.get_mut(&id).ok_or_else(|| SqlError::table_not_found(&name.quoted()))?;
        delta.fill(&self.connection, rows)
    }

    /// The commits of a Delta table, oldest first; empty for a view.
    pub fn history(&self, name: &TableName) -> Result<&[Commit]> {
        let id = self.catalog.table(name)?.facts.id;
        Ok(self.deltas.get(&id).map_or(&[], |delta| delta.commits.as_slice()))
    }

    /// The tables and views that the last statement named itself, views unresolved.
    #[must_use]
    pub fn last_sources(&self) -> Vec<TableName> {
        self.last_sources.borrow().iter().cloned().collect()
    }

    /// The tables and views that a view names, for as long as its text can be bound. Errors: no such view, or its text no longer holds.
    pub fn dependencies(&self, name: &TableName, now: DateTime<Utc>) -> Result<Vec<TableName>> {
        let table = self.catalog.table(name)?;
        let TableKind::View { text, catalog, schema } = &table.kind else { return Ok(Vec::new()) };
        let session = Session::new(&table.facts.owner);
        let binder = Binder::new(self, &session, &[], now);
        binder.view_columns(text, &table.facts.owner, catalog, schema)?;
        Ok(binder.sources_at(2))
    }

    /// Removes a table or view with its data. Errors: no such table.
    pub fn drop_table(&mut self, name: &TableName) -> Result<()> {
        let schema = self.catalog.schema_mut(&name.catalog, &name.schema)?;
        let table = schema.tables.remove(&name.table).ok_or_else(|| SqlError::table_not_found(&name.quoted()))?;
        self.attached.remove(name);
        match self.deltas.remove(&table.facts.id) {
            Some(delta) => delta.drop(&self.connection),
            None => Ok(()),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn delta(&self, id: Uuid) -> Result<&DeltaTable> {
        self.deltas.get(&id).ok_or_else(|| SqlError::from_text("a table without storage"))
    }

    pub(crate) fn delta_parts(&mut self, id: Uuid) -> Result<(&Connection, &mut DeltaTable)> {
        let delta = self.deltas.get_mut(&id).ok_or_else(|| SqlError::from_text("a table without storage"))?;
        Ok((&self.connection, delta))
    }

    pub(super) fn storage_number(&self) -> u64 {
        let number = self.next_storage.get() + 1;
        self.next_storage.set(number);
        number
    }

    pub(crate) fn newest_version(&self, id: Uuid) -> Result<i64> {
        Ok(self.delta(id)?.newest())
    }

    pub(crate) fn checked_version(&self, name: &TableName, id: Uuid, version: i64) -> Result<i64> {
        let (oldest, newest) = (self.delta(id)?.oldest(), self.delta(id)?.newest());
        if (oldest..=newest).contains(&version) {
            return Ok(version);
        }
        Err(SqlError::new(
            "DELTA_VERSION_NOT_FOUND",
            "22003",
            format!(
                "Cannot time travel Delta table {} to version {version}. Available versions: [{oldest}, {newest}].",
                name.quoted()
            ),
        ))
    }

    pub(crate) fn version_at(&self, name: &TableName, id: Uuid, us: i64) -> Result<i64> {
        self.delta(id)?.version_at(us).ok_or_else(|| {
            SqlError::new(
                "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION",
                "42816",
                format!(
                    "The provided timestamp is before the earliest version available to the Delta table {}.",
                    name.quoted()
                ),
            )
        })
    }

    /// The text that reads a Delta table at a version, and its columns there.
    pub(crate) fn scan(&self, id: Uuid, version: i64, newest: &[Column]) -> Result<(String, Vec<Column>)> {
        let delta = self.delta(id)?;
        let columns = if version == delta.newest() { newest.to_vec() } else { delta.columns_at(version).to_vec() };
        Ok((delta.scan(version, &columns, false), columns))
    }

    /// Runs a bound query.
    pub(crate) fn run(&self, plan: &Plan) -> Result<StatementResult> {
        let mut statement = self.connection.prepare(&plan.sql)?;
        let mut rows = statement.query([])?;
        let mut result = StatementResult {
            columns: plan.columns.iter().map(|c| ResultColumn { name: c.name.clone(), ty: c.ty.clone() }).collect(),
            rows: Vec::new(),
        };
        while let Some(row) = rows.next()? {
            let values = plan.columns.iter().enumerate().map(|(n, c)| Value::from_stored(row.get_ref(n)?, &c.ty));
            result.rows.push(values.collect::<Result<_>>()?);
        }
        Ok(result)
    }

    /// Runs SQLite text and gives the rows as stored.
    pub(crate) fn stored_rows(&self, sql: &str) -> Result<Vec<Vec<Stored>>> {
        let mut statement = self.connection.prepare(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push((0..width).map(|n| row.get::<_, Stored>(n)).collect::<rusqlite::Result<_>>()?);
        }
        Ok(all)
    }

    /// The value of a constant expression.
    pub(crate) fn scalar(&self, sql: &str, ty: &DataType) -> Result<Value> {
        let mut statement = self.connection.prepare(&format!("SELECT {sql}"))?;
        let mut rows = statement.query([])?;
        match rows.next()? {
            Some(row) => Value::from_stored(row.get_ref(0)?, ty),
            None => Ok(Value::Null),
        }
    }

    pub(crate) fn transaction(
        table: TableName,
        id: Uuid,
        change: Change,
        user: &str,
        result: StatementResult,
    ) -> Transaction {
        Transaction { table, id, change, user: user.to_owned(), result }
    }
}

/// Takes isolation and row-level concurrency from a table's properties.
pub(crate) fn set_levels(delta: &mut DeltaTable, properties: &BTreeMap<String, String>) {
    delta.serializable =
        properties.get("delta.isolationLevel").is_some_and(|level| level.eq_ignore_ascii_case("Serializable"));
    let vectors = properties.get("delta.enableDeletionVectors").is_none_or(|on| on.eq_ignore_ascii_case("true"));
    delta.row_level = vectors && !properties.contains_key(PARTITIONS);
}

/// The property under which the engine notes partition columns.
pub(crate) const PARTITIONS: &str = "sim.partitionColumns";

/// A plan without costs: the relations that the statement reads; an analysis error is a plan too, as in Spark.
fn explain(binder: &Binder<'_>, statement: &Statement) -> StatementResult {
    let text = match statement {
        Statement::Query(query) => match binder.query(query, None) {
            Ok(plan) => {
                let columns: Vec<_> = plan.columns.iter().map(|c| format!("{}: {}", c.name, c.ty.simple())).collect();
                let scans: Vec<_> =
                    binder.live_reads.borrow().iter().map(|name| format!("+- Relation {name}")).collect();
                format!("== Physical Plan ==\nProject [{}]\n{}", columns.join(", "), scans.join("\n"))
            }
            Err(error) => format!("Error occurred during query planning: \n{error}"),
        },
        other => {
            format!("== Physical Plan ==\n{}", format!("{other:?}").split([' ', '(', '{']).next().unwrap_or_default())
        }
    };
    StatementResult::table(&[("plan", DataType::String)], vec![vec![text.into()]])
}
