/** The CDK stack: what its template contains, and that the checks notice faults. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Peer, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import infrastructure from '../../examples/infrastructure.ts'
import { stackTagValue, tagKey } from '../../src/cloud/ownership.ts'
import { checks } from '../../src/stack/checks.ts'
import { findingsOf, type Synthesis, synthesise } from '../../src/stack/synthesis.ts'

const settings = { workers: 4, budget: 10, solutionStack: '64bit Amazon Linux 2023 v6.6.0 running Node.js 22' }
let folder: TemporaryFolder
let synthesis: Synthesis

beforeAll(async () => {
  folder = await temporaryFolder()
  synthesis = await synthesise({ ...settings, email: 'reader@example.com' }, folder.path)
  // Loading the CDK takes seconds, and longer on a busy machine.
}, 240_000)
afterAll(() => folder[Symbol.asyncDispose]())

/** An App without a folder would leave one behind. */
const appIn = (name: string) => new App({ outdir: join(folder.path, name) })

interface Resource {
  Type: string
  Properties?: Record<string, unknown>
  DeletionPolicy?: string
}
type Resources = Record<string, Resource>

interface PolicyProperties {
  PolicyDocument: { Statement: { Action: string | string[] }[] }
}

const resources = () => structuredClone(synthesis.template.toJSON().Resources) as Resources

describe('the template', () => {
  it('keeps every promise, and cdk-nag finds nothing', () => {
    for (const check of Object.values(checks)) check(synthesis.template)
    expect(synthesis.findings).toEqual([])
    expect(synthesis.acknowledged.map(({ rule }) => rule)).toContain('EB3')
    for (const { reason } of synthesis.acknowledged) expect(reason.length).toBeGreaterThan(20)
  })

  it('asks who may use the web tier, and accepts at most a /16', () => {
    const { AllowedPattern } = synthesis.template.findParameters('WebFrom').WebFrom as { AllowedPattern: string }
    const accepts = (text: string) => new RegExp(AllowedPattern).test(text)
    for (const text of ['203.0.113.7/32', '10.0.0.0/16', '203.0.113.0/24'])
      expect([text, accepts(text)]).toEqual([text, true])
    for (const text of ['0.0.0.0/0', '10.0.0.0/15', '203.0.113.7', '::/0', '1.2.3.4/32,0.0.0.0/0', '']) {
      expect([text, accepts(text)]).toEqual([text, false])
    }
  })

  it('names services as they are called in every partition, also in China', () => {
    const names = JSON.stringify(resources()).match(/[\w-]+\.amazonaws\.com[.\w]*/g)
    expect(new Set(names)).toEqual(
      new Set(['ec2', 'lambda', 'cloudwatch', 'budgets'].map((service) => `${service}.amazonaws.com`)),
    )
    // The CDK had a table of other names, and found that they are no longer needed.
    const china = new Stack(appIn('china'), 'China', { env: { region: 'cn-north-1' } })
    for (const name of names ?? []) {
      expect(china.resolve(new ServicePrincipal(`${name}.cn`).policyFragment.principalJson)).toEqual({
        Service: [name],
      })
    }
  })

  it('tags its queues', () => {
    const queues = Object.values(synthesis.template.findResources('AWS::SQS::Queue'))
    expect(queues.length).toBeGreaterThanOrEqual(2)
    for (const { Properties } of queues) {
      expect(Properties).toMatchObject({ Tags: expect.arrayContaining([{ Key: tagKey, Value: stackTagValue }]) })
    }
  })

  it('lets the function take messages, read texts, write counts and logs, and nothing else', () => {
    const policies = Object.entries(synthesis.template.findResources('AWS::IAM::Policy'))
    const statements = policies
      .filter(([id]) => id.startsWith('CounterRole'))
      .flatMap(([, { Properties }]) => (Properties as PolicyProperties).PolicyDocument.Statement)
    expect(new Set(statements.flatMap(({ Action }) => Action))).toEqual(
      new Set([
        ...['s3:GetObject', 's3:PutObject', 'logs:CreateLogStream', 'logs:PutLogEvents'],
        ...['sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueUrl', 'sqs:DeleteMessage'],
        'sqs:GetQueueAttributes',
      ]),
    )
  })

  it('adds a worker for every ten jobs, up to the ceiling', () => {
    const policies = Object.values(synthesis.template.findResources('AWS::AutoScaling::ScalingPolicy'))
    const steps = policies.flatMap(({ Properties }) => (Properties as { StepAdjustments: object[] }).StepAdjustments)
    // Relative to the alarm's threshold, which is one job.
    expect(steps).toEqual(
      expect.arrayContaining([
        { MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 10, ScalingAdjustment: 1 },
        { MetricIntervalLowerBound: 10, MetricIntervalUpperBound: 20, ScalingAdjustment: 2 },
        { MetricIntervalLowerBound: 30, ScalingAdjustment: 4 },
        { MetricIntervalUpperBound: 0, ScalingAdjustment: 0 },
      ]),
    )
    synthesis.template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', { MaxSize: '4' })
  })

  it('sends alarms and budget notices to the given address', () => {
    synthesis.template.hasResourceProperties('AWS::SNS::Subscription', { Endpoint: 'reader@example.com' })
    synthesis.template.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetLimit: { Amount: 10, Unit: 'USD' } },
    })
  })

  it('comes with the programs it deploys', async () => {
    const { Parameters: _, ...template } = synthesis.template.toJSON() as { Parameters: unknown }
    const keys = [...JSON.stringify(template).matchAll(/([0-9a-f]{64})\.(mjs|zip)/g)].map(([name]) => name)
    expect(new Set(keys.map((key) => key.split('.')[1]))).toEqual(new Set(['mjs', 'zip']))
    for (const key of keys) {
      const file = join(synthesis.assembly, `asset.${key}`)
      // The CDK's own asset is a folder, which is zipped at deployment.
      await access(file).catch(() => access(file.replace(/\.zip$/, '')))
    }
  })
})

