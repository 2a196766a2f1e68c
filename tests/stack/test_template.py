"""The template passes every check, and every injected defect is caught by the check that is there for it.

What no check of its own names stands in the snapshots, property by property: S2, S4, S5, S7, S8, S11, S18, S20, S23, S28, S29.
"""

import copy
import json

import pytest

import checks
import linters
from cloudformation import load
from defects import DEFECTS
from expected import EXISTING_SECRET, FIELDS, RULES, SUPERUSER_SECRET

TEMPLATE = load()
OTHER_SECRET = EXISTING_SECRET.replace("ours", "theirs")
CHECKS = checks.CHECKS | linters.CHECKS | {
    "calls": lambda template: checks.calls(template, NEEDED),
    "lines": lambda template: checks.lines(template, WRITTEN),
}

# What the function is written to call and to write; test_binary.py holds the template against what the real one called and wrote.
WRITTEN = [
    dict.fromkeys(FIELDS["step ended"], "…") | {"message": "step ended"} | ended
    for ended in ({"level": "ERROR", "step": "setSecret"}, {"level": "INFO", "step": "finishSecret"})
] + [
    dict.fromkeys(FIELDS["finding"], "…") | {"level": "WARN", "message": "finding", "rule": rule}
    for rule in RULES
] + [
    dict.fromkeys(FIELDS["audit ended"], 0) | {"level": "INFO", "message": "audit ended"}
]
ALL = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "ListSecretVersionIds")
READING = ("DescribeSecret", "GetSecretValue")
NEEDED = [
    {"kind": kind, "secret": EXISTING_SECRET, "superuser": superuser, "operation": operation, "resource": resource, "joined": False}
    for kind, superuser, operations, resource in (
        ("single user", None, ALL, EXISTING_SECRET),
        ("single user", None, ("GetRandomPassword",), "*"),
        ("alternating users", SUPERUSER_SECRET, ALL, EXISTING_SECRET),
        ("alternating users", SUPERUSER_SECRET, READING, SUPERUSER_SECRET),
        ("alternating users", SUPERUSER_SECRET, ("DescribeDBInstances", "DescribeDBClusters", "GetRandomPassword"), "*"),
    )
    for operation in operations
] + [
    # One function, and another secret than the stack's own, whose rotation calls it.
    {"kind": "others", "secret": OTHER_SECRET, "superuser": SUPERUSER_SECRET, "operation": operation, "resource": OTHER_SECRET, "joined": True}
    for operation in ALL
]


def damaged(edit):
    template = copy.deepcopy(TEMPLATE)
    edit(template)
    return template


@pytest.mark.parametrize("check", CHECKS)
def test_the_template_passes(check):
    assert not list(CHECKS[check](TEMPLATE))


@pytest.mark.parametrize(
    ("name", "edit", "check"), [pytest.param(*defect, id=defect[0]) for defect in DEFECTS if defect[2] != "checkov"]
)
def test_a_defect_is_caught(name, edit, check, caught):
    template = damaged(edit)
    try:
        problem = next(iter(CHECKS[check](template)), None)
    except (KeyError, TypeError) as error:  # what cannot even be worked out
        problem = repr(error)
    assert problem, f"{check} does not notice: {name}"
    caught(name, check, problem)


def test_checkov_passes_the_template_with_its_exceptions_alone_and_catches_its_defects(caught):
    bare = copy.deepcopy(TEMPLATE)
    for resource in bare["Resources"].values():
        resource.get("Metadata", {}).pop("checkov", None)
    defects = [(name, damaged(edit)) for name, edit, check in DEFECTS if check == "checkov"]
    # One run, and of the others only what is different: each whole template takes it seconds.
    passes, excepted, *noticed = linters.checkov([TEMPLATE, touched(bare), *(touched(template) for _, template in defects)])
    assert not passes
    exceptions = {
        f"{exception['id']} {resource['Type']}.{name}": exception["comment"]
        for name, resource in TEMPLATE["Resources"].items()
        for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    assert exceptions.keys() == {complaint.split(": ")[0] for complaint in excepted}
    assert all(len(reason.split()) >= 5 for reason in exceptions.values())
    for (name, _), complaints in zip(defects, noticed, strict=True):
        assert complaints, f"checkov does not notice: {name}"
        caught(name, "checkov", complaints[0])


def touched(template):
    """A template with nothing but the resources that are not as they should be."""
    other = {name: resource for name, resource in template["Resources"].items() if resource != TEMPLATE["Resources"].get(name)}
    return template | {"Resources": other, "Outputs": {}}


def test_there_are_defects_enough():
    assert len(DEFECTS) >= 25 and {check for *_, check in DEFECTS} == {*CHECKS, "checkov"}
    assert len({json.dumps(damaged(edit), sort_keys=True) for _, edit, _ in DEFECTS}) == len(DEFECTS)
