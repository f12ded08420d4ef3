"""Generated rows, queries and changes. One seed gives one set; what is generated must have one right answer.

Expressions come from a grammar: a template of a type has places for expressions of other types. What is left out, since
it has more than one right answer: order among equals, sums of doubles beyond their rounding, the time of day.
"""

import random
import re

# Columns of `items` by the type of expression that they are. `hi` and `lo` hold the ends of their types: they are only
# for what cannot overflow.
COLUMNS = {
    "INT": ["i", "n"],
    "BIGINT": ["b", "id"],
    "DEC": ["d", "e"],
    "DOUBLE": ["f", "g"],
    "STR": ["s", "w"],
    "NUMSTR": ["u"],
    "BOOL": ["t", "v"],
    "DATE": ["day"],
    "TS": ["at"],
    "EDGE": ["hi", "lo"],
}

ITEMS = (
    "id BIGINT, i INT, n INT, b BIGINT, d DECIMAL(10,2), e DECIMAL(20,6), f DOUBLE, g DOUBLE, s STRING, w STRING, "
    "u STRING, t BOOLEAN, v BOOLEAN, day DATE, at TIMESTAMP, hi INT, lo BIGINT"
)
KINDS = "k STRING, rank INT, weight DECIMAL(6,3), since DATE"

