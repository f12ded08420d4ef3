//! The checks as data: what each proves, on which facts of the vendor it rests, and what to do when it fails.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A fact of the vendor on which something of ours rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What is relied on.
    pub says: &'static str,
    /// Who says so: the vendor's documentation, its public source, its maintainers, or nobody.
    pub source: &'static str,
}

/// What is known of a check before it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name on the command line, in JSON and in the ledger.
    pub name: &'static str,
    /// Its number among the self-tests of the design (domain.md 0.3).
    pub test: Option<&'static str>,
    /// Whether it makes and drops objects of its own.
    pub writes: bool,
    /// What holds when it passes.
    pub proves: &'static str,
    /// What it rests on.
    pub facts: &'static [Fact],
    /// What to do when it fails.
    pub fix: &'static str,
}

macro_rules! checks {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal $test:expr, $writes:literal,
        proves $proves:literal,
        facts [$($says:literal by $source:literal),* $(,)?],
        fix $fix:literal;
    )+) => {
        /// A check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Check {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Check {
            /// All checks, in the order in which they are tried.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What is known of it.
            pub const fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec {
                        name: $name,
                        test: $test,
                        writes: $writes,
                        proves: $proves,
                        facts: &[$(Fact { says: $says, source: $source },)*],
                        fix: $fix,
                    },)+
                }
            }
        }
    };
}

