"""Reads the corpus files; their form is told in tests/it/sql_corpus.rs."""

import dataclasses
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "sql"


@dataclasses.dataclass
class Block:
    file: str
    line: int
    user: str
    sql: str
    name: str | None = None
    volatile: list[str] = dataclasses.field(default_factory=list)
    parameters: list[tuple[str, str, str | None]] = dataclasses.field(default_factory=list)

    @property
    def key(self) -> str:
        """How differences.toml calls it."""
        return f"@{self.name}" if self.name else self.sql

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def ordered(self) -> bool:
        return "ORDER BY" in self.sql.upper()


def statements() -> dict[str, dict]:
    """What lakeshift sends, by name."""
    return {statement["name"]: statement for statement in json.loads((FOLDER / "statements.json").read_text())}


def quoted(name: str) -> str:
    """A name as `QualifiedName::sql` writes it."""
    return ".".join("`" + level.replace("`", "``") + "`" for level in name.split("."))


def read(path: pathlib.Path) -> list[Block]:
    user, blocks, parts, known = "root", [], {}, statements()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        sign, rest = line[:1], line[1:].strip()
        if sign == "@":
            user = rest
        elif sign == "%":
            marker, value = rest.removeprefix("=").strip().split(" ", 1)
            parts[marker] = value if rest.startswith("=") else quoted(value)
        elif sign == ">" and rest.startswith("@"):
            text = re.sub(r"\{([a-z_]+)\}", lambda m: parts[m[1]], known[rest[1:]]["text"])
            blocks.append(Block(path.name, number, user, text, name=rest[1:]))
        elif sign == ">":
            blocks.append(Block(path.name, number, user, rest))
        elif sign == "~":
            blocks[-1].volatile = rest.split(", ")
        elif sign == "$":
            name, kind, *value = rest.split(" ", 2)
            blocks[-1].parameters.append((name, kind, value[0] if value else None))
        elif sign not in ("", "#", ":", "|", "!"):
            raise ValueError(f"{path.name}:{number}: what is {sign!r}?")
    return blocks


def files() -> list[pathlib.Path]:
    return sorted(FOLDER.glob("*.corpus"))
