"""The other doors (Terraform, the CDK, a policy for a role made by hand) deploy what template.yaml deploys."""

import json
import os
import shutil
import string
import subprocess

import pytest

from cloudformation import ROOT, Stack, load
from deployed import deployed, rows, settings
from expected import EXISTING, EXISTING_SECRET, HERE_KEY, SUPERUSER_KEY, SUPERUSER_SECRET, VPC
from terraform import Module, one

HERE = ROOT / "tests/stack"
TERRAFORM = ROOT / "examples/terraform/main.tf"
CDK = ROOT / "examples/cdk/db-rotation.ts"
POLICY = ROOT / "examples/policy"
AMAZON = {"AWS::URLSuffix": "amazonaws.com"}
# What a door has no say in: who owns the database's firewall is the template's.
NETWORK = {name: VPC[name] for name in ("VpcId", "PrivateSubnetIds", "DatabaseSecurityGroupId")}
SCENARIOS = {
    "plain": AMAZON | EXISTING,
    "everything": AMAZON | EXISTING | NETWORK | {"SuperuserSecretArn": SUPERUSER_SECRET, "SuperuserSecretKeyArn": SUPERUSER_KEY},
}
CHINA = {"AWS::Partition": "aws-cn"}
NAME = "cloud-optimizer-dev-db-rotation"


def template(scenario, more=()):
    """What template.yaml deploys."""
    made = Stack(load(), SCENARIOS[scenario] | dict(more))
    made.template["Resources"] = {
        name: resource
        for name, resource in made.template["Resources"].items()
        if name.startswith("Rotation") or name == "InvokePermission"
    }
    return deployed(made)


# ------------------------------------------------------------------------------------------------------------- Terraform


def module(scenario, partition="aws", text=None):
    """What the module deploys, in the words of deployed()."""
    given = {"zip": "function.zip", "name": NAME, "secret_arn": EXISTING_SECRET, "secret_key_arn": HERE_KEY}
    if scenario == "everything":
        network = {"subnet_ids": VPC["PrivateSubnetIds"].split(","), "security_group_ids": ["sg-0123456789abcdef0"]}
        given |= {"superuser_secret_arn": SUPERUSER_SECRET, "superuser_secret_key_arn": SUPERUSER_KEY, "network": network}
    made = Module(text or TERRAFORM.read_text(), given, partition)
    function = made.resource("aws_lambda_function", "rotation")
    network = one(function.get("vpc_config", [{}]))
    log = made.resource("aws_cloudwatch_log_group", "rotation")
    attached = [made.resource("aws_iam_role_policy_attachment", name) for name in ("execution", "network")]
    permission = made.resource("aws_lambda_permission", "secrets_manager")
    schedule = made.resource("aws_secretsmanager_secret_rotation", "rotation")
    role = made.resource("aws_iam_role", "rotation")
    inline = made.resource("aws_iam_role_policy", "rotation")
    assert inline["role"] == "${aws_iam_role.name}" and inline["policy"] == "${rotation}"
    assert role["assume_role_policy"] == "${trust}"
    assert all(attachment["role"] == "${aws_iam_role.name}" for attachment in attached)
    logging = one(function["logging_config"])
    return {
        "function": {
            "name": function["function_name"],
            "handler": function["handler"],
            "runtime": function["runtime"],
            "architectures": function["architectures"],
            "memory": function["memory_size"],
            "timeout": function["timeout"],
            "settings": settings(one(function["environment"])["variables"]),
            "log": {"LogFormat": logging["log_format"], "LogGroup": alike(logging["log_group"])},
            "subnets": network.get("subnet_ids", []),
            "guarded": bool(network.get("security_group_ids")),
            "role": alike(function["role"]),
        },
        "log": {"name": log["name"], "days": log["retention_in_days"]},
        "trust": [
            ("Allow", one(one(statement["principals"])["identifiers"]), one(statement["actions"]))
            for statement in made.resource("aws_iam_policy_document", "trust", "data")["statement"]
        ],
        "managed": sorted(attachment["policy_arn"] for attachment in attached if attachment.get("count", 1)),
        "grants": rows([{"Statement": [cloudformation_statement(s) for s in statements(made)]}]),
        "permission": {
            "Action": permission["action"],
            "FunctionName": alike(permission["function_name"]),
            "Principal": permission["principal"],
            "SourceAccount": permission["source_account"],
        },
        "schedule": {
            "secret": schedule["secret_id"],
            "function": alike(schedule["rotation_lambda_arn"]),
            "at once": str(schedule["rotate_immediately"]).lower(),
            "days": one(schedule["rotation_rules"])["automatically_after_days"],
            "waits for its permission": "${aws_lambda_permission}" in schedule["depends_on"],
        },
    }


