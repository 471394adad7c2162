/** Elastic Beanstalk through Amazon's API, behind the interface in platform.ts. */
import { createHash } from 'node:crypto'
import {
  CreateApplicationCommand,
  CreateApplicationVersionCommand,
  CreateEnvironmentCommand,
  DeleteApplicationCommand,
  DescribeApplicationsCommand,
  DescribeEnvironmentsCommand,
  ElasticBeanstalkClient,
  ListAvailableSolutionStacksCommand,
  SwapEnvironmentCNAMEsCommand,
  TerminateEnvironmentCommand,
} from '@aws-sdk/client-elastic-beanstalk'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { clientConfig } from '../cloud/clients.ts'
import { explainErrors } from '../cloud/errors.ts'
import { isOwnName, tagKey, tagValue } from '../cloud/ownership.ts'
import type { Place } from '../cloud/place.ts'
import type { Tier } from './bundle.ts'
import type { Environment, EnvironmentRequest, Health, Platform, Status } from './platform.ts'

export interface BeanstalkOptions {
  beanstalk: ElasticBeanstalkClient
  s3: S3Client
  /** The bucket that bundles are uploaded to. */
  bucket: string
  /** The queue that feeds the worker tiers. */
  queueUrl: string
  /** The application's name, new in the account. */
  application: string
  /** The instance profile of the environments' instances. */
  instanceProfile: string
  /** The ids of the firewalls of their instances. */
  securityGroups: Record<Tier, string>
}

const tags = [{ Key: tagKey, Value: tagValue }]

/** A client for Elastic Beanstalk. Its errors are one clear line. */
export function beanstalkClient(place: Place): Disposable & { client: ElasticBeanstalkClient } {
  const client = explainErrors(new ElasticBeanstalkClient(clientConfig(place)), place)
  return { client, [Symbol.dispose]: () => client.destroy() }
}

/**
 * Creates an application. Disposing of it deletes the application and makes all its environments end, without waiting
 * for them.
 */
export async function createBeanstalk(options: BeanstalkOptions): Promise<Platform> {
  const { beanstalk, s3, bucket, application } = options
  const solutionStack = await newestNodeStack(beanstalk)
  const inApplication = { ApplicationName: application }
  try {
    await beanstalk.send(new CreateApplicationCommand({ ...inApplication, Tags: tags }))
  } catch (error) {
    // Perhaps only its answer was lost.
    await deleteApplication(beanstalk, application).catch(() => {})
    throw error
  }

  return {
    name: `Elastic Beanstalk (${solutionStack})`,
    async createVersion(label, bundle) {
      const Key = `bundles/${createHash('sha256').update(bundle).digest('hex')}.zip`
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: bundle, ContentType: 'application/zip' }))
      await beanstalk.send(
        new CreateApplicationVersionCommand({
          ...inApplication,
          VersionLabel: label,
          SourceBundle: { S3Bucket: bucket, S3Key: Key },
          Tags: tags,
        }),
      )
    },
    async createEnvironment(request) {
      const { name, tier, version } = request
      await beanstalk.send(
        new CreateEnvironmentCommand({
          ...inApplication,
          EnvironmentName: name,
          VersionLabel: version,
          SolutionStackName: solutionStack,
          Tier: tier === 'web' ? { Name: 'WebServer', Type: 'Standard' } : { Name: 'Worker', Type: 'SQS/HTTP' },
          OptionSettings: optionSettings(request, options),
          Tags: tags,
        }),
      )
    },
    environments: () => environmentsOf(beanstalk, application),
    async swap(one, other) {
      const both = { SourceEnvironmentName: one, DestinationEnvironmentName: other }
      await beanstalk.send(new SwapEnvironmentCNAMEsCommand(both))
    },
    async terminate(name) {
      await beanstalk.send(new TerminateEnvironmentCommand({ EnvironmentName: name, TerminateResources: true }))
    },
    [Symbol.asyncDispose]: () => deleteApplication(beanstalk, application),
  }
}

