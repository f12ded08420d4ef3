//! Jobs as the wire spells them (databricks-api.md 3.7, 3.14).

use serde_json::{Map, Value, json};

use crate::sim::http::answer::Refusal;
use crate::sim::http::page;
use crate::sim::world::job::Job;

/// Elements of one array on one page (databricks-api.md 3.2).
pub(in crate::sim::http) const ARRAY_PAGE: usize = 100;

/// A job of a listing.
pub(super) fn listed(job: &Job, expand_tasks: bool, version: Version) -> Value {
    let mut settings = settings(job);
    let mut cut = false;
    for key in ["tasks", "job_clusters"] {
        if !expand_tasks {
            settings.remove(key);
        } else if let Some(Value::Array(items)) = settings.get_mut(key) {
            cut |= items.len() > ARRAY_PAGE;
            items.truncate(ARRAY_PAGE);
        }
    }
    let mut body = base(job, settings);
    if expand_tasks && version == Version::V22 {
        body.insert("has_more".to_owned(), cut.into());
    }
    Value::Object(body)
}

/// One job, a page of its arrays at a time.
pub(super) fn whole(job: &Job, version: Version, token: Option<&str>) -> Result<Value, Refusal> {
    let mut settings = settings(job);
    let question = format!("jobs/get {}", job.job_id);
    let mut body = Map::new();
    if version == Version::V22 {
        let next =
            page_arrays(&mut settings, &["tasks", "job_clusters", "environments", "parameters"], &question, token)?;
        body = base(job, settings);
        if let Some(next) = next {
            body.insert("next_page_token".to_owned(), next.into());
        }
    } else if job.settings.tasks.len() > ARRAY_PAGE {
        return Err(Refusal::invalid(format!(
            "Job {} has more than {ARRAY_PAGE} tasks; jobs with more than {ARRAY_PAGE} tasks can only be handled by API 2.2 and above.",
            job.job_id
        )));
    } else {
        body.extend(base(job, settings));
    }
    body.insert("run_as_user_name".to_owned(), job.run_as_user_name.clone().into());
    Ok(Value::Object(body))
}

/// Which version of the Jobs API was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim::http) enum Version {
    /// Whole arrays, no paging inside an object.
    V21,
    /// Arrays in pages.
    V22,
}

impl Version {
    /// The version that a route's template names.
    pub(in crate::sim::http) fn of(route: &str) -> Self {
        if route.starts_with("/api/2.1/") { Self::V21 } else { Self::V22 }
    }
}

/// Cuts the arrays to one page; gives the next page's token. An exhausted array stays, empty (databricks-api.md 3.2).
pub(in crate::sim::http) fn page_arrays(
    object: &mut Map<String, Value>,
    keys: &[&str],
    question: &str,
    token: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let offset = page::offset(question, token)?;
    let mut next = None;
    for key in keys {
        if let Some(Value::Array(items)) = object.get_mut(*key) {
            let (window, following) = page::window(items, offset, ARRAY_PAGE);
            *items = window.to_vec();
            next = next.or(following);
        }
    }
    Ok(next.map(|offset| page::token(question, &offset.to_string())))
}

fn base(job: &Job, settings: Map<String, Value>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("job_id".to_owned(), job.job_id.into());
    body.insert("creator_user_name".to_owned(), job.creator_user_name.clone().into());
    body.insert("created_time".to_owned(), job.created_time.timestamp_millis().into());
    body.insert("settings".to_owned(), Value::Object(settings));
    body
}

