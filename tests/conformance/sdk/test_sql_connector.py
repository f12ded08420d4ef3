"""databricks-sql-connector over the statement API with sessions."""

import datetime
import decimal

import pytest
from databricks import sql
from databricks.sql.exc import Error


@pytest.fixture(scope="module")
def connection(sim, dev):
    workspace = sim.workspace("dev")
    warehouse = next(iter(dev.warehouses.list())).id
    hostname, port = workspace["host"].rsplit(":", 1)
    with sql.connect(
        server_hostname=hostname,
        _port=int(port),
        http_path=f"/sql/1.0/warehouses/{warehouse}",
        access_token=workspace["tokens"]["operator"],
        use_sea=True,
        # Arrow files need pyarrow, which the connector does not install.
        use_cloud_fetch=False,
        # For its telemetry it asks for flags at port 80, whatever the port is, and tries for half a minute.
        enable_telemetry=False,
    ) as connected:
        yield connected


def test_typed_rows(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST(1 AS BIGINT) AS l, 'x' AS s, CAST(1.5 AS DECIMAL(5,1)) AS m, DATE'2026-01-31' AS d, NULL AS n")
        [row] = cursor.fetchall()
    assert (row.l, row.s, row.m, row.d, row.n) == (1, "x", decimal.Decimal("1.5"), datetime.date(2026, 1, 31), None)


def test_errors_are_typed(connection):
    with connection.cursor() as cursor, pytest.raises(Error, match="TABLE_OR_VIEW_NOT_FOUND"):
        cursor.execute("SELECT * FROM dev.nowhere.nothing")


def test_many_rows(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM range(5000) ORDER BY id")
        assert [row.id for row in cursor.fetchall()] == list(range(5000))