/** The environments of an application that have not ended. */
export async function environmentsOf(beanstalk: ElasticBeanstalkClient, application: string): Promise<Environment[]> {
  const { Environments = [] } = await beanstalk.send(
    new DescribeEnvironmentsCommand({ ApplicationName: application, IncludeDeleted: false }),
  )
  return Environments.map(({ EnvironmentName = '', VersionLabel = '', Tier, Status, Health, CNAME }) => ({
    name: EnvironmentName,
    tier: Tier?.Name === 'Worker' ? ('worker' as const) : ('web' as const),
    version: VersionLabel,
    status: Status as Status,
    health: Health as Health,
    cname: CNAME ? `http://${CNAME}` : undefined,
  }))
}

/** Deletes an application with its versions and environments. The environments take some minutes to end. */
export async function deleteApplication(beanstalk: ElasticBeanstalkClient, application: string): Promise<void> {
  await beanstalk.send(new DeleteApplicationCommand({ ApplicationName: application, TerminateEnvByForce: true }))
}

/** The names of applications that killed programs of this chapter have left behind. */
export async function leftApplications(beanstalk: ElasticBeanstalkClient): Promise<string[]> {
  const { Applications = [] } = await beanstalk.send(new DescribeApplicationsCommand({}))
  return Applications.flatMap(({ ApplicationName = '' }) => (isOwnName(ApplicationName) ? ApplicationName : []))
}

/** Beanstalk's name for its newest Node.js platform. It changes with every release. */
async function newestNodeStack(beanstalk: ElasticBeanstalkClient): Promise<string> {
  const { SolutionStacks = [] } = await beanstalk.send(new ListAvailableSolutionStacksCommand({}))
  const [newest] = SolutionStacks.flatMap((name) => {
    const major = Number(/Amazon Linux 2023 .* running Node\.js (\d+)$/.exec(name)?.[1])
    return major >= 22 ? { name, major } : []
  }).sort((a, b) => b.major - a.major)
  if (!newest) throw new Error('Elastic Beanstalk offers no Node.js 22 or newer on Amazon Linux 2023 here')
  return newest.name
}

function optionSettings(
  { tier, settings }: EnvironmentRequest,
  { queueUrl, instanceProfile, securityGroups }: BeanstalkOptions,
) {
  const options: [namespace: string, optionName: string, value: string][] = [
    // One instance without a load balancer: a practice system does not need two, and the balancer costs more than an
    // instance.
    ['aws:elasticbeanstalk:environment', 'EnvironmentType', 'SingleInstance'],
    ['aws:elasticbeanstalk:healthreporting:system', 'SystemType', 'basic'],
    ['aws:autoscaling:launchconfiguration', 'IamInstanceProfile', instanceProfile],
    ['aws:autoscaling:launchconfiguration', 'DisableIMDSv1', 'true'],
    // Beanstalk's own firewall lets in everybody.
    ['aws:autoscaling:launchconfiguration', 'DisableDefaultEC2SecurityGroup', 'true'],
    ['aws:autoscaling:launchconfiguration', 'SecurityGroups', securityGroups[tier]],
    ['aws:ec2:instances', 'InstanceTypes', 't3.micro'],
    ...Object.entries(settings).map(([name, value]): [string, string, string] => [
      'aws:elasticbeanstalk:application:environment',
      name,
      value,
    ]),
  ]
  if (tier === 'worker') {
    options.push(
      ['aws:elasticbeanstalk:sqsd', 'WorkerQueueURL', queueUrl],
      ['aws:elasticbeanstalk:sqsd', 'HttpPath', '/'],
      ['aws:elasticbeanstalk:sqsd', 'ErrorVisibilityTimeout', '2'],
      // As long as the program may take, and longer: else the message would come again while the program works.
      ['aws:elasticbeanstalk:sqsd', 'InactivityTimeout', '299'],
      ['aws:elasticbeanstalk:sqsd', 'VisibilityTimeout', '300'],
    )
  }
  return options.map(([Namespace, OptionName, Value]) => ({ Namespace, OptionName, Value }))
}
