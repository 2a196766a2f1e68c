"""Defects that somebody might bring into the template, each with the check that is there to catch it."""

from cloudformation import ABSENT


def properties(template, name):
    return template["Resources"][name]["Properties"]


def statement(node, sid):
    """The statement with this Sid, wherever it is."""
    if isinstance(node, dict) and node.get("Sid") == sid:
        return node
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return next(filter(None, (statement(each, sid) for each in inner)), None)


def change(*path, to=ABSENT, key=None):
    """An edit: what is at a path becomes something else, takes another key, or goes."""

    def edit(template):
        *way, last = path
        for step in way:
            template = template[step]
        assert last in template if isinstance(template, dict) else last < len(template), f"the defect has no place: {path}"
        old = template.pop(last) if to is ABSENT else template[last]
        if key is not None:
            template[key] = old
        elif to is not ABSENT:
            template[last] = to

    return edit


def add(*path, value):
    """An edit: something that isn't there comes."""

    def edit(template):
        *way, last = path
        for step in way:
            template = template[step]
        assert last not in template, f"the defect is there already: {path}"
        template[last] = value

    return edit


def resource(name, *path, **how):
    """An edit inside a resource."""
    return change("Resources", name, *path, **how)


def of(name, *path, **how):
    """An edit inside a resource's properties."""
    return resource(name, "Properties", *path, **how)


def said(sid, *path, **how):
    """An edit inside the statement with this Sid."""
    return lambda template: change(*path, **how)(statement(template, sid))


def allowing(sid, action):
    """An edit: one action more."""
    return lambda template: statement(template, sid)["Action"].append(action)


def without(sid, action):
    """An edit: one action less."""
    return lambda template: statement(template, sid)["Action"].remove(action)


def swapped(sid, action, other):
    """An edit: one action instead of another."""
    return lambda template: (without(sid, action)(template), allowing(sid, other)(template))


def unguarded(name, *path):
    """An edit: the Fn::If at this place goes, what it guarded stays."""

    def edit(template):
        place = properties(template, name)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = place[path[-1]]["Fn::If"][1]

    return edit


def everybody_may_call(template):
    template["Resources"]["AnotherPermission"] = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"FunctionName": {"Ref": "RotationFunction"}, "Action": "lambda:InvokeFunction", "Principal": "*"},
    }


def another_policy(template):
    properties(template, "RotationRole")["Policies"].append({
        "PolicyName": "more",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    })


def superuser_for_all(template):
    listed = properties(template, "RotationRole")["Policies"][0]["PolicyDocument"]["Statement"]
    at = next(i for i, each in enumerate(listed) if statement(each, "LookUpTheWriter"))
    listed[at] = listed[at]["Fn::If"][1]


def endpoint_on_the_key(template):
    statement(template, "UnsealAndSealTheSecret")["Condition"]["StringEquals"]["aws:SourceVpce"] = "vpce-0123456789abcdef0"


def days_beside_the_expression(template):
    properties(template, "RotationSchedule")["RotationRules"]["AutomaticallyAfterDays"] = {"Ref": "RotationDays"}


def superuser_in_the_value(template):
    generated = properties(template, "DatabaseSecret")["GenerateSecretString"]
    generated["SecretStringTemplate"]["Fn::Sub"] = generated["SecretStringTemplate"]["Fn::Sub"][:-1] + ', "masterarn": "${SuperuserSecretArn}"}'


def others_for_all(template):
    template["Conditions"]["RotatesOtherSecrets"]["Fn::Equals"][1] = {"Ref": "RotateOtherSecrets"}


def staging_traces(template):
    template["Conditions"]["Traces"] = {"Fn::And": [{"Condition": "ReservesConcurrency"}, {"Fn::Equals": [{"Ref": "Tracing"}, "Active"]}]}
    properties(template, "RotationFunction")["Tracing"] = {"Fn::If": ["Traces", "Active", "PassThrough"]}


