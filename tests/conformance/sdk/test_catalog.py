"""Unity Catalog, permissions, policies: what one face writes, the other reads."""

import pytest
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, PermissionDenied
from databricks.sdk.service.catalog import PermissionsChange, Privilege, TableType, VolumeType
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel


@pytest.fixture(scope="module")
def warehouse(dev):
    return next(iter(dev.warehouses.list())).id


@pytest.fixture(scope="module")
def run(dev, warehouse):
    def execute(statement):
        answer = dev.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
        assert answer.status.state.value == "SUCCEEDED", answer.status.error
        return answer

    return execute


@pytest.fixture(scope="module")
def schema(dev):
    made = dev.schemas.create(name="catalog_suite", catalog_name="dev", comment="made by the SDK")
    yield made
    dev.schemas.delete(made.full_name, force=True)


def test_catalogs(dev):
    names = {catalog.name for catalog in dev.catalogs.list()}
    assert "dev" in names and "system" in names
    assert dev.catalogs.get("dev").owner
    with pytest.raises(NotFound):
        dev.catalogs.get("nowhere")


def test_schemas(dev, schema):
    assert schema.full_name == "dev.catalog_suite" and schema.owner and schema.created_at
    assert schema.full_name in {s.full_name for s in dev.schemas.list(catalog_name="dev", max_results=1)}
    assert dev.schemas.get(schema.full_name).comment == "made by the SDK"
    assert dev.schemas.update(schema.full_name, comment="changed").comment == "changed"
    with pytest.raises(BadRequest):
        dev.schemas.create(name="catalog_suite", catalog_name="dev")


def test_tables_and_views_made_by_sql_show_in_rest(dev, schema, run):
    run("CREATE TABLE dev.catalog_suite.orders (id BIGINT NOT NULL COMMENT 'key', amount DECIMAL(12,2), at TIMESTAMP)")
    run("CREATE VIEW dev.catalog_suite.recent AS SELECT id, amount FROM dev.catalog_suite.orders")
    table = dev.tables.get("dev.catalog_suite.orders")
    assert table.table_type is TableType.MANAGED
    assert [(c.name, c.type_text, c.nullable, c.position) for c in table.columns] == [
        ("id", "bigint", False, 0),
        ("amount", "decimal(12,2)", True, 1),
        ("at", "timestamp", True, 2),
    ]
    assert table.columns[0].comment == "key"
    view = dev.tables.get("dev.catalog_suite.recent")
    assert view.table_type is TableType.VIEW
    assert "FROM dev.catalog_suite.orders" in view.view_definition
    assert {t.name for t in dev.tables.list("dev", "catalog_suite", max_results=1)} == {"orders", "recent"}


def test_altering_a_view_keeps_its_id_and_grants(dev, schema, run):
    run("CREATE VIEW dev.catalog_suite.kept AS SELECT 1 AS a")
    before = dev.tables.get("dev.catalog_suite.kept")
    dev.grants.update(
        "TABLE", "dev.catalog_suite.kept", changes=[PermissionsChange(principal="analysts", add=[Privilege.SELECT])]
    )
    run("ALTER VIEW dev.catalog_suite.kept AS SELECT 2 AS a")
    after = dev.tables.get("dev.catalog_suite.kept")
    assert after.table_id == before.table_id and "2" in after.view_definition
    [grant] = dev.grants.get("TABLE", "dev.catalog_suite.kept").privilege_assignments
    assert grant.principal == "analysts" and grant.privileges == [Privilege.SELECT]


def test_effective_grants_name_where_they_come_from(dev, schema):
    dev.grants.update(
        "SCHEMA", schema.full_name, changes=[PermissionsChange(principal="auditors", add=[Privilege.SELECT])]
    )
    assignments = dev.grants.get_effective("SCHEMA", schema.full_name).privilege_assignments
    of_auditors = next(a for a in assignments if a.principal == "auditors")
    assert Privilege.SELECT in {p.privilege for p in of_auditors.privileges}
    dev.grants.update(
        "SCHEMA", schema.full_name, changes=[PermissionsChange(principal="auditors", remove=[Privilege.SELECT])]
    )
    left = dev.grants.get("SCHEMA", schema.full_name).privilege_assignments or []
    assert "auditors" not in {a.principal for a in left}


def test_volumes(dev, schema):
    volume = dev.volumes.create("dev", "catalog_suite", "landing", VolumeType.MANAGED)
    assert volume.full_name == "dev.catalog_suite.landing"
    assert [v.name for v in dev.volumes.list("dev", "catalog_suite")] == ["landing"]
    assert dev.volumes.read(volume.full_name).volume_id == volume.volume_id
    dev.volumes.delete(volume.full_name)
    with pytest.raises(NotFound):
        dev.volumes.read(volume.full_name)


def test_job_permissions_replace_and_patch(dev):
    me = dev.current_user.me().user_name
    job = next(job for job in dev.jobs.list() if job.creator_user_name == me)
    before = dev.permissions.get("jobs", str(job.job_id))
    assert before.object_type == "job" and before.object_id == f"/jobs/{job.job_id}"
    owners = [a for a in before.access_control_list for p in a.all_permissions if p.permission_level is PermissionLevel.IS_OWNER]
    assert len(owners) == 1
    owner = AccessControlRequest(user_name=owners[0].user_name, permission_level=PermissionLevel.IS_OWNER)
    viewer = AccessControlRequest(group_name="analysts", permission_level=PermissionLevel.CAN_VIEW)
    dev.permissions.set("jobs", str(job.job_id), access_control_list=[owner, viewer])
    groups = {a.group_name for a in dev.permissions.get("jobs", str(job.job_id)).access_control_list}
    assert {"analysts", "admins"} <= groups
    with pytest.raises((InvalidParameterValue, BadRequest), match="exactly one owner"):
        dev.permissions.set("jobs", str(job.job_id), access_control_list=[viewer])
    levels = {level.permission_level for level in dev.permissions.get_permission_levels("jobs", str(job.job_id)).permission_levels}
    assert {PermissionLevel.CAN_VIEW, PermissionLevel.CAN_MANAGE_RUN, PermissionLevel.CAN_MANAGE, PermissionLevel.IS_OWNER} == levels


def test_cluster_policies(dev):
    policies = list(dev.cluster_policies.list())
    assert policies and policies[0].definition
    assert dev.cluster_policies.get(policies[0].policy_id).name == policies[0].name
    with pytest.raises((NotFound, BadRequest)):
        dev.cluster_policies.get("0000000000000000")


def test_a_reader_may_not_grant(sim, schema):
    reader = sim.client("dev", "reader")
    with pytest.raises(PermissionDenied):
        reader.grants.update(
            "SCHEMA", schema.full_name, changes=[PermissionsChange(principal="reader", add=[Privilege.MODIFY])]
        )
