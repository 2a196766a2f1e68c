"""What we ask of a template. Each check takes one and gives the list of what is wrong with it."""

import fnmatch
import graphlib
import json
import pathlib
import re

import yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

from cloudformation import PSEUDO, Stack, outcomes, references
from expected import (
    ACCEPTED, ALTERNATING, AUDIT, DATA, EVERYTHING, EXISTING_SECRET, FIELDS, LINES, NAME, OUTPUTS, PLAIN, REFUSED, RULES, SCENARIOS, TAGS,
)
from metrics import data
from snapshots import snapshots, unseen

HERE = pathlib.Path(__file__).resolve().parent
SECTIONS = ["AWSTemplateFormatVersion", "Transform", "Description", "Metadata", "Parameters", "Rules", "Conditions", "Mappings",
            "Resources", "Outputs"]


def grants(template):
    """S6, S9, S10, S12, S13, S14, S15, S16, S17: every statement of every policy, against the table."""
    table = yaml.safe_load((HERE / "grants.yaml").read_text())
    wrong = []
    for scenario in table:
        parameters = SCENARIOS[scenario]
        wanted = dict(table["plain"])
        for policy, rows in table[scenario].items():
            wanted[policy] = (wanted.get(policy) or {}) | rows if rows else {}
        found = statements(Stack(template, parameters))
        for policy in sorted(found.keys() | wanted.keys()):
            for sid in sorted(found.get(policy, {}).keys() | wanted.get(policy, {}).keys()):
                is_, should = found.get(policy, {}).get(sid), wanted.get(policy, {}).get(sid)
                wrong += [f"{scenario}: {policy}, {sid}: is {is_}, should be {should}"] if is_ != should else []
    return wrong


def statements(stack):
    """The statements of a stack by policy and Sid, as the table writes them."""
    found = {}
    for name, resource in stack.resources.items():
        properties = resource["Properties"]
        documents = {name: properties.get("PolicyDocument", properties.get("KeyPolicy", properties.get("ResourcePolicy")))}
        documents[f"{name} (trust)"] = properties.get("AssumeRolePolicyDocument")
        documents |= {f"{name} ({policy['PolicyName']})": policy["PolicyDocument"] for policy in properties.get("Policies", [])}
        for place, document in documents.items():
            for number, statement in enumerate(document["Statement"] if document else []):
                rows = found.setdefault(place, {})
                sid = statement.get("Sid", f"number {number}")
                rows[sid if sid not in rows else f"{sid} again"] = row(statement)
    return found


def row(statement):
    """A statement as a row of the table."""
    as_list = lambda value: value if isinstance(value, list) else [value]  # noqa: E731
    made = {statement["Effect"]: as_list(statement["Action"])}
    made |= {"Resource": as_list(statement["Resource"])} if "Resource" in statement else {}
    return made | {key: statement[key] for key in ("Principal", "Condition") if key in statement}


def calls(template, recorded):
    """S9, S25: each call that the binary was seen to make is granted on the very secret it was made on, and no grant is without a call."""
    wrong = []
    for kind in sorted({call["kind"] for call in recorded}):
        made = [call for call in recorded if call["kind"] == kind]
        # A stack with a superuser also takes its secret back to a single user.
        used = [call for call in recorded if call["kind"] in (kind, "single user")]
        called = {(qualified(call["operation"]), whose(call)) for call in used}
        if kind == "others":
            wrong += refused_where_it_should_be(template, made)
        else:
            unused = rights(template, made[0]) - called
            wrong += [f"{kind}: granted, never called: {action} on {resource}" for action, resource in sorted(unused)]
        wrong += [f"{kind}: called, not granted: {call}" for call in made if not granted(template, call)]
    return wrong


def refused_where_it_should_be(template, made):
    """What is granted of calls on other secrets, were their rotation configured to call another function."""
    left = [call | {"joined": False} for call in made if call["joined"]]
    wrong = [] if left else ["others: no secret has joined"]
    return wrong + [f"others: granted on a secret that has left: {call}" for call in left if granted(template, call)]


