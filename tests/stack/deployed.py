"""What a stack's function is, in words that don't depend on who deployed it."""

import json
import re

import checks
from terraform import one


def deployed(stack):
    """What a stack's function is, may do, is called by and when, whatever its resources are called."""
    named = {name: resource["Type"].replace("::Serverless::", "::Lambda::") for name, resource in stack.resources.items()}
    kinds = {}
    for name, resource in stack.resources.items():
        text = re.sub(r"\$\{(\w+)", lambda m: "${" + named.get(m[1], m[1]), json.dumps(resource))
        kinds.setdefault(named[name], []).append(json.loads(text))
    only = lambda kind: one(kinds[kind])  # noqa: E731
    function, role = only("AWS::Lambda::Function")["Properties"], only("AWS::IAM::Role")["Properties"]
    schedule = only("AWS::SecretsManager::RotationSchedule")
    waits_for = schedule["DependsOn"] if isinstance(schedule["DependsOn"], list) else [schedule["DependsOn"]]
    log = only("AWS::Logs::LogGroup")["Properties"]
    permission = only("AWS::Lambda::Permission")["Properties"]
    return {
        "function": {
            "name": function["FunctionName"],
            "handler": function["Handler"],
            "runtime": function["Runtime"],
            "architectures": function["Architectures"],
            "memory": int(function["MemorySize"]),
            "timeout": int(function["Timeout"]),
            "settings": settings(function["Environment"]["Variables"]),
            # INFO is Lambda's own.
            "log": {key: value for key, value in function["LoggingConfig"].items() if value != "INFO"},
            "subnets": function.get("VpcConfig", {}).get("SubnetIds", []),
            "guarded": bool(function.get("VpcConfig", {}).get("SecurityGroupIds")),
            "role": function["Role"],
        },
        "log": {"name": log["LogGroupName"], "days": int(log["RetentionInDays"])},
        "trust": [principal_and_action(statement) for statement in role["AssumeRolePolicyDocument"]["Statement"]],
        "managed": sorted(role["ManagedPolicyArns"]),
        "grants": rows(policy["PolicyDocument"] for policy in role["Policies"]),
        "permission": {key: permission[key] for key in ("Action", "FunctionName", "Principal", "SourceAccount")},
        "schedule": {
            "secret": schedule["Properties"]["SecretId"],
            "function": schedule["Properties"]["RotationLambdaARN"],
            "at once": str(schedule["Properties"]["RotateImmediatelyOnUpdate"]).lower(),
            "days": int(schedule["Properties"]["RotationRules"]["AutomaticallyAfterDays"]),
            "waits for its permission": "AWS::Lambda::Permission" in [named[name] for name in waits_for],
        },
    }


def settings(variables):
    """Those that say something else than the binary assumes by itself (docs/secret.md)."""
    return {name: str(value) for name, value in variables.items() if str(value) != ASSUMED.get(name)}


ASSUMED = {
    "EXCLUDE_LOWERCASE": "false",
    "EXCLUDE_NUMBERS": "false",
    "EXCLUDE_PUNCTUATION": "false",
    "EXCLUDE_UPPERCASE": "false",
    "PASSWORD_TRANSPORT": "verifier",
    "REFUSE_WHILE_IN_USE": "false",
    "REQUIRE_EACH_INCLUDED_TYPE": "true",
    "STRATEGY": "by-secret",
}


def principal_and_action(statement):
    return (statement["Effect"], statement["Principal"]["Service"], statement["Action"])


def rows(documents):
    """The statements of these policies by Sid, with the order of actions and resources left out."""
    found = {}
    for statement in (statement for document in documents for statement in document["Statement"]):
        assert statement["Sid"] not in found
        row = checks.row(statement)
        found[statement["Sid"]] = {key: plain(value) for key, value in row.items()}
    return found


def plain(value):
    """Lists in order, and a list of one among conditions as that one: IAM reads both alike."""
    match value:
        case list():
            return sorted(value)
        case dict():
            return {key: inner[0] if isinstance(inner, list) and len(inner) == 1 else plain(inner) for key, inner in value.items()}
    return value
