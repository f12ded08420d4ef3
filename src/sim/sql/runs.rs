//! What the world's own writers commit: runs of jobs and updates of pipelines.

use super::delta::CommitJob;
use super::engine::Engine;
use super::error::Result;
use super::names::TableName;
use super::values::Value;
use chrono::{DateTime, Utc};

impl Engine {
    /// Lets a table's history begin at a version and an instant: what came before is no longer kept.
    pub fn begin_history(&mut self, name: &TableName, version: i64, at: DateTime<Utc>) -> Result<()> {
        let id = self.catalog().table(name)?.facts.id;
        let (_, delta) = self.delta_parts(id)?;
        for commit in &mut delta.commits {
            commit.version = version;
            commit.at = at;
            commit.read_version = (version > 0).then_some(version - 1);
        }
        let facts = &mut self.catalog_mut().table_mut(name)?.facts;
        facts.created_at = at;
        facts.updated_at = at;
        Ok(())
    }

    /// Appends what a run wrote. The rows may be a sample: `written` is how many the run says that it wrote.
    pub fn commit_run(
        &mut self,
        name: &TableName,
        rows: &[Vec<Value>],
        written: u64,
        (user, job): (&str, Option<CommitJob>),
        at: DateTime<Utc>,
    ) -> Result<i64> {
        let operation = if job.is_some() { "WRITE" } else { "STREAMING UPDATE" };
        let id = self.catalog().table(name)?.facts.id;
        let before = self.newest_version(id)?;
        let version = self.append(name, rows, operation, user, at)?;
        let (_, delta) = self.delta_parts(id)?;
        // A run that wrote nothing made no commit.
        if let Some(commit) = delta.commits.last_mut().filter(|commit| commit.version > before) {
            commit.parameters.insert("mode".to_owned(), "Append".to_owned());
            commit.metrics.insert("numOutputRows".to_owned(), i64::try_from(written).unwrap_or(i64::MAX));
            commit.job = job;
        }
        Ok(version)
    }
}
