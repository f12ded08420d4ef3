//! Statements in memory: what is sent, how often, and what is known when it does not end well.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::error::Outcome;
use super::super::fake::{Reply, World, json as answer};
use super::super::transport::{Fault as Broken, Outgoing};
use super::*;
use crate::domain::sql::{Fault, Part};

const READ: NamedStatement = NamedStatement::read(
    "test.read",
    "SELECT n, s FROM {t} WHERE day = :day AND x <=> :x",
    &[("day", "DATE"), ("x", "BIGINT")],
);
const WRITE: NamedStatement = NamedStatement::once("test.write", "UPDATE {t} SET n = n + 1", &[]);
const SET: NamedStatement = NamedStatement::idempotent("test.set", "UPDATE {t} SET n = 1", &[]);

fn statement(named: &'static NamedStatement) -> Statement {
    let table = Part::Name("ops.release.lease".parse().expect("a name"));
    let statement = Statement::new(named, WarehouseId::new("w1")).part("t", table);
    match named.name {
        "test.read" => statement.bind("day", Some("2026-02-28".into())).bind("x", None),
        _ => statement,
    }
}

fn state(state: &str) -> Value {
    json!({"statement_id": "s-1", "status": {"state": state}})
}

fn failed(code: &str, message: &str) -> Value {
    json!({"statement_id": "s-1", "status": {"state": "FAILED", "error": {"error_code": code, "message": message}}})
}

fn succeeded(total: u64, rows: &Value) -> Value {
    json!({"statement_id": "s-1", "status": {"state": "SUCCEEDED"},
        "manifest": {"schema": {"columns": [
            {"name": "s", "position": 1, "type_name": "STRING", "type_text": "STRING"},
            {"name": "n", "position": 0, "type_name": "LONG", "type_text": "BIGINT"}]},
            "total_row_count": total, "truncated": false},
        "result": rows})
}

fn affected(count: u64) -> Value {
    json!({"statement_id": "s-1", "status": {"state": "SUCCEEDED"},
        "manifest": {"schema": {"columns": [{"name": "num_affected_rows", "position": 0, "type_text": "BIGINT"}]},
            "total_row_count": 1},
        "result": {"chunk_index": 0, "row_offset": 0, "data_array": [[count.to_string()]]}})
}

/// Answers the POST with `first` and every look with one of `looks`, in order; the last one for ever.
fn world(first: Value, looks: Vec<Value>) -> Arc<World> {
    World::new(move |request: &Outgoing, n| {
        if request.url.path().ends_with("/cancel") {
            return answer(200, &json!({}));
        }
        match n {
            0 => answer(200, &first),
            n => answer(200, &looks[(n - 1).min(looks.len() - 1)]),
        }
    })
}

const POST: &str = "POST /api/2.0/sql/statements";
const LOOK: &str = "GET /api/2.0/sql/statements/s-1";
const CANCEL: &str = "POST /api/2.0/sql/statements/s-1/cancel";

