"""The scenarios that the stack is looked at in, the parameters that must be refused, outputs, tags, and the log's fields."""

HERE_KEY = "arn:aws:kms:us-east-1:111122223333:key/0a0a0a0a-1111-2222-3333-444444444444"
SUPERUSER_KEY = HERE_KEY.replace("0a0a", "0b0b")
FRANKFURT_KEY = HERE_KEY.replace("us-east-1", "eu-central-1")
DUBLIN_KEY = HERE_KEY.replace("us-east-1", "eu-west-1")
EXISTING_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ours/app-AbCdEf"
SUPERUSER_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ours/admin-GhIjKl"
MANAGED_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!cluster-0c0c0c0c-1111-2222-3333-444444444444-JkLmNo"
TOPIC = "arn:aws:sns:us-east-1:111122223333:on-call"
ADMIN = "arn:aws:iam::111122223333:role/secrets-admin"

# Scenarios.
PLAIN = {"DatabaseHost": "db.example.com"}
STAGING = PLAIN | {"Environment": "staging"}
PRODUCTION = PLAIN | {"Environment": "production", "AlarmEmail": "on-call@example.com"}
EXISTING = {"ExistingSecretArn": EXISTING_SECRET, "ExistingSecretKeyArn": HERE_KEY}
ALTERNATING = PLAIN | {"SuperuserSecretArn": SUPERUSER_SECRET}
VPC = PLAIN | {
    "VpcId": "vpc-0123456789abcdef0",
    "PrivateSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "DatabaseSecurityGroupId": "sg-0123456789abcdef0",
}
ENDPOINT = VPC | {"AwsApiAccess": "endpoint"}
EVENTS = PLAIN | {"AlarmTopicArn": TOPIC, "NotifyOnRotationEvents": "true"}
CHINA = PLAIN | {
    "AWS::Partition": "aws-cn",
    "AWS::Region": "cn-north-1",
    "AWS::URLSuffix": "amazonaws.com.cn",
    "ReservedConcurrency": "2",
    "RotationScheduleExpression": "rate(10 days)",
}
REPLICAS = PLAIN | {"ReplicaKeyArn": FRANKFURT_KEY, "SecondReplicaKeyArn": DUBLIN_KEY}
EVERYTHING = PRODUCTION | EXISTING | ENDPOINT | REPLICAS | {
    "CreateApplicationSecrets": "true",
    "SuperuserSecretArn": SUPERUSER_SECRET,
    "SuperuserSecretKeyArn": SUPERUSER_KEY,
    "Tracing": "Active",
    "PasswordTransport": "plaintext",
    "ReservedConcurrency": "2",
    "RotationScheduleExpression": "cron(0 4 ? * SUN *)",
    "RotationDuration": "3h",
    "NotifyOnRotationEvents": "true",
    "CheckOverdueRotations": "true",
    "LogRetentionDays": "3653",
    "ApplicationRoleFor": "ecs-tasks.amazonaws.com",
    "AdminRoleArn": ADMIN,
}

# What snapshots.py keeps, by file; the others are told as differences from the first.
SCENARIOS = {
    "plain": PLAIN,
    "staging": STAGING | {"PasswordTransport": "plaintext"},
    "production": PRODUCTION,
    "existing": EXISTING,
    "alternating": ALTERNATING,
    "vpc": VPC,
    "endpoint": ENDPOINT,
    "events": EVENTS,
    "china": CHINA,
    "isolated": PLAIN | {
        "AWS::Partition": "aws-iso",
        "AWS::Region": "us-iso-east-1",
        "AWS::URLSuffix": "c2s.ic.gov",
        "PasswordTransport": "plaintext",
    },
    "replicas": REPLICAS,
    "one-replica-watched": PLAIN | {
        "SecondReplicaKeyArn": DUBLIN_KEY,
        "Tracing": "Active",
        "ReservedConcurrency": "2",
        "RotationDuration": "3h",
        "CheckOverdueRotations": "true",
        "AdminRoleArn": ADMIN,
        "AlarmEmail": "on-call@example.com",
        "NotifyOnRotationEvents": "true",
    },
    "alternating-replicas": ALTERNATING | REPLICAS,
    "alternating-one-replica": ALTERNATING | {"ReplicaKeyArn": FRANKFURT_KEY},
    "existing-events": {
        "ExistingSecretArn": EXISTING_SECRET,
        "EncryptLogs": "true",
        "AlarmTopicArn": TOPIC,
        "NotifyOnRotationEvents": "true",
    },
    "existing-alternating": {"ExistingSecretArn": EXISTING_SECRET, "SuperuserSecretArn": MANAGED_SECRET, "Tracing": "Active"},
    "existing-superusers-key": {
        "ExistingSecretArn": EXISTING_SECRET,
        "SuperuserSecretArn": SUPERUSER_SECRET,
        "SuperuserSecretKeyArn": SUPERUSER_KEY,
        "ReadByVersionId": "true",
    },
    "existing-application": EXISTING | {
        "CreateApplicationSecrets": "true",
        "ApplicationRoleFor": "ec2.amazonaws.com",
        "AdminRoleArn": ADMIN,
    },
    "database-only": PLAIN | {
        "CreateApplicationSecrets": "false",
        "EnableRotation": "true",
        "RotationScheduleExpression": "rate(10 days)",
        "LogRetentionDays": "365",
        "ApplicationRoleFor": "lambda.amazonaws.com",
        "ReadByVersionId": "true",
        "AdminRoleArn": ADMIN,
    },
    "existing-guarded": {"ExistingSecretArn": EXISTING_SECRET, "LogRetentionDays": "365", "AdminRoleArn": ADMIN},
    "rotating": PLAIN | {
        "EnableRotation": "true",
        "RotationDuration": "3h",
        "ReadByVersionId": "true",
        "AlarmEmail": "on-call@example.com",
    },
    "everything": EVERYTHING,
}

