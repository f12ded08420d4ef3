//! The ledger's installation, on a metastore that has none.

use lakeshift::ledger::statements;
use lakeshift::ledger::{Table, lease};

use super::{Desk, block_on, event, place};

#[test]
fn installing_twice_is_installing_once() {
    let desk = Desk::installed();
    assert_eq!(block_on(desk.ledger().append(&[event("a1", "planned")])).trouble, None);
    let again = Desk { user: "root", ..desk.clone() };
    let products = ["sales".to_owned(), "costs".to_owned()];
    let place = place();
    let installation =
        lakeshift::ledger::init::Installation { place: &place, products: &products, members: &[], procedures: false };
    for piece in installation.pieces() {
        again.run(&piece.ask).unwrap_or_else(|error| panic!("{}: {error}", piece.what));
    }
    let leases = block_on(lease::all(&desk.ledger())).unwrap();
    let products: Vec<&str> = leases.iter().map(|row| row.product.as_str()).collect();
    assert_eq!(products, ["_fleet", "_ledger", "costs", "sales", "stock"]);
    assert_eq!(block_on(desk.ledger().operation("op-1")).unwrap().len(), 1, "what was there stays");
}

#[test]
fn members_write_what_their_role_writes_and_no_more() {
    let desk = Desk::installed();
    let ana = desk.of("ana").ledger();
    assert!(block_on(ana.append(&[event("a1", "planned")])).trouble.is_none());
    let text = |text: &str| lakeshift::ledger::Value::Text(text.to_owned());
    let approval = lakeshift::ledger::LedgerRow::new(
        Table::Approval,
        [
            ("approval_id", text("x")),
            ("release_id", text("r")),
            ("decision", text("approve")),
            ("role", text("captain")),
            ("plan_digest", text("d")),
            ("gate_digest", text("g")),
            ("expires_at", lakeshift::ledger::Value::Time(desk.now())),
        ],
    );
    let delivery = block_on(ana.append(&[event("a2", "approved"), approval.unwrap()]));
    let [refused] = &delivery.refused[..] else { panic!("a captain does not approve: {delivery:?}") };
    assert_eq!(refused.rows, [(Table::Approval, "x".to_owned())]);
    assert!(refused.trouble.message.contains("MODIFY"), "{}", refused.trouble.message);
    assert_eq!(delivery.acknowledged, [(Table::AuditEvent, "a2".to_owned())], "and it holds up no other table");
}

#[test]
fn the_tables_of_facts_take_appends_alone() {
    let desk = Desk::installed();
    block_on(desk.ledger().append(&[event("a1", "planned")]));
    for table in Table::ALL {
        let sql = format!("DELETE FROM ops.release.{}", table.name());
        let mut server = desk.server.lock().unwrap();
        let now = server.now;
        let session = &mut lakeshift::sim::sql::Session::new("root");
        let error = server.engine.execute(session, &sql, &[], now).expect_err("append only");
        assert_eq!(error.class, "DELTA_CANNOT_MODIFY_APPEND_ONLY");
    }
}

#[test]
fn every_statement_runs_on_the_engine() {
    let desk = Desk::installed();
    for named in statements::all() {
        let mut ask = place().ask(named);
        for (marker, number) in [("version", 0), ("since", 0), ("limit", 1)] {
            if named.markers().contains(&marker) {
                ask = ask.at(marker, number);
            }
        }
        for (name, kind) in named.parameters {
            ask = match *kind {
                "BIGINT" => ask.with(name, "1"),
                _ if matches!(*name, "rows" | "products") => ask.with(name, "[]"),
                _ => ask.with(name, "x"),
            };
        }
        desk.run(&ask).unwrap_or_else(|error| panic!("{}: {error}", named.name));
    }
}