def query(name, old, new):
    def edit(template):
        text = template["Mappings"]["Queries"][name]["Text"]
        assert old in text
        template["Mappings"]["Queries"][name]["Text"] = text.replace(old, new)

    return edit


def dashboard_body(old, new):
    def edit(template):
        sub = properties(template, "Dashboard")["DashboardBody"]["Fn::Sub"]
        assert old in sub[0]
        sub[0] = sub[0].replace(old, new)

    return edit


SSH_FROM_ANYWHERE = [{"Description": "Any", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}]
ANYWHERE = [{"Description": "Anywhere", "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]

DEFECTS = [
    # Conditions
    ("drop the condition of a resource", resource("DatabaseIngress", "Condition"), "dangling"),
    ("drop the condition of an output", change("Outputs", "RotationSecurityGroupId", "Condition"), "dangling"),
    ("drop the condition inside a property", unguarded("RotationFunction", "VpcConfig"), "snapshots"),
    ("drop half of a condition", change("Conditions", "MakesSecurityGroup", to={"Fn::Equals": [{"Ref": "FunctionSecurityGroupIds"}, ""]}), "snapshots"),
    ("give a resource another's condition", resource("SecretsManagerEndpoint", "Condition", to="InVpc"), "dangling"),
    ("turn a condition round", change("Conditions", "MakesAlarmTopic", to={"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}), "snapshots"),
    ("name a condition that isn't there", resource("Dashboard", "Condition", to="WithDashboard"), "cfn_lint"),
    ("leave a condition unused", add("Conditions", "Unused", value={"Fn::Equals": [{"Ref": "Environment"}, "dev"]}), "cfn_lint"),
    ("drop a resource that others need", resource("RotationSecurityGroup"), "dangling"),
    ("misspell a reference", of("InvokePermission", "FunctionName", "Ref", to="RotateFunction"), "dangling"),
    ("refer in a circle", of("RotationLogGroup", "LogGroupName", to={"Fn::Sub": "/aws/lambda/${RotationFunction}"}), "dangling"),
    # Resources of statements
    ("widen the secret to all", said("RotateTheSecret", "Resource", to="*"), "grants"),
    ("widen the secret to the project's",
     said("RotateTheSecret", "Resource", to={"Fn::Sub": "arn:aws:secretsmanager:*:*:secret:${Project}/*"}), "grants"),
    ("widen the superuser to all", said("ReadTheSuperuser", "Resource", to="*"), "grants"),
    ("widen the key to all", said("UnsealAndSealTheSecret", "Resource", to="*"), "grants"),
    ("widen the application to all", said("ReadTheSecrets", "Resource", to="*"), "grants"),
    ("drop a secret from the application's Deny", lambda t: statement(t, "NeverThePendingVersion")["Resource"].pop(0), "grants"),
    # Actions
    ("swap an action", swapped("RotateTheSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"), "calls"),
    ("grant an action that is never called", allowing("RotateTheSecret", "secretsmanager:DeleteSecret"), "calls"),
    ("forget an action that is called", without("RotateTheSecret", "secretsmanager:ListSecretVersionIds"), "calls"),
    ("forget an action of the look-ups", without("LookUpTheWriter", "rds:DescribeDBClusters"), "calls"),
    ("grant every action", said("RotateTheSecret", "Action", to="secretsmanager:*"), "calls"),
    ("let the superuser be written", allowing("ReadTheSuperuser", "secretsmanager:PutSecretValue"), "calls"),
    ("grant look-ups without a superuser", superuser_for_all, "calls"),
    ("let the application write", allowing("ReadTheSecrets", "secretsmanager:PutSecretValue"), "grants"),
    ("allow what the guard denies", said("OnlyTheAdminRoleDeletes", "Effect", to="Allow"), "grants"),
    ("attach another policy", another_policy, "grants"),
    ("attach an administrator's policy", of("RotationRole", "ManagedPolicyArns", 0, to="arn:aws:iam::aws:policy/AdministratorAccess"), "snapshots"),
    ("let the key's administrators decrypt", allowing("TheAccountAdministers", "kms:Decrypt"), "grants"),
    # Conditions of statements
    ("drop kms:ViaService", said("UnsealAndSealTheSecret", "Condition", "StringEquals", "kms:ViaService"), "grants"),
    ("drop the encryption context", said("UnsealAndSealTheSecret", "Condition", "StringEquals", "kms:EncryptionContext:SecretARN"), "grants"),
    ("drop aws:SourceVpce", said("RotateTheSecret", "Condition"), "grants"),
    ("put aws:SourceVpce on the key", endpoint_on_the_key, "grants"),
    ("seal any log group", said("CloudWatchLogsSealsThisLogGroup", "Condition"), "grants"),
    ("drop the ENI denial's condition", said("NoInterfacesByTheCodeItself", "Condition"), "grants"),
    ("deny AWSPENDING without ForAnyValue", said("NeverThePendingVersion", "Condition", "ForAnyValue:StringEquals", key="StringNotEquals"), "grants"),
    ("deny everybody", said("OtherAccountsNeitherDeleteNorShare", "Condition"), "grants"),
    ("let any topic publish", said("TheAlarmPublishes", "Condition"), "grants"),
    ("drop the MFA condition", said("NoWritesWithoutMfa", "Condition"), "grants"),
    ("let a pending value be read by its id", said("NeverByVersionId", "Effect", to="Allow"), "grants"),
    ("spell a condition's key in another way", said("NeverByVersionId", "Condition", to={"Null": {"secretsmanager:VersionID": "false"}}), "grants"),
    ("name China's services as everybody's", said("CloudWatchLogsSealsThisLogGroup", "Principal", "Service", "Fn::Sub", to="logs.${AWS::Region}.amazonaws.com"), "snapshots"),
    # Who
    ("trust every service", said("LambdaAssumesIt", "Principal", to={"AWS": "*"}), "checkov"),
    ("open the key to everybody", said("TheAccountAdministers", "Principal", to="*"), "checkov"),
    ("let everybody call the function", everybody_may_call, "snapshots"),
    ("let every account call the function", of("InvokePermission", "SourceAccount"), "snapshots"),
    # Life and death
    ("remove the DependsOn", resource("RotationSchedule", "DependsOn"), "snapshots"),
    ("make the schedule before the way to the database", resource("RotationSchedule", "Metadata"), "snapshots"),
    ("rotate a password that the database doesn't know", change("Conditions", "Rotates", "Fn::Or", 1, "Fn::And", 0, to={"Condition": "MakesDatabaseSecret"}), "snapshots"),
    ("write a new value when users begin to take turns", superuser_in_the_value, "snapshots"),
    ("keep a key that seals nothing", resource("SecretsKeyAlias", "Condition"), "dangling"),
    ("drop a secret's deletion policy", resource("DatabaseSecret", "DeletionPolicy"), "snapshots"),
    ("delete the key with the stack", resource("SecretsKey", "DeletionPolicy", to="Delete"), "snapshots"),
    ("drop a replaced secret", resource("ApiKeysSecret", "UpdateReplacePolicy", to="Delete"), "snapshots"),
    ("allow public policies", of("IntegrationsSecretPolicy", "BlockPublicPolicy", to=False), "snapshots"),
    ("rotate at every update", of("RotationSchedule", "RotateImmediatelyOnUpdate"), "snapshots"),
    ("keep the days beside an expression", days_beside_the_expression, "snapshots"),
    ("build another binary", resource("RotationFunction", "Metadata", "BuildProperties", "Binary", to="bootstrap"), "snapshots"),
    # Encryption
    ("seal a secret with no key of ours", of("ApiKeysSecret", "KmsKeyId"), "checkov"),
    ("stop the key's rotation", of("SecretsKey", "EnableKeyRotation", to=False), "snapshots"),
    ("leave the log unsealed", of("RotationLogGroup", "KmsKeyId"), "snapshots"),
    ("write a password into the template", add("Resources", "DatabaseSecret", "Properties", "SecretString", value="hunter2"), "snapshots"),
    # Settings
    ("exclude other characters in the function", of("RotationFunction", "Environment", "Variables", "EXCLUDE_CHARACTERS", to="@"), "snapshots"),
    ("send the password by default", of("RotationFunction", "Environment", "Variables", "PASSWORD_TRANSPORT", to="plaintext"), "snapshots"),
    ("trust Amazon where others sign", unguarded("RotationFunction", "Environment", "Variables", "SSL_CERT_FILE"), "snapshots"),
    ("log elsewhere", of("RotationFunction", "LoggingConfig", "LogGroup"), "snapshots"),
    ("forget production's retention", change("Mappings", "LogRetention", "production"), "snapshots"),
    ("misspell a property", of("RotationFunction", "MemorySize", key="MemorySise"), "every_pair"),
    ("drop the transform", change("Transform"), "sam_validate"),
    ("a runtime of the past", of("RotationFunction", "Runtime", to="provided"), "every_pair"),
    # Network
    ("let the function go anywhere", of("RotationSecurityGroup", "SecurityGroupEgress", to=ANYWHERE), "snapshots"),
    ("let anybody reach the endpoint by ssh", of("EndpointSecurityGroup", "SecurityGroupIngress", to=SSH_FROM_ANYWHERE), "checkov"),
    ("let a network reach the database", of("DatabaseIngress", "SourceSecurityGroupId", key="CidrIp"), "snapshots"),
    ("use a fixed port", of("DatabaseIngress", "FromPort", to=5433), "snapshots"),
    ("hide the endpoint from DNS", of("SecretsManagerEndpoint", "PrivateDnsEnabled", to=False), "snapshots"),
    ("split the subnets at another sign", of("RotationFunction", "VpcConfig", "Fn::If", 1, "SubnetIds", "Fn::Split", 0, to=";"), "every_pair"),
    ("forget to split the subnets", of("RotationFunction", "VpcConfig", "Fn::If", 1, "SubnetIds", to=[{"Ref": "PrivateSubnetIds"}]), "snapshots"),
    # Alarms and dashboard
    ("say that all is well after silence", add("Resources", "RotationFailureAlarm", "Properties", "OKActions", value=[{"Ref": "AWS::NoValue"}, "arn:aws:sns:us-east-1:111122223333:on-call"]), "snapshots"),
    ("promise that the credential works", of("RotationFailureAlarm", "AlarmDescription", to="The credential in use still works."), "snapshots"),
    ("miss the failed test", lambda t: properties(t, "RotationEvents")["EventPattern"]["detail"]["eventName"].remove("TestRotationFailed"), "snapshots"),
    ("alarm on silence", of("RotationFailureAlarm", "TreatMissingData", to="breaching"), "snapshots"),
    ("watch another metric", of("RotationFailureAlarm", "MetricName", to="Invocations"), "snapshots"),
    ("wait for two errors", of("RotationFailureAlarm", "Threshold", to=2), "snapshots"),
    ("listen to calls instead of events", of("RotationEvents", "EventPattern", "detail-type", to=["AWS API Call via CloudTrail"]), "snapshots"),
    ("ask for a field that isn't written", query("Failures", "secret_id", "secret_arn"), "dashboard"),
    ("ask for a field less", query("Outcomes", ", strategy", ""), "dashboard"),
    ("look for lines that aren't written", query("Failures", "'ERROR'", "'error'"), "lines"),
    ("break the dashboard's JSON", dashboard_body('"widgets": [', '"widgets": ['[:-1]), "dashboard"),
    ("show another function's log", dashboard_body("'${RotationLogGroup}' | ${Failures}", "'/aws/lambda/other' | ${Failures}"), "dashboard"),
    # What nobody named
    ("open a function URL to everybody", add("Resources", "Url", value={
        "Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Ref": "RotationFunction"}},
    }), "snapshots"),
    ("open SAM's function URL", add("Resources", "RotationFunction", "Properties", "FunctionUrlConfig", value={"AuthType": "NONE"}), "snapshots"),
    ("run code of somebody else's", of("RotationFunction", "Layers", to=["arn:aws:lambda:us-east-1:999988887777:layer:more:1"]), "snapshots"),
    ("ship another zip", of("RotationFunction", "CodeUri", to="s3://elsewhere/function.zip"), "snapshots"),
    ("call the function from elsewhere", add("Resources", "RotationFunction", "Properties", "Events", value={
        "Http": {"Type": "HttpApi", "Properties": {}},
    }), "snapshots"),
    ("send what failed to a queue", add("Resources", "RotationFunction", "Properties", "DeadLetterQueue", value={
        "Type": "SQS", "TargetArn": "arn:aws:sqs:us-east-1:999988887777:ours",
    }), "snapshots"),
    ("tell the function another endpoint", add("Resources", "RotationFunction", "Properties", "Environment", "Variables", "SECRETS_MANAGER_ENDPOINT", value="https://example.com"), "snapshots"),
    ("disable the key", add("Resources", "SecretsKey", "Properties", "Enabled", value=False), "snapshots"),
    ("delete the key in a week", add("Resources", "SecretsKey", "Properties", "PendingWindowInDays", value=7), "snapshots"),
    ("let the key's policy lock the account out", add("Resources", "SecretsKey", "Properties", "BypassPolicyLockoutSafetyCheck", value=True), "snapshots"),
    ("turn the alarm's actions off", add("Resources", "RotationFailureAlarm", "Properties", "ActionsEnabled", value=False), "snapshots"),
    ("disable the rule for events", add("Resources", "RotationEvents", "Properties", "State", value="DISABLED"), "snapshots"),
    ("let any rule pass events on", lambda t: properties(t, "RotationEventsRole")["AssumeRolePolicyDocument"]["Statement"][0].pop("Condition"), "grants"),
    ("send logs of a lesser class", add("Resources", "RotationLogGroup", "Properties", "LogGroupClass", value="INFREQUENT_ACCESS"), "snapshots"),
    ("subscribe somebody else", lambda t: properties(t, "AlarmTopic")["Subscription"].append({"Protocol": "https", "Endpoint": "https://example.com"}), "snapshots"),
    ("attach the application's policy to a user", add("Resources", "ApplicationPolicy", "Properties", "Users", value=["somebody"]), "snapshots"),
    ("attach one of Amazon's policies", lambda t: properties(t, "RotationRole")["ManagedPolicyArns"].append("arn:aws:iam::aws:policy/AdministratorAccess"), "snapshots"),
    ("make a secret another service's", add("Resources", "ApiKeysSecret", "Properties", "Type", value="external"), "snapshots"),
    ("give a tag another value", of("RotationLogGroup", "Tags", 3, "Value", to="none"), "snapshots"),
    ("make a resource that nobody asked for", add("Resources", "Bucket", value={"Type": "AWS::S3::Bucket"}), "snapshots"),
    ("tell two stages apart where no scenario looks", staging_traces, "unseen"),
    # Other secrets, metrics, the audit, settings
    ("rotate other secrets whoever they call", said("RotateWhatIsConfiguredToCallIt", "Condition"), "calls"),
    ("rotate only what calls another function",
     said("RotateWhatIsConfiguredToCallIt", "Condition", "StringEquals", "secretsmanager:resource/AllowRotationLambdaArn", to="arn:aws:lambda:us-east-1:111122223333:function:other"), "calls"),
    ("rotate other secrets without being asked", others_for_all, "grants"),
    ("use any key for them", said("UnsealAndSealThem", "Resource", to="*"), "grants"),
    ("list secrets without the audit", change("Conditions", "Audits", to={"Fn::Not": [{"Fn::Equals": [{"Ref": "Audit"}, "false"]}]}), "snapshots"),
    ("count lines that aren't written", of("StepsMetric", "FilterPattern", to='{ $.message = "step finished" }'), "metrics"),
    ("count by secret", of("StepsMetric", "MetricTransformations", 0, "Dimensions", 1, to={"Key": "secret", "Value": "$.secret_id"}), "metrics"),
    ("take a field that isn't written", of("DurationMetric", "MetricTransformations", 0, "MetricValue", to="$.duration"), "lines"),
    ("ring for what is only untidy", of("NotRotatedMetric", "FilterPattern", to='{ $.message = "finding" }'), "metrics"),
    ("miss what is stuck", of("NotRotatedMetric", "FilterPattern", to='{ $.message = "finding" && ($.rule = "overdue" || $.rule = "too-old") }'), "metrics"),
    ("watch a metric that nobody makes", of("NotRotatedAlarm", "MetricName", to="Overdue"), "metrics"),
    ("show a metric that nobody makes", dashboard_body('MetricName=\\"Steps\\"', 'MetricName=\\"Step\\"'), "metrics"),
    ("mix the metrics of all stacks", of("StepsMetric", "MetricTransformations", 0, "MetricNamespace", to="db-rotation"), "metrics"),
    ("ask the function for something else", of("AuditSchedule", "Targets", 0, "Input", to='{"Step": "audit"}'), "snapshots"),
    ("stop the audit", add("Resources", "AuditSchedule", "Properties", "State", value="DISABLED"), "snapshots"),
    ("audit once a week", of("AuditSchedule", "ScheduleExpression", to="rate(7 days)"), "snapshots"),
    ("let any rule call the function", of("AuditPermission", "SourceArn"), "snapshots"),
    ("tell nobody of overdue rotations", of("NotRotatedAlarm", "AlarmActions"), "snapshots"),
    ("look for certificates elsewhere", of("RotationFunction", "Environment", "Variables", "PGSSLROOTCERT", "Fn::If", 1, to="/opt/global.pem"), "snapshots"),
    ("forget the boundary of a role", of("ApplicationRole", "PermissionsBoundary"), "snapshots"),
    ("make a group that isn't used", resource("RotationSecurityGroup", "Condition", to="InVpc"), "snapshots"),
    # Parameters, rules, outputs, tags
    ("drop a pattern", change("Parameters", "DatabaseHost", "AllowedPattern"), "parameters"),
    ("loosen a pattern", change("Parameters", "PrivateSubnetIds", "AllowedPattern", to="^.*$"), "parameters"),
    ("widen a range", change("Parameters", "PasswordLength", "MinValue", to=4), "parameters"),
    ("refuse what RDS manages", change("Parameters", "SuperuserSecretArn", "AllowedPattern", to="^$|^arn:aws:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$"), "parameters"),
    ("refuse a blank", change("Parameters", "ExcludeCharacters", "AllowedPattern", to="^[!-~]{0,64}$"), "parameters"),
    ("refuse IPv6", change("Parameters", "DatabaseHost", "AllowedPattern", to="^[A-Za-z0-9_.-]*$"), "parameters"),
    ("drop a description", change("Parameters", "Timeout", "Description"), "parameters"),
    ("drop a rule", change("Rules", "SomebodyIsTold"), "parameters"),
    ("weaken a rule", change("Rules", "AWholeVpcOrNone", "RuleCondition", "Fn::Or", 3), "parameters"),
    ("refuse what is right", change("Parameters", "AlarmEmail", "AllowedPattern", to="^$"), "parameters"),
    ("drop an output", change("Outputs", "SecretsKMSKeyArn"), "outputs"),
    ("export under another name", change("Outputs", "RotationLambdaArn", "Export", "Name", to="RotationLambdaArn"), "outputs"),
    ("give out another ARN", change("Outputs", "APIKeysSecretArn", "Value", "Ref", to="IntegrationsSecret"), "snapshots"),
    ("drop a tag", of("SecretsKey", "Tags", 2), "tags"),
    ("leave a resource untagged", of("Dashboard", "Tags"), "tags"),
]