def statements(made):
    return made.resource("aws_iam_policy_document", "rotation", "data")["statement"]


def cloudformation_statement(statement):
    """A statement of Terraform's policy document as IAM has it."""
    condition = {}
    for part in statement.get("condition", []):
        condition.setdefault(part["test"], {})[part["variable"]] = one(part["values"])
    made = {"Sid": statement["sid"], "Effect": statement.get("effect", "Allow"), "Action": statement["actions"]}
    return made | {"Resource": statement["resources"]} | ({"Condition": condition} if condition else {})


def alike(reference):
    """A reference between Terraform's resources as the one that deployed() makes of CloudFormation's."""
    return {
        "${aws_iam_role.arn}": "${AWS::IAM::Role.Arn}",
        "${aws_cloudwatch_log_group.name}": "${AWS::Logs::LogGroup}",
        "${aws_lambda_function.arn}": "${AWS::Lambda::Function.Arn}",
        "${aws_lambda_function.function_name}": "${AWS::Lambda::Function}",
    }[reference]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_terraform_deploys_what_the_template_deploys(scenario):
    assert module(scenario) == template(scenario)


def test_terraform_trusts_the_system_in_china():
    settings = module("plain", "aws-cn")["function"]["settings"]
    assert settings == template("plain", CHINA)["function"]["settings"] and "SSL_CERT_FILE" not in settings


# (what goes wrong, old text, new text): every one has to be a difference.
TERRAFORM_DEFECTS = [
    ("forget a grant", '      "secretsmanager:ListSecretVersionIds",\n', ""),
    ("grant everything", '"secretsmanager:PutSecretValue"', '"secretsmanager:*"'),
    ("widen a resource", "resources = [var.secret_arn]", 'resources = ["*"]'),
    ("use the key for any secret", 'variable = "kms:EncryptionContext:SecretARN"', 'variable = "kms:EncryptionContext:Any"'),
    ("drop a condition", '''      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"]
      }
''', ""),
    ("allow what is denied", '      effect = "Deny"\n', ""),
    ("let any account call", "  source_account = local.account\n", ""),
    ("let anybody call", '"secretsmanager.amazonaws.com"', '"*"'),
    ("trust another service", '"lambda.amazonaws.com"', '"ec2.amazonaws.com"'),
    ("run another program", '"bootstrap"', '"main"'),
    ("run on another system", '"provided.al2023"', '"provided.al2"'),
    ("forget a setting", "    PASSWORD_LENGTH    = var.password_length\n", ""),
    ("read the system's authorities", '"/dev/null"', '""'),
    ("write plain logs", '"JSON"', '"Text"'),
    ("keep logs for ever", "default     = 30\n}\n\nvariable \"exclude", "default     = 0\n}\n\nvariable \"exclude"),
    ("rotate at every change", "rotate_immediately = false", "rotate_immediately = true"),
    ("race with the permission", "[aws_lambda_permission.secrets_manager, ", "["),
    ("leave the VPC", "[var.network]\n    content {\n      subnet_ids", "[]\n    content {\n      subnet_ids"),
    ("wait too short", "timeout          = 30", "timeout          = 3"),
]


@pytest.mark.parametrize(("defect", "old", "new"), [pytest.param(*defect, id=defect[0]) for defect in TERRAFORM_DEFECTS])
def test_a_defect_of_the_module_is_a_difference(defect, old, new):
    text = TERRAFORM.read_text()
    assert old in text, "the defect has no place"
    differs("everything", lambda: module("everything", text=text.replace(old, new, 1)))


def differs(scenario, deploys):
    """Fails where a damaged door deploys what the template deploys; one that can't be worked out is a difference too."""
    try:
        found = deploys()
    except (AssertionError, KeyError, TypeError):
        return
    assert found != template(scenario)


# ------------------------------------------------------------------------------------------------------------------- CDK