def recorded_stack(template, call):
    """The stack that a call was recorded for."""
    own = EXISTING_SECRET if call["kind"] == "others" else call["secret"]
    account = {"AWS::AccountId": call["secret"].split(":")[4], "RotateOtherSecrets": str(call["kind"] == "others").lower()}
    account |= {"Audit": str(call["kind"] == "audit").lower()}
    return Stack(template, account | {"ExistingSecretArn": own, "SuperuserSecretArn": call["superuser"] or ""})


def rotation_statements(stack):
    return statements(stack)["RotationRole (rotation)"].values()


def granted(template, call):
    """Whether the role of the function allows a call, on its resource and under its conditions."""
    stack = recorded_stack(template, call)
    function = f"arn:aws:lambda:us-east-1:{call['secret'].split(':')[4]}:function:{NAME}"
    context = {"secretsmanager:resource/AllowRotationLambdaArn": function if call["joined"] else None}
    return any(
        qualified(call["operation"]) in statement.get("Allow", [])
        and any(call["resource"] == "*" or fnmatch.fnmatchcase(call["resource"], resource) for resource in statement["Resource"])
        and all(context.get(key) == value for key, value in statement.get("Condition", {}).get("StringEquals", {}).items())
        for statement in rotation_statements(stack)
    )


def rights(template, call):
    """What the role may do, with whose secret."""
    return {
        (action, whose(call | {"resource": resource}))
        for statement in rotation_statements(recorded_stack(template, call))
        for action in statement.get("Allow", [])
        for resource in statement["Resource"]
        if action.startswith(("secretsmanager:", "rds:"))
    }


def whose(call):
    """Whose secret a call is made on."""
    return {call["secret"]: "the secret", call["superuser"]: "the superuser"}.get(call["resource"], "*")


def qualified(operation):
    """An operation's name with its service."""
    return operation if ":" in operation else f"{'rds' if operation.startswith('DescribeDB') else 'secretsmanager'}:{operation}"


def dangling(template):
    """Under every combination of conditions, nothing refers to what is not there, or to itself in a circle."""
    wrong = circles(template)
    known = {"AWS::NoValue", *PSEUDO, *template["Parameters"]}
    sites = [
        (f"{section}.{name}", node, node.get("Condition"), node.get("DependsOn", []))
        for section in ("Resources", "Outputs")
        for name, node in template[section].items()
    ]
    for site, node, own, depends in sites:
        depends = [depends] if isinstance(depends, str) else depends
        guarded = [((own, True),)] if own else [()]
        found = [*references(node, *guarded), *((name, guarded[0]) for name in depends)]
        for target, guards in dict.fromkeys(found):
            if target in known:
                continue
            if target not in template["Resources"]:
                wrong.append(f"{site} refers to {target}, which is not declared")
                continue
            condition = template["Resources"][target].get("Condition")
            named = {name for name, _ in guards} | ({condition} if condition else set())
            missing = named - template["Conditions"].keys()
            if missing:
                wrong.append(f"{site} names the condition {missing}, which is not declared")
            elif condition and any(
                all(come[name] is outcome for name, outcome in guards) and not come[condition]
                for come in outcomes(template, named)
            ):
                wrong.append(f"{site} refers to {target}, which is not always there when it does")
    return wrong


def circles(template):
    """A circle of references between resources, which cfn-lint does not see through SAM's types."""
    resources = template["Resources"]
    needs = {name: {target for target, _ in references(node)} & resources.keys() for name, node in resources.items()}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return [f"refer to each other in a circle: {' '.join(error.args[1])}"]
    return []


