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
            "settings": {name: str(value) for name, value in function["Environment"]["Variables"].items()},
            "log": function["LoggingConfig"],
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


def principal_and_action(statement):
    return (statement["Effect"], statement["Principal"]["Service"], statement["Action"])


def rows(documents):
    """The statements of these policies by Sid, with the order of actions and resources left out."""
    found = {}
    for statement in (statement for document in documents for statement in document["Statement"]):
        assert statement["Sid"] not in found
        row = checks.row(statement)
        found[statement["Sid"]] = {key: sorted(value) if isinstance(value, list) else value for key, value in row.items()}
    return found
