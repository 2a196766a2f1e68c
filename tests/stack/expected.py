"""The scenarios that the stack is looked at in, the parameters that must be refused, outputs, tags, and the log's fields."""

HERE_KEY = "arn:aws:kms:us-east-1:111122223333:key/0a0a0a0a-1111-2222-3333-444444444444"
OTHER_KEY = HERE_KEY.replace("0a0a", "0d0d")
SUPERUSER_KEY = HERE_KEY.replace("0a0a", "0b0b")
FRANKFURT_KEY = HERE_KEY.replace("us-east-1", "eu-central-1")
DUBLIN_KEY = HERE_KEY.replace("us-east-1", "eu-west-1")
EXISTING_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ours/app-AbCdEf"
SUPERUSER_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ours/admin-GhIjKl"
MANAGED_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!cluster-0c0c0c0c-1111-2222-3333-444444444444-JkLmNo"
BUS = "arn:aws:events:us-east-1:111122223333:event-bus/rotations"
TOPIC = "arn:aws:sns:us-east-1:111122223333:on-call"
NAME = "cloud-optimizer-dev-db-rotation"
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
GROUPS = {name: value for name, value in ENDPOINT.items() if name != "DatabaseSecurityGroupId"} | {
    "FunctionSecurityGroupIds": "sg-0123456789abcdef1,sg-0123456789abcdef2",
}
OTHERS = PLAIN | {"RotationEventBusArn": BUS, "RotateOtherSecrets": "true", "OtherSecretKeyArns": f"{OTHER_KEY},{SUPERUSER_KEY}"}
AUDIT = PLAIN | {"Audit": "true", "AuditMaxAgeDays": 60, "AuditRequiredTags": "Owner,Cost Center", "AuditTag": "Team=payments", "AlarmTopicArn": TOPIC}
SETTINGS = PLAIN | {
    "FunctionName": "rotate-postgresql",
    "RootCertificatesLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:roots:3",
    "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound",
    "Strategy": "single-user",
    "RefuseWhileInUse": "true",
    "LogLevel": "DEBUG",
    "ExcludeNumbers": "true",
    "ExcludePunctuation": "true",
    "ExcludeUppercase": "true",
    "RequireEachIncludedType": "false",
    "PasswordLength": 20,
    "Architecture": "x86_64",
    "MemorySize": 512,
    "Timeout": 60,
    "DatabasePort": 6432,
}
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
    "RotateOtherSecrets": "true",
    "OtherSecretKeyArns": OTHER_KEY,
    "AuditRequiredTags": "Owner",
    "AuditTag": "Team=payments",
    "FunctionName": "rotate-postgresql",
    "RootCertificatesLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:roots:3",
    "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound",
    "PasswordTransport": "plaintext",
    "ReservedConcurrency": "2",
    "RotationScheduleExpression": "cron(0 4 ? * SUN *)",
    "RotationDuration": "3h",
    "NotifyOnRotationEvents": "true",
    "RotationEventBusArn": BUS,
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
    "bus": PLAIN | {"RotationEventBusArn": BUS, "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound"},
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
    "existing-guarded": {"ExistingSecretArn": EXISTING_SECRET, "RotationEventBusArn": BUS, "LogRetentionDays": "365", "AdminRoleArn": ADMIN},
    "rotating": PLAIN | {
        "EnableRotation": "true",
        "RotationDuration": "3h",
        "ReadByVersionId": "true",
        "AlarmEmail": "on-call@example.com",
        "RotationEventBusArn": BUS,
    },
    "groups": GROUPS,
    "others": OTHERS,
    "audit": AUDIT,
    "settings": SETTINGS,
    # What the ones above don't have together.
    "mixed-1": {
        "ExistingSecretArn": EXISTING_SECRET,
        "VpcId": "vpc-0123456789abcdef0",
        "PrivateSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "FunctionSecurityGroupIds": "sg-0123456789abcdef1,sg-0123456789abcdef2",
        "RotateOtherSecrets": "true",
        "OtherSecretKeyArns": OTHER_KEY,
        "AWS::Partition": "aws-iso",
        "Audit": "true",
        "AuditRequiredTags": "Owner",
        "AuditTag": "Team=payments",
        "FunctionName": "rotate-postgresql",
        "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound",
    },
    "mixed-2": VPC | {
        "AlarmTopicArn": TOPIC,
        "NotifyOnRotationEvents": "true",
        "RotateOtherSecrets": "true",
        "ApplicationRoleFor": "lambda.amazonaws.com",
        "AuditTag": "Team=payments",
        "RootCertificatesLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:roots:3",
        "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound",
    },
    "mixed-3": PLAIN | {
        "VpcId": "vpc-0123456789abcdef0",
        "PrivateSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "FunctionSecurityGroupIds": "sg-0123456789abcdef1,sg-0123456789abcdef2",
        "AWS::Partition": "aws-iso",
        "AuditRequiredTags": "Owner",
        "FunctionName": "rotate-postgresql",
        "RootCertificatesLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:roots:3",
    },
    "mixed-4": {
        "ExistingSecretArn": EXISTING_SECRET,
        "AlarmEmail": "on-call@example.com",
        "ApplicationRoleFor": "ec2.amazonaws.com",
        "Audit": "true",
        "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound",
    },
    "mixed-5": {
        "ExistingSecretArn": EXISTING_SECRET,
        "VpcId": "vpc-0123456789abcdef0",
        "PrivateSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "DatabaseSecurityGroupId": "sg-0123456789abcdef0",
        "Audit": "true",
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
    ({"SuperuserSecretArn": f"{SUPERUSER_SECRET},"}, "SuperuserSecretArn"),
    ({"SuperuserSecretKeyArn": "alias/ours"}, "SuperuserSecretKeyArn"),
    ({"Strategy": "alternating-users"}, "Strategy"),
    ({"RefuseWhileInUse": "yes"}, "RefuseWhileInUse"),
    ({"RotateOtherSecrets": ""}, "RotateOtherSecrets"),
    ({"OtherSecretKeyArns": f"{OTHER_KEY}, {HERE_KEY}"}, "OtherSecretKeyArns"),
    *(({name: "1"}, name) for name in ("ExcludeNumbers", "ExcludePunctuation", "ExcludeUppercase", "ExcludeLowercase", "RequireEachIncludedType")),
    ({"FunctionName": "rotate postgresql"}, "FunctionName"),
    ({"FunctionName": "f" * 65}, "FunctionName"),
    ({"LogLevel": "info"}, "LogLevel"),
    ({"RootCertificatesLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:roots"}, "RootCertificatesLayerArn"),
    ({"PermissionsBoundaryArn": "bound"}, "PermissionsBoundaryArn"),
    (GROUPS | {"FunctionSecurityGroupIds": "default"}, "FunctionSecurityGroupIds"),
    ({"Audit": "daily"}, "Audit"),
    ({"AuditMaxAgeDays": 0}, "AuditMaxAgeDays"),
    ({"AuditRequiredTags": "Owner,"}, "AuditRequiredTags"),
    ({"AuditTag": "Team"}, "AuditTag"),
    ({"OtherSecretKeyArns": OTHER_KEY}, "AKeyBelongsToASecret"),
    (VPC | {"FunctionSecurityGroupIds": "sg-0123456789abcdef1"}, "AWholeVpcOrNone"),
    ({"FunctionSecurityGroupIds": "sg-0123456789abcdef1"}, "AWholeVpcOrNone"),
    ({"AlarmEmail": "on-call"}, "AlarmEmail"),
    ({"AlarmTopicArn": "on-call"}, "AlarmTopicArn"),
    ({"RotationEventBusArn": TOPIC}, "RotationEventBusArn"),
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
    PLAIN | {"SuperuserSecretArn": f"{SUPERUSER_SECRET},{MANAGED_SECRET}", "SuperuserSecretKeyArn": f"{SUPERUSER_KEY},{OTHER_KEY}"},
    PLAIN | {"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
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

# The fields of the lines that the function writes, by their message, as far as queries and metric filters ask for them.
# When a step ends (C44); `error` where it failed.
ENDED = {
    "level", "message", "step", "secret_id", "version", "strategy", "role", "host", "outcome", "duration_ms", "error",
}
# What the audit finds, by rule (C64).
RULES = ["not-rotated", "overdue", "stuck", "too-old", "untagged"]
FIELDS = {
    "step ended": ENDED,
    "finding": {"message", "rule", "secret_id", "days"},
    "audit ended": {"message", "secrets", *(f"counts.{rule}" for rule in RULES)},
    "the role whose turn it is still has sessions": {"message", "sessions", "span.secret_id"},
}

# Lines of each kind, and the data that the metric filters make of them. A step's and the audit's are held against the real
# binary's in test_binary.py.
LINES = [
    {"level": "INFO", "message": "step ended", "step": "setSecret", "outcome": "set", "duration_ms": 52},
    {"level": "ERROR", "message": "step ended", "step": "setSecret", "outcome": "RoleInUse", "duration_ms": 9},
    {"level": "WARN", "message": "the role whose turn it is still has sessions", "sessions": 3, "span": {"secret_id": "ours/app"}},
    {"level": "WARN", "message": "finding", "rule": "overdue", "secret_id": "ours/app", "days": 33},
    {"level": "WARN", "message": "finding", "rule": "untagged", "secret_id": "ours/app", "days": 33},
    {"level": "WARN", "message": "finding", "rule": "stuck", "secret_id": "ours/app", "days": 2},
    {"level": "WARN", "message": "finding", "rule": "too-old", "secret_id": "ours/app", "days": 91},
    {"level": "WARN", "message": "finding", "rule": "not-rotated", "secret_id": "ours/keys", "days": 400},
    {"level": "INFO", "message": "audit ended", "secrets": 12} | {f"counts.{rule}": 1 for rule in RULES},
    {"level": "WARN", "message": "the server does not check passwords"},
]
DATA = [
    ("Steps", {"step": "setSecret", "outcome": "set"}, 1),
    ("Duration", {"step": "setSecret"}, 52),
    ("Steps", {"step": "setSecret", "outcome": "RoleInUse"}, 1),
    ("Duration", {"step": "setSecret"}, 9),
    ("RoleInUse", {}, 1),
    ("RoleInUse", {}, 1),
    ("Findings", {"rule": "overdue"}, 1),
    ("NotRotated", {}, 1),
    ("Findings", {"rule": "untagged"}, 1),
    ("Findings", {"rule": "stuck"}, 1),
    ("NotRotated", {}, 1),
    ("Findings", {"rule": "too-old"}, 1),
    ("NotRotated", {}, 1),
    ("Findings", {"rule": "not-rotated"}, 1),
]