#[tokio::test(start_paused = true)]
async fn a_statement_is_sent_as_written_and_its_rows_are_typed() {
    let world = world(succeeded(2, &json!({"data_array": [["1", "a"], ["2", null]]})), vec![]);
    let rows = world.client().execute(&statement(&READ)).await.expect("rows");
    assert_eq!((rows.len(), rows.statement.as_str()), (2, "s-1"));
    let row = rows.first().expect("a row");
    assert_eq!((row.int("n"), row.string("s")), (Ok(1), Ok("a")), "columns in the order of their positions");
    assert_eq!(rows.columns[0].type_text, "BIGINT");
    assert_eq!(
        world.body(0),
        json!({"statement": "SELECT n, s FROM `ops`.`release`.`lease` WHERE day = :day AND x <=> :x",
            "warehouse_id": "w1",
            "parameters": [{"name": "day", "value": "2026-02-28", "type": "DATE"}, {"name": "x", "type": "BIGINT"}],
            "wait_timeout": "10s", "on_wait_timeout": "CONTINUE", "disposition": "INLINE", "format": "JSON_ARRAY",
            "query_tags": [{"key": "lakeshift_statement", "value": "test.read"}]})
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_statement_is_looked_at_less_and_less_often() {
    let world = world(state("PENDING"), [vec![state("RUNNING"); 8], vec![affected(1)]].concat());
    let begun = tokio::time::Instant::now();
    assert_eq!(world.client().execute(&statement(&WRITE)).await.expect("rows").affected(), Ok(1));
    assert_eq!(world.lines(), [vec![POST], vec![LOOK; 9]].concat());
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(25) && took < Duration::from_secs(35), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn chunks_make_one_result() {
    let chunk = |index: u64, offset: u64, next: Option<u64>, value: &str| {
        let mut chunk = json!({"chunk_index": index, "row_offset": offset, "data_array": [[value, null]]});
        if let Some(next) = next {
            chunk["next_chunk_index"] = json!(next);
        }
        chunk
    };
    let served = move |third: Value| {
        World::new(move |request: &Outgoing, _| match request.url.path() {
            "/api/2.0/sql/statements" => answer(200, &succeeded(3, &chunk(0, 0, Some(1), "1"))),
            "/api/2.0/sql/statements/s-1/result/chunks/1" => answer(200, &chunk(1, 1, Some(2), "2")),
            _ => answer(200, &third),
        })
    };
    let whole = served(chunk(2, 2, None, "3"));
    let rows = whole.client().execute(&statement(&READ)).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.int("n").expect("a number")).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(whole.lines()[2], "GET /api/2.0/sql/statements/s-1/result/chunks/2");

    let not_whole = [
        (chunk(1, 2, None, "3"), "a chunk came out of turn"),
        (chunk(2, 1, None, "3"), "the chunks do not fit together"),
        (json!({"chunk_index": 2, "row_offset": 2}), "fewer rows came than were announced"),
        (json!({"chunk_index": 2, "data_array": [["3", null], ["4", null]]}), "more rows came than were announced"),
        (chunk(2, 2, Some(4), "3"), "a chunk is missing"),
        (json!({"chunk_index": 2, "data_array": [["3"]]}), "a row has not as many cells as there are columns"),
    ];
    for (third, what) in not_whole {
        let error = served(third).client().execute(&statement(&READ)).await.expect_err("not whole");
        assert!(matches!(error.cause(), Cause::Incomplete(said) if said == what), "{error} for {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_cut_or_too_large_is_no_result() {
    let mut cut = succeeded(1, &json!({"data_array": [["1", "a"]]}));
    cut["manifest"]["truncated"] = json!(true);
    let error = world(cut, vec![]).client().execute(&statement(&READ)).await.expect_err("cut");
    assert!(matches!(error.cause(), Cause::Incomplete(_)), "{error}");
    let large = world(succeeded(100_001, &json!({"next_chunk_index": 1})), vec![]);
    let error = large.client().execute(&statement(&READ)).await.expect_err("too large");
    assert!(matches!(error.cause(), Cause::TooManyRows { rows: 100_001, at_most: 100_000 }), "{error}");
    assert_eq!(large.lines(), [POST], "no further chunk is asked for");
}

#[tokio::test(start_paused = true)]
async fn nothing_and_ddl_give_no_rows() {
    for result in [json!({}), json!(null)] {
        let ddl = json!({"statement_id": "s-1", "status": {"state": "SUCCEEDED"},
            "manifest": {"schema": {"column_count": 0}, "total_row_count": 0}, "result": result});
        let rows = world(ddl, vec![]).client().execute(&statement(&WRITE)).await.expect("rows");
        assert!(rows.is_empty() && rows.columns.is_empty());
    }
}

/// What is known of a write and of a read when the statement has failed.
#[tokio::test(start_paused = true)]
async fn a_failed_statement_says_whether_it_changed_something() {
    let conflict = "[DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ] x SQLSTATE: 2D521";
    let cases = [
        (failed("BAD_REQUEST", conflict), Outcome::DidNotHappen, "another writer was first"),
        (
            failed(
                "BAD_REQUEST",
                "[INSUFFICIENT_PERMISSIONS] User does not have MODIFY on Table 'ops.release.lease'. SQLSTATE: 42501",
            ),
            Outcome::DidNotHappen,
            "lacks MODIFY on Table 'ops.release.lease'",
        ),
        (failed("INTERNAL_ERROR", "x"), Outcome::Unknown, "warehouse unavailable"),
        (failed("TEMPORARILY_UNAVAILABLE", "x"), Outcome::Unknown, "warehouse unavailable"),
        (state("CANCELED"), Outcome::Unknown, "canceled"),
        (state("CLOSED"), Outcome::Unknown, "result expired"),
        (json!({"status": {"state": "SUCCEEDED"}}), Outcome::Unknown, "incomplete result"),
    ];
    for (body, outcome, brief) in cases {
        let error = world(body.clone(), vec![]).client().execute(&statement(&WRITE)).await.expect_err("failed");
        assert_eq!((error.outcome(), error.brief().as_str()), (outcome, brief), "{body}");
        let error = world(body.clone(), vec![]).client().execute(&statement(&READ)).await.expect_err("failed");
        assert_eq!(error.outcome(), Outcome::DidNotHappen, "a read has changed nothing: {body}");
    }
    let error = world(failed("BAD_REQUEST", conflict), vec![]).client().execute(&statement(&WRITE)).await;
    let error = error.expect_err("failed");
    assert!(error.is_conflict());
    assert_eq!(
        error.to_string(),
        "statement test.write on prod: [DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ] x (statement id s-1)"
    );
}

/// Only what may be repeated is: the API has no token against doubles.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_only_where_that_does_no_harm() {
    let lossy = || {
        World::new(|_, n| match n {
            0 => Reply::Break(Broken::Interrupted),
            _ => answer(200, &affected(1)),
        })
    };
    for (named, sent) in [(&READ, 2), (&SET, 2), (&WRITE, 1)] {
        let world = lossy();
        let result = world.client().execute(&statement(named)).await;
        assert_eq!(world.sent().len(), sent, "{}", named.name);
        match result {
            Ok(_) => assert_eq!(sent, 2),
            Err(error) => {
                assert_eq!((error.outcome(), error.fault(), error.id()), (Outcome::Unknown, Fault::Unavailable, None));
                assert!(error.to_string().contains("it may have changed something all the same"), "{error}");
            }
        }
    }
    let after_a_loss = World::new(|_, n| match n {
        0 => Reply::Break(Broken::Interrupted),
        _ => answer(200, &failed("BAD_REQUEST", "[DELTA_CONCURRENT_APPEND] x")),
    });
    let error = after_a_loss.client().execute(&statement(&SET)).await.expect_err("a conflict");
    assert_eq!((error.fault(), error.outcome()), (Fault::Conflict, Outcome::Unknown), "the lost one may have written");
    let refused = World::new(|_, _| answer(404, &json!({"error_code": "NOT_FOUND", "message": "no warehouse w1"})));
    let error = refused.client().execute(&statement(&WRITE)).await.expect_err("refused");
    assert_eq!((error.outcome(), error.fault()), (Outcome::DidNotHappen, Fault::NotFound));
    assert_eq!(refused.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_statement_whose_end_was_not_seen_is_unknown_and_can_be_awaited() {
    let world = World::new(|request: &Outgoing, n| match n {
        0 => answer(200, &state("RUNNING")),
        1 if request.method == http::Method::GET => answer(400, &json!({"message": "no"})),
        _ => answer(200, &affected(1)),
    });
    let client = world.client();
    let error = client.execute(&statement(&WRITE)).await.expect_err("lost");
    assert_eq!((error.outcome(), error.id()), (Outcome::Unknown, Some(&StatementId::new("s-1"))));
    let id = error.id().expect("an id").clone();
    let rows = client.await_statement(&WRITE, &id, Duration::from_secs(5)).await.expect("rows");
    assert_eq!((rows.affected(), world.lines()), (Ok(1), vec![POST.into(), LOOK.into(), LOOK.into()]));
}

#[tokio::test(start_paused = true)]
async fn a_statement_out_of_time_is_canceled_and_seen_to_its_end() {
    let impatient = Statement { patience: Duration::from_secs(1), ..statement(&WRITE) };
    let too_late = world(state("RUNNING"), vec![state("RUNNING"), state("RUNNING"), affected(1)]);
    let rows = too_late.client().execute(&impatient).await.expect("it ended before the cancel came");
    assert_eq!(rows.affected(), Ok(1));
    assert_eq!(too_late.lines(), [POST, LOOK, LOOK, CANCEL, LOOK]);

    for end in ["CANCELED", "RUNNING"] {
        let world = world(state("RUNNING"), vec![state("RUNNING"), state("RUNNING"), state(end)]);
        let error = world.client().execute(&impatient).await.expect_err("out of time");
        assert!(matches!(error.cause(), Cause::OutOfTime), "{error}");
        assert_eq!((error.outcome(), error.brief().as_str()), (Outcome::Unknown, "timed out"));
        assert!(world.lines().contains(&CANCEL.to_owned()));
    }
    let refused = world(state("RUNNING"), vec![failed("BAD_REQUEST", "[DIVIDE_BY_ZERO] x SQLSTATE: 22012")]);
    let error = refused.client().execute(&impatient).await.expect_err("failed");
    assert_eq!((error.outcome(), error.fault()), (Outcome::DidNotHappen, Fault::Data));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_match_its_declaration_is_not_sent() {
    let unused = || World::new(|_, _| answer(500, &json!({})));
    let unbound = Statement { parameters: Vec::new(), ..statement(&READ) };
    let stranger = statement(&WRITE).bind("n", Some("1".into()));
    let nameless = Statement::new(&WRITE, WarehouseId::new("w1"));
    for (statement, reason) in [
        (unbound, "parameter :day has no value"),
        (stranger, "the text has no parameter :n"),
        (nameless, "statement test.write: nothing was given for {t}"),
    ] {
        let world = unused();
        let error = world.client().execute(&statement).await.expect_err("not sent");
        assert!(matches!(error.cause(), Cause::Unwritable(said) if said == reason), "{error}");
        assert_eq!((error.outcome(), world.sent().len()), (Outcome::DidNotHappen, 0));
    }
}

#[test]
fn the_wait_is_one_that_the_api_takes() {
    let wait = |wanted, attempt| wait_timeout(Duration::from_millis(wanted), Duration::from_secs(attempt));
    assert_eq!(wait(10_000, 30), "10s");
    assert_eq!(wait(120_000, 30), "25s", "the attempt needs time for its answer");
    assert_eq!(wait(120_000, 300), "50s");
    assert_eq!(wait(4_999, 30), "0s");
    assert_eq!(wait(10_000, 3), "0s");
}
