//! Task graphs from their short text: `key:kind@minutes<upstream+upstream`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::domain::workspace::Environment;
use crate::sim::world::draw::Draw;
use crate::sim::world::job::{ConditionTask, Dependency, ForEachTask, Payload, PipelineTask, RunIf, RunJobTask, Task};

/// One task of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) key: String,
    kind: String,
    /// The median of its duration.
    pub(super) minutes: f64,
    /// Upstream keys, each with the outcome of a condition.
    pub(super) upstream: Vec<(String, Option<String>)>,
    run_if: RunIf,
}

/// Where a graph is put to work.
pub(super) struct Site<'a> {
    pub(super) environment: Environment,
    pub(super) product: &'a str,
    pub(super) job: &'a str,
    pub(super) developer: Option<&'static str>,
    /// Whether the job has machines of its own.
    pub(super) heavy: bool,
    pub(super) retries: i64,
    /// Pipeline ids by name.
    pub(super) pipelines: &'a HashMap<String, String>,
}

/// Reads a graph; minutes are multiplied by `scale`. Words that are no task are passed over: a test reads all graphs.
pub(super) fn read(text: &str, scale: f64) -> Vec<Node> {
    text.split_whitespace().flat_map(|word| read_word(word, scale).unwrap_or_default()).collect()
}

/// The tasks of one word: one, or as many as its key stands for.
fn read_word(word: &str, scale: f64) -> Option<Vec<Node>> {
    let (word, run_if) = match word.split_once('!') {
        Some((word, "all_done")) => (word, RunIf::AllDone),
        Some(_) => return None,
        None => (word, RunIf::AllSuccess),
    };
    let (word, upstream) = word.split_once('<').unwrap_or((word, ""));
    let (key, rest) = word.split_once(':')?;
    let (kind, minutes) = rest.split_once('@')?;
    let minutes = minutes.parse::<f64>().ok()? * scale;
    let upstream: Vec<(String, Option<String>)> = upstream
        .split('+')
        .filter(|on| !on.is_empty())
        .flat_map(|on| match on.split_once('=') {
            Some((on, outcome)) => vec![(on.to_owned(), Some(outcome.to_owned()))],
            None => keys(on).into_iter().map(|on| (on, None)).collect(),
        })
        .collect();
    let node = |key| Node { key, kind: kind.to_owned(), minutes, upstream: upstream.clone(), run_if };
    Some(keys(key).into_iter().map(node).collect())
}

/// The keys that a word stands for: `scan*2` is `scan_001` and `scan_002`.
fn keys(word: &str) -> Vec<String> {
    match word.split_once('*').and_then(|(stem, count)| Some((stem, count.parse::<u32>().ok()?))) {
        Some((stem, count)) => (1..=count).map(|number| format!("{stem}_{number:03}")).collect(),
        None => vec![word.to_owned()],
    }
}

/// The cluster that the tasks of a heavy job share.
pub(super) fn job_cluster(draw: Draw) -> Value {
    json!({"job_cluster_key": "main", "new_cluster": {
        "spark_version": "17.3.x-scala2.13",
        "node_type_id": draw.named("node").pick(&["i3.xlarge", "i3.2xlarge", "r6id.2xlarge"]),
        "num_workers": 2 + draw.named("workers").below(7),
        "data_security_mode": "SINGLE_USER",
    }})
}

impl Node {
    /// Whether its success can commit to a table.
    pub(super) fn writes(&self) -> bool {
        !matches!(self.kind.as_str(), "cond" | "py") && !self.kind.starts_with("job/") && !self.kind.starts_with("dlt/")
    }

    /// The task as the API tells it.
    pub(super) fn task(&self, site: &Site<'_>) -> Task {
        let bare = self.kind == "cond" || self.kind.starts_with("job/");
        let cluster = site.heavy && matches!(self.kind.split('/').next(), Some("nb" | "py" | "each"));
        let mut extra = Map::new();
        if self.kind == "py" && !cluster {
            extra.insert("environment_key".to_owned(), json!("default"));
        }
        Task {
            task_key: self.key.clone(),
            depends_on: self
                .upstream
                .iter()
                .map(|(on, outcome)| Dependency { task_key: on.clone(), outcome: outcome.clone(), extra: Map::new() })
                .collect(),
            run_if: self.run_if,
            max_retries: (!bare && site.retries != 0).then_some(site.retries),
            min_retry_interval_millis: (!bare).then_some(30_000),
            retry_on_timeout: None,
            timeout_seconds: 0,
            job_cluster_key: cluster.then(|| "main".to_owned()),
            disabled: None,
            payload: Some(self.payload(site)),
            extra,
        }
    }