# (parameters, what refuses them): a parameter's own pattern or range, or a rule.
REFUSED = [
    ({"Project": "Cloud Optimizer"}, "Project"),
    ({"Environment": "prod"}, "Environment"),
    ({"Owner": "a<b"}, "Owner"),
    ({"DatabaseHost": 'x", "username": "postgres'}, "DatabaseHost"),
    ({"DatabaseHost": "host.example.com:5432"}, "DatabaseHost"),
    ({"DatabaseHost": "10.0.0.7:5432"}, "DatabaseHost"),
    ({"DatabaseHost": "db example"}, "DatabaseHost"),
    ({"CreateApplicationSecrets": "yes"}, "CreateApplicationSecrets"),
    ({"EncryptLogs": ""}, "EncryptLogs"),
    ({"ReadByVersionId": ""}, "ReadByVersionId"),
    ({"DatabasePort": 0}, "DatabasePort"),
    ({"DatabasePort": 65536}, "DatabasePort"),
    ({"DatabaseName": 'a"b'}, "DatabaseName"),
    ({"DatabaseName": "a\\b"}, "DatabaseName"),
    ({"DatabaseUsername": "a\nb"}, "DatabaseUsername"),
    ({"DatabaseUsername": "u" * 64}, "DatabaseUsername"),
    ({"ExistingSecretArn": "ours/app"}, "ExistingSecretArn"),
    ({"ExistingSecretArn": EXISTING_SECRET[:-7]}, "ExistingSecretArn"),
    ({"ExistingSecretKeyArn": "alias/ours"}, "ExistingSecretKeyArn"),
    ({"EnableRotation": "yes"}, "EnableRotation"),
    ({"RotationDays": 0}, "RotationDays"),
    ({"RotationDays": 366}, "RotationDays"),
    ({"RotationScheduleExpression": "every sunday"}, "RotationScheduleExpression"),
    ({"RotationDuration": "25h"}, "RotationDuration"),
    ({"RotateImmediatelyOnUpdate": ""}, "RotateImmediatelyOnUpdate"),
    ({"SuperuserSecretArn": "admin"}, "SuperuserSecretArn"),
    ({"PasswordLength": 15}, "PasswordLength"),
    ({"PasswordLength": 129}, "PasswordLength"),
    ({"ExcludeCharacters": "é"}, "ExcludeCharacters"),
    ({"PasswordTransport": "md5"}, "PasswordTransport"),
    ({"Architecture": "riscv"}, "Architecture"),
    ({"MemorySize": 127}, "MemorySize"),
    ({"MemorySize": 10241}, "MemorySize"),
    ({"Timeout": 9}, "Timeout"),
    ({"Timeout": 901}, "Timeout"),
    ({"ReservedConcurrency": "0"}, "ReservedConcurrency"),
    ({"Tracing": "true"}, "Tracing"),
    ({"LogRetentionDays": "0"}, "LogRetentionDays"),
    ({"LogRetentionDays": "45"}, "LogRetentionDays"),
    (VPC | {"VpcId": "vpc"}, "VpcId"),
    (VPC | {"PrivateSubnetIds": "subnet-0123456789abcdef0"}, "PrivateSubnetIds"),
    (VPC | {"PrivateSubnetIds": ",".join(["subnet-0123456789abcdef0"] * 4)}, "PrivateSubnetIds"),
    (VPC | {"DatabaseSecurityGroupId": "default"}, "DatabaseSecurityGroupId"),
    ({"AwsApiAccess": "internet"}, "AwsApiAccess"),
    ({"AlarmEmail": "on-call"}, "AlarmEmail"),
    ({"AlarmTopicArn": "on-call"}, "AlarmTopicArn"),
    ({"ApplicationRoleFor": "s3.amazonaws.com"}, "ApplicationRoleFor"),
    ({"AdminRoleArn": "arn:aws:iam::111122223333:user/me"}, "AdminRoleArn"),
    ({"ReplicaKeyArn": "eu-central-1"}, "ReplicaKeyArn"),
    ({"DatabaseHost": ""}, "ADatabaseToRotate"),
    ({"ExistingSecretKeyArn": HERE_KEY}, "AKeyBelongsToASecret"),
    ({"SuperuserSecretKeyArn": HERE_KEY}, "AKeyBelongsToASecret"),
    *((VPC | {missing: ""}, "AWholeVpcOrNone") for missing in ("VpcId", "PrivateSubnetIds", "DatabaseSecurityGroupId")),
    ({"AwsApiAccess": "endpoint"}, "AWholeVpcOrNone"),
    ({"AlarmEmail": "on-call@example.com", "AlarmTopicArn": TOPIC}, "OneAlarmTarget"),
    ({"Environment": "production"}, "SomebodyIsTold"),
    ({"NotifyOnRotationEvents": "true"}, "SomebodyIsTold"),
]
ACCEPTED = [
    VPC | {"PrivateSubnetIds": ",".join(["subnet-0123456789abcdef0"] * 3)},
    PLAIN | {"DatabasePort": 1, "RotationDays": 1, "PasswordLength": 16, "MemorySize": 128, "Timeout": 10, "ReservedConcurrency": "1"},
    PLAIN | {"DatabasePort": 65535, "RotationDays": 365, "PasswordLength": 128, "MemorySize": 10240, "Timeout": 900},
    PLAIN | {"RotationScheduleExpression": "rate(10 days)", "RotationDuration": "24h", "Architecture": "x86_64"},
    PLAIN | {"EnableRotation": "false", "RotateImmediatelyOnUpdate": "true", "CreateDashboard": "false"},
    PLAIN | {"DatabaseHost": "10.0.0.7", "DatabaseUsername": "app_user", "ApplicationRoleFor": "ec2.amazonaws.com"},
    PLAIN | {"ApplicationRoleFor": "lambda.amazonaws.com", "ExcludeCharacters": ""},
    *SCENARIOS.values(),
    {"ExistingSecretArn": MANAGED_SECRET.replace("cluster", "db"), "EnableRotation": "true"},
    *(PLAIN | {"DatabaseUsername": name, "DatabaseName": name} for name in ("1app", "app user", "Größe", "a.b-c$d", "u" * 63)),
    *(PLAIN | {"DatabaseHost": host} for host in ("db.example.com.", "my_db", "fe80::1", "[2001:db8::7]", "::ffff:10.0.0.7", "2001:0db8:0:0:0:0:0:1")),
    PLAIN | {"ExcludeCharacters": " :/@\"'\\"},
]

# (requirement S21) The outputs that other stacks import; snapshots have their values, and when they are there.
OUTPUTS = {
    "DatabaseCredentialsSecretArn", "DatabaseCredentialsSecretName", "APIKeysSecretArn", "APIKeysSecretName",
    "IntegrationSecretsArn", "IntegrationSecretsName", "SecretsKMSKeyId", "SecretsKMSKeyArn", "RotationLambdaArn",
    "RotationScheduleDays", "RotationSecurityGroupId", "SecretsManagerEndpointId", "EndpointSecurityGroupId", "AlarmTopicArn",
    "ApplicationPolicyArn", "ApplicationRoleArn", "ApplicationInstanceProfileName", "AdminGuardPolicyArn",
}

TAGS = ["Project", "Environment", "CostCenter", "Compliance", "Owner", "ManagedBy"]

# The fields of the line that the function writes when a step ends; `error` where it failed.
FIELDS = [
    "level", "message", "step", "secret_id", "version", "strategy", "role", "host", "outcome", "duration_ms", "error",
]
