//! Tests of a request's way: attempts, waits, outcomes, pages that are no answers, secrets.

use std::num::NonZeroU32;

use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::databricks::fake::{Reply, TOKEN, World, json as answer, text as plain};
use crate::databricks::{RunNow, StartUpdate};
use crate::domain::ids::{JobId, PipelineId, RunId};

fn me() -> Reply {
    answer(200, &json!({"id": "1", "userName": "ana@example.com"}))
}

fn busy() -> Reply {
    Reply::Answer(503, vec![("retry-after", "7".into())], Bytes::from_static(b"{}"))
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_after_the_wait_that_the_platform_asks_for() {
    let world = World::script(vec![busy, || Reply::Break(Fault::Interrupted), me]);
    let begun = Instant::now();
    assert_eq!(world.client().me().await.expect("answers").user_name, "ana@example.com");
    let took = begun.elapsed().as_secs_f64();
    assert!((7.0..20.0).contains(&took), "{took}");
    let records = world.records.lock().expect("whole").clone();
    let told: Vec<_> = records.iter().map(|record| (record.attempt, record.status)).collect();
    assert_eq!(told, [(1, Some(503)), (2, None), (3, Some(200))]);
    assert!(records[1].error.is_some() && records[2].error.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_act_that_is_not_declared_idempotent_leaves_once() {
    let pipeline = PipelineId::new("p");
    let cases: [(fn() -> Reply, Outcome); 8] = [
        (|| Reply::Break(Fault::Interrupted), Outcome::Unknown),
        (|| Reply::Hang, Outcome::Unknown),
        (|| plain(500, "{}"), Outcome::Unknown),
        (|| plain(429, "{}"), Outcome::Unknown),
        (|| plain(401, "{}"), Outcome::Unknown),
        (|| plain(200, "<html><title>Sign in</title>"), Outcome::Unknown),
        (|| plain(302, ""), Outcome::Unknown),
        (|| plain(409, "{}"), Outcome::DidNotHappen),
    ];
    for (reply, outcome) in cases {
        let world = World::script(vec![reply]);
        let error = world.client().start_update(&pipeline, &StartUpdate::default()).await.expect_err("fails");
        assert_eq!((world.sent().len(), error.outcome()), (1, outcome), "{error}");
    }
    let run = RunNow::of(JobId(7));
    let world = World::script(vec![|| Reply::Break(Fault::Interrupted)]);
    assert!(world.client().run_now(&run).await.is_err());
    assert_eq!(world.sent().len(), 1, "run-now without a token");
}

#[tokio::test(start_paused = true)]
async fn an_act_whose_connection_never_came_up_may_leave_again() {
    let world = World::script(vec![|| Reply::Break(Fault::Connect), || answer(200, &json!({"update_id": "u"}))]);
    let update = world.client().start_update(&PipelineId::new("p"), &StartUpdate::default()).await.expect("starts");
    assert_eq!((update.as_str(), world.sent().len()), ("u", 2));
    let world = World::script(vec![|| Reply::Break(Fault::Connect)]);
    let error = world.client().stop_pipeline(&PipelineId::new("p")).await.expect_err("fails");
    assert_eq!(
        (error.outcome(), error.attempts(), error.brief().as_str()),
        (Outcome::DidNotHappen, 5, "no connection")
    );
}

#[tokio::test(start_paused = true)]
async fn asked_to_send_once_it_repeats_neither_what_is_idempotent_nor_what_never_left() {
    let replies: [fn() -> Reply; 3] =
        [|| Reply::Break(Fault::Interrupted), || Reply::Break(Fault::Connect), || plain(503, "{}")];
    for reply in replies {
        let world = World::script(vec![reply]);
        assert!(world.client().once().in_lane(Lane::Act).stop_pipeline(&PipelineId::new("p")).await.is_err());
        assert_eq!(world.sent().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_does_not_undo_a_lost_answer() {
    let world = World::script(vec![|| Reply::Break(Fault::Interrupted), || plain(403, "{}")]);
    let error = world.client().cancel_run(RunId(7)).await.expect_err("fails");
    assert_eq!((error.status(), error.attempts(), error.outcome()), (Some(403), 2, Outcome::Unknown));
    assert!(error.to_string().contains("it may have happened all the same"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn everything_ends_within_the_total_time() {
    let world = World::script(vec![|| Reply::Hang]);
    let begun = Instant::now();
    let error = world.client().me().await.expect_err("fails");
    assert_eq!((error.kind(), error.brief().as_str()), (&Kind::TimedOut, "timed out"));
    assert!(begun.elapsed() <= Duration::from_secs(61), "{:?}", begun.elapsed());
    assert_eq!(error.elapsed(), begun.elapsed());
    assert!(world.sent().len() > 1, "one attempt does not use up all of the time");
}

#[tokio::test(start_paused = true)]
async fn every_request_is_a_line_of_the_log_without_secrets() {
    let log = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::new(|request, _| {
        let sent = request.headers[header::AUTHORIZATION].to_str().expect("text").to_owned();
        let body = json!({"error_code": "BAD_REQUEST", "message": format!("what is {sent}?")});
        let Reply::Answer(status, _, body) = answer(400, &body) else { unreachable!() };
        Reply::Answer(status, vec![("x-request-id", "req-9".into())], body)
    });
    world.client().job(JobId(5)).await.expect_err("refused");
    drop(guard);
    let bytes = log.0.lock().expect("whole").clone();
    let text = String::from_utf8(bytes).expect("text");
    assert!(!text.contains("s3cret"), "{text}");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = lines.iter().find(|line| line["target"] == "lakeshift::databricks::exchange").expect("a line");
    let fields = &line["fields"];
    assert_eq!((&fields["method"], &fields["route"]), (&json!("GET"), &json!("/api/2.2/jobs/get")));
    assert_eq!((&fields["status"], &fields["attempt"]), (&json!(400), &json!(1)));
    assert_eq!((&fields["request_id"], &fields["workspace"]), (&json!("req-9"), &json!("prod")));
    assert!(fields["ms"].is_u64(), "{line}");
}

/// What was written, whoever wrote it.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_says_whether_it_is_whole_enough_to_be_sent_again() {
    let world = World::new(|_, n| match n {
        0 => answer(200, &json!({"statuses": [{"pipeline_id": "p"}], "next_page_token": "abc"})),
        _ => answer(200, &json!({"pipeline_id": "p", "statuses": []})),
    });
    let client = world.client();
    client.pipelines().await.expect("listed");
    client.pipeline(&PipelineId::new("p")).await.expect("read");
    let records = world.records.lock().expect("whole").clone();
    let told: Vec<_> = records.iter().map(|record| (record.path.as_str(), record.is_whole)).collect();
    assert_eq!(
        told,
        [("/api/2.0/pipelines", true), ("/api/2.0/pipelines", false), ("/api/2.0/pipelines/p", true)],
        "a page token is left out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_turn_says_so_and_a_rollback_needs_none() {
    let world = World::script(vec![me]);
    // One request each two minutes: beyond every patience.
    let budget = Budget::new(NonZeroU32::MIN, NonZeroU32::MIN);
    let client = world.client_with(Credentials::token(SecretString::from(TOKEN)), Arc::clone(&budget));
    client.me().await.expect("the first has a turn");
    for _ in 0..100 {
        // Rollbacks take nothing that is not there, and wait for nobody.
        client.in_lane(Lane::Rollback).me().await.expect("goes at once");
    }
    let polls = futures::future::join_all((0..70).map(|_| client.me()));
    let acts = futures::future::join_all((0..3).map(|_| {
        let client = client.in_lane(Lane::Act);
        async move { (client.me().await, Instant::now()) }
    }));
    let begun = Instant::now();
    let (polls, acts) = futures::join!(polls, acts);
    for (result, at) in acts {
        assert!(result.is_ok() && at.duration_since(begun) <= Duration::from_secs(4), "acts go before polls");
    }
    let without: Vec<_> = polls.into_iter().filter_map(Result::err).collect();
    assert!(!without.is_empty() && without.len() < 70);
    for error in without {
        assert_eq!((error.kind(), error.attempts(), error.outcome()), (&Kind::NoTurn, 0, Outcome::DidNotHappen));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_of_the_api_says_what_it_is() {
    let page = "<!doctype html><html><title>Sign in</title></html>";
    let cases: [(Reply, Kind, &str); 6] = [
        (plain(200, "<html><title>Sign in</title>"), Kind::SignInPage, "sign-in page instead of the API (Sign in)"),
        (
            Reply::Answer(200, vec![("content-type", "text/html".into())], Bytes::from_static(page.as_bytes())),
            Kind::SignInPage,
            "sign-in page",
        ),
        (
            Reply::Answer(302, vec![("location", "https://login.example/x?state=s3cret".into())], Bytes::new()),
            Kind::Redirected,
            "redirected to https://login.example/x",
        ),
        (
            Reply::Answer(
                302,
                vec![("location", "/login.html?error=private-link-validation-error".into())],
                Bytes::new(),
            ),
            Kind::Redirected,
            "private link",
        ),
        (plain(200, "{\"id\": 1"), Kind::Garbled, "not what the API documents"),
        (plain(200, ""), Kind::Garbled, "not what the API documents"),
    ];
    for (reply, kind, words) in cases {
        let reply = std::sync::Mutex::new(Some(reply));
        let world = World::new(move |_, _| reply.lock().expect("whole").take().expect("asked once"));
        let error = world.client().me().await.expect_err("fails");
        assert_eq!(error.kind(), &kind);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_to_an_order_is_one() {
    for body in ["", "{}", "null"] {
        let world = World::new(move |_, _| plain(200, body));
        world.client().cancel_run(RunId(1)).await.expect("accepted");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_all_that_support_asks_for() {
    let world = World::new(|_, _| {
        let body = json!({"error_code": "PERMISSION_DENIED", "message": "no \u{1b}[31mView\u{1b}[0m permission"});
        let Reply::Answer(status, _, body) = answer(403, &body) else { unreachable!() };
        Reply::Answer(status, vec![("x-databricks-request-id", "req-9".into())], body)
    });
    let error = world.client().job(JobId(5)).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "GET /api/2.2/jobs/get of prod: 403 PERMISSION_DENIED no View permission (request id req-9, 1 attempt, 0 ms)"
    );
    assert_eq!((error.class(), error.brief().as_str()), (Some(Class::PermissionDenied), "403 permission denied"));
    assert!(error.hint().is_some());
    assert_eq!(world.records.lock().expect("whole")[0].request_id.as_deref(), Some("req-9"));
}

#[tokio::test(start_paused = true)]
async fn a_personal_token_that_is_refused_is_not_tried_again() {
    let world = World::script(vec![|| plain(401, r#"{"error_code":"401","message":"Token has expired"}"#)]);
    let error = world.client().me().await.expect_err("refused");
    assert_eq!((error.brief().as_str(), world.sent().len()), ("401 token expired", 1));
    assert!(error.is_about_credentials());
    let world = World::script(vec![|| plain(403, r#"{"error_code":"PERMISSION_DENIED","message":"No."}"#)]);
    assert!(!world.client().me().await.expect_err("refused").is_about_credentials(), "signed in, and not allowed");
}

#[tokio::test(start_paused = true)]
async fn secrets_stay_out_of_errors_records_and_debug() {
    let world = World::new(|request, _| {
        let sent = request.headers[header::AUTHORIZATION].to_str().expect("text").to_owned();
        answer(400, &json!({"error_code": "BAD_REQUEST", "message": format!("what is {sent}?")}))
    });
    let client = world.client();
    let error = client.me().await.expect_err("refused");
    assert!(error.message().contains("***"), "the server quoted the token: {error}");
    let records = world.records.lock().expect("whole").clone();
    let sent = world.sent();
    for shown in
        [format!("{error}"), format!("{error:?}"), format!("{client:?}"), format!("{records:?}"), format!("{sent:?}")]
    {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let debug = format!("{:?}", Credentials::client_secret("id", SecretString::from("s3cret")));
    assert!(!debug.contains("s3cret"), "{debug}");
}

#[tokio::test(start_paused = true)]
async fn a_request_says_who_asks_and_the_answer_teaches_the_time() {
    let world = World::new(|_, _| {
        let body = Bytes::from_static(br#"{"userName":"a"}"#);
        // Local time is 1,750,000,000 s: this is one hour and a half later.
        Reply::Answer(200, vec![("date", "Sun, 15 Jun 2025 16:36:40 GMT".into())], body)
    });
    let client = world.client();
    assert_eq!(client.clock_offset_ms(), 0);
    client.in_lane(Lane::Look).me().await.expect("answers");
    assert!((client.clock_offset_ms() - 5_400_000).abs() <= 1_000, "{}", client.clock_offset_ms());
    assert_eq!(client.requests_last_minute(), 1);
    let sent = &world.sent()[0];
    let agent = sent.headers[header::USER_AGENT].to_str().expect("text");
    assert_eq!(agent, format!("lakeshift/{} os/{} auth/pat", env!("CARGO_PKG_VERSION"), std::env::consts::OS));
    assert_eq!(sent.headers[header::ACCEPT], "application/json");
    assert_eq!(sent.headers[header::AUTHORIZATION], format!("Bearer {TOKEN}"));
    assert_eq!(world.records.lock().expect("whole")[0].lane, Lane::Look);
}

#[tokio::test(start_paused = true)]
async fn what_may_no_longer_leave_is_withheld_however_far_it_has_come() {
    let world = World::script(vec![me]);
    let (one, begun) = (NonZeroU32::new(1).expect("not 0"), Instant::now());
    let client = world.client_with(Credentials::token(SecretString::from(TOKEN)), Budget::new(one, one));
    let permit =
        Permit::new(move || if begun.elapsed() < Duration::from_secs(1) { Ok(()) } else { Err("too late".to_owned()) });
    let client = client.in_lane(Lane::Act).under(permit);
    client.me().await.expect("at once it may leave");
    let error = client.me().await.expect_err("when its turn came it was too late");
    assert_eq!((error.kind(), error.outcome(), error.message()), (&Kind::Withheld, Outcome::DidNotHappen, "too late"));
    assert_eq!(world.sent().len(), 1);
    let always = Permit::always();
    assert_eq!(always.clone().and(Permit::new(|| Err("no".to_owned()))).check(), Err("no".to_owned()));
    assert_eq!(always.clone().and(always).check(), Ok(()));
}
