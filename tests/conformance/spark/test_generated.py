"""Generated queries over generated rows, and generated changes: rows, types, counts and classes of error must agree.

A query selects several expressions at once. When the engines disagree, or when both refuse it, each expression is tried
alone: so one error hides no other, and what is reported is small.
"""

import os

from generate import ITEMS, KINDS, Generator
from results import disagreement

SEED = int(os.environ.get("JUDGE_SEED", "20260101"))
QUERIES = int(os.environ.get("JUDGE_QUERIES", "300"))
CHANGES = int(os.environ.get("JUDGE_CHANGES", "24"))


def prepare(sim, spark, generator):
    sim_rows = {"items": (ITEMS, generator.items(24)), "kinds": (KINDS, generator.kinds(9))}
    assert not sim.execute("CREATE SCHEMA IF NOT EXISTS main.judged").error
    assert not spark.execute("CREATE SCHEMA IF NOT EXISTS main.judged").error
    for name, (columns, rows) in sim_rows.items():
        for sql in (f"DROP TABLE IF EXISTS main.judged.{name}", f"CREATE TABLE main.judged.{name} ({columns})", f"INSERT INTO main.judged.{name} VALUES {', '.join(rows)}"):
            made = sim.execute(sql)
            assert not made.error, made
        # On Spark a view of literals: to read a Delta table takes ten times as long, and these are not changed.
        cast = ", ".join(f"CAST({part.split(' ')[0]} AS {part.split(' ')[1]}) AS {part.split(' ')[0]}" for part in columns.split(", "))
        names = ", ".join(part.split(" ")[0] for part in columns.split(", "))
        made = spark.execute(f"CREATE OR REPLACE VIEW main.judged.{name} AS SELECT {cast} FROM VALUES {', '.join(rows)} AS rows ({names})")
        assert not made.error, made


def compare(sim, spark, sql):
    ours, theirs = sim.execute(sql), spark.execute(sql)
    return disagreement(ours, theirs, ordered="ORDER BY x.id" in sql.rsplit(")", 1)[-1]), ours, theirs


def aliased(parts):
    return ", ".join(part if " AS " in part.rsplit(")", 1)[-1] else f"{part} AS c{at}" for at, part in enumerate(parts))


def test_generated_queries_give_the_same_on_spark(sim, spark):
    generator = Generator(SEED)
    prepare(sim, spark, generator)
    wrong, statements, expressions, refused = [], 0, 0, 0
    for number in range(QUERIES):
        parts, around = generator.query()
        statements, expressions = statements + 1, expressions + len(parts)
        what, ours, theirs = compare(sim, spark, around.replace("{}", aliased(parts)))
        if what is None and not theirs.error:
            continue
        refused += bool(theirs.error)
        alone = []
        for part in parts:
            sql = around.replace("{}", aliased([part]))
            statements += 1
            what_alone, ours, theirs = compare(sim, spark, sql)
            if what_alone:
                alone.append(f"query {number}: {what_alone}\n  {sql}\n    ours: {ours}\n    Spark: {theirs}")
        if what and not alone:
            alone.append(f"query {number}: {what} only as a whole\n  {around.replace('{}', aliased(parts))}")
        wrong += alone
    print(f"seed {SEED}: {QUERIES} queries, {expressions} expressions, {statements} statements; {refused} refused by Spark")
    assert not wrong, f"{len(wrong)} disagreements with seed {SEED}:\n" + "\n".join(wrong)


def test_generated_changes_give_the_same_on_spark(sim, spark):
    generator = Generator(SEED + 1)
    prepare(sim, spark, generator)
    stock = "CREATE TABLE main.judged.stock (id BIGINT, item STRING, qty INT, price DECIMAL(10,2), at TIMESTAMP)"
    first = "INSERT INTO main.judged.stock SELECT id, s, i, d, at FROM main.judged.items WHERE id < 12"
    wrong = []
    for number in range(CHANGES + 2):
        sql = [stock, first][number] if number < 2 else generator.change(1000 + number * 2)
        what, ours, theirs = compare(sim, spark, sql)
        if what and number:
            wrong.append(f"change {number}: {what}\n  {sql}\n    ours: {ours}\n    Spark: {theirs}")
        if number % 4 == 1 or number > CHANGES:
            what, ours, theirs = compare(sim, spark, "SELECT * FROM main.judged.stock")
            if what:
                wrong.append(f"the table after change {number}: {what}\n    ours: {ours}\n    Spark: {theirs}")
                break
    print(f"seed {SEED + 1}: {CHANGES} changes")
    assert not wrong, f"{len(wrong)} disagreements with seed {SEED + 1}:\n" + "\n".join(wrong)
