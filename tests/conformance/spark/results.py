"""What a statement gave, on either engine, in one form; and whether two of them say the same."""

import dataclasses
import json
import math

# Sums of doubles depend on the order of their terms; nothing else may differ by even this much.
DOUBLE_TOLERANCE = 1e-12


@dataclasses.dataclass
class Result:
    """Columns as (name, type), rows of cells as text or None, or the error condition instead of both."""

    columns: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    rows: list[list[str | None]] = dataclasses.field(default_factory=list)
    error: str | None = None
    message: str = ""

    def without(self, volatile: list[str]) -> "Result":
        """The same with no values in these columns: they are a clock's or an engine's own."""
        at = [n for n, (name, _) in enumerate(self.columns) if name in volatile]
        rows = [[None if n in at else cell for n, cell in enumerate(row)] for row in self.rows]
        return dataclasses.replace(self, rows=rows)

    def __str__(self):
        if self.error:
            return f"{self.error}: {self.message[:300]}"
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns)
        return "\n      ".join([columns, *(" | ".join("NULL" if c is None else c for c in row) for row in self.rows[:12])])


def normal_type(kind: str) -> str:
    """`struct<a: int>` and `STRUCT<a:INT>` are one type."""
    return kind.upper().replace(" ", "")


def same_cell(kind: str, ours: str | None, theirs: str | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    if kind in ("DOUBLE", "FLOAT"):
        return same_double(float(ours), float(theirs))
    if kind.startswith(("ARRAY", "MAP", "STRUCT")):
        return same_nested(json.loads(ours), json.loads(theirs))
    return ours == theirs


def same_double(ours: float, theirs: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or math.isclose(ours, theirs, rel_tol=DOUBLE_TOLERANCE, abs_tol=1e-300)


def same_nested(ours, theirs) -> bool:
    """Nested values are JSON of texts; numbers inside may be spelled in two ways."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same_nested(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same_nested, ours, theirs))
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        try:
            return same_double(float(ours), float(theirs))
        except ValueError:
            return False
    return ours == theirs


def sort_key(row):
    return [(cell is not None, cell or "") for cell in row]


def disagreement(ours: Result, theirs: Result, ordered: bool) -> str | None:
    """What the two say differently: `error`, `columns`, `types`, `rows`; None when they agree."""
    if ours.error or theirs.error:
        return None if ours.error == theirs.error else "error"
    if [name for name, _ in ours.columns] != [name for name, _ in theirs.columns]:
        return "columns"
    types = [normal_type(kind) for _, kind in ours.columns]
    if types != [normal_type(kind) for _, kind in theirs.columns]:
        return "types"
    if len(ours.rows) != len(theirs.rows):
        return "rows"
    mine, yours = (ours.rows, theirs.rows) if ordered else (sorted(ours.rows, key=sort_key), sorted(theirs.rows, key=sort_key))
    for a, b in zip(mine, yours):
        if not all(map(same_cell, types, a, b)):
            return "rows"
    return None
