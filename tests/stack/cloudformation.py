"""A template as CloudFormation reads it: conditions, rules and functions worked out for one set of parameters."""

import itertools
import json
import pathlib
import re

from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
ABSENT = None
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


def load():
    """The project's template; through JSON, so that what an anchor shares becomes copies that can be changed one by one."""
    return json.loads(json.dumps(yaml_parse((ROOT / "template.yaml").read_text())))


class Stack:
    """What a template makes of some parameters. A reference to a resource reads ${Name} or ${Name.Attribute}."""

    def __init__(self, template, parameters=()):
        self.template = template
        self.parameters = {name: declared.get("Default", "") for name, declared in template["Parameters"].items()}
        self.parameters |= dict(parameters)

    @property
    def resources(self):
        """The resources that are made, by name."""
        made = {name: self.resource(name) for name in self.template["Resources"]}
        return {name: resource for name, resource in made.items() if resource is not ABSENT}

    def resource(self, name):
        """One of them, or nothing."""
        resource = self.template["Resources"].get(name)
        return self.value(resource) if resource and self.holds(resource.get("Condition")) else ABSENT

    @property
    def outputs(self):
        """The outputs that there are, by name."""
        return {name: self.value(o) for name, o in self.template["Outputs"].items() if self.holds(o.get("Condition"))}

    def holds(self, condition):
        """Whether a condition, given by its name, holds; no condition does."""
        return condition is None or self.truth(self.template["Conditions"][condition])

    def truth(self, node):
        """What a condition's or a rule's expression says."""
        match node:
            case {"Condition": name}:
                return self.holds(name)
            case {"Fn::Equals": [left, right]}:
                return str(self.value(left)) == str(self.value(right))
            case {"Fn::Not": [inner]}:
                return not self.truth(inner)
            case {"Fn::And": parts}:
                return all(self.truth(part) for part in parts)
            case {"Fn::Or": parts}:
                return any(self.truth(part) for part in parts)
        raise ValueError(f"no condition: {node}")

    def value(self, node):
        """A node with its functions worked out, and without what Fn::If leaves out."""
        match node:
            case {"Ref": "AWS::NoValue"}:
                return ABSENT
            case {"Ref": name}:
                return self.named(name)
            case {"Fn::GetAtt": path}:
                return "${%s}" % ".".join(path)
            case {"Fn::Sub": [text, more]}:
                return self.filled(text, {key: self.value(inner) for key, inner in more.items()})
            case {"Fn::Sub": text}:
                return self.filled(text, {})
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self.holds(condition) else no)
            case {"Fn::FindInMap": path}:
                table, first, second = (self.value(part) for part in path)
                return self.template["Mappings"][table][first][second]
            case {"Fn::Split": [delimiter, text]}:
                return self.value(text).split(delimiter)
            case {"Fn::Select": [index, items]}:
                return self.value(items)[int(index)]
            case dict():
                made = {key: self.value(inner) for key, inner in node.items()}
                return {key: inner for key, inner in made.items() if inner is not ABSENT}
            case list():
                return [made for made in map(self.value, node) if made is not ABSENT]
        return node

    def named(self, name):
        """What Ref gives: a parameter's value, where we are, or the reference itself."""
        return (PSEUDO | self.parameters).get(name, "${%s}" % name)

    def filled(self, text, more):
        """A text of Fn::Sub with its parameters filled in."""
        return PLACEHOLDER.sub(lambda m: str(more.get(m[1], self.named(m[1]))), text)

    def refusals(self):
        """The parameters and rules that refuse these parameters."""
        refused = [name for name, declared in self.template["Parameters"].items() if not allows(declared, self.parameters[name])]
        return refused + self.broken_rules()

    def broken_rules(self):
        """The rules that refuse these parameters."""
        return [
            name
            for name, rule in self.template.get("Rules", {}).items()
            if "RuleCondition" not in rule or self.truth(rule["RuleCondition"])
            if not all(self.truth(assertion["Assert"]) for assertion in rule["Assertions"])
        ]

    def concrete(self):
        """The same stack as a template without parameters and conditions, for a linter."""
        resources = {
            name: {key: inner for key, inner in resource.items() if key != "Condition"}
            for name, resource in self.resources.items()
        }
        for resource in resources.values():
            resource.get("Metadata", {}).pop("checkov", None)
        outputs = {name: {key: inner for key, inner in o.items() if key != "Condition"} for name, o in self.outputs.items()}
        kept = {key: self.template[key] for key in ("AWSTemplateFormatVersion", "Transform", "Description")}
        return kept | unread({"Resources": resources, "Outputs": outputs})