def parameters(template):
    """S24: each parameter says what it is and what it may be, in the console's groups; the right ones are refused."""
    wrong = [] if list(template) == SECTIONS else [f"the sections are {list(template)}"]
    console = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in console["ParameterGroups"] for name in group["Parameters"]]
    wrong += [] if grouped == list(template["Parameters"]) else ["the groups do not list the parameters in their order"]
    wrong += [] if grouped == list(console["ParameterLabels"]) else ["the labels are not those of the parameters, in their order"]
    for name, declared in template["Parameters"].items():
        bounded = declared.keys() & {"AllowedPattern", "AllowedValues"} or {"MinValue", "MaxValue"} <= declared.keys()
        wrong += [] if bounded else [f"{name} may be anything"]
        wrong += [] if declared.get("Description") else [f"{name} has no description"]
        wrong += [] if "Default" in declared else [f"{name} has no default"]
    days = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema["properties"]["RetentionInDays"]["enum"]
    listed = template["Parameters"]["LogRetentionDays"]["AllowedValues"]
    wrong += [] if listed == ["", *map(str, days)] else [f"LogRetentionDays may be {listed}"]
    for given, refusing in REFUSED:
        refused = Stack(template, PLAIN | given).refusals()
        wrong += [] if refusing in refused else [f"{refusing} does not refuse {given}"]
    for given in ACCEPTED:
        refused = Stack(template, given).refusals()
        wrong += [f"{refused} refuse {given}"] if refused else []
    return wrong


def outputs(template):
    """S21: the outputs, each exported under the stack's name."""
    wrong = [f"{name} is missing, or not expected" for name in sorted(OUTPUTS ^ template["Outputs"].keys())]
    for name, output in Stack(template, EVERYTHING).outputs.items():
        exported = output.get("Export", {}).get("Name")
        wrong += [f"{name} is exported as {exported}"] if exported != f"stack-{name}" else []
    return wrong


def tags(template):
    """S22: all that takes tags has the six."""
    wrong = []
    for name, resource in Stack(template, EVERYTHING | {"ExistingSecretArn": "", "ExistingSecretKeyArn": ""}).resources.items():
        found = resource["Properties"].get("Tags", [])
        found = list(found) if isinstance(found, dict) else [tag["Key"] for tag in found]
        wrong += [f"{name} has the tags {found}"] if takes_tags(resource["Type"]) and found != TAGS else []
    return wrong


def takes_tags(kind):
    """Whether resources of a type take tags, by its schema."""
    try:
        return "Tags" in PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["properties"]
    except ResourceNotFoundError:  # the types of SAM
        return True


def dashboard(template):
    """S19: the dashboard is JSON, it and the saved queries read the function's log, and ask for the fields that it has."""
    made = Stack(template, PLAIN).resources
    group = made["RotationFunction"]["Properties"].get("LoggingConfig", {}).get("LogGroup")
    saved = [r["Properties"] for r in made.values() if r["Type"] == "AWS::Logs::QueryDefinition"]
    wrong = [f"{query['Name']} reads {query['LogGroupNames']}" for query in saved if query["LogGroupNames"] != [group]]
    try:
        widgets = json.loads(made["Dashboard"]["Properties"]["DashboardBody"])["widgets"]
    except (KeyError, ValueError) as error:
        return [*wrong, f"the dashboard's body: {error!r}"]
    shown = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]
    wanted = [f"SOURCE '{group}' | {query['QueryString']}" for query in saved]
    wrong += [] if sorted(shown) == sorted(wanted) else ["the dashboard's queries are not the saved ones over the function's log"]
    for query in saved:
        about = re.findall(r"message = '([^']*)'", query["QueryString"])
        unknown = fields(query["QueryString"]) - set().union(*(FIELDS.get(message, set()) for message in about))
        wrong += [f"{query['Name']} asks for {field}, which no line about {about} has" for field in sorted(unknown)]
    unasked = FIELDS["step ended"] - set().union(*(fields(query["QueryString"]) for query in saved))
    return wrong + [f"nothing asks for {field}" for field in sorted(unasked)]