checks! {
    /// The workspace answers.
    Connectivity "connectivity" None, false,
        proves "The workspace's address answers as a workspace does: over TLS, in JSON, without a sign-in page in between.",
        facts ["a workspace answers on its own address, and never redirects its API" by "public SDK; databricks-api.md 0.1"],
        fix "Check the host in the fleet's file, HTTPS_PROXY and NO_PROXY, the CA bundle, and IP access lists.";
    /// Every role's credential signs in.
    SignIn "sign-in" None, false,
        proves "The credential of each role signs in, and for whom it speaks. What a role does fails with it: acts with the operator's, \
                the ledger with its own.",
        facts ["`/api/2.0/preview/scim/v2/Me` answers everybody who may sign in" by "public SDK; databricks-api.md 8"],
        fix "Sign in again with `databricks auth login`, or replace the credential that `lakeshift config show` names.";
    /// The ledger's warehouse runs statements.
    Warehouse "warehouse" None, false,
        proves "The warehouse that [ledger] names is there, starts, and runs a statement.",
        facts ["a statement starts a warehouse that is stopped" by "vendor documentation; databricks-api.md 5.5"],
        fix "Correct `warehouse` of [ledger], start the warehouse, or grant CAN_USE on it.";
    /// The operator may act.
    Permissions "permissions" None, false,
        proves "The operator has the rights that running, repairing and starting need, on a sample of jobs and pipelines; \
                and the ledger's credential those that writing the ledger needs.",
        facts [
            "runs are started, canceled and repaired with CAN_MANAGE_RUN, pipelines started and stopped with CAN_RUN" by "vendor documentation; databricks-api.md 6.6",
            "rights come by name, by group, and from what contains an object; nested groups are not told" by "vendor documentation; databricks-api.md 6.4, 8",
        ],
        fix "Ask whoever manages the object for the right that is named; for the ledger `lakeshift ledger init` grants it.";
    /// Both clocks agree.
    Clock "clock" Some("T12"), false,
        proves "This machine's clock and the server's differ by 5 s at most. No decision is made by the local clock; what \
                differs more makes ages on the screen wrong.",
        facts ["answers bear the server's time in `Date`" by "HTTP"],
        fix "Set this machine's clock by NTP.";
    /// The ledger is whole.
    LedgerTables "ledger-tables" None, false,
        proves "Every table of the ledger is there, tables of facts are append-only, and each product has one row of leases.",
        facts ["F22: Unity Catalog has no privilege to insert alone, and a table with `delta.appendOnly` refuses UPDATE and DELETE" by "public SDK and Delta protocol; databricks-api.md 6.4"],
        fix "Run `lakeshift ledger init --run` as the ledger's owner: it makes what is missing and keeps what is there.";
    /// System tables can be read, and are fresh.
    SystemTables "system-tables" Some("T11"), false,
        proves "`system.billing`, `system.lakeflow` and `system.access` can be read, and how old their newest rows are.",
        facts ["F18: system tables are not real-time and have no promised age: hours for runs, up to a day for money" by "vendor documentation, databricks-api.md 9.1; the ages are an assumption"],
        fix "Have an account admin enable the schemas and grant USE SCHEMA and SELECT on them to the ledger's principal.";
    /// Event logs over REST have the figures.
    PipelineEvents "pipeline-events" None, false,
        proves "The events of running pipelines, as the API tells them, carry rows and backlog where the console reads them.",
        facts ["F17: `details.flow_progress.metrics` has num_output_rows and backlog_*, absent where a source does not tell" by "vendor documentation (schema of the event log), databricks-api.md 4.5, 4.7; the API's typed model leaves `details` out"],
        fix "Update lakeshift: the platform has changed the form of its events.";
    /// Event logs as tables have the expected paths.
    EventLogTables "event-log-tables" Some("T10"), false,
        proves "Published event logs can be read as tables, and hold the JSON paths from which backlog and expectations are read.",
        facts ["F16, F17: a pipeline publishes its event log to the table that its `event_log` setting names, by our convention in the schema `ops_eventlog`; `details` is JSON text there" by "vendor documentation; databricks-api.md 4.6"],
        fix "Set `event_log` in the pipelines' settings and grant SELECT on the logs to the ledger's principal.";
    /// Two sessions cannot both take a lease.
    LeaseConflict "lease-conflict" Some("T6"), true,
        proves "Of two sessions that take the same lease at once exactly one has it: the other changes nothing, or is told of \
                the conflict.",
        facts ["F13: two UPDATEs of one row conflict under row-level concurrency; the later commit fails" by "vendor documentation (isolation levels and write conflicts); databricks-api.md 10.5"],
        fix "Tell the platform's support. Until it holds, nobody may rely on leases: appoint one captain by other means.";
    /// ALTER VIEW keeps object and grants.
    ViewIdentity "view-identity" Some("T1"), true,
        proves "ALTER VIEW ... AS keeps the view's object id and its grants.",
        facts [
            "F1: ALTER VIEW keeps grants and needs ownership" by "vendor documentation (ALTER VIEW); databricks-api.md 10.1",
            "F2: it keeps the object's id" by "maintainers of dbt-databricks (PR 954); an assumption",
        ],
        fix "Do not switch published views by ALTER VIEW on this platform; re-grant after every change until it is put right.";
    /// ALTER VIEW's effect on comments.
    ViewComments "view-comments" Some("T2"), true,
        proves "Whether ALTER VIEW ... AS takes the comments of columns away, so that they must be put back.",
        facts ["F3: comments of columns are lost" by "maintainers of dbt-databricks (issue 1357); an assumption"],
        fix "Nothing: comments that stay need not be put back.";
    /// Markers survive in a view's text.
    ViewMarker "view-marker" Some("T3"), true,
        proves "A comment behind SELECT survives in the text that the catalog gives back, so that a view says who switched it.",
        facts ["the catalog keeps a view's text as it was written" by "nobody: an assumption"],
        fix "Switches are marked in table properties instead, by a second statement.";
    /// Time travel works.
    TimeTravel "time-travel" Some("T4"), true,
        proves "VERSION AS OF reads an older version of a managed table, and inside a view too.",
        facts ["Delta tables are read as of a version, while log and files are kept" by "vendor documentation, databricks-api.md 10.6; inside a view an assumption"],
        fix "Compare at a common ingest time instead of a version.";
    /// Procedures act with their owner's rights and tell the caller.
    Procedures "procedures" Some("T5"), true,
        proves "A procedure with SQL SECURITY DEFINER can be made and called, and `session_user()` in it is the caller.",
        facts ["F15: `session_user()` stays the caller inside a procedure of its owner's rights" by "vendor documentation (CREATE PROCEDURE)"],
        fix "Write the ledger directly: `form = \"direct\"` in [ledger], and `lakeshift ledger init --run`.";
    /// A route of one row is folded into the plan.
    PinnedRoute "pinned-route" Some("T7"), true,
        proves "A view that chooses its color by a one-row route reads that color alone, as EXPLAIN shows.",
        facts ["F24: the optimizer folds a scalar subquery over one literal row" by "public source of Spark"],
        fix "Switch view by view: the pinned route would read both colors.";
    /// How long ALTER VIEW takes.
    AlterLatency "alter-latency" Some("T8"), true,
        proves "How long ALTER VIEW takes: half of twenty, and nineteen of twenty; below 30 s (`--window-ms`) it fits the window of a switch.",
        facts ["nothing is promised" by "nobody: an assumption"],
        fix "Switch fewer views at once, or outside of business hours.";
    /// A second warehouse sees a change soon.
    SecondWarehouse "second-warehouse" Some("T9"), true,
        proves "A changed view is seen through a second warehouse, and how much later.",
        facts ["names are resolved for each statement; a running warehouse may keep metadata for seconds" by "vendor documentation leaves it open, databricks-api.md 10.2: an assumption"],
        fix "Wait longer before a switch counts as seen.";
}

impl Check {
    /// Its name.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No check has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check `{name}`; there are {}", known())]
pub struct NoCheck {
    /// As it was asked for.
    name: String,
}

fn known() -> String {
    Check::ALL.iter().map(|check| check.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Check {
    type Err = NoCheck;

    fn from_str(name: &str) -> Result<Self, NoCheck> {
        Self::ALL.iter().copied().find(|check| check.name() == name).ok_or_else(|| NoCheck { name: name.to_owned() })
    }
}
