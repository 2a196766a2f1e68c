"""What the role that deploys must be allowed: derived from the template, by what CloudFormation's own handlers ask for.

    tests/stack/run python tests/stack/deploying.py     writes it into docs/deploy.md anew
"""

import json
import re

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from cloudformation import ROOT, load

PAGE = ROOT / "docs/deploy.md"
BLOCK = re.compile(r"(?<=<!-- derived by tests/stack/deploying.py -->\n```json\n).*?(?=```)", re.DOTALL)
STACK = "cloud-optimizer-secrets-manager"
# What is bound by the names that the template gives; the actions that take no such resource are left in the last statement.
NAMED = {
    "secretsmanager:": ("KeepItsSecrets", ["arn:aws:secretsmanager:*:*:secret:cloud-optimizer/*"]),
    "lambda:": ("MakeItsFunction", ["arn:aws:lambda:*:*:function:cloud-optimizer-*"]),
}
UNNAMED = {"lambda:GetLayerVersion", "lambda:GetCodeSigningConfig", "secretsmanager:GetRandomPassword"}

# What handlers ask for on behalf of properties that the template does not have, by how it begins. Nothing else is left out.
UNUSED = (
    "ec2:DescribeInstances", "elasticfilesystem:", "firehose:", "s3files:", "vpc-lattice:", "vpce:", "lambda:AssociateRuntimeAlias",
    "lambda:DeleteFunctionCodeSigningConfig", "lambda:PassCapacityProvider", "lambda:PublishVersion",
    "lambda:PutFunctionCodeSigningConfig", "lambda:PutFunctionRecursionConfig", "lambda:PutFunctionScalingConfig",
    "lambda:PutRuntimeManagementConfig", "logs:CreateLogDelivery", "logs:DeleteDataProtectionPolicy", "logs:DeleteIndexPolicy",
    "logs:DeleteResourcePolicy", "logs:PutBearerTokenAuthentication", "logs:PutDataProtectionPolicy", "logs:PutIndexPolicy",
    "logs:PutLogGroupDeletionProtection", "logs:PutResourcePolicy", "sns:PutDataProtectionPolicy", "iam:AttachGroupPolicy",
    "iam:AttachUserPolicy", "iam:DetachGroupPolicy", "iam:DetachUserPolicy",
    # The zip is in SAM's own bucket, below; the last of them is no action of IAM's.
    "s3:",
)


def policy(template):
    """The policy, with the statements that `sam deploy` needs itself before those that the resources need."""
    actions = resources(template)
    roles = sorted(action for action in actions if action.startswith("iam:") and action != "iam:PassRole")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ChangeTheStack",
                "Effect": "Allow",
                "Action": [
                    "cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:DescribeChangeSet",
                    "cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks", "cloudformation:ExecuteChangeSet",
                    "cloudformation:GetTemplate", "cloudformation:GetTemplateSummary", "cloudformation:ListStackResources",
                ],
                "Resource": [
                    *(f"arn:aws:cloudformation:*:*:stack/{stack}/*" for stack in (STACK, "aws-sam-cli-managed-default")),
                    "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31",
                ],
            },
            {
                "Sid": "KeepTheZip",
                "Effect": "Allow",
                "Action": [
                    "s3:CreateBucket", "s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetObject", "s3:ListBucket", "s3:PutBucketPolicy",
                    "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
                    "s3:PutObject",
                ],
                "Resource": ["arn:aws:s3:::aws-sam-cli-managed-default-*"],
            },
            {
                "Sid": "MakeItsRoles",
                "Effect": "Allow",
                "Action": roles,
                "Resource": [f"arn:aws:iam::*:{kind}/{STACK}-*" for kind in ("instance-profile", "policy", "role")],
            },
            {
                "Sid": "GiveThemToServices",
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": [f"arn:aws:iam::*:role/{STACK}-*"],
                "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "events.amazonaws.com", "lambda.amazonaws.com"]}},
            },
            *(
                {
                    "Sid": sid,
                    "Effect": "Allow",
                    "Action": sorted(action for action in actions - UNNAMED if action.startswith(service)),
                    "Resource": names,
                }
                for service, (sid, names) in NAMED.items()
            ),
            # ops/rotation, after a deployment and before rotation is switched on.
            {
                "Sid": "AskItsFunction",
                "Effect": "Allow",
                "Action": ["lambda:InvokeFunction"],
                "Resource": NAMED["lambda:"][1],
            },
            {
                "Sid": "MakeTheRest",
                "Effect": "Allow",
                "Action": sorted(action for action in actions if action in UNNAMED or not action.startswith(("iam:", *NAMED))),
                "Resource": "*",
            },
        ],
    }


def resources(template):
    """Every action that making, reading, changing and deleting a resource of one of the template's types takes."""
    wanted = set()
    for kind in {resource["Type"] for resource in template["Resources"].values()}:
        kind = "AWS::Lambda::Function" if kind == "AWS::Serverless::Function" else kind
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        for does in handlers.keys() & {"create", "read", "update", "delete"}:
            wanted |= set(handlers[does]["permissions"])
    stale = [unused for unused in UNUSED if not any(action.startswith(unused) for action in wanted)]
    assert not stale, f"no handler asks for {stale}"
    return {action for action in wanted if not action.startswith(UNUSED)}


def text(template):
    """The policy as the page has it: an action a line would be two hundred lines."""
    told = json.dumps(policy(template), indent=2)
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda listed: wrapped(re.findall(r'"[^"]*"', listed[1])), told) + "\n"


def wrapped(items):
    lines, width = [""], 116
    for item in items:
        if len(lines[-1]) + len(item) > width:
            lines.append("")
        lines[-1] += f"{item}, "
    lines = [line.rstrip() for line in lines]
    lines[-1] = lines[-1].rstrip(",")
    return f"[{lines[0]}]" if len(lines) == 1 else "[\n" + "\n".join(f"        {line}" for line in lines) + "\n      ]"


if __name__ == "__main__":
    page = PAGE.read_text()
    assert BLOCK.search(page), f"{PAGE.name} has no place for it"
    PAGE.write_text(BLOCK.sub(lambda _: text(load()), page, count=1))
