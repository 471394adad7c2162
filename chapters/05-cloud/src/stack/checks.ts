/**
 * The promises of the stack, as assertions on its template. Each passes, or throws what it found instead. cdk-nag knows
 * good practice in general. These checks know what this system must never be.
 */
import { isDeepStrictEqual } from 'node:util'
import { Match, type Template } from 'aws-cdk-lib/assertions'

const has = Match.objectLike

/** The promises in words, and how to check each of them. */
export const checks: Record<string, (template: Template) => void> = {
  'nobody can read the bucket from outside, or without TLS': (template) => {
    const blocked = {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    }
    template.allResourcesProperties('AWS::S3::Bucket', { PublicAccessBlockConfiguration: blocked })
    const denied = has({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: { Statement: Match.arrayWith([denied]) },
    })
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::S3::BucketPolicy'))) {
      const { PolicyDocument } = Properties as { PolicyDocument: { Statement: PolicyStatement[] } }
      for (const { Effect, Principal } of PolicyDocument.Statement) {
        // Blocking the public does not block another account. A role of the stack is a reference.
        const { AWS = '' } = Principal as { AWS?: object | string }
        const isOurs = isDeepStrictEqual(Object.keys(AWS), ['Fn::GetAtt'])
        if (Effect === 'Allow' && !isOurs) throw new Error(`${id} lets in ${JSON.stringify(Principal)}`)
      }
    }
  },
  'what fails five times goes to the dead letters, and sets off an alarm': (template) => {
    const queues = Object.values(template.findResources('AWS::SQS::Queue'))
    const redrives = queues.flatMap(({ Properties }) => (Properties as QueueProperties).RedrivePolicy ?? [])
    // Of each pair, the second queue has no dead letters of its own.
    if (redrives.length === 0 || 2 * redrives.length !== queues.length) throw new Error('a queue has no dead letters')
    for (const { maxReceiveCount, deadLetterTargetArn } of redrives) {
      const [letters] = deadLetterTargetArn?.['Fn::GetAtt'] ?? []
      if (maxReceiveCount !== 5) throw new Error(`${letters} gets what failed ${maxReceiveCount} times`)
      template.hasResourceProperties('AWS::CloudWatch::Alarm', {
        MetricName: 'ApproximateNumberOfMessagesVisible',
        Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [letters, 'QueueName'] } }],
        Threshold: 0,
        AlarmActions: Match.anyValue(),
      })
    }
  },
  'of a batch only what failed comes again, and at most ten batches run at once': (template) => {
    const mappings = Object.entries(template.findResources('AWS::Lambda::EventSourceMapping'))
    if (mappings.length === 0) throw new Error('nothing invokes a function')
    for (const [id, { Properties }] of mappings) {
      const mapping = Properties as MappingProperties
      const [queue = ''] = mapping.EventSourceArn['Fn::GetAtt']
      const timeout = propertiesOf(template, mapping.FunctionName.Ref).Timeout as number
      const visibility = propertiesOf(template, queue).VisibilityTimeout as number
      if (!mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures')) throw new Error(`${id} repeats batches`)
      if (!(visibility >= 6 * timeout)) throw new Error(`${queue} hides messages for ${visibility} s only`)
      const { MaximumConcurrency = Infinity } = mapping.ScalingConfig ?? {}
      if (MaximumConcurrency > 10) throw new Error(`${id} runs ${MaximumConcurrency} batches at once`)
    }
  },
  'workers use IMDSv2 only, and encrypted disks': (template) => {
    template.allResourcesProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: has({
        MetadataOptions: has({ HttpTokens: 'required' }),
        BlockDeviceMappings: [has({ Ebs: has({ Encrypted: true }) })],
      }),
    })
  },
  'every alarm and every notice of the budget may get to its topic': (template) => {
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::CloudWatch::Alarm'))) {
      const { ActionsEnabled = true, AlarmActions = [] } = Properties as AlarmProperties
      if (!ActionsEnabled || AlarmActions.length === 0) throw new Error(`${id} tells nobody`)
      for (const action of AlarmActions) requireAllowed(template, { id, service: 'cloudwatch.amazonaws.com', action })
    }
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::Budgets::Budget'))) {
      const { NotificationsWithSubscribers: notices = [] } = Properties as BudgetProperties
      const subscribers = notices.flatMap(({ Subscribers }) => Subscribers)
      if (subscribers.length === 0) throw new Error(`${id} tells nobody`)
      for (const { Address } of subscribers)
        requireAllowed(template, { id, service: 'budgets.amazonaws.com', action: Address })
    }
  },
  // #region firewall
  'no firewall lets anybody in, except you to the web tier': (template) => {
    const you = { CidrIp: { Ref: 'WebFrom' }, FromPort: 80, IpProtocol: 'tcp', ToPort: 80 }
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::EC2::SecurityGroup'))) {
      const { SecurityGroupIngress: rules = [] } = Properties as { SecurityGroupIngress?: { Description?: string }[] }
      for (const { Description: _, ...rule } of rules) {
        if (!isDeepStrictEqual(rule, you)) throw new Error(`${id} lets in ${JSON.stringify(rule)}`)
      }
    }
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0)
    // Whoever deploys says who may come in: at most a /16.
    template.hasParameter('WebFrom', { Default: Match.absent(), AllowedPattern: Match.stringLikeRegexp('/\\(1\\[6-9') })
    // Beanstalk's own firewall would let in everybody.
    const closed = { OptionName: 'DisableDefaultEC2SecurityGroup', Value: 'true' }
    template.allResourcesProperties('AWS::ElasticBeanstalk::Environment', {
      OptionSettings: Match.arrayWith([has(closed)]),
    })
  },
  // #endregion firewall
  'there are no workers without work, and never more than the ceiling': (template) => {
    for (const { Properties } of Object.values(template.findResources('AWS::AutoScaling::AutoScalingGroup'))) {
      const { MaxSize } = Properties as { MaxSize: string }
      template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', { MinSize: '0' })
      const steps = Match.arrayWith([has({ ScalingAdjustment: Number(MaxSize) })])
      const policy = { AdjustmentType: 'ExactCapacity', StepAdjustments: steps }
      template.hasResourceProperties('AWS::AutoScaling::ScalingPolicy', policy)
    }
  },
  'no role may do everything, or anything to everything': (template) => {
    for (const [id, { Type, Properties }] of Object.entries(resourcesOf(template))) {
      if (!Type.startsWith('AWS::IAM::')) continue
      const { PolicyDocument, Policies = [], ManagedPolicyArns = [] } = Properties as IamProperties
      // Amazon decides what those allow.
      if (ManagedPolicyArns.length > 0) throw new Error(`${id} has ${JSON.stringify(ManagedPolicyArns)}`)
      const documents = [PolicyDocument, ...Policies.map((policy) => policy.PolicyDocument)]
      for (const { Action, Resource } of documents.flatMap((document) => document?.Statement ?? [])) {
        // Names of our own resources are references, not strings. Without an action or a resource, it names exceptions.
        const tooMuch = [Action, Resource].some((names) =>
          [names].flat().some((name) => name === undefined || (typeof name === 'string' && name.includes('*'))),
        )
        if (tooMuch) throw new Error(`${id} allows ${JSON.stringify(Action)} on ${JSON.stringify(Resource)}`)
      }
    }
  },
  'texts are gone after a week, and their counts not before them': (template) => {
    const expiry = (prefix: string, days: number) => has({ Prefix: prefix, ExpirationInDays: days, Status: 'Enabled' })
    template.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: { Rules: Match.arrayWith([expiry('texts/', 7), expiry('counts/', 8)]) },
    })
  },
  'every month has a budget': (template) => {
    template.hasResourceProperties('AWS::Budgets::Budget', { Budget: has({ TimeUnit: 'MONTHLY', BudgetType: 'COST' }) })
  },
  'deleting the stack leaves nothing behind': (template) => {
    for (const [id, { DeletionPolicy = 'Delete' }] of Object.entries(resourcesOf(template))) {
      if (DeletionPolicy !== 'Delete') throw new Error(`${id} stays: ${DeletionPolicy}`)
    }
    template.resourceCountIs('Custom::S3AutoDeleteObjects', 1)
    // The logs of its function are in the group of the stack, and nobody may create another.
    template.allResourcesProperties('AWS::Lambda::Function', {
      LoggingConfig: { LogGroup: { Ref: Match.stringLikeRegexp('.') } },
    })
    const roles = JSON.stringify(template.findResources('AWS::IAM::Role'))
    if (/AWSLambdaBasicExecutionRole|logs:CreateLogGroup/.test(roles)) throw new Error('a role may create log groups')
  },
}