describe('the checks', () => {
  const first = (all: Resources, type: string): Resource => {
    const found = Object.values(all).find(({ Type }) => Type === type)
    if (!found) throw new Error(`there is no ${type}`)
    return found
  }
  const set = (resource: Resource, properties: Record<string, unknown>) => {
    resource.Properties = { ...resource.Properties, ...properties }
  }
  const spoiltBy = (spoil: (all: Resources) => void) => {
    const all = resources()
    spoil(all)
    return Template.fromJSON({ ...synthesis.template.toJSON(), Resources: all })
  }
  /** Lets a service publish under a condition only, or not at all. */
  function allow(all: Resources, service: string, Condition: object | undefined, Effect = 'Allow') {
    const policy = first(all, 'AWS::SNS::TopicPolicy')
    const { PolicyDocument } = policy.Properties as {
      PolicyDocument: { Statement: { Principal: { Service?: string } }[] }
    }
    const { Statement } = PolicyDocument
    const [its] = Statement.filter(({ Principal }) => Principal.Service === `${service}.amazonaws.com`)
    const others = Statement.filter((statement) => Effect === 'Deny' || statement !== its)
    set(policy, { PolicyDocument: { Statement: [...others, ...(Condition ? [{ ...its, Effect, Condition }] : [])] } })
  }
  const spoilers: Record<string, (all: Resources) => void> = {
    'nobody can read the bucket from outside, or without TLS': (all) =>
      set(first(all, 'AWS::S3::Bucket'), { PublicAccessBlockConfiguration: { BlockPublicAcls: true } }),
    'what fails five times goes to the dead letters, and sets off an alarm': (all) => {
      for (const resource of Object.values(all))
        if (resource.Type === 'AWS::SQS::Queue') set(resource, { RedrivePolicy: {} })
    },
    'of a batch only what failed comes again, and at most ten batches run at once': (all) =>
      set(first(all, 'AWS::Lambda::EventSourceMapping'), { FunctionResponseTypes: [] }),
    'workers use IMDSv2 only, and encrypted disks': (all) => {
      const template = first(all, 'AWS::EC2::LaunchTemplate')
      const data = template.Properties?.LaunchTemplateData as object
      set(template, { LaunchTemplateData: { ...data, MetadataOptions: { HttpTokens: 'optional' } } })
    },
    'every alarm and every notice of the budget may get to its topic': (all) => allow(all, 'cloudwatch', undefined),
    'no firewall lets anybody in, except you to the web tier': (all) =>
      set(first(all, 'AWS::EC2::SecurityGroup'), {
        SecurityGroupIngress: [{ CidrIp: '0.0.0.0/0', IpProtocol: 'tcp', FromPort: 22, ToPort: 22 }],
      }),
    'there are no workers without work, and never more than the ceiling': (all) =>
      set(first(all, 'AWS::AutoScaling::AutoScalingGroup'), { MaxSize: '100' }),
    'no role may do everything, or anything to everything': (all) =>
      set(first(all, 'AWS::IAM::Policy'), {
        PolicyDocument: { Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] },
      }),
    'texts are gone after a week, and their counts not before them': (all) =>
      set(first(all, 'AWS::S3::Bucket'), {
        LifecycleConfiguration: { Rules: [{ Prefix: 'counts/', ExpirationInDays: 7, Status: 'Enabled' }] },
      }),
    'every month has a budget': (all) => {
      for (const [id, { Type }] of Object.entries(all)) if (Type === 'AWS::Budgets::Budget') delete all[id]
    },
    'deleting the stack leaves nothing behind': (all) => {
      first(all, 'AWS::S3::Bucket').DeletionPolicy = 'Retain'
    },
  }

  it('are each broken once below', () => {
    expect(Object.keys(spoilers).sort()).toEqual(Object.keys(checks).sort())
  })

  it.each(Object.entries(spoilers))('notice when this is broken: %s', (promise, spoil) => {
    expect(() => checks[promise]?.(spoiltBy(spoil))).toThrow()
  })

  const alarms = 'every alarm and every notice of the budget may get to its topic'
  const firewalls = 'no firewall lets anybody in, except you to the web tier'
  const end = 'deleting the stack leaves nothing behind'
  const bucketClosed = 'nobody can read the bucket from outside, or without TLS'
  const letters = 'what fails five times goes to the dead letters, and sets off an alarm'
  const batches = 'of a batch only what failed comes again, and at most ten batches run at once'
  const roles = 'no role may do everything, or anything to everything'
  const mayRead = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'r' }
  const denyWithoutTls = { Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }
  it.each<[what: string, promise: string, spoil: (all: Resources) => void, why: RegExp]>([
    [
      'a topic that the budget may not use',
      alarms,
      (all) => allow(all, 'budgets', undefined),
      /budgets\.amazonaws\.com may not publish to the topic of Budget/,
    ],
    [
      'a topic that alarms of every account may use',
      alarms,
      (all) => allow(all, 'cloudwatch', {}),
      /cloudwatch\.amazonaws\.com may not publish/,
    ],
    [
      'a topic that denies more than requests without TLS',
      alarms,
      (all) => allow(all, 'budgets', {}, 'Deny'),
      /denies/,
    ],
    [
      "a topic encrypted with Amazon's key",
      alarms,
      (all) => set(first(all, 'AWS::SNS::Topic'), { KmsMasterKeyId: 'alias/aws/sns' }),
      /AWS::SNS::Topic, but none match/,
    ],
    [
      'an alarm without an action',
      alarms,
      (all) => set(first(all, 'AWS::CloudWatch::Alarm'), { AlarmActions: [] }),
      /tells nobody/,
    ],
    [
      'an alarm that is switched off',
      alarms,
      (all) => set(first(all, 'AWS::CloudWatch::Alarm'), { ActionsEnabled: false }),
      /tells nobody/,
    ],
    [
      'an alarm that acts on something else',
      alarms,
      (all) => set(first(all, 'AWS::CloudWatch::Alarm'), { AlarmActions: ['arn:aws:sns:eu-west-1:1:other'] }),
      /which is no topic of ours/,
    ],
    [
      "Beanstalk's own firewall",
      firewalls,
      (all) => {
        const environment = first(all, 'AWS::ElasticBeanstalk::Environment')
        const options = environment.Properties?.OptionSettings as { OptionName: string }[]
        set(environment, { OptionSettings: options.filter(({ OptionName }) => !OptionName.startsWith('Disable')) })
      },
      /AWS::ElasticBeanstalk::Environment, but none match/,
    ],
    [
      'logs in a group that Lambda creates',
      end,
      (all) => set(first(all, 'AWS::Lambda::Function'), { LoggingConfig: {} }),
      /AWS::Lambda::Function, but only 1 match/,
    ],
    [
      'a role that may create log groups',
      end,
      (all) => set(first(all, 'AWS::IAM::Role'), { ManagedPolicyArns: ['…/AWSLambdaBasicExecutionRole'] }),
      /may create log groups/,
    ],
    [
      'a bucket that another account may read',
      bucketClosed,
      (all) =>
        set(first(all, 'AWS::S3::BucketPolicy'), {
          PolicyDocument: { Statement: [{ ...mayRead, Principal: { AWS: '999999999999' } }, denyWithoutTls] },
        }),
      /lets in .*999999999999/,
    ],
    [
      'an alarm that watches another queue than that of the dead letters',
      letters,
      (all) => {
        const [queue] =
          Object.entries(all).find(
            ([, { Type, Properties }]) => Type === 'AWS::SQS::Queue' && Properties?.RedrivePolicy,
          ) ?? []
        for (const alarm of Object.values(all)) {
          if (alarm.Type !== 'AWS::CloudWatch::Alarm') continue
          set(alarm, { Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [queue, 'QueueName'] } }] })
        }
      },
      /AWS::CloudWatch::Alarm, but none match/,
    ],
    [
      'a queue without dead letters',
      letters,
      (all) => {
        all.More = { Type: 'AWS::SQS::Queue', Properties: {} }
      },
      /a queue has no dead letters/,
    ],
    [
      'a batch that comes again while the function still has it',
      batches,
      (all) => {
        for (const { Type, Properties } of Object.values(all))
          if (Type === 'AWS::SQS::Queue') delete Properties?.VisibilityTimeout
      },
      /hides messages for undefined s only/,
    ],
    [
      'a function that runs as often as the account allows',
      batches,
      (all) => set(first(all, 'AWS::Lambda::EventSourceMapping'), { ScalingConfig: undefined }),
      /runs Infinity batches at once/,
    ],
    [
      'a statement within a role',
      roles,
      (all) =>
        set(first(all, 'AWS::IAM::Role'), {
          Policies: [{ PolicyDocument: { Statement: [{ ...mayRead, Action: '*' }] } }],
        }),
      /allows "\*" on/,
    ],
    [
      'a role with a policy of Amazon',
      roles,
      (all) =>
        set(first(all, 'AWS::IAM::Role'), { ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'] }),
      /has .*AdministratorAccess/,
    ],
    [
      'a role that may do everything but one thing',
      roles,
      (all) =>
        set(first(all, 'AWS::IAM::Policy'), {
          PolicyDocument: { Statement: [{ Effect: 'Allow', NotAction: 's3:PutObject', Resource: 'r' }] },
        }),
      /allows undefined on "r"/,
    ],
    [
      'a role that may read every bucket',
      roles,
      (all) =>
        set(first(all, 'AWS::IAM::Policy'), {
          PolicyDocument: { Statement: [{ ...mayRead, Resource: 'arn:aws:s3:::*/*' }] },
        }),
      /on "arn:aws:s3:::\*\/\*"/,
    ],
    [
      'something that stays',
      end,
      (all) => {
        first(all, 'AWS::Logs::LogGroup').DeletionPolicy = 'Retain'
      },
      /EmptyingLogs\w+ stays: Retain/,
    ],
  ])('notice %s', (_, promise, spoil, why) => {
    expect(() => checks[promise]?.(spoiltBy(spoil))).toThrow(why)
  })

  it('of cdk-nag notice an open firewall, a queue without TLS and an open bucket', () => {
    const stack = new Stack(appIn('careless'), 'Careless')
    const firewall = new SecurityGroup(stack, 'Firewall', { vpc: new Vpc(stack, 'Vpc') })
    firewall.addIngressRule(Peer.anyIpv4(), Port.tcp(22))
    new Queue(stack, 'Queue')
    new Bucket(stack, 'Bucket')
    const rules = findingsOf(stack).map(({ rule }) => rule)
    expect(rules).toEqual(expect.arrayContaining(['AwsSolutions-EC23', 'AwsSolutions-SQS4', 'AwsSolutions-S10']))
  })
})

describe('infrastructure', () => {
  it('shows a reader the resources, the promises and how to deploy', async () => {
    await using out = await temporaryFolder()
    const run = await runHere(infrastructure, '--quick', '--workers', '2', '--out', out.path)
    expect(run).toMatchObject({ code: 0 })
    for (const promise of Object.keys(checks)) expect(run.stdout).toContain(`✓ ${promise}`)
    expect(run.stdout).toContain('cdk-nag: 0 findings')
    expect(run.stdout).toContain(`npx aws-cdk@2 deploy --app ${join(out.path, 'assembly')} --parameters WebFrom=`)
    expect(run.stdout).toContain('Alarms and notices reach nobody: --email says who gets them.')
    await access(join(out.path, 'assembly', 'manifest.json'))
  })

  it.each([{ workers: 0 }, { workers: 20 }, { budget: 1.5 }, { email: 'nobody' }])('refuses %j', async (options) => {
    const [name] = Object.keys(options)
    await expect(infrastructure.run(options)).rejects.toThrow(new RegExp(`^--${name}: received .*; accepts .+$`))
  })
})
