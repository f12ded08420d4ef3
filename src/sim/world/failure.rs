//! Failures of user code: what `get-output` tells, with the escape sequences that notebooks really give.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::scenario::ErrorFamily;

use super::draw::Draw;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of error.
    pub family: ErrorFamily,
    /// What its text speaks of; missing entries have defaults.
    pub details: Arc<BTreeMap<String, String>>,
}

const RED: &str = "\u{1b}[0;31m";
const GREEN: &str = "\u{1b}[0;32m";
const BOLD_GREEN: &str = "\u{1b}[1;32m";
const KEYWORD: &str = "\u{1b}[38;5;241m";
const RESET: &str = "\u{1b}[0m";

impl Failure {
    /// A failure as it happens by chance: mostly the store and the machines, sometimes the code.
    pub(super) fn by_chance(draw: Draw, table: &str) -> Self {
        let family = *draw.named("family").pick(&[
            ErrorFamily::S3SlowDown,
            ErrorFamily::S3SlowDown,
            ErrorFamily::ExecutorLost,
            ErrorFamily::ExecutorLost,
            ErrorFamily::PythonError,
            ErrorFamily::SchemaMismatch,
            ErrorFamily::Permission,
            ErrorFamily::UnresolvedColumn,
        ]);
        let (column, suggestion) = *draw.named("column").pick(&[
            ("updated_at", "update_ts"),
            ("customer_key", "customer_id"),
            ("net_amount", "amount_net"),
            ("region_code", "region"),
        ]);
        let details = [("table", table), ("column", column), ("suggestion", suggestion)];
        Self {
            family,
            details: Arc::new(details.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        }
    }

    fn detail<'a>(&'a self, key: &str, otherwise: &'a str) -> &'a str {
        self.details.get(key).map_or(otherwise, String::as_str)
    }

    /// The class of the exception, as Python prints it.
    pub fn class(&self) -> &'static str {
        match self.family {
            ErrorFamily::UnresolvedColumn => "AnalysisException",
            ErrorFamily::S3SlowDown | ErrorFamily::ExecutorLost => "Py4JJavaError",
            ErrorFamily::SchemaMismatch => "AnalysisException",
            ErrorFamily::Permission => "UnauthorizedAccessException",
            ErrorFamily::PythonError => "KeyError",
        }
    }