def allows(declared, value):
    """Whether a parameter's declaration allows a value."""
    if "AllowedValues" in declared:
        return value in declared["AllowedValues"]
    if declared["Type"] == "Number":
        return declared.get("MinValue", float("-inf")) <= float(value) <= declared.get("MaxValue", float("inf"))
    return re.fullmatch(declared.get("AllowedPattern", ".*"), value) is not None


def unread(node):
    """Turns ${Name} back into a function."""
    match node:
        case dict():
            return {key: unread(inner) for key, inner in node.items()}
        case list():
            return [unread(inner) for inner in node]
        case str() if only := re.fullmatch(r"\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9]+)?\}", node):
            return {"Fn::GetAtt": [only[1], only[2][1:]]} if only[2] else {"Ref": only[1]}
        case str() if PLACEHOLDER.search(node):
            return {"Fn::Sub": node}
    return node


def branches(node, guards=()):
    """The (condition, outcome) pairs under which each branch of a node is taken; those of the node itself first."""
    yield guards
    match node:
        case {"Fn::If": [condition, yes, no]}:
            yield from branches(yes, (*guards, (condition, True)))
            yield from branches(no, (*guards, (condition, False)))
        case dict():
            for inner in node.values():
                yield from branches(inner, guards)
        case list():
            for inner in node:
                yield from branches(inner, guards)


def references(node, guards=()):
    """Every (name, guards) that a node refers to, with the (condition, outcome) pairs under which it does."""
    match node:
        case {"Fn::If": [condition, yes, no]}:
            yield from references(yes, (*guards, (condition, True)))
            yield from references(no, (*guards, (condition, False)))
        case {"Ref": name}:
            yield name, guards
        case {"Fn::GetAtt": [name, *_]}:
            yield name, guards
        case {"Fn::Sub": text}:
            text, more = text if isinstance(text, list) else (text, {})
            yield from references(more, guards)
            yield from ((name.split(".")[0], guards) for name in PLACEHOLDER.findall(text) if name not in more)
        case dict():
            for inner in node.values():
                yield from references(inner, guards)
        case list():
            for inner in node:
                yield from references(inner, guards)


def choices(template):
    """The values of each parameter that some condition or rule tells apart, and one more that none names."""
    named = {}

    def look(node):
        match node:
            case {"Fn::Equals": [{"Ref": parameter}, constant]}:
                named.setdefault(parameter, {constant})
                named[parameter].add(constant)
            case dict():
                for inner in node.values():
                    look(inner)
            case list():
                for inner in node:
                    look(inner)

    look([template["Conditions"], template.get("Rules", {})])
    return {parameter: [*sorted(constants), "another"] for parameter, constants in named.items()}


def conditions_behind(template, conditions):
    """These conditions and all that they are made of."""
    found, todo = set(), list(conditions)
    while todo:
        condition = todo.pop()
        if condition in found:
            continue
        found.add(condition)
        todo += re.findall(r'"Condition": "(\w+)"', json.dumps(template["Conditions"][condition]))
    return found


def outcomes(template, conditions, ruled_with=None):
    """What these conditions come to, together, under every combination of the parameters behind them.

    Given other parameters beside, combinations that the rules refuse with these are left out.
    """
    behind = json.dumps([template["Conditions"][condition] for condition in conditions_behind(template, conditions)])
    told_apart = {p: values for p, values in choices(template).items() if f'"Ref": "{p}"' in behind}
    for values in itertools.product(*told_apart.values()):
        stack = Stack(template, (ruled_with or {}) | dict(zip(told_apart, values)))
        if ruled_with is None or not stack.broken_rules():
            yield {condition: stack.holds(condition) for condition in conditions}
