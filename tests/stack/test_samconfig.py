"""samconfig.toml: a section per environment, each naming its own stage, production only after a look (S1, S22)."""

import tomllib

from cloudformation import ROOT, Stack, load
from expected import PLAIN, TAGS

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
TEMPLATE = load()
STAGES = TEMPLATE["Parameters"]["Environment"]["AllowedValues"]


def pairs(listed):
    return dict(item.split("=", 1) for item in listed)


def test_each_environment_deploys_itself():
    assert set(CONFIG) == {"version", "default", *STAGES}
    for stage in STAGES:
        deploy = CONFIG[stage]["deploy"]["parameters"]
        assert deploy["stack_name"] == f"{TEMPLATE['Parameters']['Project']['Default']}-secrets-manager"
        assert pairs(deploy["parameter_overrides"])["Environment"] == stage
        assert deploy.get("confirm_changeset", False) is (stage == "production")
        assert deploy["capabilities"] == "CAPABILITY_IAM" and deploy["resolve_s3"]


def test_the_stack_has_the_tags_of_its_resources():
    for stage in STAGES:
        tags = Stack(TEMPLATE, PLAIN | {"Environment": stage}).resources["SecretsKey"]["Properties"]["Tags"]
        assert pairs(CONFIG[stage]["deploy"]["parameters"]["tags"]) == {tag["Key"]: tag["Value"] for tag in tags}
        assert [tag["Key"] for tag in tags] == TAGS


def test_the_overrides_name_parameters_that_there_are():
    for stage in STAGES:
        overrides = pairs(CONFIG[stage]["deploy"]["parameters"]["parameter_overrides"])
        assert overrides.keys() <= TEMPLATE["Parameters"].keys()
        assert not set(Stack(TEMPLATE, PLAIN | overrides).refusals()) - {"SomebodyIsTold"}
