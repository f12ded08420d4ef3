"""The statement API: parameters, types, nulls, failures, chunks, waiting and canceling."""

import pytest
from databricks.sdk.errors import DatabricksError, NotFound, PermissionDenied
from databricks.sdk.service.sql import (
    ColumnInfoTypeName,
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    StatementParameterListItem,
    StatementState,
)


@pytest.fixture(scope="module")
def warehouse(prod):
    return next(iter(prod.warehouses.list())).id


def run(client, warehouse, statement, **options):
    options.setdefault("wait_timeout", "50s")
    return client.statement_execution.execute_statement(statement, warehouse, **options)


def rows(answer):
    assert answer.status.state is StatementState.SUCCEEDED, answer.status
    return answer.result.data_array or []


def test_types_and_nulls(prod, warehouse):
    answer = run(
        prod,
        warehouse,
        "SELECT 1 AS i, CAST(2 AS BIGINT) AS l, 1.5D AS d, CAST(1.25 AS DECIMAL(10,2)) AS m, 'x' AS s, true AS b, "
        "DATE'2026-01-31' AS day, TIMESTAMP'2026-01-31 04:05:06' AS t, CAST(NULL AS STRING) AS nothing",
    )
    columns = answer.manifest.schema.columns
    assert [c.name for c in columns] == ["i", "l", "d", "m", "s", "b", "day", "t", "nothing"]
    assert [c.type_name for c in columns] == [
        ColumnInfoTypeName.INT,
        ColumnInfoTypeName.LONG,
        ColumnInfoTypeName.DOUBLE,
        ColumnInfoTypeName.DECIMAL,
        ColumnInfoTypeName.STRING,
        ColumnInfoTypeName.BOOLEAN,
        ColumnInfoTypeName.DATE,
        ColumnInfoTypeName.TIMESTAMP,
        ColumnInfoTypeName.STRING,
    ]
    assert (columns[3].type_precision, columns[3].type_scale) == (10, 2)
    [row] = rows(answer)
    assert row[:7] == ["1", "2", "1.5", "1.25", "x", "true", "2026-01-31"]
    assert row[7].startswith("2026-01-31T04:05:06")
    assert row[8] is None


def test_named_parameters_have_types(prod, warehouse):
    answer = run(
        prod,
        warehouse,
        "SELECT :a + 1 AS a, :b AS b, :c AS c",
        parameters=[
            StatementParameterListItem(name="a", value="41", type="BIGINT"),
            StatementParameterListItem(name="b", value="it's; -- text"),
            StatementParameterListItem(name="c", type="STRING"),
        ],
    )
    assert rows(answer) == [["42", "it's; -- text", None]]


def test_a_missing_table_fails_with_its_class(prod, warehouse):
    answer = run(prod, warehouse, "SELECT * FROM prod.nowhere.nothing")
    assert answer.status.state is StatementState.FAILED
    assert "[TABLE_OR_VIEW_NOT_FOUND]" in answer.status.error.message
    assert "42P01" in answer.status.error.message


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        ("SELEKT 1", "PARSE_SYNTAX_ERROR"),
        ("SELECT nope FROM (SELECT 1 AS a)", "UNRESOLVED_COLUMN"),
        ("SELECT 1 / 0", "DIVIDE_BY_ZERO"),
        ("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT"),
        ("SELECT no_such_function(1)", "UNRESOLVED_ROUTINE"),
    ],
)
def test_failures_are_worded_as_databricks_words_them(prod, warehouse, statement, condition):
    answer = run(prod, warehouse, statement)
    assert answer.status.state is StatementState.FAILED
    assert f"[{condition}" in answer.status.error.message


def test_many_rows_come_in_chunks(prod, warehouse):
    answer = run(prod, warehouse, "SELECT id, repeat('x', 900) AS filler FROM range(20000) ORDER BY id")
    assert answer.manifest.total_row_count == 20_000
    assert answer.manifest.total_chunk_count > 1
    found = [row[0] for row in answer.result.data_array]
    index = answer.result.next_chunk_index
    while index is not None:
        chunk = prod.statement_execution.get_statement_result_chunk_n(answer.statement_id, index)
        found += [row[0] for row in chunk.data_array]
        index = chunk.next_chunk_index
    assert found == [str(n) for n in range(20_000)]


