"""Apache Spark with Delta Lake as an engine: statements in, results in the one form out."""

import base64
import datetime
import decimal
import json
import logging
import os
import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, types

import names
from results import Result

# What a statement of these kinds gives on Databricks, and only in Delta's history on Spark.
INSERTS = re.compile(r"^\s*(INSERT\s+(INTO|OVERWRITE)(\s+TABLE)?|CREATE\s+(OR\s+REPLACE\s+)?TABLE)\s+(?!IF\b)(?P<table>[\w.`]+)", re.I)
# Spark may keep a zero more than a decimal's scale has; no digit is lost here, or quantize raises.
EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation])
CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")


def start(folder) -> SparkSession:
    """One JVM on two threads: small statements, so no code generation, one partition, no snapshots in fifty pieces."""
    # Refused statements are what is looked for here: no need to print each.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    settings = {
        "spark.jars": os.environ["JUDGE_JARS"],
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Without it Delta's parser leaves named parameters unbound.
        "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
        # As on Databricks: tables are Delta tables.
        "spark.sql.sources.default": "delta",
        "spark.databricks.delta.properties.defaults.feature.allowColumnDefaults": "supported",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC",
    }
    builder = SparkSession.builder.master("local[2]").appName("judge")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


class Spark:
    """One session. `sibling()` is another one on the same tables, for statements at the same time."""

    def __init__(self, session: SparkSession):
        self.session = session

    def sibling(self) -> "Spark":
        return Spark(self.session.newSession())

    def execute(self, sql: str, parameters: list[tuple[str, str, str | None]] = ()) -> Result:
        sql = typed(names.for_spark(sql), parameters)
        try:
            bound = {name: value for name, _, value in parameters}
            inserted = INSERTS.match(sql)
            before = self.version(inserted["table"]) if inserted else None
            frame = self.session.sql(sql, args=bound) if bound else self.session.sql(sql)
            rows = frame.collect()
            columns = [(field.name, field.dataType.simpleString()) for field in frame.schema]
            if not columns and inserted:
                return self.inserted(inserted["table"], before)
            cells = [[text(value, field.dataType) for value, field in zip(row, frame.schema)] for row in rows]
            cells = [[cell if cell is None else names.from_spark(cell) for cell in row] for row in cells]
            return Result(columns, cells)
        except PySparkException as error:
            return Result(error=error.getCondition() or type(error).__name__, message=str(error))
        except Py4JJavaError as error:
            # What fails in a running task reaches Python as Java wrapped it.
            message = str(error.java_exception)
            found = CONDITION.search(message)
            return Result(error=found[1] if found else "JVM", message=message)

    def version(self, table: str) -> int:
        """The newest version of a table; -1 if there is none."""
        try:
            return self.session.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0]["version"]
        except PySparkException:
            return -1

    def inserted(self, table: str, before: int) -> Result:
        """Databricks answers with the number of new rows; Delta's history has it, and skips a commit of nothing."""
        newest = self.session.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0]
        if newest["version"] == before:
            count = "0"
        elif newest["operation"].endswith(" TABLE"):
            return Result()
        else:
            count = newest["operationMetrics"]["numOutputRows"]
        return Result([("num_affected_rows", "bigint"), ("num_inserted_rows", "bigint")], [[count, count]])


def typed(sql: str, parameters) -> str:
    """The server casts a parameter's text to its type; Spark takes Python's own types only, so the cast is written."""
    for name, kind, value in parameters:
        if value is None or kind.upper() != "STRING":
            sql = re.sub(rf":{name}\b", f"CAST(:{name} AS {kind})", sql)
    return sql


def text(value, kind: types.DataType) -> str | None:
    """A value as the statement API writes it."""
    if value is None:
        return None
    if isinstance(kind, (types.ArrayType, types.MapType, types.StructType)):
        return json.dumps(nested(value, kind))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value.quantize(decimal.Decimal(1).scaleb(-kind.scale), context=EXACT), "f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime.datetime):
        digits = "microseconds" if value.microsecond % 1000 else "milliseconds"
        shown = value.isoformat(sep="T", timespec=digits)
        return shown if isinstance(kind, types.TimestampNTZType) else shown + "Z"
    if isinstance(value, datetime.timedelta):
        return interval(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return str(value)


def nested(value, kind: types.DataType):
    """Arrays, maps and structs are JSON of texts."""
    if value is None:
        return None
    if isinstance(kind, types.ArrayType):
        return [nested(item, kind.elementType) for item in value]
    if isinstance(kind, types.MapType):
        return {text(key, kind.keyType): nested(item, kind.valueType) for key, item in value.items()}
    if isinstance(kind, types.StructType):
        return {field.name: nested(item, field.dataType) for item, field in zip(value, kind)}
    return text(value, kind)


def interval(span: datetime.timedelta) -> str:
    sign = "-" if span < datetime.timedelta(0) else ""
    span = abs(span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{span.microseconds:06}".rstrip("0") if span.microseconds else ""
    return f"INTERVAL '{sign}{span.days} {hours:02}:{minutes:02}:{seconds:02}{fraction}' DAY TO SECOND"
