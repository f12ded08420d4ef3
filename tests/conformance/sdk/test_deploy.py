"""A deployment as SDK calls, in the order in which the official CLI makes them: CI has no CLI (tests/conformance/bundle has one)."""

import io
import json
import time

import pytest
from databricks.sdk.errors import AlreadyExists, BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service.catalog import PermissionsChange, Privilege, VolumeType
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.jobs import (
    CronSchedule,
    ForEachTask,
    JobSettings,
    NotebookTask,
    PauseStatus,
    PipelineTask,
    SparkPythonTask,
    SqlTask,
    SqlTaskFile,
    Task,
    TaskDependency,
)
from databricks.sdk.service.jobs import RunLifeCycleState as Life
from databricks.sdk.service.pipelines import FileLibrary, PipelineLibrary, UpdateInfoState
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, ObjectType


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    from conftest import Simulator

    simulator = Simulator(tmp_path_factory.mktemp("deploy"), "--scenario", "bundle", "--speed", "600")
    yield simulator
    simulator.stop()


@pytest.fixture(scope="module")
def prod(bench):
    return bench.client("prod", "author")


class Deployment:
    """The state that a deployment keeps in the workspace, and the steps that the CLI takes with it."""

    def __init__(self, client, name, who="tester@databricks.com"):
        self.w, self.name, self.who = client, name, who
        self.root = f"/Workspace/Users/{who}/.bundle/{name}/prod"
        self.schema = f"prod.{name}_ops"

    def import_file(self, path, content, overwrite):
        query = {"overwrite": str(overwrite).lower()}
        target = "/api/2.0/workspace-files/import-file/" + path.lstrip("/").replace("/", "%2F")
        self.w.api_client.do("POST", target, query=query, data=content, headers={"Content-Type": "application/octet-stream"})

    def write(self, path, content, overwrite=True):
        try:
            self.import_file(path, content, overwrite)
        except NotFound:
            self.w.workspace.mkdirs(path.rsplit("/", 1)[0])
            self.import_file(path, content, overwrite)

    def read(self, path):
        return self.w.workspace.download(path).read().decode()

    def lock(self, owner, force=False):
        self.write(f"{self.root}/state/deploy.lock", json.dumps({"ID": owner, "IsForced": force}), overwrite=force)
        assert json.loads(self.read(f"{self.root}/state/deploy.lock"))["ID"] == owner

    def unlock(self):
        self.w.workspace.delete(f"{self.root}/state/deploy.lock")

    def state(self):
        try:
            return json.loads(self.read(f"{self.root}/state/resources.json"))
        except NotFound:
            return {}

    def settings(self, pipeline_id, warehouse_id, timeout=1800):
        files = f"{self.root}/files"
        return JobSettings(
            name=self.name,
            timeout_seconds=timeout,
            max_concurrent_runs=2,
            tags={"product": self.name},
            schedule=CronSchedule("0 20 4 * * ?", "UTC", pause_status=PauseStatus.PAUSED),
            tasks=[
                Task("load", notebook_task=NotebookTask(f"{files}/load"), max_retries=0),
                Task("refine", depends_on=[TaskDependency("load")], pipeline_task=PipelineTask(pipeline_id)),
                Task(
                    "each",
                    depends_on=[TaskDependency("refine")],
                    for_each_task=ForEachTask(
                        inputs="[1, 2, 3]", task=Task("one", spark_python_task=SparkPythonTask(f"{files}/one.py"))
                    ),
                ),
                Task("publish", sql_task=SqlTask(warehouse_id, file=SqlTaskFile(f"{files}/publish.sql"))),
            ],
        )

    def deploy(self, timeout=1800, die_before_job=False):
        """Like the CLI: lock, upload, create what the state does not know, replace what differs, state, unlock."""
        w, state = self.w, self.state()
        for name, text in {
            "load.py": "# Databricks notebook source\nprint(1)\n",
            "one.py": "print(2)\n",
            "publish.sql": "SELECT 1\n",
            "refined.sql": "CREATE STREAMING TABLE refined AS SELECT 1\n",
        }.items():
            self.write(f"{self.root}/files/{name}", text)
        if "pipeline" not in state:
            libraries = [PipelineLibrary(file=FileLibrary(f"{self.root}/files/refined.sql"))]
            created = w.pipelines.create(
                name=self.name, catalog="prod", schema=self.name, serverless=True, libraries=libraries, allow_duplicate_names=False
            )
            state["pipeline"] = created.pipeline_id
            self.save(state)
        if "schema" not in state:
            state["schema"] = w.schemas.create(f"{self.name}_ops", "prod").full_name
            w.volumes.create("prod", f"{self.name}_ops", "landing", VolumeType.MANAGED)
            self.save(state)
        change = PermissionsChange(principal="data-platform", add=[Privilege.SELECT, Privilege.USE_SCHEMA], remove=[Privilege.ALL_PRIVILEGES])
        w.grants.update("schema", self.schema, changes=[change])
        if die_before_job:
            return state
        warehouse = next(x.id for x in w.warehouses.list() if x.name == "jobs")
        wanted = self.settings(state["pipeline"], warehouse, timeout)
        if "job" not in state:
            state["job"] = w.api_client.do("POST", "/api/2.2/jobs/create", body=wanted.as_dict())["job_id"]
        else:
            w.jobs.reset(state["job"], wanted)
        self.save(state)
        owner = AccessControlRequest(user_name=self.who, permission_level=PermissionLevel.IS_OWNER)
        viewers = AccessControlRequest(group_name="auditors", permission_level=PermissionLevel.CAN_VIEW)
        w.permissions.set("jobs", str(state["job"]), access_control_list=[owner, viewers])
        return state

    def save(self, state):
        self.write(f"{self.root}/state/resources.json", json.dumps(state))

    def differences(self, state, timeout=1800):
        """What a second plan would want to change: nothing that was sent may read back otherwise."""
        warehouse = next(x.id for x in self.w.warehouses.list() if x.name == "jobs")
        wanted = self.settings(state["pipeline"], warehouse, timeout).as_dict()
        return list(missing(wanted, self.w.jobs.get(state["job"]).settings.as_dict()))

    def destroy(self, state):
        self.w.schemas.delete(self.schema, force=True)
        self.w.jobs.delete(state["job"])
        self.w.pipelines.delete(state["pipeline"])
        self.w.workspace.delete(self.root, recursive=True)