interface Resource {
  Type: string
  Properties: object
  DeletionPolicy?: string
}

interface QueueProperties {
  RedrivePolicy?: { maxReceiveCount?: number; deadLetterTargetArn?: { 'Fn::GetAtt': string[] } }
}

interface MappingProperties {
  EventSourceArn: { 'Fn::GetAtt': string[] }
  FunctionName: { Ref: string }
  FunctionResponseTypes?: string[]
  ScalingConfig?: { MaximumConcurrency?: number }
}

const propertiesOf = (template: Template, id: string) =>
  (resourcesOf(template)[id]?.Properties ?? {}) as Record<string, unknown>

const resourcesOf = (template: Template) => template.toJSON().Resources as Record<string, Resource>

interface PolicyDocument {
  Statement: { Action?: unknown; Resource?: unknown }[]
}

interface IamProperties {
  PolicyDocument?: PolicyDocument
  /** Those within a role. */
  Policies?: { PolicyDocument: PolicyDocument }[]
  /** Those of Amazon. */
  ManagedPolicyArns?: unknown[]
}

interface AlarmProperties {
  ActionsEnabled?: boolean
  AlarmActions?: unknown[]
}

interface BudgetProperties {
  NotificationsWithSubscribers?: { Subscribers: { Address: unknown }[] }[]
}

