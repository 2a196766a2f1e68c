"""What we ask of a template. Each check takes one and gives the list of what is wrong with it."""

import graphlib
import json
import pathlib
import re

import yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

from cloudformation import PSEUDO, Stack, outcomes, references
from expected import ACCEPTED, ALTERNATING, EVERYTHING, FIELDS, OUTPUTS, PLAIN, REFUSED, SCENARIOS, TAGS
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
    """S9: what the role grants and what the binary was seen to call are the same, in each strategy."""
    wrong = [f"no such strategy: {call}" for call in recorded if not call["strategy"].lower().startswith(("single", "alternating"))]
    for strategy, parameters in (("single", PLAIN), ("alternating", ALTERNATING)):
        role = statements(Stack(template, parameters))["RotationRole (rotation)"].values()
        granted = {
            (action, whose(resource))
            for statement in role
            for action in statement.get("Allow", [])
            for resource in statement["Resource"]
            if action.startswith(("secretsmanager:", "rds:"))
        }
        made = {
            (qualified(call["operation"]), call["resource"])
            for call in recorded
            if call["strategy"].lower().startswith(strategy)
        }
        wrong += [f"{strategy}: granted, never called: {action} on {on}" for action, on in sorted(granted - made)]
        wrong += [f"{strategy}: called, not granted: {action} on {on}" for action, on in sorted(made - granted)]
    return wrong


def whose(resource):
    """How the recorded calls name a resource."""
    return {"${DatabaseSecret}": "secret", ALTERNATING["SuperuserSecretArn"]: "superuser"}.get(resource, "*")


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
    asked = set().union(*(fields(query["QueryString"]) for query in saved))
    return wrong + [f"{field} is asked for, or written, but not both" for field in sorted(asked ^ set(FIELDS))]


def lines(template, recorded):
    """S19: the queries know the fields, and look for the values, that the binary was seen to write when a step ended."""
    ends = [line for line in recorded if line["message"] == "step ended"]
    written = set().union(*ends) - {"timestamp"}  # CloudWatch's own is asked for, as @timestamp
    wrong = [f"{field} is written, or in FIELDS, but not both" for field in sorted(written ^ set(FIELDS))]
    for query in template["Mappings"]["Queries"].values():
        sought = dict(re.findall(r"(\w+) = '([^']*)'", query["Text"]))
        wrong += [] if any(sought.items() <= line.items() for line in ends) else [f"nothing was written with {sought}"]
    return wrong


def fields(query):
    """The log's fields that a Logs Insights query names."""
    words = {"and", "as", "avg", "by", "count", "desc", "fields", "filter", "limit", "max", "pct", "sort", "stats"}
    bare = re.sub(r"'[^']*'", "", query)
    aliases = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"(?<![@\w])[a-z_]+\w*", bare)) - words - aliases


CHECKS = {check.__name__: check for check in (snapshots, unseen, grants, dangling, parameters, outputs, tags, dashboard)}
