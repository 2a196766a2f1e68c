"""The queries of docs/incidents.md: a parser of each dialect takes them, and they find what they should among events as CloudTrail writes them."""

import json
import re

import duckdb
import pytest
import sqlglot

from cloudformation import ROOT

PAGE = (ROOT / "docs/incidents.md").read_text()
ATHENA, LAKE = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:app/database-AbCdEf"
# (event, who, what it was asked for, what the service says of it, when, whether it is found), as AWS documents events: Secrets
# Manager, *Match events with CloudTrail log entries*.
EVENTS = [
    ("GetSecretValue", "arn:aws:sts::111122223333:assumed-role/app/i-0a", {"secretId": "app/database"}, None, "2026-11-20T10:00:00Z", True),
    ("GetSecretValue", "arn:aws:iam::111122223333:user/eve", {"secretId": ARN, "versionStage": "AWSCURRENT"}, None, "2026-11-20T11:00:00Z", True),
    ("PutSecretValue", "arn:aws:sts::111122223333:assumed-role/rotation/f", {"secretId": ARN, "versionStages": ["AWSPENDING"]}, None, "2026-11-21T10:00:00Z", True),
    ("RotationSucceeded", None, None, {"SecretId": ARN}, "2026-11-21T10:00:09Z", True),
    ("GetSecretValue", "arn:aws:iam::111122223333:user/eve", {"secretId": "app/other"}, None, "2026-11-20T12:00:00Z", False),
    ("GetSecretValue", "arn:aws:iam::111122223333:user/eve", {"secretId": "app/database"}, None, "2026-10-20T12:00:00Z", False),
    ("RotationFailed", None, None, {"SecretId": ARN.replace("database", "other")}, "2026-11-22T10:00:00Z", False),
]
EXPECTED = [(name, who) for name, who, _, _, _, found in EVENTS if found]


def rows(time, field):
    """The events as rows, with a moment and a structure as the dialect has them."""
    return [
        ("secretsmanager.amazonaws.com", name, time(when), {"arn": who}, "192.0.2.7", None, field(asked), field(told))
        for name, who, asked, told, when, _ in EVENTS
    ] + [("s3.amazonaws.com", "GetObject", time("2026-11-20T10:00:00Z"), {"arn": None}, "192.0.2.7", None, field({"secretId": "app/database"}), None)]


@pytest.mark.parametrize(
    ("query", "dialect", "time", "field", "types"),
    [
        # The table for Athena has JSON as text, and moments too.
        (ATHENA, "athena", str, lambda value: value and json.dumps(value), ("VARCHAR", "VARCHAR")),
        # Lake has maps, and moments.
        (LAKE, "presto", lambda when: when.replace("T", " ").rstrip("Z"),
         lambda value: value and {key: str(one) for key, one in value.items()}, ("TIMESTAMP", "MAP(VARCHAR, VARCHAR)")),
    ],
    ids=["Athena", "CloudTrail Lake"],
)
def test_who_did_what_is_found(query, dialect, time, field, types):
    moment, structure = types
    (statement,) = sqlglot.transpile(query, read=dialect, write="duckdb")
    table = re.search(r"FROM (\w+)", query)[1]
    database = duckdb.connect()
    database.execute(
        f"CREATE TABLE {table} (eventsource VARCHAR, eventname VARCHAR, eventtime {moment}, useridentity STRUCT(arn VARCHAR), "
        f"sourceipaddress VARCHAR, errorcode VARCHAR, requestparameters {structure}, additionaleventdata {structure})"
    )
    database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows(time, field))
    found = database.execute(statement).fetchall()
    assert [(name, who) for _, name, who, _, _ in found] == EXPECTED