CDK_DEFECTS = [
    ("sound", "", ""),
    ("forget a grant", "          'secretsmanager:ListSecretVersionIds',\n", ""),
    ("use the key for any secret", ", 'kms:EncryptionContext:SecretARN': secret.secretArn", ""),
    ("let any account call", "      sourceAccount: Aws.ACCOUNT_ID,\n", ""),
    ("let CDK add grants", "role: role.withoutPolicyUpdates(),",
     "role, initialPolicy: [new iam.PolicyStatement({ sid: 'More', actions: ['s3:*'], resources: ['*'] })],"),
    ("rotate at every change", "rotateImmediatelyOnUpdate: false", "rotateImmediatelyOnUpdate: true"),
    ("race with the permission", "schedule.node.addDependency(permission);", ""),
    ("forget a setting", "        PASSWORD_LENGTH: `${props.passwordLength ?? 32}`,\n", ""),
    ("leave the VPC", "      vpc: network?.vpc,\n      vpcSubnets: network?.subnets,\n      securityGroups: network?.securityGroups,\n",
     ""),
    ("write plain logs", "lambda.LoggingFormat.JSON", "lambda.LoggingFormat.TEXT"),
]


def test_the_cdk_deploys_what_the_template_deploys_and_its_defects_are_differences(tmp_path):
    files = []
    for number, (defect, old, new) in enumerate(CDK_DEFECTS):
        assert old in CDK.read_text(), f"the defect has no place: {defect}"
        files.append(tmp_path / f"{number}.ts")
        files[-1].write_text(CDK.read_text().replace(old, new, 1))
    sound, *damaged = synthesized(tmp_path, files)
    for scenario in SCENARIOS:
        assert cloudformation(sound[scenario]) == template(scenario)
    assert "SSL_CERT_FILE" not in cloudformation(sound["plain"], CHINA)["function"]["settings"]
    for (defect, *_), made in zip(CDK_DEFECTS[1:], damaged, strict=True):
        try:
            found = cloudformation(made["everything"])
        except (AssertionError, KeyError):
            continue
        assert found != template("everything"), defect


def synthesized(folder, files):
    """What aws-cdk-lib makes of each of these constructs."""
    zipped = folder / "function.zip"
    zipped.write_bytes(b"PK")
    given = {
        "name": NAME,
        "zip": str(zipped),
        "secret": EXISTING_SECRET,
        "key": HERE_KEY,
        "superuser": SUPERUSER_SECRET,
        "superuserKey": SUPERUSER_KEY,
        "vpc": VPC["VpcId"],
        "subnets": VPC["PrivateSubnetIds"].split(","),
        "securityGroup": "sg-0123456789abcdef0",
    }
    made = subprocess.run(
        ["node", HERE / "synthesize.js", json.dumps(given), *files],
        capture_output=True, text=True, env=os.environ | {"CDK_DISABLE_VALIDATION": "1"},
    )
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    return [found[str(file)] for file in files]


def cloudformation(made, more=()):
    """What a synthesized stack deploys, and that it is nothing else."""
    assert {resource["Type"] for resource in made["Resources"].values()} == {
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SecretsManager::RotationSchedule",
    }
    return deployed(Stack(substituted(made), AMAZON | dict(more)))


def substituted(node):
    """The same with Fn::Join, which the template doesn't use, as Fn::Sub."""
    match node:
        case {"Fn::Join": ["", parts]}:
            return {"Fn::Sub": "".join(part if isinstance(part, str) else "${%s}" % part["Ref"] for part in parts)}
        case dict():
            return {key: substituted(inner) for key, inner in node.items()}
        case list():
            return [substituted(inner) for inner in node]
    return node


def test_the_construct_has_the_types_of_the_library(tmp_path):
    shutil.copy(CDK, tmp_path)
    (tmp_path / "node_modules").symlink_to(os.environ["NODE_PATH"])
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node"]
    checked = subprocess.run(["tsc", *options, CDK.name], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


# ---------------------------------------------------------------------------------------------------------------- Policy


ALTERNATING = {"SuperuserSecretArn": SUPERUSER_SECRET, "SuperuserSecretKeyArn": SUPERUSER_KEY}


@pytest.mark.parametrize(("file", "more"), [("one-user.json", {}), ("two-users.json", ALTERNATING)])
def test_the_policy_grants_what_the_template_grants(file, more):
    values = {
        "ACCOUNT": "111122223333",
        "REGION": "us-east-1",
        "SECRET_ARN": EXISTING_SECRET,
        "SECRET_KEY_ARN": HERE_KEY,
        "SUPERUSER_SECRET_ARN": SUPERUSER_SECRET,
        "SUPERUSER_SECRET_KEY_ARN": SUPERUSER_KEY,
    }
    filled = json.loads(string.Template((POLICY / file).read_text()).substitute(values))
    assert filled["Version"] == "2012-10-17"
    assert rows([filled]) == template("plain", more)["grants"]