def metrics(template):
    """S26, S27: the filters make the expected data of the lines; alarms and dashboard look at metrics that are made."""
    stack = Stack(template, AUDIT)
    made = data(stack, LINES)
    wrong = differences(made, DATA)
    transformations = [
        made
        for resource in stack.resources.values()
        if resource["Type"] == "AWS::Logs::MetricFilter"
        for made in resource["Properties"]["MetricTransformations"]
    ]
    names = {(made["MetricNamespace"], made["MetricName"]) for made in transformations}
    dimensions = {tuple(each["Key"] for each in made.get("Dimensions", [])) for made in transformations}
    wrong += [] if all(len(each) <= 2 and set(each) <= {"step", "outcome", "rule"} for each in dimensions) else [f"dimensions: {dimensions}"]
    body = stack.resource("Dashboard")["Properties"]["DashboardBody"]
    shown = {(space, name) for space, name in re.findall(r'\\"(db-rotation/[^\\]+)\\",[^}]*} MetricName=\\"(\w+)\\"', body)}
    shown |= set(re.findall(r'\["(db-rotation/[^"]+)", "(\w+)"', body))
    watched = {
        (alarm["Properties"]["Namespace"], alarm["Properties"]["MetricName"])
        for alarm in stack.resources.values()
        if alarm["Type"] == "AWS::CloudWatch::Alarm" and not alarm["Properties"]["Namespace"].startswith("AWS/")
    }
    return wrong + [f"{metric} is made, or looked at, but not both" for metric in sorted(names ^ (shown | watched))]


def lines(template, recorded):
    """S19, S26: queries and metrics find the fields, and the values, that the binary was seen to write when a step ended."""
    ends = [line for line in recorded if line["message"] == "step ended"]
    written = set().union(*ends) - {"timestamp", "span"}  # CloudWatch's own is asked for, as @timestamp
    wrong = [f"{field} is written, or in FIELDS, but not both" for field in sorted(written ^ FIELDS["step ended"])]
    for name, query in template["Mappings"]["Queries"].items():
        sought = dict(re.findall(r"(\w+) = '([^']*)'", query["Text"]))
        if sought["message"] == "step ended":
            wrong += [] if any(sought.items() <= line.items() for line in ends) else [f"{name}: nothing was written with {sought}"]
    made = data(Stack(template, PLAIN), ends)
    wanted = [
        point
        for line in ends
        for point in (("Steps", {key: line[key] for key in ("step", "outcome")}, 1), ("Duration", {"step": line["step"]}, line["duration_ms"]))
    ]
    wrong += [f"{point} is not made" for point in wanted if point not in made]
    return wrong + audit_lines(template, recorded)


def audit_lines(template, recorded):
    """S27: the audit's lines have their fields, one finding for each rule was seen, and the metrics count what they should."""
    wrong = []
    for message in ("finding", "audit ended"):
        about = [line for line in recorded if line["message"] == message]
        wrong += [] if about else [f"no line about {message} was written"]
        wrong += [f"{message}: {sorted(line)} is written" for line in about if line.keys() - {"timestamp", "level"} != FIELDS[message]]
    found = [line for line in recorded if line["message"] == "finding"]
    wrong += [f"{rule} was never found" for rule in RULES if rule not in [line["rule"] for line in found]]
    wanted = [("Findings", {"rule": line["rule"]}, 1) for line in found]
    wanted += [("NotRotated", {}, 1) for line in found if line["rule"] in ("overdue", "stuck", "too-old")]
    made = data(Stack(template, AUDIT), found)
    return wrong + differences(made, wanted)


def differences(made, wanted):
    """The data that are made and not wanted, or wanted and not made as often."""
    wrong = [f"{point} is not expected" for point in made if point not in wanted]
    return wrong + [f"{point} is not made as often as wanted" for point in wanted if made.count(point) != wanted.count(point)]


def fields(query):
    """The log's fields that a Logs Insights query names."""
    words = {"and", "or", "asc", "as", "avg", "by", "count", "desc", "fields", "filter", "limit", "max", "pct", "sort", "stats"}
    bare = re.sub(r"'[^']*'", "", query)
    aliases = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"(?<![@\w.])[a-z_]+[\w.]*", bare)) - words - aliases


CHECKS = {check.__name__: check for check in (snapshots, unseen, grants, dangling, parameters, outputs, tags, dashboard, metrics)}
