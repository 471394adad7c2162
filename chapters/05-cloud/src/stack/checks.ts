/**
 * The promises of the stack, as assertions on its template. Each passes, or throws what it found instead. cdk-nag knows
 * good practice in general. These checks know what this system must never be.
 */
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
  },
  'a job that fails five times goes to the dead letters, and sets off an alarm': (template) => {
    template.hasResourceProperties('AWS::SQS::Queue', { RedrivePolicy: has({ maxReceiveCount: 5 }) })
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      AlarmActions: Match.anyValue(),
    })
  },
  'workers use IMDSv2 only, and encrypted disks': (template) => {
    template.allResourcesProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: has({
        MetadataOptions: has({ HttpTokens: 'required' }),
        BlockDeviceMappings: [has({ Ebs: has({ Encrypted: true }) })],
      }),
    })
  },
  'no firewall lets anybody in': (template) => {
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::EC2::SecurityGroup'))) {
      const rules = (Properties as { SecurityGroupIngress?: unknown[] }).SecurityGroupIngress ?? []
      if (rules.length > 0) throw new Error(`${id} lets in ${JSON.stringify(rules)}`)
    }
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0)
  },
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
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::IAM::Policy'))) {
      const { Statement } = (Properties as { PolicyDocument: { Statement: { Action: unknown; Resource: unknown }[] } })
        .PolicyDocument
      for (const { Action, Resource } of Statement) {
        const tooMuch =
          [Action].flat().some((action) => String(action).endsWith('*')) || [Resource].flat().includes('*')
        if (tooMuch) throw new Error(`${id} allows ${JSON.stringify(Action)} on ${JSON.stringify(Resource)}`)
      }
    }
  },
  'every month has a budget': (template) => {
    template.hasResourceProperties('AWS::Budgets::Budget', { Budget: has({ TimeUnit: 'MONTHLY', BudgetType: 'COST' }) })
  },
  'deleting the stack leaves nothing behind': (template) => {
    template.allResources('AWS::S3::Bucket', { DeletionPolicy: 'Delete' })
    template.allResources('AWS::SQS::Queue', { DeletionPolicy: 'Delete' })
    template.resourceCountIs('Custom::S3AutoDeleteObjects', 1)
  },
}