def missing(wanted, found, place=""):
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            if key not in (found or {}):
                yield f"{place}/{key} is gone"
            else:
                yield from missing(value, found[key], f"{place}/{key}")
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        for one, other in zip(wanted, found, strict=True):
            yield from missing(one, other, place)
    elif wanted != found:
        yield f"{place}: {found!r} instead of {wanted!r}"


def test_the_life_of_a_deployment(prod):
    it = Deployment(prod, "returns")
    it.lock("first")
    state = it.deploy()
    it.unlock()
    assert it.state() == state
    assert it.differences(state) == []
    assert prod.workspace.get_status(f"{it.root}/files/load").object_type is ObjectType.NOTEBOOK
    with pytest.raises(NotFound):
        prod.workspace.get_status(f"{it.root}/files/load.py")
    [grant] = prod.grants.get("schema", it.schema).privilege_assignments
    assert grant.principal == "data-platform" and set(grant.privileges) == {Privilege.SELECT, Privilege.USE_SCHEMA}

    # It runs, both alone and together.
    run = prod.jobs.run_now(state["job"]).result()
    assert run.state.life_cycle_state is Life.TERMINATED and {t.task_key for t in run.tasks} == {"load", "refine", "each", "publish"}
    each = prod.jobs.get_run(next(t.run_id for t in run.tasks if t.task_key == "each"))
    assert len(each.iterations) == 3
    update = prod.pipelines.start_update(state["pipeline"]).update_id
    for _ in range(60):
        reached = prod.pipelines.get_update(state["pipeline"], update).update.state
        if reached in (UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED):
            break
        time.sleep(0.5)
    assert reached is UpdateInfoState.COMPLETED
    events = prod.pipelines.list_pipeline_events(state["pipeline"], filter=f"update_id = '{update}'")
    assert "prod.returns.refined" in {e.origin.flow_name for e in events}

    # Somebody changes it by hand: the next deployment sees and mends it.
    prod.jobs.update(state["job"], new_settings=JobSettings(timeout_seconds=60))
    assert it.differences(state) == ["/timeout_seconds: 60 instead of 1800"]
    it.deploy(timeout=2400)
    assert it.differences(state, timeout=2400) == []

    it.destroy(state)
    for gone in (
        lambda: prod.jobs.get(state["job"]),
        lambda: prod.pipelines.get(state["pipeline"]),
        lambda: prod.schemas.get(it.schema),
        lambda: prod.workspace.get_status(it.root),
    ):
        with pytest.raises((NotFound, BadRequest)):
            gone()


