"""Every statement of the corpus on both engines."""

import pytest

import corpus
from results import disagreement


@pytest.mark.parametrize("path", corpus.files(), ids=lambda path: path.stem)
def test_corpus_gives_the_same_on_spark(path, spark, sim, differences):
    known = {entry["statement"]: entry for entry in differences if entry["file"] == path.name}
    met, wrong = set(), []
    blocks = corpus.read(path)
    for block in blocks:
        entry = known.get(block.key)
        if block.user != "root":
            # Spark has one user. What others may do is Unity Catalog's own, and tests/it/sql_corpus.rs holds it.
            what = "user"
        else:
            ours = sim.execute(block.sql, block.parameters)
            theirs = spark.execute(block.sql, block.parameters)
            what = disagreement(ours.without(block.volatile), theirs.without(block.volatile), block.ordered)
        if what != "user":
            met.add(block.key)
        if what == "user":
            continue
        if entry and entry["differs"] != what:
            wrong.append(f"{block.place} is listed to differ by {entry['differs']}, but found {what}\n  {block.sql}")
        elif what and not entry:
            wrong.append(f"{block.place} {what}\n  {block.sql}\n    ours: {ours}\n    Spark: {theirs}")
    wrong += [f"differences.toml lists what {path.name} does not have: {sql}" for sql in known.keys() - met]
    print(f"{path.name}: {len(blocks)} statements")
    assert not wrong, f"{len(wrong)} of {len(blocks)} statements:\n" + "\n".join(wrong)
