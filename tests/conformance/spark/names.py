"""Three-level names on Spark, which has one catalog only: `main.shop.orders` becomes `main__shop.orders`.

lakeshift writes names into its statements in one function (`QualifiedName::sql`); the corpus writes them as people do.
Both forms are found here, and nothing else of a statement is changed.
"""

import re

CATALOGS = ("main", "prod", "ops")
LEVEL = r"(?:`(?P<{0}q>(?:[^`]|``)+)`|(?P<{0}b>\w+))"
CATALOG = r"(?:`(?:{0})`|(?:{0}))".format("|".join(CATALOGS))
# A catalog's name that is no part of a longer one, followed by a schema's.
NAME = re.compile(rf"(?<![\w.`'])(?P<c>{CATALOG})\.{LEVEL.format('s')}")
# The beginning of a name that a statement puts together from texts: 'main.shop.'.
IN_TEXT = re.compile(rf"'(?P<c>{'|'.join(CATALOGS)})\.(?P<s>\w+)\.'")


def for_spark(sql: str) -> str:
    """The statement with its names in Spark's one catalog."""

    def level(found: re.Match) -> str:
        schema = found["sq"] or found["sb"]
        return f"`{found['c'].strip('`')}__{schema}`"

    return IN_TEXT.sub(lambda m: f"'{m['c']}__{m['s']}.'", NAME.sub(level, sql))


def from_spark(cell: str) -> str:
    """A schema's name in a result, as the simulator shows it."""
    for catalog in CATALOGS:
        if cell.startswith(f"{catalog}__"):
            return cell.removeprefix(f"{catalog}__")
    return cell