def test_a_held_lock_refuses_until_it_is_forced(prod):
    it = Deployment(prod, "locked")
    it.lock("somebody")
    with pytest.raises((AlreadyExists, ResourceAlreadyExists, DatabricksError)) as refused:
        it.lock("another")
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert json.loads(it.read(f"{it.root}/state/deploy.lock"))["ID"] == "somebody"
    it.lock("another", force=True)
    it.unlock()
    it.lock("third")


def test_a_deployment_that_died_half_way_is_finished_by_the_next(prod):
    it = Deployment(prod, "halves")
    it.lock("dies")
    half = it.deploy(die_before_job=True)
    assert "job" not in it.state()
    it.lock("repeats", force=True)
    whole = it.deploy()
    it.unlock()
    assert {"pipeline": whole["pipeline"], "schema": whole["schema"]} == half, "what was made is made once"
    assert it.differences(whole) == []
    names = [p.name for p in prod.pipelines.list_pipelines(filter="name LIKE 'halves'")]
    assert names == ["halves"]
    it.destroy(whole)


def test_a_stranger_neither_reads_the_state_nor_takes_the_lock(bench, prod):
    it = Deployment(prod, "private")
    it.lock("mine")
    other = Deployment(bench.client("prod", "operator"), "private")
    with pytest.raises(PermissionDenied):
        other.read(f"{it.root}/state/deploy.lock")
    with pytest.raises(PermissionDenied):
        other.import_file(f"{it.root}/state/deploy.lock", "theirs", True)


def test_the_sdks_own_upload_knows_a_notebook(prod):
    home = "/Workspace/Users/tester@databricks.com"
    prod.workspace.upload(f"{home}/up.py", io.BytesIO(b"# Databricks notebook source\nprint(1)"), format=ImportFormat.AUTO)
    assert prod.workspace.get_status(f"{home}/up").object_type is ObjectType.NOTEBOOK
    prod.workspace.upload(f"{home}/raw.py", io.BytesIO(b"# Databricks notebook source\n"), format=ImportFormat.RAW)
    assert prod.workspace.get_status(f"{home}/raw.py").object_type is ObjectType.FILE
    names = {o.path.rsplit("/", 1)[1] for o in prod.workspace.list(home)}
    assert {"up", "raw.py"} <= names


def test_a_notebook_is_exported_in_either_form(prod):
    """A notebook that came as Jupyter's JSON is a source where a source is asked for, as `bundle generate` does."""
    home = "/Workspace/Users/tester@databricks.com"
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ["print(1)"]}]
    body = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    prod.workspace.upload(f"{home}/told.ipynb", io.BytesIO(body), format=ImportFormat.AUTO, overwrite=True)
    status = prod.api_client.do("GET", "/api/2.0/workspace/get-status", query={"path": f"{home}/told", "return_export_info": "true"})
    assert status["repos_export_format"] == "JUPYTER"
    source = prod.workspace.download(f"{home}/told", format=ExportFormat.SOURCE).read()
    assert source == b"# Databricks notebook source\nprint(1)\n"
    assert json.loads(prod.workspace.download(f"{home}/told", format=ExportFormat.JUPYTER).read())["cells"]
