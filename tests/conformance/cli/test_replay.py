"""Replays the recorded requests of the official CLI, in order, against the simulator.

The recording lies outside the project (LAKESHIFT_CLI_RECORDING names its folder; CI has it beside the checkout). Its ids are another server's: each
is mapped to ours as soon as an answer tells it, in paths, queries, bodies and inside uploaded state files.
"""

import json
import os
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import ROOT, Simulator

RECORDING = pathlib.Path(os.environ.get("LAKESHIFT_CLI_RECORDING", ROOT.parent / "shared" / "fixtures" / "cli"))

#: Answer fields that name an object whose id the server chose.
ID_FIELDS = {"job_id", "run_id", "pipeline_id", "update_id", "object_id", "schema_id", "volume_id", "repair_id", "policy_id"}

#: Fields that a server may fill as it likes: instants, addresses, and what the recorded fake leaves out or invents (databricks-api.md wins).
FREE_FIELDS = ID_FIELDS | {
    "created_at", "created_time", "updated_at", "last_modified", "start_time", "end_time", "creation_time", "run_page_url",
    "storage_location", "metastore_id", "effective_predictive_optimization_flag", "enable_predictive_optimization", "catalog_type",
    "browse_only", "oidc_endpoint", "workspace_id", "id", "display_name", "state", "status", "message", "error_code", "etag",
    "latest_updates", "health", "tasks", "next_page_token", "notebook_output", "metadata",
}  # fmt: skip

#: Routes whose answers the tool does not read, or whose success the recorded fake makes up.
UNREAD = ("/telemetry-ext",)


def phases():
    folder = RECORDING / "traffic"
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


class Ids:
    """Recorded ids and ours."""

    def __init__(self):
        self.ours: dict[str, str] = {}

    def learn(self, recorded, answered):
        if isinstance(recorded, dict) and isinstance(answered, dict):
            for key, value in recorded.items():
                if key in ID_FIELDS and key in answered and not isinstance(value, (dict, list)):
                    theirs, ours = str(value).rsplit("/", 1)[-1], str(answered[key]).rsplit("/", 1)[-1]
                    if theirs and theirs != ours:
                        self.ours[theirs] = ours
                elif key in answered:
                    self.learn(value, answered[key])
        elif isinstance(recorded, list) and isinstance(answered, list):
            by_key = {entry["task_key"]: entry for entry in answered if isinstance(entry, dict) and "task_key" in entry}
            for entry in recorded:
                # Another server may list in another order: only what has a name of its own is known again.
                if isinstance(entry, dict) and entry.get("task_key") in by_key:
                    self.learn(entry, by_key[entry["task_key"]])

    def translate(self, text: str) -> str:
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return text


def send(host: str, token: str, entry: dict, ids: Ids):
    query = urllib.parse.urlencode({k: ids.translate(str(v)) for k, v in (entry.get("query") or {}).items()})
    url = host + ids.translate(entry["path"]) + (f"?{query}" if query else "")
    body = entry.get("body")
    if body is not None:
        body = ids.translate(body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {k: v for k, v in entry["headers"].items() if k not in ("Authorization", "X-Databricks-Workspace-Id")}
    headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, method=entry["method"], data=body, headers=headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 429:
                # The tool asks at most 15 times a second; we are faster, and wait as told.
                time.sleep(int(error.headers["Retry-After"]))
                continue
            status, text = error.code, error.read().decode()
        break
    try:
        return status, json.loads(text) if text else None
    except json.JSONDecodeError:
        return status, text


def differences(recorded, answered, ids: Ids, where=""):
    """What the tool would see in the recorded answer and not in ours. More fields than recorded are fine."""
    if recorded is None:
        return []
    if isinstance(recorded, dict):
        if not isinstance(answered, dict):
            return [f"{where}: {answered!r} instead of an object"] if recorded else []
        found = []
        for key, value in recorded.items():
            if key in FREE_FIELDS or value in ({}, [], None, ""):
                continue
            if key not in answered:
                found.append(f"{where}/{key} is missing")
            else:
                found += differences(value, answered[key], ids, f"{where}/{key}")
        return found
    if isinstance(recorded, list):
        if not isinstance(answered, list):
            return [f"{where}: {answered!r} instead of a list"]
        missing = []
        for entry in recorded:
            if all(differences(entry, candidate, ids) for candidate in answered):
                missing.append(f"{where} lacks {json.dumps(entry)[:300]}")
        return missing
    if ids.translate(str(recorded)) != str(answered):
        return [f"{where}: {answered!r} instead of {recorded!r}"]
    return []


def made_up(entry: dict) -> bool:
    """Whether the recorded fake's answer is its own invention: only the status of ours counts, or not even that."""
    path, query = urllib.parse.unquote(entry["path"]), entry.get("query") or {}
    # It runs notebooks with a local Python that was missing, its "active" runs are over, and it lists clusters unasked.
    active = path.endswith("/runs/list") and query.get("active_only") == "true"
    return active or path.endswith(("/runs/get-output", "/jobs/list"))


def tolerated(entry: dict, status: int) -> bool:
    """The fake removes what is not there; the service says 404, which the tool takes as well (bundles.md 8)."""
    return entry["path"].endswith("/workspace/delete") and status == 404 and "artifacts/.internal" in str(entry["body"])


def test_the_recorded_cli_finds_the_workspace_that_it_expects(tmp_path):
    files = phases()
    if not files:
        message = f"NO RECORDING of the official CLI below {RECORDING}: set LAKESHIFT_CLI_RECORDING"
        assert not os.environ.get("CI") or not (ROOT.parent / "shared").is_dir(), message
        pytest.skip(message)
    # One workspace plays all targets, as in the recording.
    sim = Simulator(tmp_path, "--scenario", "bundle")
    try:
        workspace = sim.workspace("prod")
        ids, problems, count, asked_before = Ids(), [], 0, None
        for file in files:
            for line in file.read_text().splitlines():
                entry = json.loads(line)
                if entry["path"].endswith("/runs/get") and entry["query"] == asked_before:
                    sim.advance(3600)  # The tool waited for the run.
                asked_before = entry.get("query")
                if any(entry["path"].endswith(route) for route in UNREAD):
                    continue
                status, answer = send(workspace["host"], workspace["tokens"]["author"], entry, ids)
                count += 1
                label = f"{file.stem}: {entry['method']} {urllib.parse.unquote(entry['path'])} {entry.get('query') or ''}"
                if status != entry["status"] and not tolerated(entry, status):
                    problems.append(f"{label}: status {status} instead of {entry['status']}: {str(answer)[:200]}")
                    continue
                ids.learn(entry.get("answer"), answer)
                if not made_up(entry):
                    problems += [f"{label}: {found}" for found in differences(entry.get("answer"), answer, ids)]
            sim.advance(600)
        assert count > 300
        assert not problems, f"{len(problems)} of {count}:\n" + "\n".join(problems[:40])
    finally:
        sim.stop()
