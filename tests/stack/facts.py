"""What the stack must come to, by requirement: its resources, their properties and attributes in each scenario."""

from cloudformation import ABSENT
from expected import (
    ALTERNATING, CHINA, DUBLIN_KEY, ENDPOINT, EVENTS, EVERYTHING, EXISTING, EXISTING_SECRET, FRANKFURT_KEY, PLAIN, PRODUCTION, REPLICAS,
    STAGING, SUPERUSER_SECRET, TOPIC, VPC,
)

SECRETS = ("DatabaseSecret", "ApiKeysSecret", "IntegrationsSecret")
NAME = "cloud-optimizer-dev-db-rotation"
BASIC, IN_VPC = (f"arn:aws:iam::aws:policy/service-role/AWSLambda{name}ExecutionRole" for name in ("Basic", "VPCAccess"))
TO_DATABASE = {
    "Description": "To the database",
    "IpProtocol": "tcp",
    "FromPort": 5432,
    "ToPort": 5432,
    "DestinationSecurityGroupId": "sg-0123456789abcdef0",
}
TO_AWS = {"Description": "To the APIs of AWS", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
FROM_FUNCTION = {
    "Description": "The rotation function",
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "SourceSecurityGroupId": "${RotationSecurityGroup}",
}
NOWHERE = {"Description": "Nowhere", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "127.0.0.1/32"}
REPLICATED = [
    {"Region": "eu-central-1", "KmsKeyId": FRANKFURT_KEY},
    {"Region": "eu-west-1", "KmsKeyId": DUBLIN_KEY},
]

# Every resource: its type, and the condition of those that are not always there.
RESOURCES = {
    "DatabaseSecret": ("AWS::SecretsManager::Secret", "MakesDatabaseSecret"),
    "ApiKeysSecret": ("AWS::SecretsManager::Secret", ABSENT),
    "IntegrationsSecret": ("AWS::SecretsManager::Secret", ABSENT),
    "DatabaseSecretPolicy": ("AWS::SecretsManager::ResourcePolicy", "MakesDatabaseSecret"),
    "ApiKeysSecretPolicy": ("AWS::SecretsManager::ResourcePolicy", ABSENT),
    "IntegrationsSecretPolicy": ("AWS::SecretsManager::ResourcePolicy", ABSENT),
    "SecretsKey": ("AWS::KMS::Key", ABSENT),
    "SecretsKeyAlias": ("AWS::KMS::Alias", ABSENT),
    "RotationFunction": ("AWS::Serverless::Function", ABSENT),
    "RotationLogGroup": ("AWS::Logs::LogGroup", ABSENT),
    "RotationRole": ("AWS::IAM::Role", ABSENT),
    "InvokePermission": ("AWS::Lambda::Permission", ABSENT),
    "RotationSchedule": ("AWS::SecretsManager::RotationSchedule", "Rotates"),
    "RotationSecurityGroup": ("AWS::EC2::SecurityGroup", "InVpc"),
    "DatabaseIngress": ("AWS::EC2::SecurityGroupIngress", "InVpc"),
    "EndpointSecurityGroup": ("AWS::EC2::SecurityGroup", "MakesEndpoint"),
    "SecretsManagerEndpoint": ("AWS::EC2::VPCEndpoint", "MakesEndpoint"),
    "ApplicationPolicy": ("AWS::IAM::ManagedPolicy", ABSENT),
    "ApplicationRole": ("AWS::IAM::Role", "MakesApplicationRole"),
    "AdminGuardPolicy": ("AWS::IAM::ManagedPolicy", "GuardsAdministration"),
    "AlarmTopic": ("AWS::SNS::Topic", "MakesAlarmTopic"),
    "AlarmTopicPolicy": ("AWS::SNS::TopicPolicy", "MakesAlarmTopic"),
    "RotationFailureAlarm": ("AWS::CloudWatch::Alarm", ABSENT),
    "RotationEvents": ("AWS::Events::Rule", "NotifiesOnRotationEvents"),
    "OverdueRotations": ("AWS::Config::ConfigRule", "ChecksOverdueRotations"),
    "Dashboard": ("AWS::CloudWatch::Dashboard", "MakesDashboard"),
    "OutcomesQuery": ("AWS::Logs::QueryDefinition", "MakesDashboard"),
    "DurationsQuery": ("AWS::Logs::QueryDefinition", "MakesDashboard"),
    "FailuresQuery": ("AWS::Logs::QueryDefinition", "MakesDashboard"),
}

# (requirement, parameters, resource, {property: value}). A dotted property looks inside; no properties: there is no such resource.
FACTS = [
    ("S2", PLAIN, "DatabaseSecret", {
        "Name": "cloud-optimizer/dev/database/credentials",
        "KmsKeyId": "${SecretsKey}",
        "SecretString": ABSENT,
        "GenerateSecretString": {
            "SecretStringTemplate": '{"engine": "postgres", "host": "db.example.com", "port": 5432, '
                                    '"dbname": "cloudguardian", "username": "cloudguardian"}',
            "GenerateStringKey": "password",
            "PasswordLength": 32,
            "ExcludeCharacters": ":/@\"'\\",
        },
    }),
    ("S3", PLAIN, "ApiKeysSecret", {
        "Name": "cloud-optimizer/dev/api/keys",
        "KmsKeyId": "${SecretsKey}",
        "GenerateSecretString": {
            "SecretStringTemplate": '{"aws_access_key_id": "", "aws_secret_access_key": "", "external_api_keys": {}}',
            "GenerateStringKey": "jwt_secret_key",
            "PasswordLength": 64,
            "ExcludePunctuation": True,
        },
    }),
    ("S4", PLAIN, "IntegrationsSecret", {
        "Name": "cloud-optimizer/dev/integrations/credentials",
        "KmsKeyId": "${SecretsKey}",
        "SecretString": '{"slack_webhook_url": "", "pagerduty_api_key": "", "datadog_api_key": "", "github_token": ""}',
    }),
    ("S5", EXISTING, "DatabaseSecret", ABSENT),
    ("S5", EXISTING, "DatabaseSecretPolicy", ABSENT),
    ("S5", EXISTING, "RotationSchedule", {"SecretId": EXISTING_SECRET}),
    ("S6", PLAIN, "SecretsKey", {"EnableKeyRotation": True}),
    ("S6", PLAIN, "SecretsKeyAlias", {"AliasName": "alias/cloud-optimizer-dev-secrets", "TargetKeyId": "${SecretsKey}"}),
    ("S6", PLAIN, "RotationLogGroup", {"KmsKeyId": "${SecretsKey.Arn}"}),
    ("S7", PLAIN, "RotationFunction", {
        "FunctionName": NAME,
        "Handler": "bootstrap",
        "Runtime": "provided.al2023",
        "Architectures": ["arm64"],
        "MemorySize": 256,
        "Timeout": 30,
        "ReservedConcurrentExecutions": ABSENT,
        "Tracing": "PassThrough",
        "VpcConfig": ABSENT,
        "Role": "${RotationRole.Arn}",
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "${RotationLogGroup}"},
        "Environment.Variables": {"EXCLUDE_CHARACTERS": ":/@\"'\\", "PASSWORD_LENGTH": 32, "SSL_CERT_FILE": "/dev/null"},
    }),
    ("S7", EVERYTHING | {"Architecture": "x86_64", "MemorySize": 512, "Timeout": 60, "ExcludeCharacters": "!", "PasswordLength": 20},
     "RotationFunction", {
        "Architectures": ["x86_64"],
        "MemorySize": 512,
        "Timeout": 60,
        "ReservedConcurrentExecutions": "2",
        "Tracing": "Active",
        "Environment.Variables": {"EXCLUDE_CHARACTERS": "!", "PASSWORD_LENGTH": 20, "PASSWORD_TRANSPORT": "plaintext", "SSL_CERT_FILE": "/dev/null"},
    }),
    ("S7", CHINA, "RotationFunction", {"Environment.Variables": {"EXCLUDE_CHARACTERS": ":/@\"'\\", "PASSWORD_LENGTH": 32}}),
    ("S8", PLAIN, "RotationLogGroup", {"LogGroupName": f"/aws/lambda/{NAME}", "RetentionInDays": 30}),
    ("S8", STAGING, "RotationLogGroup", {"RetentionInDays": 30}),
    ("S8", PRODUCTION, "RotationLogGroup", {"RetentionInDays": 90}),
    ("S8", EVERYTHING, "RotationLogGroup", {"RetentionInDays": "3653"}),
    ("S9", PLAIN, "RotationRole", {"ManagedPolicyArns": [BASIC]}),
    ("S9", VPC, "RotationRole", {"ManagedPolicyArns": [BASIC, IN_VPC]}),
    ("S10", ALTERNATING, "DatabaseSecret", {
        "GenerateSecretString.SecretStringTemplate":
            '{"engine": "postgres", "host": "db.example.com", "port": 5432, "dbname": "cloudguardian", '
            f'"username": "cloudguardian", "masterarn": "{SUPERUSER_SECRET}"}}',
    }),
    ("S11", PLAIN, "RotationSchedule", {
        "SecretId": "${DatabaseSecret}",
        "RotationLambdaARN": "${RotationFunction.Arn}",
        "RotateImmediatelyOnUpdate": "false",
        "RotationRules": {"AutomaticallyAfterDays": 30},
    }),
    ("S11", EVERYTHING, "RotationSchedule", {
        "RotationRules": {"ScheduleExpression": "cron(0 4 ? * SUN *)", "Duration": "3h"},
    }),
    ("S11", PLAIN | {"EnableRotation": "false"}, "RotationSchedule", ABSENT),
    ("S12", PLAIN, "InvokePermission", {
        "FunctionName": "${RotationFunction}",
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": "111122223333",
        "SourceArn": ABSENT,
    }),
    ("S13", PLAIN, "RotationSecurityGroup", ABSENT),
    ("S13", PLAIN, "DatabaseIngress", ABSENT),
    ("S13", PLAIN, "SecretsManagerEndpoint", ABSENT),
    ("S13", VPC, "SecretsManagerEndpoint", ABSENT),
    ("S13", VPC, "EndpointSecurityGroup", ABSENT),
    ("S13", VPC, "RotationFunction", {
        "VpcConfig": {
            "SecurityGroupIds": ["${RotationSecurityGroup}"],
            "SubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        },
    }),
    ("S13", VPC, "RotationSecurityGroup", {
        "VpcId": "vpc-0123456789abcdef0",
        "SecurityGroupEgress": [TO_DATABASE, TO_AWS],
        "SecurityGroupIngress": ABSENT,
    }),
    ("S13", VPC | {"DatabasePort": 6432}, "RotationSecurityGroup", {
        "SecurityGroupEgress": [TO_DATABASE | {"FromPort": 6432, "ToPort": 6432}, TO_AWS],
    }),
    ("S13", VPC, "DatabaseIngress", {
        "GroupId": "sg-0123456789abcdef0",
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "SourceSecurityGroupId": "${RotationSecurityGroup}",
        "CidrIp": ABSENT,
    }),
    ("S13", ENDPOINT, "SecretsManagerEndpoint", {
        "VpcEndpointType": "Interface",
        "ServiceName": "com.amazonaws.us-east-1.secretsmanager",
        "VpcId": "vpc-0123456789abcdef0",
        "SubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "SecurityGroupIds": ["${EndpointSecurityGroup}"],
        "PrivateDnsEnabled": True,
    }),
    ("S13", ENDPOINT, "EndpointSecurityGroup", {
        "VpcId": "vpc-0123456789abcdef0",
        "SecurityGroupIngress": [FROM_FUNCTION],
        "SecurityGroupEgress": [NOWHERE],
    }),
    ("S15", PLAIN, "DatabaseSecretPolicy", {"SecretId": "${DatabaseSecret}", "BlockPublicPolicy": True}),
    ("S15", PLAIN, "ApiKeysSecretPolicy", {"SecretId": "${ApiKeysSecret}", "BlockPublicPolicy": True}),
    ("S15", PLAIN, "IntegrationsSecretPolicy", {"SecretId": "${IntegrationsSecret}", "BlockPublicPolicy": True}),
    ("S16", PLAIN, "ApplicationRole", ABSENT),
    ("S16", EVERYTHING, "ApplicationRole", {"ManagedPolicyArns": ["${ApplicationPolicy}"], "Policies": ABSENT}),
    ("S17", PLAIN, "AdminGuardPolicy", ABSENT),
    ("S17", EVERYTHING, "AdminGuardPolicy", {"Roles": ABSENT, "Groups": ABSENT, "Users": ABSENT}),
    ("S18", PRODUCTION, "RotationFailureAlarm", {
        "AlarmName": "cloud-optimizer-production-rotation-failure",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "${RotationFunction}"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": ["${AlarmTopic}"],
        "OKActions": ["${AlarmTopic}"],
    }),
    ("S18", PLAIN, "RotationFailureAlarm", {"AlarmActions": ABSENT, "OKActions": ABSENT}),
    ("S18", EVENTS, "RotationFailureAlarm", {"AlarmActions": [TOPIC], "OKActions": [TOPIC]}),
    ("S18", EVENTS, "AlarmTopic", ABSENT),
    ("S18", PRODUCTION, "AlarmTopic", {"Subscription": [{"Protocol": "email", "Endpoint": "on-call@example.com"}]}),
    ("S18", PRODUCTION, "RotationEvents", ABSENT),
    ("S18", EVENTS, "RotationEvents", {
        "EventPattern": {
            "source": ["aws.secretsmanager"],
            "detail-type": ["AWS Service Event via CloudTrail"],
            "detail": {
                "eventSource": ["secretsmanager.amazonaws.com"],
                "eventName": ["RotationAbandoned", "RotationFailed"],
                "additionalEventData": {"SecretId": ["${DatabaseSecret}"]},
            },
        },
        "Targets": [{"Id": "topic", "Arn": TOPIC}],
    }),
    ("S18", PLAIN, "OverdueRotations", ABSENT),
    ("S18", EVERYTHING, "OverdueRotations", {
        "Scope": {"ComplianceResourceTypes": ["AWS::SecretsManager::Secret"], "ComplianceResourceId": EXISTING_SECRET},
        "Source": {"Owner": "AWS", "SourceIdentifier": "SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK"},
    }),
    ("S19", PLAIN, "Dashboard", {"DashboardName": "cloud-optimizer-dev-rotation"}),
    ("S19", PLAIN | {"CreateDashboard": "false"}, "Dashboard", ABSENT),
    ("S19", PLAIN | {"CreateDashboard": "false"}, "FailuresQuery", ABSENT),
    ("S20", PLAIN, "DatabaseSecret", {"ReplicaRegions": ABSENT}),
    *(("S20", REPLICAS, secret, {"ReplicaRegions": REPLICATED}) for secret in SECRETS),
    ("S20", PLAIN | {"ReplicaKeyArn": FRANKFURT_KEY}, "DatabaseSecret", {"ReplicaRegions": REPLICATED[:1]}),
]

# Attributes beside the properties: (requirement, resource, {attribute: value}).
RETAINED = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
ATTRIBUTES = [
    ("S7", "RotationFunction", {"Properties.CodeUri": ".", "Metadata.BuildMethod": "rust-cargolambda", "Metadata.BuildProperties": {"Binary": "db-rotation"}}),
    ("S11", "RotationSchedule", {"DependsOn": "InvokePermission"}),
    *(("S23", name, RETAINED) for name in (*SECRETS, "SecretsKey")),
]