interface PolicyStatement {
  Effect: string
  Principal: { Service?: string | string[] } | string
  Action: string | string[]
  Resource: unknown
  Condition?: unknown
}

/** Throws unless a service may carry out what a resource, such as an alarm, tells it to do. */
function requireAllowed(template: Template, { id, service, action }: { id: string; service: string; action: unknown }) {
  const refersTo = (type: string) =>
    Object.keys(template.findResources(type)).some((name) => isDeepStrictEqual(action, { Ref: name }))
  // CloudWatch needs no permission for the scaling policies of its own account.
  if (service === 'cloudwatch.amazonaws.com' && refersTo('AWS::AutoScaling::ScalingPolicy')) return
  if (!refersTo('AWS::SNS::Topic'))
    throw new Error(`${id} acts on ${JSON.stringify(action)}, which is no topic of ours`)
  // Amazon's own key for topics lets in no other service.
  template.allResourcesProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.absent() })
  const statements = Object.values(template.findResources('AWS::SNS::TopicPolicy')).flatMap(({ Properties }) => {
    const { Topics, PolicyDocument } = Properties as {
      Topics: unknown[]
      PolicyDocument: { Statement: PolicyStatement[] }
    }
    return Topics.some((topic) => isDeepStrictEqual(topic, action)) ? PolicyDocument.Statement : []
  })
  const ofAccount = { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }
  const isAllowed = statements.some(
    ({ Effect, Principal, Action, Resource, Condition }) =>
      Effect === 'Allow' &&
      typeof Principal === 'object' &&
      [Principal.Service].flat().includes(service) &&
      [Action].flat().includes('sns:Publish') &&
      isDeepStrictEqual(Resource, action) &&
      isDeepStrictEqual(Condition, ofAccount),
  )
  if (!isAllowed) throw new Error(`${service} may not publish to the topic of ${id}`)
  const withoutTls = { Bool: { 'aws:SecureTransport': 'false' } }
  const denied = statements.find(
    ({ Effect, Condition }) => Effect === 'Deny' && !isDeepStrictEqual(Condition, withoutTls),
  )
  if (denied) throw new Error(`the topic of ${id} denies ${JSON.stringify(denied)}`)
}