def test_an_empty_result_has_a_schema(prod, warehouse):
    answer = run(prod, warehouse, "SELECT 1 AS a WHERE false")
    assert rows(answer) == [] and answer.manifest.total_row_count == 0
    assert answer.manifest.schema.columns[0].name == "a"


def test_asynchronous_statements_are_polled(prod, warehouse):
    answer = run(prod, warehouse, "SELECT 7", wait_timeout="0s")
    assert answer.status.state in (StatementState.PENDING, StatementState.RUNNING, StatementState.SUCCEEDED)
    for _ in range(600):
        answer = prod.statement_execution.get_statement(answer.statement_id)
        if answer.status.state not in (StatementState.PENDING, StatementState.RUNNING):
            break
    assert rows(answer) == [["7"]]


def test_cancel(prod, warehouse):
    answer = run(prod, warehouse, "SELECT count(*) FROM range(100000000)", wait_timeout="0s")
    prod.statement_execution.cancel_execution(answer.statement_id)
    for _ in range(600):
        answer = prod.statement_execution.get_statement(answer.statement_id)
        if answer.status.state not in (StatementState.PENDING, StatementState.RUNNING):
            break
    assert answer.status.state in (StatementState.CANCELED, StatementState.SUCCEEDED)


def test_what_is_missing_reads_as_missing(prod):
    with pytest.raises(NotFound):
        prod.statement_execution.get_statement("00000000-0000-0000-0000-000000000000")


def test_external_links_are_offered(prod, warehouse):
    answer = run(prod, warehouse, "SELECT 1", disposition=Disposition.EXTERNAL_LINKS)
    assert answer.status.state is StatementState.SUCCEEDED
    assert answer.result.external_links[0].external_link


def test_writing_counts_rows_and_versions(sim, dev):
    warehouse = next(iter(dev.warehouses.list())).id
    run(dev, warehouse, "CREATE SCHEMA IF NOT EXISTS dev.suite")
    run(dev, warehouse, "CREATE OR REPLACE TABLE dev.suite.t (id BIGINT, v STRING)")
    inserted = run(dev, warehouse, "INSERT INTO dev.suite.t VALUES (1, 'a'), (2, NULL)")
    assert rows(inserted)[0][0] == "2"
    updated = run(dev, warehouse, "UPDATE dev.suite.t SET v = 'b' WHERE id = 2")
    assert rows(updated)[0][0] == "1"
    assert rows(run(dev, warehouse, "SELECT id, v FROM dev.suite.t ORDER BY id")) == [["1", "a"], ["2", "b"]]
    history = run(dev, warehouse, "DESCRIBE HISTORY dev.suite.t")
    position = [c.name for c in history.manifest.schema.columns].index("operation")
    operations = [row[position] for row in rows(history)]
    assert operations[0] == "UPDATE" and operations[1] == "WRITE"
    assert rows(run(dev, warehouse, "SELECT v FROM dev.suite.t VERSION AS OF 1 ORDER BY id")) == [["a"], [None]]


def test_a_reader_may_not_write(sim):
    reader = sim.client("dev", "reader")
    warehouse = next(iter(reader.warehouses.list())).id
    try:
        answer = run(reader, warehouse, "CREATE SCHEMA dev.readers_own")
    except PermissionDenied:
        return
    assert answer.status.state is StatementState.FAILED
    assert "[INSUFFICIENT_PERMISSIONS]" in answer.status.error.message


def test_the_caller_decides_what_happens_at_the_time_out(prod, warehouse):
    answer = run(
        prod,
        warehouse,
        "SELECT 1",
        wait_timeout="5s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
    )
    assert rows(answer) == [["1"]]


def test_a_format_that_is_not_there_is_refused_as_such(prod, warehouse):
    """The SQL connector asks for Arrow unless it is told not to: it must not take JSON for it."""
    with pytest.raises(DatabricksError, match="ARROW_STREAM is not simulated") as refused:
        run(prod, warehouse, "SELECT 1", format=Format.ARROW_STREAM, disposition=Disposition.EXTERNAL_LINKS)
    assert refused.value.error_code == "NOT_IMPLEMENTED"
