//! `docs/simulator.md` against reality: every example fits its schema, and so does what the simulator really says.

use reqwest::Method;
use serde_json::{Value, json};

use super::Lab;
use super::process::Process;

const PAGE: &str = include_str!("../../../docs/simulator.md");

/// The JSON below `<!-- kind: name -->`.
fn block(kind: &str, name: &str) -> Value {
    let mark = format!("<!-- {kind}: {name} -->\n```json\n");
    let (_, rest) = PAGE.split_once(&mark).unwrap_or_else(|| panic!("no {kind} of {name}"));
    let (json, _) = rest.split_once("\n```").expect("a closed block");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{kind} of {name}: {error}"))
}

fn check(name: &str, reality: &Value) {
    let schema = block("schema", name);
    for (what, value) in [("the example", &block("example", name)), ("reality", reality)] {
        if let Err(error) = jsonschema::validate(&schema, value) {
            panic!("{what} of {name} does not fit: {error} at {}\n{value}", error.instance_path());
        }
    }
}

#[tokio::test]
async fn the_page_says_what_is_so() {
    let folder = tempfile::tempdir().expect("a folder");
    check("start-line", &Process::start(folder.path(), &["--config-out", "sim.toml"]).start);
    check("start-line", &Process::start(folder.path(), &[]).start);

    let lab = Lab::calm().await;
    let ask = async |method, path: &str, body: Option<Value>| lab.admin(method, path, body.as_ref()).await.1;
    check("fault", &block("example", "fault"));
    for kind in ["delay", "429", "500", "503", "reset", "cut_body", "garbage", "html_sign_in", "expired_token"] {
        let delay = if kind == "delay" { json!(1) } else { Value::Null };
        let fault = json!({"kind": kind, "when": "after", "route": format!("/{kind}"), "delay_ms": delay});
        check("fault", &fault);
        lab.plant(fault).await;
    }
    check("planted", &ask(Method::POST, "/faults", Some(block("example", "fault"))).await);
    check("faults", &ask(Method::GET, "/faults", None).await);
    for kind in ["delay", "garbage", "expired_token"] {
        lab.call("prod", "operator", Method::GET, &format!("/{kind}"), None).await;
    }
    lab.get("/api/2.0/pipelines").await;
    let requests = ask(Method::GET, "/requests", None).await;
    check("requests", &requests);
    for line in super::items(&requests, "requests") {
        check("request", line);
    }
    check("state", &ask(Method::GET, "/state", None).await);
    check("removed", &ask(Method::DELETE, "/faults?id=1", None).await);
    let all = ask(Method::GET, "/faults", None).await;
    let complaint = lab.admin(Method::DELETE, "/faults?id=-3", None).await;
    assert_eq!(complaint.0, 400);
    check("complaint", &complaint.1);
    assert_eq!(ask(Method::GET, "/faults", None).await, all, "nothing was removed");
    check("advance", &block("example", "advance"));
    check("time", &ask(Method::POST, "/advance", Some(block("example", "advance"))).await);
    check("time", &ask(Method::POST, "/pause", None).await);
    check("time", &ask(Method::POST, "/resume", None).await);
    check("statements", &ask(Method::POST, "/statements", Some(json!({"takes_ms": null}))).await);
    check("breaks", &ask(Method::POST, "/breaks", Some(json!({}))).await);
}

#[tokio::test]
async fn the_written_configuration_has_what_the_page_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let _process = Process::start(folder.path(), &["--config-out", "sim.toml"]);
    let written: toml::Table =
        std::fs::read_to_string(folder.path().join("sim.toml")).expect("read").parse().expect("TOML");
    let (_, rest) = PAGE.split_once("```toml\n").expect("an example");
    let shown: toml::Table = rest.split_once("```").expect("a closed block").0.parse().expect("TOML");
    let names = |table: &toml::Table| table.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&shown), names(&written));
    for table in ["tags", "ledger"] {
        assert_eq!(names(shown[table].as_table().expect("a table")), names(written[table].as_table().expect("one")));
    }
    assert_eq!(shown["auth"]["prod"], written["auth"]["prod"]);
    assert_eq!(shown["rules"][0], written["rules"][0]);
    assert_eq!(shown["workspaces"][0]["name"], written["workspaces"][0]["name"]);
}

#[test]
fn every_example_has_a_schema_and_the_other_way_round() {
    let names = |kind: &str| {
        let mark = format!("<!-- {kind}: ");
        let rests = PAGE.split(mark.as_str()).skip(1);
        rests.filter_map(|rest| rest.split_once(" -->")).map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("example"), names("schema"));
    assert_eq!(names("example").len(), 13);
}
