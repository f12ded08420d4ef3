//! What a person is told before they confirm, by what a scripted workspace answers.

use std::sync::Mutex as Lock;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::databricks::fake::{Reply, World, json as answer};
use crate::domain::fleet::ObjectId;
use crate::domain::ids::JobId;
use crate::domain::inventory::{Condition, Rule, Sla};
use crate::domain::ulid::Ulid;
use crate::operations::planning::MAX_AGE_S;
use crate::runtime::clock::tests::TimerClock;

struct One;

impl Ids for One {
    fn ulid(&mut self, at: Instant) -> Ulid {
        Ulid::new(at.timestamp_millis().unsigned_abs(), 7)
    }
}

/// A job that is run every hour, and a workspace that tells who may do what with it.
fn job(level: &str) -> impl Fn(&str) -> Value + Send + Sync + use<> {
    let level = level.to_owned();
    move |path: &str| match path.rsplit('/').next().unwrap_or_default() {
        "get" => json!({"job_id": 7, "settings": {"name": "orders", "max_concurrent_runs": 1,
            "schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
            "tasks": [{"task_key": "load", "notebook_task": {}}]}}),
        "Me" => json!({"id": "1", "userName": "kiri@example.com", "groups": []}),
        "Groups" => json!({"Resources": [{"displayName": "admins", "members": [{"$ref": "Users/9"}]}]}),
        "7" => json!({"object_id": "/jobs/7", "access_control_list": [
            {"user_name": "kiri@example.com", "all_permissions": [{"permission_level": level}]},
            {"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": true}]}]}),
        _ => json!({}),
    }
}

async fn asked(
    answers: impl Fn(&str) -> Value + Send + Sync + 'static,
    slow: Duration,
) -> (Answer, Arc<Lock<Vec<String>>>) {
    let sent: Arc<Lock<Vec<String>>> = Arc::default();
    let log = Arc::clone(&sent);
    let world = World::new(move |request, _| {
        log.lock().expect("whole").push(request.url.path().to_owned());
        Reply::After(slow, Box::new(answer(200, &answers(request.url.path()))))
    });
    let workspace = crate::domain::fixture::workspace(crate::domain::workspace::Environment::Prod);
    let rule = Rule {
        condition: Condition::default(),
        sla: Some(Sla::Finish { within_s: Some(5_400), by: None }),
        ..Rule::default()
    };
    let shop = Shop {
        clients: [(workspace.name.clone(), (workspace.clone(), Access::Open, Ok(world.client())))].into(),
        inventory: Arc::new(Inventory { rules: vec![rule], ..Inventory::default() }),
        ..Shop::nowhere(Actor("kiri".to_owned()), Arc::new(TimerClock::new()), Box::new(One))
    };
    let ask = Ask {
        number: 1,
        object: ObjectId { workspace: workspace.name, object: fleet::Object::Job(JobId(7)) },
        wish: Wish::RunNow { job: JobId(7), parameters: BTreeMap::new() },
        reason: None,
        unlocked: false,
    };
    (shop.prepare(ask, Vec::new(), Vec::new()).await, sent)
}

#[tokio::test(start_paused = true)]
async fn a_plan_comes_with_the_promise_the_next_planned_run_and_the_rights() {
    let (answered, _) = asked(job("CAN_MANAGE_RUN"), Duration::from_secs(2)).await;
    let Answer::Ready(preview) = answered else { panic!("{answered:?}") };
    assert!(preview.effects.contains(&"Promised: it ends within 1h30 of its planned start.".to_owned()), "{preview:?}");
    let upcoming = preview.upcoming.expect("it is planned");
    assert_eq!((upcoming.at.format("%M:%S").to_string().as_str(), upcoming.zone.as_str()), ("00:00", "UTC"));
    assert_eq!(
        preview.rights.to_string(),
        "kiri@example.com may: CAN_MANAGE_RUN on job 7, by CAN_MANAGE_RUN of kiri@example.com"
    );
    let read_in = preview.plan.made_at - preview.plan.observed_at;
    assert!(read_in >= TimeDelta::seconds(2), "what was read is as old as the first question: {read_in}");
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_surely_missing_is_refused_by_name() {
    let (answered, sent) = asked(job("CAN_VIEW"), Duration::ZERO).await;
    let Answer::Refused(Declined { refusals, rights }) = answered else { panic!("{answered:?}") };
    let lacks = Refusal::Lacks { who: "kiri@example.com".into(), needed: "CAN_MANAGE_RUN on job 7".into() };
    assert_eq!(refusals, [lacks]);
    assert_eq!(rights.expect("read").to_string(), "kiri@example.com lacks CAN_MANAGE_RUN on job 7");
    assert!(sent.lock().expect("whole").iter().any(|path| path.ends_with("/Groups")), "who is in admins was asked");
}

#[tokio::test(start_paused = true)]
async fn what_took_too_long_to_read_is_not_planned_on() {
    // Who we are, what we hold, and who is in the group that may: three questions, one after the other.
    let (answered, _) = asked(job("CAN_VIEW"), Duration::from_secs(MAX_AGE_S / 3 + 1)).await;
    match answered {
        Answer::Refused(Declined { refusals, .. }) => {
            assert!(matches!(refusals[0], Refusal::Stale { age_s, .. } if age_s > MAX_AGE_S), "{refusals:?}");
        }
        other => panic!("{other:?}"),
    }
}
