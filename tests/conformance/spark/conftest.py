"""The two engines, started once, and the list of the known differences."""

import pathlib
import tomllib

import pytest

import spark as spark_engine
from simulator import Simulator
from spark import Spark


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    engine = Spark(spark_engine.start(tmp_path_factory.mktemp("spark")))
    yield engine
    engine.session.stop()


@pytest.fixture(scope="session")
def sim(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("sim"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def differences():
    """Of each file the known differences: statement → (what differs, reason)."""
    text = (pathlib.Path(__file__).parent / "differences.toml").read_text()
    return tomllib.loads(text)["difference"]
