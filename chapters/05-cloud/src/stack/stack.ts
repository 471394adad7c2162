/**
 * The chapter's system as an AWS CDK stack: a bucket, a queue with dead letters, workers that come and go with the
 * length of the queue, a web tier on Elastic Beanstalk, alarms, and a budget.
 *
 * The CDK turns these objects into a CloudFormation template. It creates nothing at AWS and needs no account.
 */
import {
  CfnOutput,
  CfnParameter,
  CfnResource,
  CustomResourceProviderBase,
  Duration,
  RemovalPolicy,
  Stack,
  Tags,
  Validations,
} from 'aws-cdk-lib'
import { AdjustmentType, AutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import { Alarm, ComparisonOperator, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import {
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  GatewayVpcEndpointAwsService,
  InstanceType,
  LaunchTemplate,
  MachineImage,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  UserData,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { CfnApplication, CfnApplicationVersion, CfnEnvironment } from 'aws-cdk-lib/aws-elasticbeanstalk'
import { InstanceProfile, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { webPermissions, workerPermissions } from '../beanstalk/permissions.ts'
import { stackTagValue, tagKey } from '../cloud/ownership.ts'
import { placesForWorkers } from '../cloud/place.ts'
import { functionPermissions } from '../lambda/permissions.ts'
import type { Permission } from '../machines/roles.ts'
import { workerUserData } from '../machines/user-data.ts'

export interface StackSettings {
  /** The most workers at any time. */
  workers: number
  /** US dollars a month. Notices go to the topic before the budget is spent. */
  budget: number
  /** The address that alarms and notices go to. When undefined, the topic has no subscriber. */
  email?: string | undefined
  /** The worker as one JavaScript file, from `bundleProgram`. */
  workerFile: string
  /** The web tier as a zip, from `bundleTier`. */
  webBundle: string
  /** A folder with the function that counts the texts of a batch, `index.mjs`. */
  functionFolder: string
  /** Beanstalk's name for Node.js on Amazon Linux. It changes with every release of the platform. */
  solutionStack: string
}

type Setting = [namespace: string, optionName: string, value: string]

/** The programs run at Amazon. The SDK finds the credentials of the instance's role. */
const aws = { kind: 'aws' } as const
const atAmazon = placesForWorkers({ storage: aws, queues: aws, machines: aws })

/** How many deliveries a message gets before it goes to the dead letters. */
const deliveries = 5

/** How long the function may take for a batch. */
const functionTimeout = Duration.seconds(30)

export class CloudStack extends Stack {
  constructor(scope: Construct, id: string, settings: StackSettings) {
    super(scope, id, { description: 'Counts words: chapter 5 of Distributed Computing with TypeScript' })
    Tags.of(this).add(tagKey, stackTagValue)

    const bucket = this.#bucket()
    this.#emptyingLogs()
    const { queue, deadLetters } = this.#queues('Jobs', 'DeadLetters')
    // A message of a batch is hidden for as long as all attempts to invoke the function may take: Lambda asks for six times.
    const visibilityTimeout = Duration.seconds(6 * functionTimeout.toSeconds())
    const texts = this.#queues('TextsToCount', 'TextsNotCounted', { visibilityTimeout })
    this.#function(settings, bucket, texts.queue)
    const vpc = this.#network()
    const workers = this.#workers(settings, vpc, bucket, queue)
    const web = this.#web(settings, vpc, bucket, queue)
    this.#watch(settings, queue, [deadLetters, texts.deadLetters])

    new CfnOutput(this, 'BucketName', { value: bucket.bucketName })
    new CfnOutput(this, 'QueueUrl', { value: queue.queueUrl })
    new CfnOutput(this, 'TextsToCountUrl', { value: texts.queue.queueUrl })
    new CfnOutput(this, 'WorkerGroupName', { value: workers.autoScalingGroupName })
    new CfnOutput(this, 'WebUrl', { value: `http://${web.attrEndpointUrl}` })
  }

  #bucket() {
    const bucket = new Bucket(this, 'Texts', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      // `cdk destroy` leaves nothing that costs money.
      removalPolicy: RemovalPolicy.DESTROY,
      autoDeleteObjects: true,
      lifecycleRules: [
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
        { id: 'texts', prefix: 'texts/', expiration: Duration.days(7) },
        // A day longer than the texts: a text without its counts would look as if nobody had counted it yet.
        { id: 'counts', prefix: 'counts/', expiration: Duration.days(8) },
      ],
    })
    acknowledge(
      bucket,
      'AwsSolutions-S1',
      'Access logs would need a second bucket, for a practice system of one reader.',
    )
    return bucket
  }

  /**
   * The function that empties the bucket logs to a group of the stack. Otherwise Lambda would create a group by itself, and
   * `cdk destroy` would leave it. The function's last lines may come late, so it must not be able to create one.
   */
  #emptyingLogs() {
    const logs = this.#logs('EmptyingLogs')
    const provider = this.node.findChild('Custom::S3AutoDeleteObjectsCustomResourceProvider')
    const [handler, role] = ['Handler', 'Role'].map((id) => provider.node.findChild(id))
    if (
      !(provider instanceof CustomResourceProviderBase && CfnResource.isCfnResource(handler)) ||
      !CfnResource.isCfnResource(role)
    )
      throw new Error('this release of the CDK empties buckets in another way')
    handler.addPropertyOverride('LoggingConfig', { LogGroup: logs.logGroupName })
    role.addPropertyDeletionOverride('ManagedPolicyArns')
    provider.addToRolePolicy({
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: logs.logGroupArn,
    })
  }

  #logs(id: string) {
    return new LogGroup(this, id, { retention: RetentionDays.ONE_WEEK, removalPolicy: RemovalPolicy.DESTROY })
  }

  #queues(id: string, deadId: string, options: QueueProps = {}) {
    const secured = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, removalPolicy: RemovalPolicy.DESTROY }
    const deadLetters = new Queue(this, deadId, { ...secured, retentionPeriod: Duration.days(14) })
    const queue = new Queue(this, id, {
      ...secured,
      ...options,
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: deliveries },
    })
    return { queue, deadLetters }
  }

  /** The map step as a function behind a queue. It has no server that could wait, and costs nothing without messages. */
  #function({ functionFolder }: StackSettings, bucket: Bucket, queue: Queue) {
    const role = new Role(this, 'CounterRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    this.#permit(role, bucket, functionPermissions(bucket.bucketArn))
    const logGroup = this.#logs('CounterLogs')
    logGroup.grantWrite(role)
    const counter = new LambdaFunction(this, 'Counter', {
      runtime: Runtime.NODEJS_24_X,
      code: Code.fromAsset(functionFolder),
      handler: 'index.handler',
      // A function gets a share of a core with its memory.
      memorySize: 512,
      timeout: functionTimeout,
      role,
      logGroup,
      environment: { ...atAmazon, BUCKET: bucket.bucketName },
    })
    const reportBatchItemFailures = true
    counter.addEventSource(new SqsEventSource(queue, { batchSize: 10, maxConcurrency: 10, reportBatchItemFailures }))
  }

  /** Public subnets only, because a NAT gateway costs more than all the rest. Its security groups are the firewalls. */
  #network() {
    const vpc = new Vpc(this, 'Network', {
      maxAzs: 2,
      natGateways: 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24 }],
      // It is free, and keeps traffic to the bucket in Amazon's network.
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    })
    acknowledge(vpc, 'AwsSolutions-VPC7', 'Flow logs cost by the gigabyte; nobody reads them in a practice system.')
    return vpc
  }

  #workers({ workers: max, workerFile }: StackSettings, vpc: Vpc, bucket: Bucket, queue: Queue) {
    const code = new Asset(this, 'WorkerCode', { path: workerFile })
    const role = new Role(this, 'WorkerRole', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') })
    role.addToPolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [code.bucket.arnForObjects(code.s3ObjectKey)] }),
    )
    this.#permit(role, bucket, workerPermissions({ bucket: bucket.bucketArn, queue: queue.queueArn }))

    const securityGroup = new SecurityGroup(this, 'WorkerGroup', { vpc, description: 'Nothing may come in' })
    const launchTemplate = new LaunchTemplate(this, 'Worker', {
      instanceType: new InstanceType('t3.micro'),
      machineImage: MachineImage.latestAmazonLinux2023(),
      role,
      securityGroup,
      requireImdsv2: true,
      httpPutResponseHopLimit: 1,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(8, { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 }),
        },
      ],
      userData: UserData.custom(
        workerUserData({
          code: code.s3ObjectUrl,
          environment: {
            ...atAmazon,
            AWS_REGION: this.region,
            BUCKET: bucket.bucketName,
            QUEUE_URL: queue.queueUrl,
          },
        }),
      ),
    })

    const group = new AutoScalingGroup(this, 'Workers', { vpc, launchTemplate, minCapacity: 0, maxCapacity: max })
    // #region scale
    // One worker for the first ten jobs, a second from the eleventh job, and so on. None when no job waits or runs.
    const jobs = new MathExpression({
      expression: 'waiting + taken',
      label: 'jobs waiting or taken',
      period: Duration.minutes(1),
      usingMetrics: {
        waiting: queue.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
        taken: queue.metricApproximateNumberOfMessagesNotVisible({ statistic: 'Maximum' }),
      },
    })
    group.scaleOnMetric('QueueLength', {
      metric: jobs,
      adjustmentType: AdjustmentType.EXACT_CAPACITY,
      scalingSteps: [
        { upper: 0, change: 0 },
        ...Array.from({ length: max }, (_, at) => ({ lower: at * 10 + 1, change: at + 1 })),
      ],
    })
    // #endregion scale
    acknowledge(group, 'AwsSolutions-AS3', 'Workers come and go all the time; the queue is what to watch.')
    return group
  }

  #web({ webBundle, solutionStack }: StackSettings, vpc: Vpc, bucket: Bucket, queue: Queue) {
    const bundle = new Asset(this, 'WebBundle', { path: webBundle })
    const role = new Role(this, 'WebRole', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') })
    this.#permit(role, bucket, webPermissions({ bucket: bucket.bucketArn, queue: queue.queueArn }))
    const profile = new InstanceProfile(this, 'WebProfile', { role })

    const from = new CfnParameter(this, 'WebFrom', {
      description: 'The IPv4 addresses that may use the web tier, which has neither TLS nor a login: 203.0.113.7/32',
      allowedPattern: String.raw`^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2\d|3[0-2])$`,
      constraintDescription: 'accepts IPv4 addresses such as 203.0.113.7/32, at most a /16: never the whole internet',
    })
    const securityGroup = new SecurityGroup(this, 'WebGroup', { vpc, description: 'HTTP from the reader' })
    securityGroup.addIngressRule(Peer.ipv4(from.valueAsString), Port.tcp(80), 'the reader')
    acknowledge(securityGroup, 'AwsSolutions-EC23', 'It cannot look into a parameter, which accepts at most a /16.')

    const application = new CfnApplication(this, 'Web', { description: 'Takes texts and shows their word counts' })
    const version = new CfnApplicationVersion(this, 'WebVersion', {
      applicationName: application.ref,
      sourceBundle: { s3Bucket: bundle.s3BucketName, s3Key: bundle.s3ObjectKey },
    })
    const settings: Setting[] = [
      // One instance without a load balancer: a practice system does not need two, and the balancer costs more than an
      // instance.
      ['aws:elasticbeanstalk:environment', 'EnvironmentType', 'SingleInstance'],
      ['aws:elasticbeanstalk:healthreporting:system', 'SystemType', 'basic'],
      ['aws:autoscaling:launchconfiguration', 'IamInstanceProfile', profile.instanceProfileName],
      ['aws:autoscaling:launchconfiguration', 'DisableIMDSv1', 'true'],
      // Beanstalk's own security group lets in everybody.
      ['aws:autoscaling:launchconfiguration', 'DisableDefaultEC2SecurityGroup', 'true'],
      ['aws:autoscaling:launchconfiguration', 'SecurityGroups', securityGroup.securityGroupId],
      ['aws:ec2:instances', 'InstanceTypes', 't3.micro'],
      ['aws:ec2:vpc', 'VPCId', vpc.vpcId],
      ['aws:ec2:vpc', 'Subnets', vpc.publicSubnets.map((subnet) => subnet.subnetId).join(',')],
      ['aws:ec2:vpc', 'AssociatePublicIpAddress', 'true'],
      ...Object.entries({
        ...atAmazon,
        AWS_REGION: this.region,
        BUCKET: bucket.bucketName,
        QUEUE_URL: queue.queueUrl,
      }).map(([name, value]): Setting => ['aws:elasticbeanstalk:application:environment', name, value]),
    ]
    const environment = new CfnEnvironment(this, 'WebEnvironment', {
      applicationName: application.ref,
      versionLabel: version.ref,
      solutionStackName: solutionStack,
      optionSettings: settings.map(([namespace, optionName, value]) => ({ namespace, optionName, value })),
    })
    acknowledge(environment, 'AwsSolutions-EB3', 'It lives for hours; a managed update comes once a week.')
    acknowledge(environment, 'AwsSolutions-EB4', 'It lives for hours, and its logs can be fetched for as long.')
    return environment
  }

  #permit(role: Role, bucket: Bucket, permissions: Permission[]) {
    const { defaultChild } = bucket.node
    const name = CfnResource.isCfnResource(defaultChild) ? this.getLogicalId(defaultChild) : ''
    for (const { actions, resources, conditions } of permissions) {
      role.addToPolicy(new PolicyStatement({ actions, resources, ...(conditions && { conditions }) }))
      for (const objects of resources.filter((resource) => resource.endsWith('*'))) {
        const id = `AwsSolutions-IAM5[Resource::${objects.replace(bucket.bucketArn, `<${name}.Arn>`)}]`
        acknowledge(role, id, 'The objects below one prefix of one bucket.')
      }
    }
  }

  #watch({ budget, email }: StackSettings, queue: Queue, [jobs, texts]: [Queue, Queue]) {
    const topic = new Topic(this, 'Alerts', { enforceSSL: true })
    if (email) topic.addSubscription(new EmailSubscription(email))
    // Any policy of ours replaces the default one, with which the services of the account may publish.
    const conditions = { StringEquals: { 'aws:SourceAccount': this.account } }
    for (const service of ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com']) {
      topic.grantPublish(new ServicePrincipal(service, { conditions }))
    }

    const notify = new SnsAction(topic)
    for (const [id, deadLetters] of Object.entries({ PoisonMessages: jobs, PoisonTexts: texts })) {
      new Alarm(this, id, {
        alarmDescription: `A message failed ${deliveries} times and was set aside`,
        metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        threshold: 0,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(notify)
    }
    new Alarm(this, 'JobsWaitLong', {
      alarmDescription: 'A job has waited for a quarter of an hour: are there workers?',
      metric: queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum' }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: Duration.minutes(15).toSeconds(),
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(notify)

    new CfnBudget(this, 'Budget', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: budget, unit: 'USD' },
      },
      notificationsWithSubscribers: [
        // What has been spent, and what the month will cost at this rate.
        { notificationType: 'ACTUAL', threshold: 80 },
        { notificationType: 'FORECASTED', threshold: 100 },
      ].map((notification) => ({
        notification: { ...notification, comparisonOperator: 'GREATER_THAN' },
        subscribers: [{ subscriptionType: 'SNS', address: topic.topicArn }],
      })),
    })
  }
}

/** Says why a finding of cdk-nag can stay. */
function acknowledge(construct: Construct, id: string, reason: string) {
  Validations.of(construct).acknowledge({ id, reason })
}
