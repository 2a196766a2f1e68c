// A rotated PostgreSQL secret, for those who deploy with the CDK. Copy this file; the zip is in the release.
//
//   new DbRotation(this, 'Rotation', { zip: 'db-rotation-arm64.zip', secret });

import { ArnFormat, Aws, CfnCondition, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface DbRotationProps {
  /** The function's zip, of this architecture. */
  readonly zip: string;
  /** Default: arm64. */
  readonly architecture?: lambda.Architecture;
  /** The function's name; its log group is called after it. Default: db-rotation. */
  readonly name?: string;
  /** The secret to rotate; if a key of yours encrypts it, import it with that key. */
  readonly secret: secretsmanager.ISecret;
  /** The superuser's secret: the function may read it, for a secret whose value names it as masterarn. */
  readonly superuserSecret?: secretsmanager.ISecret;
  /** Where the function runs in a VPC: from there it needs a way to the database and to Secrets Manager. */
  readonly network?: { vpc: ec2.IVpc; subnets: ec2.SubnetSelection; securityGroups: ec2.ISecurityGroup[] };
  /** Days from one rotation to the next. Default: 30. */
  readonly rotationDays?: number;
  /** Default: a month. */
  readonly logRetention?: logs.RetentionDays;
  /** Characters that no password has. Default: :/@"'\ */
  readonly excludeCharacters?: string;
  /** Length of a password. Default: 32. */
  readonly passwordLength?: number;
}

export class DbRotation extends Construct {
  /** The rotation function. */
  readonly function: lambda.Function;

  constructor(scope: Construct, id: string, props: DbRotationProps) {
    super(scope, id);
    const { secret, network, name = 'db-rotation' } = props;

    const role = new iam.Role(this, 'Role', {
      description: 'What the rotation function may do',
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      managedPolicies: ['AWSLambdaBasicExecutionRole', ...(network ? ['AWSLambdaVPCAccessExecutionRole'] : [])].map((policy) =>
        iam.ManagedPolicy.fromAwsManagedPolicyName(`service-role/${policy}`),
      ),
      inlinePolicies: { rotation: new iam.PolicyDocument({ statements: this.statements(props, name) }) },
    });

    // The function brings the authorities that it trusts; in China and in isolated regions it needs the system's.
    const trusts = new CfnCondition(this, 'TrustsAmazon', {
      expression: Fn.conditionOr(...['aws', 'aws-us-gov'].map((partition) => Fn.conditionEquals(Aws.PARTITION, partition))),
    });
    this.function = new lambda.Function(this, 'Function', {
      functionName: name,
      description: 'Rotates a PostgreSQL credential, called by Secrets Manager',
      code: lambda.Code.fromAsset(props.zip),
      handler: 'bootstrap',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: props.architecture ?? lambda.Architecture.ARM_64,
      memorySize: 256,
      timeout: Duration.seconds(30),
      role: role.withoutPolicyUpdates(),
      loggingFormat: lambda.LoggingFormat.JSON,
      logGroup: new logs.LogGroup(this, 'Log', {
        logGroupName: `/aws/lambda/${name}`,
        retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
      environment: {
        EXCLUDE_CHARACTERS: props.excludeCharacters ?? `:/@"'\\`,
        PASSWORD_LENGTH: `${props.passwordLength ?? 32}`,
        SSL_CERT_FILE: Fn.conditionIf(trusts.logicalId, '/dev/null', Aws.NO_VALUE).toString(),
      },
      vpc: network?.vpc,
      vpcSubnets: network?.subnets,
      securityGroups: network?.securityGroups,
    });

    const permission = new lambda.CfnPermission(this, 'InvokePermission', {
      action: 'lambda:InvokeFunction',
      functionName: this.function.functionName,
      principal: 'secretsmanager.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
    });

    // Not secret.addRotationSchedule: that one grants too little (no ListSecretVersionIds) and lets any account's secrets call.
    const schedule = new secretsmanager.CfnRotationSchedule(this, 'RotationSchedule', {
      secretId: secret.secretArn,
      rotationLambdaArn: this.function.functionArn,
      // Left out it would mean yes: every change of the schedule would change the password there and then.
      rotateImmediatelyOnUpdate: false,
      rotationRules: { automaticallyAfterDays: props.rotationDays ?? 30 },
    });
    // Making a schedule calls the function at once.
    schedule.node.addDependency(permission);
  }

  private statements({ secret, superuserSecret, network }: DbRotationProps, name: string): iam.PolicyStatement[] {
    const stack = Stack.of(this);
    const statements = [
      new iam.PolicyStatement({
        sid: 'RotateTheSecret',
        actions: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:ListSecretVersionIds',
          'secretsmanager:PutSecretValue',
          'secretsmanager:UpdateSecretVersionStage',
        ],
        resources: [secret.secretArn],
      }),
      // The action takes no resource.
      new iam.PolicyStatement({ sid: 'AskForAPassword', actions: ['secretsmanager:GetRandomPassword'], resources: ['*'] }),
    ];
    if (secret.encryptionKey) {
      statements.push(this.unseal('UnsealAndSealTheSecret', ['kms:Decrypt', 'kms:GenerateDataKey'], secret));
    }
    if (superuserSecret) {
      statements.push(
        new iam.PolicyStatement({
          sid: 'ReadTheSuperuser',
          actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
          resources: [superuserSecret.secretArn],
        }),
        // Whether the superuser's host is the secret's, or the writer of which that is a replica.
        new iam.PolicyStatement({
          sid: 'LookUpTheWriter',
          actions: ['rds:DescribeDBClusters', 'rds:DescribeDBInstances'],
          resources: ['cluster', 'db'].map((resource) =>
            stack.formatArn({ service: 'rds', resource, resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME }),
          ),
        }),
      );
    }
    if (superuserSecret?.encryptionKey) {
      statements.push(this.unseal('UnsealTheSuperuser', ['kms:Decrypt'], superuserSecret));
    }
    if (network) {
      const arnFormat = ArnFormat.COLON_RESOURCE_NAME;
      const itself = stack.formatArn({ service: 'lambda', resource: 'function', resourceName: name, arnFormat });
      statements.push(
        // Lambda needs these to attach the function to the VPC; the code itself never does.
        new iam.PolicyStatement({
          sid: 'NoInterfacesByTheCodeItself',
          effect: iam.Effect.DENY,
          actions: [
            'ec2:AssignPrivateIpAddresses',
            'ec2:CreateNetworkInterface',
            'ec2:DeleteNetworkInterface',
            'ec2:DescribeNetworkInterfaces',
            'ec2:DescribeSubnets',
            'ec2:DetachNetworkInterface',
            'ec2:UnassignPrivateIpAddresses',
          ],
          resources: ['*'],
          conditions: { ArnEquals: { 'lambda:SourceFunctionArn': itself } },
        }),
      );
    }
    return statements;
  }

  /** The use of a secret's key, through Secrets Manager and for this secret alone. */
  private unseal(sid: string, actions: string[], secret: secretsmanager.ISecret): iam.PolicyStatement {
    const service = `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}`;
    return new iam.PolicyStatement({
      sid,
      actions,
      resources: [secret.encryptionKey!.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': service, 'kms:EncryptionContext:SecretARN': secret.secretArn } },
    });
  }
}