    fn payload(&self, site: &Site<'_>) -> Payload {
        let files = format!("/Workspace/bundles/{}/{}/files/{}", site.product, site.environment, site.job);
        let (kind, target) = self.kind.split_once('/').unwrap_or((&self.kind, ""));
        match kind {
            "py" => Payload::SparkPython(json!({
                "python_file": format!("{files}/{}.py", self.key),
                "parameters": ["--as-of", "{{job.parameters.as_of}}"],
            })),
            "sql" => Payload::Sql(json!({
                "warehouse_id": super::super::site::warehouse_id(site.environment, 0),
                "file": {"path": format!("{files}/{}.sql", self.key), "source": "WORKSPACE"},
                "parameters": {"as_of": "{{job.parameters.as_of}}"},
            })),
            "cond" => Payload::Condition(ConditionTask {
                op: "EQUAL_TO".to_owned(),
                left: format!("{{{{tasks.{}.values.violations}}}}", self.upstream.first().map_or("", |(on, _)| on)),
                right: "0".to_owned(),
                extra: Map::new(),
            }),
            "each" => {
                let count: u64 = target.parse().unwrap_or(8);
                let inputs: Vec<String> = (1..=count).map(|number| format!("part-{number:02}")).collect();
                Payload::ForEach(ForEachTask {
                    inputs: json!(inputs).to_string(),
                    concurrency: Some(4),
                    task: Box::new(Task {
                        task_key: format!("{}_iteration", self.key),
                        depends_on: Vec::new(),
                        run_if: RunIf::AllSuccess,
                        max_retries: None,
                        min_retry_interval_millis: None,
                        retry_on_timeout: None,
                        timeout_seconds: 0,
                        job_cluster_key: site.heavy.then(|| "main".to_owned()),
                        disabled: None,
                        payload: Some(notebook(&files, &self.key)),
                        extra: Map::new(),
                    }),
                    extra: Map::new(),
                })
            }
            "dlt" => {
                let name = super::Builder::display_name(target, site.developer);
                Payload::Pipeline(PipelineTask {
                    pipeline_id: site.pipelines.get(&name).cloned().unwrap_or_default(),
                    full_refresh: None,
                    extra: Map::new(),
                })
            }
            // The id is not known yet; the builder replaces the name by it.
            "job" => Payload::RunJob(RunJobTask {
                job_id: 0,
                job_parameters: std::collections::BTreeMap::new(),
                extra: Map::from_iter([("name".to_owned(), json!(target))]),
            }),
            _ => notebook(&files, &self.key),
        }
    }
}

fn notebook(files: &str, key: &str) -> Payload {
    Payload::Notebook(json!({"notebook_path": format!("{files}/{key}"), "source": "WORKSPACE"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_reads_keys_kinds_minutes_and_upstream() {
        let nodes = read("a:nb@2 gate:cond@0.1<a b:dlt/flow@3<gate=true c:py@1<a+b!all_done", 2.0);
        assert_eq!(nodes.len(), 4);
        assert_eq!((nodes[0].minutes, nodes[0].upstream.len()), (4.0, 0));
        assert_eq!(nodes[2].upstream, [("gate".to_owned(), Some("true".to_owned()))]);
        assert_eq!((nodes[3].run_if, nodes[3].upstream.len()), (RunIf::AllDone, 2));
    }

    #[test]
    fn a_starred_key_stands_for_many_tasks_and_many_upstreams() {
        let nodes = read("list:py@1 scan*3:nb@1<list report:sql@1<scan*3!all_done", 1.0);
        let keys: Vec<&str> = nodes.iter().map(|node| node.key.as_str()).collect();
        assert_eq!(keys, ["list", "scan_001", "scan_002", "scan_003", "report"]);
        let upstream: Vec<&str> = nodes[4].upstream.iter().map(|(on, _)| on.as_str()).collect();
        assert_eq!(upstream, keys[1..4]);
        assert_eq!(nodes[2].upstream, [("list".to_owned(), None)]);
    }

    #[test]
    fn every_word_of_every_built_in_graph_is_a_task() {
        let catalog = super::super::Catalog::built_in();
        for plan in catalog.products.iter().flat_map(|product| product.jobs.iter().chain(&product.trials)) {
            let text = plan.graph(&catalog);
            assert!(text.split_whitespace().all(|word| !read(word, 1.0).is_empty()), "{text}");
            let nodes = read(&text, 1.0);
            for (on, _) in nodes.iter().flat_map(|node| &node.upstream) {
                assert!(nodes.iter().any(|node| node.key == *on), "{on} in {text}");
            }
        }
    }
}