    /// The class of the exception, as Java names it: pipelines tell this one.
    pub fn java_class(&self) -> &'static str {
        match self.family {
            ErrorFamily::UnresolvedColumn | ErrorFamily::SchemaMismatch => {
                "org.apache.spark.sql.catalyst.ExtendedAnalysisException"
            }
            ErrorFamily::S3SlowDown | ErrorFamily::ExecutorLost => "org.apache.spark.SparkException",
            ErrorFamily::Permission => "com.databricks.sql.managedcatalog.acl.UnauthorizedAccessException",
            ErrorFamily::PythonError => "org.apache.spark.api.python.PythonException",
        }
    }

    /// The text after the class.
    pub fn message(&self) -> String {
        let table = self.detail("table", "events");
        let column = self.detail("column", "updated_at");
        match self.family {
            ErrorFamily::UnresolvedColumn => format!(
                "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `{column}` cannot be \
                 resolved. Did you mean one of the following? [`{}`, `entry_id`, `amount`]. SQLSTATE: 42703",
                self.detail("suggestion", "update_ts")
            ),
            ErrorFamily::S3SlowDown => format!(
                "An error occurred while calling o412.save.\n: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Error \
                 while reading file s3://{}/{}/part-00017.snappy.parquet. Caused by: \
                 com.amazonaws.services.s3.model.AmazonS3Exception: Please reduce your request rate. (Service: Amazon S3; Status \
                 Code: 503; Error Code: SlowDown)",
                self.detail("bucket", "landing-prod"),
                self.detail("prefix", table)
            ),
            ErrorFamily::ExecutorLost => "An error occurred while calling o377.saveAsTable.\n: org.apache.spark.SparkException: \
                 Job aborted due to stage failure: Task 41 in stage 12.0 failed 4 times, most recent failure: Lost task 41.3 in \
                 stage 12.0 (TID 2214): ExecutorLostFailure (executor 7 exited caused by one of the running tasks) Reason: \
                 Command exited with code 137 (OOM)"
                .to_owned(),
            ErrorFamily::SchemaMismatch => format!(
                "[_LEGACY_ERROR_TEMP_DELTA_0007] A schema mismatch detected when writing to the Delta table {table}. To enable \
                 schema migration using DataFrameWriter, set '.option(\"mergeSchema\", \"true\")'. Data schema has the new field \
                 `{column}`."
            ),
            ErrorFamily::Permission => format!(
                "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have MODIFY on Table '{table}'. SQLSTATE: 42501"
            ),
            ErrorFamily::PythonError => format!("'{column}'"),
        }
    }

    /// `error`: class and text in one line or few.
    pub fn error(&self) -> String {
        format!("{}: {}", self.class(), self.message())
    }

    /// `error_trace` as a notebook prints it: colored, with the line that raised.
    pub fn notebook_trace(&self, notebook: &str, line: u64) -> String {
        let class = self.class();
        let code = self.code();
        format!(
            "{RED}---------------------------------------------------------------------------{RESET}\n\
             {RED}{class}{RESET}{:>width$}\n\
             File {GREEN}<command-{}>, line {line}{RESET}\n\
             {GREEN}{:>7}{RESET} source {KEYWORD}={RESET} spark{KEYWORD}.{RESET}read{KEYWORD}.{RESET}table(config[\"source\"])\n\
             {BOLD_GREEN}----> {line}{RESET} {code}\n\
             \n\
             File {GREEN}{notebook}.py:{line}{RESET}, in {KEYWORD}<module>{RESET}\n\
             \n\
             {RED}{class}{RESET}: {}",
            "Traceback (most recent call last)",
            734_922_519_600_000 + line * 7,
            line - 1,
            self.message(),
            width = 75 - class.len(),
        )
    }

    /// `error_trace` as a Python file's task gives it: plain.
    pub fn plain_trace(&self, file: &str, line: u64) -> String {
        format!(
            "Traceback (most recent call last):\n  File \"{file}\", line {line}, in <module>\n    main()\n  File \"{file}\", line \
             {}, in main\n    {}\n{}",
            line.saturating_sub(31).max(1),
            self.code(),
            self.error()
        )
    }

    fn code(&self) -> String {
        let column = self.detail("column", "updated_at");
        match self.family {
            ErrorFamily::UnresolvedColumn => format!("result = df.groupBy(\"{column}\").agg(F.sum(\"amount\"))"),
            ErrorFamily::PythonError => format!("period = config[\"{column}\"]"),
            _ => "df.write.mode(\"append\").saveAsTable(target)".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_tells_its_own_cause() {
        let mut seen = std::collections::BTreeSet::new();
        for family in ErrorFamily::ALL {
            let failure = Failure { family, details: Arc::default() };
            let trace = failure.notebook_trace("/Repos/prod/etl/load", 42);
            assert!(trace.contains('\u{1b}') && trace.ends_with(&failure.message()), "{trace}");
            assert!(!failure.plain_trace("/etl/load.py", 42).contains('\u{1b}'));
            assert!(seen.insert(failure.message()), "two families have one text");
        }
    }

    #[test]
    fn the_text_speaks_of_what_the_scenario_names() {
        let details = [("column".to_owned(), "gl_period".to_owned()), ("suggestion".to_owned(), "gl_prd".to_owned())];
        let failure = Failure { family: ErrorFamily::UnresolvedColumn, details: Arc::new(details.into()) };
        assert!(failure.error().starts_with("AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION]"));
        assert!(failure.error().contains("`gl_period`") && failure.error().contains("`gl_prd`"));
    }
}
