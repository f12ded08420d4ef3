"""Starts `lakeshift sim` and hands each test the vendor's own SDK, connected as an ordinary user would connect it."""

import json
import os
import pathlib
import subprocess
import urllib.request

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary() -> str:
    """The program under test: LAKESHIFT_BIN, or the debug build, built now if it is missing or old."""
    given = os.environ.get("LAKESHIFT_BIN")
    if given:
        return given
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return str(ROOT / "target" / "debug" / "lakeshift")


class Simulator:
    """`lakeshift sim` as a child process."""

    def __init__(self, folder: pathlib.Path, *flags: str):
        self.request_log = folder / "requests.ndjson"
        self.process = subprocess.Popen(
            [binary(), "sim", "--seed", "7", "--request-log", str(self.request_log), *flags],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.start = json.loads(self.process.stdout.readline())

    def workspace(self, environment: str) -> dict:
        return next(w for w in self.start["workspaces"] if w["environment"] == environment)

    def client(self, environment: str = "prod", role: str = "operator") -> WorkspaceClient:
        workspace = self.workspace(environment)
        return WorkspaceClient(host=workspace["host"], token=workspace["tokens"][role])

    def client_of_ci(self, environment: str = "prod") -> WorkspaceClient:
        workspace = self.workspace(environment)
        return WorkspaceClient(
            host=workspace["host"], client_id=workspace["client_id"], client_secret=workspace["client_secret"]
        )

    def admin(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(
            self.start["admin"].rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def advance(self, seconds: float):
        return self.admin("POST", "/advance", {"seconds": seconds})

    def routes(self) -> set[tuple[str, str]]:
        """Every (method, route) that was asked so far."""
        lines = self.request_log.read_text().splitlines()
        return {(entry["method"], entry["route"]) for entry in map(json.loads, lines)}

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0, "SIGTERM ends the simulator cleanly"


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch, tmp_path):
    """The SDK must see only what a test gives it."""
    for name in [n for n in os.environ if n.startswith(("DATABRICKS_", "ARM_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "absent.cfg"))


@pytest.fixture(scope="session")
def sim(tmp_path_factory):
    """A calm world at sixty times wall time, so that the SDK's own waiters end soon."""
    simulator = Simulator(tmp_path_factory.mktemp("sim"), "--scenario", "calm", "--speed", "60")
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def prod(sim):
    return sim.client("prod", "operator")


@pytest.fixture(scope="session")
def staging(sim):
    return sim.client("staging", "operator")


@pytest.fixture(scope="session")
def dev(sim):
    return sim.client("dev", "operator")


@pytest.fixture
def config_class():
    return Config