/// The settings with what the server adds by itself.
fn settings(job: &Job) -> Map<String, Value> {
    let Ok(Value::Object(mut settings)) = serde_json::to_value(&job.settings) else {
        return Map::new();
    };
    for (key, value) in
        [("email_notifications", json!({})), ("webhook_notifications", json!({})), ("format", json!("MULTI_TASK"))]
    {
        settings.entry(key).or_insert(value);
    }
    let source = if settings.contains_key("git_source") { "GIT" } else { "WORKSPACE" };
    if let Some(Value::Array(tasks)) = settings.get_mut("tasks") {
        for task in tasks.iter_mut().filter_map(Value::as_object_mut) {
            complete(task, source);
            task.entry("email_notifications").or_insert_with(|| json!({}));
            if let Some(Value::Array(depends_on)) = task.get_mut("depends_on") {
                depends_on.sort_by_key(|on| on["task_key"].as_str().unwrap_or_default().to_owned());
            }
            if let Some(Value::Object(inner)) = task.get_mut("for_each_task").and_then(|each| each.get_mut("task")) {
                complete(inner, source);
            }
        }
    }
    if let Some(Value::Array(clusters)) = settings.get_mut("job_clusters") {
        clusters.iter_mut().filter_map(Value::as_object_mut).for_each(forget_instructions);
    }
    settings
}

/// A task, of the job or of its iterations, with what the server adds.
fn complete(task: &mut Map<String, Value>, source: &str) {
    if let Some(Value::Object(notebook)) = task.get_mut("notebook_task") {
        notebook.entry("source").or_insert_with(|| json!(source));
    }
    forget_instructions(task);
}

/// What was only to be done when the cluster was described, and is never told again.
fn forget_instructions(owner: &mut Map<String, Value>) {
    if let Some(Value::Object(cluster)) = owner.get_mut("new_cluster") {
        cluster.shift_remove("apply_policy_default_values");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;

    fn job(tasks: usize) -> Job {
        let tasks: Vec<Value> = (0..tasks).map(|n| json!({"task_key": format!("t{n}")})).collect();
        let settings = json!({"name": "many", "tasks": tasks, "environments": [{"environment_key": "default"}]});
        Job {
            job_id: 7,
            created_time: Instant::UNIX_EPOCH,
            creator_user_name: "ana@example.com".to_owned(),
            run_as_user_name: "ana@example.com".to_owned(),
            settings: serde_json::from_value(settings).expect("settings"),
        }
    }

    fn keys(page: &Value) -> Vec<String> {
        let tasks = page["settings"]["tasks"].as_array().expect("an array");
        tasks.iter().map(|task| task["task_key"].as_str().expect("a key").to_owned()).collect()
    }

    #[test]
    fn a_job_is_paged_inside_until_its_longest_array_ends() {
        let job = job(250);
        let mut token = None;
        let mut found = Vec::new();
        for (page, count) in [100, 100, 50].into_iter().enumerate() {
            let body = whole(&job, Version::V22, token.as_deref()).expect("a page");
            assert_eq!(keys(&body).len(), count);
            assert_eq!(body["settings"]["name"], "many", "what is no array repeats");
            let environments = body["settings"]["environments"].as_array().expect("an array");
            assert_eq!(environments.len(), usize::from(page == 0), "an exhausted array stays, empty");
            found.extend(keys(&body));
            token = body["next_page_token"].as_str().map(str::to_owned);
        }
        assert_eq!(token, None);
        assert_eq!(found, (0..250).map(|n| format!("t{n}")).collect::<Vec<_>>());
        assert!(whole(&job, Version::V22, Some("bm8")).is_err());
    }

    #[test]
    fn the_older_version_refuses_what_it_cannot_hold() {
        let refusal = whole(&job(101), Version::V21, None).expect_err("refused");
        assert!(refusal.message.contains("API 2.2"), "{}", refusal.message);
        assert_eq!(keys(&whole(&job(100), Version::V21, None).expect("a job")).len(), 100);
    }

    #[test]
    fn a_listing_says_where_it_cut() {
        let cut = listed(&job(101), true, Version::V22);
        assert_eq!((keys(&cut).len(), &cut["has_more"]), (100, &json!(true)));
        assert_eq!(listed(&job(100), true, Version::V22)["has_more"], false);
        assert!(listed(&job(1), true, Version::V21)["has_more"].is_null());
        assert!(listed(&job(1), false, Version::V22)["settings"]["tasks"].is_null());
    }
}
