"""`lakeshift sim` as an engine, through its statement API over HTTP."""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

from results import Result

CONDITION = re.compile(r"^\[([A-Z0-9_.]+)\]")


class Simulator:
    """A child process; statements go to one warehouse of its dev workspace, with the rights of its CI."""

    def __init__(self, folder):
        command = [os.environ["LAKESHIFT_BIN"], "sim", "--seed", "7", "--scenario", "calm", "--speed", "1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        start = json.loads(self.process.stdout.readline())
        self.admin = start["admin"].rstrip("/")
        self.statements_take(1)
        workspace = next(w for w in start["workspaces"] if w["environment"] == "dev")
        self.host = workspace["host"].rstrip("/")
        self.token = workspace["tokens"]["ci"]
        warehouses = self.ask("GET", "/api/2.0/sql/warehouses")["warehouses"]
        self.warehouse = warehouses[0]["id"]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0, "SIGTERM ends the simulator cleanly"

    def statements_take(self, milliseconds: int):
        """How long a statement lies between its snapshot and its commit."""
        self.ask("POST", "/statements", {"takes_ms": milliseconds}, at=self.admin, token="")

    def ask(self, method: str, path: str, body: dict | None = None, at: str | None = None, token: str | None = None) -> dict:
        request = urllib.request.Request(
            (at or self.host) + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token if token is None else token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"{}")

    def execute(self, sql: str, parameters: list[tuple[str, str, str | None]] = ()) -> Result:
        marked = [{"name": n, "type": t} | ({} if v is None else {"value": v}) for n, t, v in parameters]
        body = {"statement": sql, "warehouse_id": self.warehouse, "wait_timeout": "50s", "parameters": marked}
        try:
            answer = self.ask("POST", "/api/2.0/sql/statements", body)
        except urllib.error.HTTPError as error:
            return Result(error=f"HTTP {error.code}", message=error.read().decode())
        while answer["status"]["state"] in ("PENDING", "RUNNING"):
            time.sleep(0.05)
            answer = self.ask("GET", f"/api/2.0/sql/statements/{answer['statement_id']}")
        status = answer["status"]
        if status["state"] != "SUCCEEDED":
            message = status.get("error", {}).get("message", "")
            found = CONDITION.match(message)
            return Result(error=found[1] if found else status["state"], message=message)
        columns = answer["manifest"]["schema"].get("columns", [])
        chunk, rows = answer.get("result", {}), []
        while True:
            rows += chunk.get("data_array", [])
            if "next_chunk_index" not in chunk:
                break
            chunk = self.ask("GET", chunk["next_chunk_internal_link"])
        assert len(rows) == answer["manifest"]["total_row_count"]
        return Result([(column["name"], column["type_text"]) for column in columns], rows)
