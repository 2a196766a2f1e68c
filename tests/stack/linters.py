"""What others' tools ask of a template. Each check takes one and gives what is wrong with it."""

import json
import os
import pathlib
import subprocess
import tempfile

from allpairspy import AllPairs
from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode_str
from cfnlint.runner import Runner

from cloudformation import PSEUDO, Stack, choices
from expected import ENDPOINT, EVERYTHING, GROUPS, PLAIN, VPC

# One for all templates: reading its rules takes longer than a small stack.
LINTER = Runner(ConfigMixIn(regions=["us-east-1"]))


def cfn_lint(template):
    """cfn-lint, on the template as it stands."""
    parsed, errors = decode_str(json.dumps(template))
    return [str(match) for match in errors or LINTER.validate_template(parsed)]


def every_pair(template):
    """cfn-lint, on concrete stacks that have every pair of choices between them."""
    for given in sorted(pairwise(template), key=len, reverse=True):
        stack = Stack(template, given)
        yield from (f"{rule} refuses {given}" for rule in stack.refusals())
        yield from (f"{problem} with {given}" for problem in cfn_lint(stack.concrete()))


def pairwise(template):
    """Sets of parameters that the rules accept, with every pair of choices in one of them at least."""
    network = {"VpcId", "PrivateSubnetIds", "DatabaseSecurityGroupId", "FunctionSecurityGroupIds", "AwsApiAccess"}
    others = {"RotateOtherSecrets", "OtherSecretKeyArns"}
    secret = {"DatabaseHost", "ExistingSecretArn", "ExistingSecretKeyArn"}
    superuser = {"SuperuserSecretArn", "SuperuserSecretKeyArn"}
    told = {"AlarmEmail", "AlarmTopicArn", "NotifyOnRotationEvents"}
    # What goes together is one choice; each of the others is taken or left.
    ruled = {
        "network": [{}, *({name: scenario[name] for name in network & scenario.keys()} for scenario in (VPC, ENDPOINT, GROUPS))],
        "secret": [PLAIN, only({"ExistingSecretArn"}), only(secret - {"DatabaseHost"})],
        "told": [{}, only({"AlarmEmail"}), {"AlarmTopicArn": "arn:aws:sns:us-east-1:111122223333:on-call"},
                 only({"AlarmEmail", "NotifyOnRotationEvents"})],
        "environment": [{"Environment": stage} for stage in ("dev", "staging", "production")],
    }
    free = {"superuser": [{}, only({"SuperuserSecretArn"}), only(superuser)]}
    free |= {"others": [{}, only({"RotateOtherSecrets"}), only(others)]}
    free |= {"partition": [{}, {"AWS::Partition": "aws-cn"}]}
    single = choices(template).keys() - network - secret - superuser - others - told - PSEUDO.keys()
    free |= {name: options(template, name) for name in sorted(single - {"Environment"})}
    merged = lambda chosen: {key: value for choice in chosen for key, value in choice.items()}  # noqa: E731
    # No rule looks beyond the first few: asked as soon as these are chosen, it spares the search most of its ways.
    accepted = lambda chosen: len(chosen) != len(ruled) or not Stack(template, merged(chosen)).refusals()  # noqa: E731
    return [merged(chosen) for chosen in AllPairs([*ruled.values(), *free.values()], filter_func=accepted)]


def options(template, name):
    """A parameter left out, and given: each of its few values that some condition tells apart, else any other value."""
    declared = template["Parameters"][name]
    others = [value for value in declared.get("AllowedValues", [EVERYTHING.get(name)]) if value != declared["Default"]]
    return [{}, *({name: value} for value in [value for value in others if value in choices(template)[name]] or others[:1])]


def only(names):
    """These parameters as the scenario with everything has them."""
    return {name: EVERYTHING[name] for name in names}


def sam_validate(template):
    """`sam validate --lint`, which also runs SAM's own translation."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(template, file)
        file.flush()
        return ran(["sam", "validate", "--lint", "--template", file.name], offline())


def checkov(templates):
    """checkov's complaints about each of these templates, in one run; exceptions stand in a template with their reasons."""
    with tempfile.TemporaryDirectory() as folder:
        for number, template in enumerate(templates):
            pathlib.Path(folder, f"{number}.json").write_text(json.dumps(template))
        done = subprocess.run(
            ["checkov", "-d", folder, "--framework", "cloudformation", "--skip-download", "--output", "json"],
            capture_output=True, text=True, env=offline(),
        )
    report = json.loads(done.stdout)
    summary = report["summary"]
    assert summary["passed"] and not summary["parsing_errors"], done.stdout + done.stderr
    complaints = {f"/{number}.json": [] for number in range(len(templates))}
    for failed in report["results"]["failed_checks"]:
        complaints[failed["file_path"]].append(f"{failed['check_id']} {failed['resource']}: {failed['check_name']}")
    return list(complaints.values())


def offline():
    """An environment with which AWS's tools need no AWS."""
    return os.environ | {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}


def ran(command, environment=None, **options):
    """What a command that should succeed complains of."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)
    return [] if done.returncode == 0 else [done.stdout + done.stderr or f"{command[0]} failed"]


CHECKS = {check.__name__: check for check in (cfn_lint, every_pair, sam_validate)}
