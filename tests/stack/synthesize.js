// Synthesizes the CDK construct in each of these files, once with as little as it takes and once with everything; prints
// {file: {plain: template, everything: template}}. Needs the modules that tests/stack/run brings.
'use strict';
const fs = require('fs');
const path = require('path');
const typescript = require('typescript');
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const kms = require('aws-cdk-lib/aws-kms');
const secretsmanager = require('aws-cdk-lib/aws-secretsmanager');

const [given, ...files] = process.argv.slice(2);
const { name, zip, secret, key, superuser, superuserKey, vpc, subnets, securityGroup } = JSON.parse(given);

function synthesized(DbRotation, everything) {
  const app = new cdk.App({ analyticsReporting: false, outdir: fs.mkdtempSync(path.join(path.dirname(zip), 'cdk-')) });
  const stack = new cdk.Stack(app, 'Stack');
  const imported = (id, secretCompleteArn, keyArn) =>
    secretsmanager.Secret.fromSecretAttributes(stack, id, {
      secretCompleteArn,
      encryptionKey: kms.Key.fromKeyArn(stack, `${id}Key`, keyArn),
    });
  const network = () => {
    const availabilityZones = ['us-east-1a', 'us-east-1b'];
    const there = ec2.Vpc.fromVpcAttributes(stack, 'Vpc', { vpcId: vpc, availabilityZones, privateSubnetIds: subnets });
    const group = ec2.SecurityGroup.fromSecurityGroupId(stack, 'Group', securityGroup);
    return { vpc: there, subnets: { subnets: there.privateSubnets }, securityGroups: [group] };
  };
  new DbRotation(stack, 'Rotation', {
    zip,
    name,
    secret: imported('Secret', secret, key),
    ...(everything ? { superuserSecret: imported('Superuser', superuser, superuserKey), network: network() } : {}),
  });
  return app.synth().getStackByName('Stack').template;
}

const found = {};
for (const file of files) {
  const { outputText } = typescript.transpileModule(fs.readFileSync(file, 'utf8'), {
    compilerOptions: { module: typescript.ModuleKind.CommonJS, target: typescript.ScriptTarget.ES2022 },
  });
  const module = { exports: {} };
  new Function('require', 'exports', outputText)(require, module.exports);
  const { DbRotation } = module.exports;
  found[file] = { plain: synthesized(DbRotation, false), everything: synthesized(DbRotation, true) };
}
console.log(JSON.stringify(found));
