// Creates each stack, and compares its template with the exported CloudFormation template: node compare.js STACKS
import * as cdk from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as stack0 from './stack0';
import * as stack1 from './stack1';
import * as stack2 from './stack2';
import * as stack3 from './stack3';

const stacks = [stack0, stack1, stack2, stack3];
assert.equal(process.argv[2], String(stacks.length));
stacks.forEach((module, n) => {
  const stack = new module.KinesisEventLogger(new cdk.App(), `Stack${n}`);
  const ours = parse(readFileSync(`stack${n}.yaml`, 'utf8')).Resources;
  const theirs = Template.fromStack(stack).toJSON().Resources;
  for (const resources of [ours, theirs]) {
    // An asset of the CDK has another place than the one that the template's parameters name.
    delete resources.Function.Properties.Code;
    for (const resource of Object.values<any>(resources)) {
      delete resource.Metadata;
      // The CDK sorts tags.
      resource.Properties.Tags?.sort((a: any, b: any) => a.Key.localeCompare(b.Key));
    }
  }
  assert.deepStrictEqual(theirs, ours);
});
console.log(`${stacks.length} stacks are the same`);
