"""Two consoles take one lease at once, with the statements that lakeshift sends: one wins, on Delta and on the simulator."""

import concurrent.futures
import threading

import pytest

import corpus

# Two takings overlap in nearly every round; a round in which they did not proves nothing, so there are more than one.
ROUNDS = 6
LEASE = corpus.quoted("main.leases.lease")


def text(name: str) -> str:
    return corpus.statements()[name]["text"].replace("{lease}", LEASE)


def engines(name, sim, spark):
    """The engine, and one for each of two consoles: sessions of their own on the same tables."""
    return (sim, [sim, sim]) if name == "simulator" else (spark, [spark.sibling(), spark.sibling()])


@pytest.mark.parametrize("name", ["spark", "simulator"])
def test_of_two_at_once_one_takes_the_lease(name, sim, spark):
    first, consoles = engines(name, sim, spark)
    for sql in ("CREATE SCHEMA IF NOT EXISTS main.leases", f"DROP TABLE IF EXISTS {LEASE}", text("ledger.create.lease")):
        assert not first.execute(sql).error
    added = first.execute(text("ledger.lease.add_products"), [("products", "STRING", '["sales","stock"]')])
    assert not added.error, added
    if name == "simulator":
        sim.statements_take(400)
    outcomes = []
    for number in range(ROUNDS):
        [[fence, holder]] = first.execute(f"SELECT fence, holder FROM {LEASE} WHERE product = 'sales'").rows
        assert holder is None, "the lease is free before each round"
        together = threading.Barrier(2)

        def take(console, nonce):
            values = [("product", "STRING", "sales"), ("seen", "BIGINT", fence), ("nonce", "STRING", nonce), ("op_id", "STRING", "op")]
            together.wait()
            return console.execute(text("ledger.lease.acquire"), values)

        nonces = [f"{number}-a", f"{number}-b"]
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            results = list(threads.map(take, consoles, nonces))
        won = [nonce for nonce, result in zip(nonces, results) if not result.error and result.rows == [["1"]]]
        lost = [result.error or f"{result.rows[0][0]} rows" for result in results if result.error or result.rows != [["1"]]]
        outcomes += lost
        assert len(won) == 1, f"one must win: {[str(result) for result in results]}"
        assert all(loss == "0 rows" or loss.startswith("DELTA_CONCURRENT_") for loss in lost), lost
        held = first.execute(f"SELECT fence, nonce FROM {LEASE} WHERE product = 'sales'").rows
        risen = str(int(fence) + 1)
        assert held == [[risen, won[0]]], "the fence rose once, and the row names the winner"
        back = [("product", "STRING", "sales"), ("nonce", "STRING", won[0]), ("fence", "BIGINT", risen)]
        assert first.execute(text("ledger.lease.release"), back).rows == [["1"]]
    if name == "simulator":
        sim.statements_take(1)
    print(f"{name}: the other one got {outcomes}")
    # An engine that lets one statement wait for the other answers "0 rows" each time, and proves nothing of two at once.
    assert any(loss.startswith("DELTA_CONCURRENT_") for loss in outcomes), f"no round had a conflict: {outcomes}"