TEMPLATES = {
    "INT": [
        "regexp_count({STR}, '[a-c]')", "regexp_instr({STR}, '[,b ]')", "size(split({STR}, '[,b]'))", "levenshtein({STR}, {STR})",
        "shiftleft({INT}, 3)", "shiftright({INT}, 1)", "bit_count({INT})", "array_max(array({INT}, {SMALL}))", "array_min(array({INT}, {SMALL}))",
        "({INT} + {INT})", "({INT} - {INT})", "({INT} * {SMALL})", "({INT} % nullif({SMALL}, 0))", "pmod({INT}, 7)",
        "abs({INT})", "(-{INT})", "length({STR})", "year({DATE})", "month({DATE})", "dayofmonth({DATE})",
        "dayofweek({DATE})", "weekday({DATE})", "dayofyear({DATE})", "quarter({DATE})", "weekofyear({DATE})",
        "hour({TS})", "minute({TS})", "second({TS})", "datediff({DATE}, {DATE})", "instr({STR}, {TEXT})",
        "locate({TEXT}, {STR})", "ascii({STR})", "coalesce({INT}, {INT})", "nullif({INT}, {SMALL})",
        "if({BOOL}, {INT}, {INT})", "CASE WHEN {BOOL} THEN {INT} WHEN {BOOL} THEN {SMALL} ELSE {INT} END",
        "CASE {SMALL} WHEN {INT} THEN {INT} WHEN 1 THEN 2 END", "greatest({INT}, {INT}, {SMALL})", "least({INT}, {INT})",
        "CAST({BOOL} AS INT)", "CAST({TINY} AS INT)", "try_cast({NUMSTR} AS INT)", "size(split({STR}, ','))",
        "({INT} & {INT})", "({INT} | {SMALL})", "({INT} ^ {INT})", "(~{INT})", "extract(YEAR FROM {DATE})",
        "extract(DAY FROM {TS})", "nvl({INT}, {SMALL})", "nvl2({INT}, {SMALL}, {INT})", "unix_date({DATE})",
        "char_length({STR})", "try_add({EDGE_INT}, {SMALL})", "element_at(array({INT}, {INT}), 2)",
        "array({INT}, {SMALL})[1]", "size(array({INT}, {INT}))", "named_struct('a', {INT}, 'b', {STR}).a",
    ],
    "BIGINT": [
        "crc32({STR})", "array_position(array({INT}, {SMALL}), {SMALL})", "factorial({SMALL})",
        "({BIGINT} + {INT})", "({BIGINT} - {BIGINT})", "({INT} DIV nullif({SMALL}, 0))", "({BIGINT} DIV 7)",
        "xxhash64({STR})", "xxhash64({INT}, {STR}, {DEC})", "xxhash64({DATE}, {TS}, {BOOL}, {DOUBLECOL})",
        "xxhash64({BIGINT}, {DECWIDE})", "unix_timestamp({TS})", "unix_micros({TS})", "unix_millis({TS})",
        "unix_seconds({TS})", "timestampdiff(HOUR, {TS}, {TS})", "timestampdiff(DAY, {TS}, {TS})",
        "timestampdiff(MONTH, {TS}, {TS})", "floor({TINY})", "ceil({TINY})", "CAST({TS} AS BIGINT)",
        "CAST({INT} AS BIGINT)", "coalesce({BIGINT}, {INT})", "if({BOOL}, {INT}, {BIGINT})", "greatest({BIGINT}, {INT})",
        "try_cast({NUMSTR} AS BIGINT)", "CAST({DEC} AS BIGINT)", "({BIGINT} % 1000)", "abs({BIGINT})",
        "try_add({EDGE_BIGINT}, {BIGINT})",
    ],
    "DEC": [
        "({DEC} + {DEC})", "({DEC} - {DEC})", "({DEC} * {DECCOL})", "({DEC} / nullif({DECCOL}, 0))", "round({DEC}, 1)",
        "round({DEC})", "round({DEC}, -1)", "floor({DEC})", "ceil({DEC})", "abs({DEC})", "(-{DEC})", "CAST({INT} AS DECIMAL(12,3))",
        "CAST({DEC} AS DECIMAL(30,1))", "try_cast({NUMSTR} AS DECIMAL(8,3))", "coalesce({DEC}, {DEC})",
        "({DEC} % nullif({DECCOL}, 0))", "({DEC} + {INT})", "({DEC} * {SMALL})", "({INT} * 1.5)", "({INT} + 0.25)",
        "if({BOOL}, {DEC}, {DEC})", "greatest({DEC}, {DEC})", "least({DEC}, {INT})", "nullif({DEC}, {INT})",
        "CASE WHEN {BOOL} THEN {DEC} ELSE {SMALL} END", "({DEC} / {SMALLPOS})", "CAST({NUMBER} AS DECIMAL(20,4))",
        "try_divide({DEC}, {DECCOL})", "try_cast({DEC} AS DECIMAL(5,1))",
    ],
    "DOUBLE": [
        "cbrt({DOUBLE})", "atan({DOUBLE})", "sin({SMALL})", "log(2, abs({DOUBLE}) + 1)", "rint({DOUBLE})",
        "({DOUBLE} + {DOUBLE})", "({DOUBLE} - {DOUBLE})", "({DOUBLE} * {DOUBLE})", "({INT} / nullif({INT}, 0))",
        "sqrt(abs({DOUBLE}))", "round({DOUBLE}, 2)", "CAST({DEC} AS DOUBLE)", "power({SMALL}, 2)", "exp({SMALL})",
        "ln(abs({DOUBLE}) + 1)", "CAST({INT} AS DOUBLE)", "abs({DOUBLE})", "(-{DOUBLE})", "try_divide({INT}, {SMALL})",
        "coalesce({DOUBLE}, {INT})", "({DOUBLE} + {DEC})", "({DOUBLE} * {INT})", "CAST({FRACTION} AS DOUBLE)",
        "greatest({DOUBLE}, {INT})", "if({BOOL}, {DOUBLE}, {DEC})", "try_cast({NUMSTR} AS DOUBLE)", "signum({DOUBLE})",
        "log10(abs({DOUBLE}) + 1)", "log2(abs({INT}) + 1)", "({DOUBLE} / nullif({DOUBLE}, 0))", "({DOUBLE} % 3)",
    ],
    "STR": [
        "regexp_replace({STR}, '[a-c]+', '#')", "regexp_replace({STR}, '(.)(b)', '$2$1')", "regexp_extract({STR}, '([a-z])(.*)', 2)",
        "regexp_substr({STR}, '[a-z][a-z]')", "md5({STR})", "sha1({STR})", "translate({STR}, 'abe', 'xy')", "substring_index({STR}, ',', {SMALL})",
        "bin({INT})", "dayname({DATE})", "monthname({DATE})", "array_join(array_union(split({STR}, ','), split({STR}, 'b')), '|')",
        "concat({STR}, {STR})", "({STR} || {STR})", "upper({STR})", "lower({STR})", "trim({STR})", "ltrim({STR})",
        "rtrim({STR})", "substring({STR}, {SMALL})", "substring({STR}, {SMALL}, {SMALL})", "left({STR}, {SMALL})",
        "right({STR}, {SMALL})", "replace({STR}, {TEXT}, {TEXT})", "lpad({STR}, 6, {TEXT})", "rpad({STR}, 6, '*')",
        "reverse({STR})", "initcap({STR})", "repeat({STR}, 2)", "concat_ws('-', {STR}, {STR})", "CAST({INT} AS STRING)",
        "CAST({BIGINT} AS STRING)", "CAST({DEC} AS STRING)", "CAST({BOOL} AS STRING)", "CAST({DATE} AS STRING)",
        "CAST({TS} AS STRING)", "CAST({EDGE} AS STRING)", "CAST({PLAIN} AS STRING)",
        "date_format({TS}, 'yyyy-MM-dd HH:mm:ss')", "date_format({DATE}, 'yyyy/MM')", "split_part({STR}, 'a', 1)",
        "split({STR}, ',')[0]", "sha2({STR}, 256)", "hex({BIGINT})", "coalesce({STR}, {STR})",
        "CASE WHEN {BOOL} THEN {STR} ELSE {TEXT} END", "if({BOOL}, {STR}, {STR})", "nullif({STR}, {TEXT})",
        "from_unixtime({INT})", "get_json_object({JSON}, '$.a')", "get_json_object({JSON}, '$.b.c')",
        "base64(CAST({STR} AS BINARY))", "greatest({STR}, {STR})", "least({STR}, {STR})", "nvl({STR}, {TEXT})",
        "typeof({ANY})", "concat({INT}, {STR})", "trim(BOTH 'a' FROM {STR})", "array_join(array({STR}, {STR}), '+')",
        "array_join(split({STR}, ','), ';', 'none')", "element_at(split({STR}, ','), 1)", "to_json(named_struct('x', {INT}, 'y', {STR}))",
    ],
    "BOOL": [
        "({STR} RLIKE '^[a-z]+$')", "arrays_overlap(array({INT}), array({INT}, {SMALL}))",
        "({INT} = {INT})", "({INT} < {BIGINT})", "({DEC} >= {INT})", "({DOUBLE} > {DEC})", "({STR} = {STR})",
        "({STR} < {STR})", "({DATE} <= {DATE})", "({TS} > {TS})", "({DATE} < {TS})", "({BOOL} AND {BOOL})",
        "({BOOL} OR {BOOL})", "(NOT {BOOL})", "({ANY} IS NULL)", "({ANY} IS NOT NULL)", "({INT} IN ({SMALL}, {INT}, 3))",
        "({STR} IN ({TEXT}, {STR}))", "({STR} NOT IN ({TEXT}, 'x'))", "({INT} BETWEEN {SMALL} AND {INT})",
        "({DEC} NOT BETWEEN {SMALL} AND {DEC})", "({STR} LIKE {PATTERN})", "({STR} NOT LIKE {PATTERN})",
        "({STR} ILIKE {PATTERN})", "startswith({STR}, {TEXT})", "endswith({STR}, {TEXT})", "contains({STR}, {TEXT})",
        "({INT} <=> {INT})", "({STR} <=> {STR})", "({DEC} <> {DEC})", "({EDGE} = {EDGE})", "({EDGE} > {INT})",
        "coalesce({BOOL}, false)", "(CASE WHEN {BOOL} THEN {BOOL} END)", "({BOOL} = {BOOL})", "isnull({INT})",
        "isnotnull({STR})", "CAST({INT} AS BOOLEAN)", "({DATE} = {DATESTR})", "({INT} = {INTSTR})", "({BOOL} IS TRUE)",
        "({BOOL} IS NOT FALSE)", "array_contains(array({INT}, {SMALL}), {INT})",
        "({TS} BETWEEN {TS} AND {TS})",
    ],
    "DATE": [
        "date_add({DATE}, {SMALL})", "date_sub({DATE}, {SMALL})", "add_months({DATE}, {SMALL})", "last_day({DATE})",
        "trunc({DATE}, 'MM')", "trunc({DATE}, 'YEAR')", "CAST({TS} AS DATE)", "to_date({DATESTR})",
        "({DATE} + INTERVAL 3 DAYS)", "({DATE} - INTERVAL 1 MONTH)", "({DATE} + {SMALL})", "coalesce({DATE}, {DATE})",
        "greatest({DATE}, {DATE})", "if({BOOL}, {DATE}, {DATE})", "make_date(2024, {MONTH}, 28)", "CAST({DATESTR} AS DATE)",
        "try_cast({NUMSTR} AS DATE)", "({DATE} - INTERVAL '1-2' YEAR TO MONTH)",
    ],
    "TS": [
        "({TS} + INTERVAL 90 MINUTES)", "({TS} - INTERVAL 2 DAYS)", "({TS} + INTERVAL 1 MONTH)", "date_trunc('HOUR', {TS})",
        "date_trunc('DAY', {TS})", "date_trunc('MONTH', {TS})", "date_trunc('WEEK', {TS})", "date_trunc('QUARTER', {TS})",
        "date_trunc('MINUTE', {TS})", "CAST({DATE} AS TIMESTAMP)", "timestamp_seconds({INT})", "timestamp_millis({BIGCOL})",
        "timestampadd(HOUR, {SMALL}, {TS})", "timestampadd(MONTH, {SMALL}, {TS})", "coalesce({TS}, {TS})",
        "greatest({TS}, {TS})", "to_timestamp({TSSTR})", "CAST({TSSTR} AS TIMESTAMP)", "if({BOOL}, {TS}, {TS})",
        "dateadd(MINUTE, {SMALL}, {TS})", "({TS} + INTERVAL '1 02:03:04' DAY TO SECOND)",
    ],
}
SCALARS = ["INT", "BIGINT", "DEC", "DOUBLE", "STR", "BOOL", "DATE", "TS"]


