"""The template passes every check, and every injected defect is caught by the check that is there for it."""

import copy
import json

import pytest

import checks
import linters
from cloudformation import load
from defects import DEFECTS

TEMPLATE = load()
CHECKS = checks.CHECKS | linters.CHECKS | {"calls": lambda template: checks.calls(template, NEEDED)}

# What the function is written to call; test_calls.py holds this against what the real binary called.
NEEDED = [
    {"strategy": strategy, "operation": operation, "resource": resource}
    for strategies, operations, resource in (
        (("single user", "alternating users"),
         ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "ListSecretVersionIds"), "secret"),
        (("single user", "alternating users"), ("GetRandomPassword",), "*"),
        (("alternating users",), ("DescribeSecret", "GetSecretValue"), "superuser"),
        (("alternating users",), ("DescribeDBInstances", "DescribeDBClusters"), "*"),
    )
    for strategy in strategies
    for operation in operations
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


@pytest.fixture(scope="module")
def complaints():
    """What checkov says of the template, of the template without its exceptions, and of each defect that is checkov's."""
    bare = copy.deepcopy(TEMPLATE)
    for resource in bare["Resources"].values():
        resource.get("Metadata", {}).pop("checkov", None)
    return linters.checkov([TEMPLATE, bare, *(damaged(edit) for _, edit, check in DEFECTS if check == "checkov")])


def test_the_template_passes_checkov(complaints):
    assert not complaints[0]


def test_checkov_catches_its_defects(complaints, caught):
    for complaint, name in zip(complaints[2:], [name for name, _, check in DEFECTS if check == "checkov"], strict=True):
        assert complaint, f"checkov does not notice: {name}"
        caught(name, "checkov", complaint[0])


def test_every_exception_from_checkov_has_a_reason_and_is_needed(complaints):
    exceptions = {
        f"{exception['id']} {resource['Type']}.{name}": exception["comment"]
        for name, resource in TEMPLATE["Resources"].items()
        for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    assert exceptions.keys() == {complaint.split(": ")[0] for complaint in complaints[1]}
    assert all(len(reason.split()) >= 5 for reason in exceptions.values())


def test_there_are_defects_enough():
    assert len(DEFECTS) >= 25 and {check for *_, check in DEFECTS} == {*CHECKS, "checkov"}
    assert len({json.dumps(damaged(edit), sort_keys=True) for _, edit, _ in DEFECTS}) == len(DEFECTS)