class Generator:
    """Draws everything from one seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    # --- rows -------------------------------------------------------------------------------------------------------

    def maybe(self, text: str) -> str:
        return "NULL" if self.random.random() < 0.14 else text

    def literal(self, kind: str) -> str:
        """A literal of a column's type, for rows and for expressions."""
        r = self.random
        if kind == "INT":
            return str(r.choice([0, 1, -1, 2, 3, 7, 10, -12, 100, r.randint(-1000, 1000)]))
        if kind == "BIGINT":
            return f"{r.choice([0, 1, -5, 86400, r.randint(-10**9, 10**9)])}L"
        if kind == "DEC2":
            return f"CAST({r.choice(['0', '1.5', '-2.25', '100.00', '0.01', f'{r.uniform(-5000, 5000):.2f}'])} AS DECIMAL(10,2))"
        if kind == "DEC6":
            return f"CAST({r.choice(['0', '0.000001', '-7', f'{r.uniform(-90000, 90000):.6f}'])} AS DECIMAL(20,6))"
        if kind == "DOUBLE":
            return r.choice(["0.0D", "1.5D", "-2.25D", "1.0E10D", "0.1D", "-1.0E-3D", f"{r.uniform(-100, 100):.4f}D"])
        if kind == "STR":
            return r.choice(["'abc'", "'ABC'", "''", "' a '", "'a,b,c'", "'pen'", "'ink'", "'it''s'", "'Ünï'", "'日本'", "'a_b%c'", "'x'", "'zebra crossing'"])
        if kind == "NUMSTR":
            return r.choice(["'12'", "' 7 '", "'-3'", "'1.25'", "'abc'", "''", "'2026-02-28'", "'1e2'", "'99999999999'", "'true'"])
        if kind == "BOOL":
            return r.choice(["true", "false"])
        if kind == "DATE":
            return f"DATE'{r.choice(['1970-01-01', '2000-02-29', '2026-01-31', '1999-12-31', self.date()])}'"
        if kind == "TS":
            return f"TIMESTAMP'{r.choice(['1970-01-01 00:00:00', '2026-03-29 02:30:00', self.date() + ' 23:59:59.999999', self.instant()])}'"
        if kind == "HI":
            return r.choice(["2147483647", "-2147483648", "0", "5"])
        if kind == "LO":
            return r.choice(["9223372036854775807L", "CAST('-9223372036854775808' AS BIGINT)", "0L", "2147483648L"])
        raise ValueError(kind)

    def date(self) -> str:
        r = self.random
        return f"{r.randint(1971, 2037)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"

    def instant(self) -> str:
        r = self.random
        return f"{self.date()} {r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999):03}"

    def rows(self, kinds: list[str], count: int) -> list[str]:
        return ["(" + ", ".join(self.maybe(self.literal(kind)) for kind in kinds) + ")" for _ in range(count)]

    def items(self, count: int) -> list[str]:
        kinds = "INT INT BIGINT DEC2 DEC6 DOUBLE DOUBLE STR STR NUMSTR BOOL BOOL DATE TS HI LO".split()
        return [f"({at}L, {row[1:]}" for at, row in enumerate(self.rows(kinds, count), 1)]

    def kinds(self, count: int) -> list[str]:
        weights = [f"CAST({self.random.uniform(-9, 9):.3f} AS DECIMAL(6,3))" for _ in range(count)]
        rows = [(self.maybe(self.literal("STR")), self.maybe(self.literal("INT")), self.maybe(weight), self.maybe(self.literal("DATE"))) for weight in weights]
        return ["(" + ", ".join(row) + ")" for row in rows]

    # --- expressions ------------------------------------------------------------------------------------------------

    def leaf(self, kind: str, table: str) -> str:
        r = self.random
        fixed = {
            "SMALL": lambda: str(r.randint(-3, 5)),
            "SMALLPOS": lambda: str(r.randint(1, 9)),
            "MONTH": lambda: str(r.randint(1, 12)),
            "TEXT": lambda: r.choice(["'a'", "'b'", "'pen'", "','", "''", "'x'", "'Ü'"]),
            "PATTERN": lambda: r.choice(["'%a%'", "'a%'", "'_b_'", "'%'", "''", "'ABC'", "'a\\\\_b\\\\%%'", "'%日%'"]),
            "NUMBER": lambda: r.choice(["12.5", "0.001", "-7", "1e2"]),
            "FRACTION": lambda: r.choice(["0.5", "1.25", "100.0", "-3.75"]),
            "PLAIN": lambda: r.choice(["1.5D", "100.0D", "-0.25D", "1.0E7D", "12345678.9D", "1.0E-4D", "0.001D"]),
            "TINY": lambda: r.choice(["1.5D", "-2.7D", "0.0D", "99.99D", "-0.5D"]),
            "DATESTR": lambda: r.choice(["'2026-01-31'", "'1999-12-31'", "'2024-2-9'"]),
            "TSSTR": lambda: r.choice(["'2026-01-31 01:02:03'", "'1999-12-31T23:59:59.5'", "'2024-02-09'", "'2026-01-31T01:02:03+02:00'"]),
            "INTSTR": lambda: r.choice(["'7'", "'-1'", "' 3'"]),
            "JSON": lambda: r.choice(["""'{"a":1,"b":{"c":"x"}}'""", """'{"a":"t","b":[1]}'""", "'no json'", """'{"b":{"c":null}}'"""]),
            "BIGCOL": lambda: f"{table}.b",
            "DOUBLECOL": lambda: f"{table}.{r.choice(['f', 'g'])}",
            "DECCOL": lambda: f"{table}.{r.choice(['d', 'e'])}",
            "DECWIDE": lambda: f"CAST({table}.e AS DECIMAL(38,6))",
            "EDGE_INT": lambda: f"{table}.hi",
            "EDGE_BIGINT": lambda: f"{table}.lo",
        }
        if kind in fixed:
            return fixed[kind]()
        if r.random() < 0.75 or kind in ("EDGE", "NUMSTR"):
            return f"{table}.{r.choice(COLUMNS[kind])}"
        return self.literal({"DEC": r.choice(["DEC2", "DEC6"])}.get(kind, kind))

    def expression(self, kind: str, depth: int, table: str = "x") -> str:
        if kind == "ANY":
            kind = self.random.choice(SCALARS)
        if depth <= 0 or kind not in TEMPLATES:
            return self.leaf(kind, table)
        template = self.random.choice(TEMPLATES[kind])
        return re.sub(r"\{(\w+)\}", lambda m: self.expression(m[1], depth - 1 - (self.random.random() < 0.3), table), template)

    def aggregate(self) -> str:
        r = self.random
        kind = r.choice(["INT", "BIGINT", "DEC", "DOUBLE", "STR", "DATE", "TS", "BOOL"])
        e = self.expression(kind, 1)
        numbers = ["sum({})", "avg({})", "min({})", "max({})", "count({})", "count(DISTINCT {})", "sum(DISTINCT {})"]
        any_kind = ["min({})", "max({})", "count({})", "count(DISTINCT {})", "sort_array(collect_set({}))", "size(collect_list({}))"]
        choices = {
            "INT": numbers + ["bit_xor({})", "percentile({}, 0.5)", "sum({}) FILTER (WHERE x.t)", "sort_array(collect_list({}))", "count_if({} > 1)"],
            "BIGINT": numbers,
            "DEC": numbers + ["sum({}) / count(*)"],
            "DOUBLE": ["min({})", "max({})", "count({})", "sum({})", "avg({})"],
            "BOOL": ["count_if({})", "bool_or({})", "bool_and({})", "every({})", "count({})", "any({})"],
        }.get(kind, any_kind + ["max_by({}, x.id)", "min_by({}, x.id)"])
        return r.choice(choices).format(e)

    def window(self) -> str:
        r = self.random
        over = f"PARTITION BY {r.choice(['x.s', 'x.t', 'x.i % 3', 'x.w, x.v'])} ORDER BY {r.choice(['x.id', 'x.id DESC', 'x.i, x.id', 'x.day DESC NULLS LAST, x.id'])}"
        frame = r.choice(["", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING"])
        e = self.expression(r.choice(["INT", "DEC", "STR", "DATE"]), 1)
        n = self.expression(r.choice(["INT", "DEC", "BIGINT"]), 1)
        plain = [
            "row_number() OVER ({o})", "rank() OVER ({o})", "dense_rank() OVER ({o})", "lag({e}) OVER ({o})",
            "lead({e}, 2) OVER ({o})", "lag({n}, 1, 0) OVER ({o})", "ntile(3) OVER ({o})", "percent_rank() OVER ({o})",
            "cume_dist() OVER ({o})", "count(*) OVER (PARTITION BY x.s)", "max({e}) OVER (PARTITION BY x.t)",
        ]
        framed = ["sum({n}) OVER ({o}{f})", "count({e}) OVER ({o}{f})", "min({e}) OVER ({o}{f})", "max({e}) OVER ({o}{f})", "first_value({e}) OVER ({o}{f})", "last_value({e}) OVER ({o}{f})", "avg({n}) OVER ({o}{f})"]
        return r.choice(plain + framed).format(o=over, e=e, n=n, f=frame)

    # --- queries ----------------------------------------------------------------------------------------------------

    def query(self) -> tuple[list[str], str]:
        """What is selected, and the text around it with `{}` in its place: a query whose parts can be tried alone."""
        shape = self.random.choice([self.projection] * 5 + [self.aggregation] * 3 + [self.join] * 3 + [self.windows] * 2 + [self.set_operation, self.subquery])
        return shape()

    def projection(self):
        kinds = self.random.choices(SCALARS, k=10)
        where = f" WHERE {self.expression('BOOL', 2)}" if self.random.random() < 0.3 else ""
        return [self.expression(kind, self.random.choice([1, 2, 2, 3])) for kind in kinds], "SELECT x.id, {} FROM main.judged.items x" + where + " ORDER BY x.id"

    def aggregation(self):
        key = self.random.choice(["x.s", "x.t", "x.i % 3", "year(x.day)", "x.w, x.t", "date_trunc('YEAR', x.at)", "length(x.s)", ""])
        having = " HAVING count(*) > 1" if key and self.random.random() < 0.3 else ""
        aggregates = [self.aggregate() for _ in range(6)]
        if not key:
            return aggregates, "SELECT count(*) AS n, {} FROM main.judged.items x"
        keys = ", ".join(f"{part} AS k{at}" for at, part in enumerate(key.split(", ")))
        return aggregates, f"SELECT {keys}, {{}} FROM main.judged.items x GROUP BY {key}{having}"

    def join(self):
        r = self.random
        kind = r.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        on = r.choice(["x.s = y.k", "x.i = y.rank", "x.s = y.k AND x.i > y.rank", "x.day >= y.since AND y.rank > 0", "x.s <=> y.k", "length(x.s) = y.rank"])
        if r.random() < 0.25:
            return ["x.id", "x.s"], f"SELECT {{}} FROM main.judged.items x {r.choice(['LEFT SEMI JOIN', 'LEFT ANTI JOIN'])} main.judged.kinds y ON {on}"
        parts = [self.expression(kind_, 1) for kind_ in r.choices(SCALARS, k=4)] + ["y.k", "y.weight + x.d", "coalesce(y.rank, x.i)"]
        return parts, f"SELECT x.id, {{}} FROM main.judged.items x {kind} main.judged.kinds y ON {on}"

    def windows(self):
        return [self.window() for _ in range(4)], "SELECT x.id, {} FROM main.judged.items x ORDER BY x.id"

    def set_operation(self):
        r = self.random
        operator = r.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])
        pair = r.choice([("x.s", "y.k"), ("x.i", "y.rank"), ("x.d", "y.weight"), ("x.b", "y.rank"), ("x.day", "y.since")])
        return [pair[0] + " AS a"], f"SELECT {{}} FROM main.judged.items x {operator} SELECT {pair[1]} FROM main.judged.kinds y"

    def subquery(self):
        r = self.random
        where = r.choice([
            "EXISTS (SELECT 1 FROM main.judged.kinds y WHERE y.k = x.s)",
            "NOT EXISTS (SELECT 1 FROM main.judged.kinds y WHERE y.rank = x.i AND y.weight > 0)",
            "x.s IN (SELECT k FROM main.judged.kinds)",
            "x.i NOT IN (SELECT rank FROM main.judged.kinds WHERE rank IS NOT NULL)",
            "x.i NOT IN (SELECT rank FROM main.judged.kinds)",
            "x.d > (SELECT avg(weight) FROM main.judged.kinds)",
            "x.id IN (SELECT max(id) FROM main.judged.items GROUP BY s)",
        ])
        parts = [self.expression(kind, 1) for kind in r.choices(SCALARS, k=3)] + ["(SELECT max(rank) FROM main.judged.kinds y WHERE y.k = x.s)"]
        text = f"SELECT x.id, {{}} FROM main.judged.items x WHERE {where}"
        if r.random() < 0.5:
            return parts, f"WITH x AS (SELECT * FROM main.judged.items WHERE {self.expression('BOOL', 1).replace('x.', '')}) SELECT x.id, {{}} FROM x WHERE {where}"
        return parts, text

    # --- changes ----------------------------------------------------------------------------------------------------

    def change(self, next_id: int) -> str:
        """A statement that changes `main.judged.stock` (id BIGINT, item STRING, qty INT, price DECIMAL(10,2), at TIMESTAMP)."""
        r = self.random
        where = r.choice(["s.qty > 2", "s.item = 'pen'", "s.id % 2 = 0", "s.item IS NULL OR s.qty < 0", "s.at < TIMESTAMP'2000-01-01 00:00:00'", "s.id = 99999", "s.price BETWEEN 0 AND 50"])
        some = f"SELECT id + {r.choice([0, 3, next_id])} AS id, s AS item, i AS qty, d AS price, at FROM main.judged.items WHERE id % {r.randint(2, 5)} = 0"
        changes = [
            f"UPDATE main.judged.stock s SET qty = coalesce(qty, 0) + {r.randint(1, 9)} WHERE {where}",
            f"UPDATE main.judged.stock s SET price = round(price * 1.1, 2), item = upper(item) WHERE {where}",
            f"UPDATE main.judged.stock s SET item = CASE WHEN qty > 0 THEN concat(item, '+') END, at = date_trunc('DAY', at) WHERE {where}",
            f"DELETE FROM main.judged.stock s WHERE {where}",
            f"INSERT INTO main.judged.stock {some}",
            f"INSERT INTO main.judged.stock (id, item) VALUES ({next_id}, 'new'), ({next_id + 1}, NULL)",
            f"MERGE INTO main.judged.stock s USING ({some}) n ON s.id = n.id WHEN MATCHED THEN UPDATE SET qty = n.qty, price = n.price WHEN NOT MATCHED THEN INSERT (id, item, qty) VALUES (n.id, n.item, n.qty)",
            f"MERGE INTO main.judged.stock s USING ({some}) n ON s.id = n.id WHEN MATCHED AND s.qty > 0 THEN DELETE WHEN MATCHED THEN UPDATE SET item = 'seen'",
            f"MERGE INTO main.judged.stock s USING ({some}) n ON s.id = n.id AND s.item = n.item WHEN NOT MATCHED AND n.qty > 0 THEN INSERT *",
            f"MERGE INTO main.judged.stock s USING ({some}) n ON s.id = n.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED BY SOURCE AND s.id % 7 = 0 THEN DELETE",
        ]
        return r.choice(changes)
