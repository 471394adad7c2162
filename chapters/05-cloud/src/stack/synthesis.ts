/** Turns the stack into a template and checks it with cdk-nag. That needs no account and sends no requests. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleProgram } from '@repo/common/process/bundle'
import { App, type Stack, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { bundleTier } from '../beanstalk/bundle.ts'
import { oldestNode } from '../machines/user-data.ts'
import { CloudStack, type StackSettings } from './stack.ts'

export interface Finding {
  /** cdk-nag's name for the rule. */
  rule: string
  severity: string
  description: string
  /** The paths of the constructs. */
  resources: string[]
}

export interface Acknowledged {
  rule: string
  /** The construct's id. */
  resource: string
  reason: string
}

export interface Synthesis {
  /** The folder for `cdk deploy --app`. */
  assembly: string
  template: Template
  /** How many resources there are of each type, such as `AWS::S3::Bucket`. */
  types: Record<string, number>
  findings: Finding[]
  acknowledged: Acknowledged[]
}

/** The CDK's prefix for the rules of cdk-nag. */
const nagRule = 'Annotation::AwsSolutions-'

/**
 * Bundles the programs, synthesises the stack into a folder, and checks it with cdk-nag.
 *
 * @param folder is created if needed, and may hold the files of an earlier synthesis
 */
export async function synthesise(
  settings: Omit<StackSettings, 'workerFile' | 'webBundle' | 'functionFolder'>,
  folder: string,
): Promise<Synthesis> {
  const functionFolder = join(folder, 'counter')
  await mkdir(functionFolder, { recursive: true })
  const workerFile = join(folder, 'worker.mjs')
  const webBundle = join(folder, 'web.zip')
  await writeFile(
    workerFile,
    await bundleProgram(new URL('./instance-worker.program.ts', import.meta.url), { target: oldestNode }),
  )
  const mapStep = await bundleProgram(new URL('../lambda/map-step.program.ts', import.meta.url), { target: oldestNode })
  await writeFile(join(functionFolder, 'index.mjs'), mapStep)
  await writeFile(webBundle, await bundleTier('web', 'deployed by the CDK'))

  // The CDK uses a property that it has deprecated itself. A reader cannot change that.
  process.env.JSII_DEPRECATED = 'quiet'
  const assembly = join(folder, 'assembly')
  const app = new App({ outdir: assembly, analyticsReporting: false, treeMetadata: false })
  const stack = new CloudStack(app, 'DistributedComputing', {
    ...settings,
    workerFile,
    webBundle,
    functionFolder,
  })
  app.synth()
  const template = Template.fromJSON(
    JSON.parse(await readFile(join(assembly, `${stack.artifactId}.template.json`), 'utf8')) as object,
  )
  const types: Record<string, number> = {}
  for (const { Type } of Object.values(template.toJSON().Resources as Record<string, { Type: string }>)) {
    types[Type] = (types[Type] ?? 0) + 1
  }
  return { assembly, template, types, findings: findingsOf(stack), acknowledged: acknowledgedIn(stack) }
}

/** The findings of cdk-nag in a stack, except those that are acknowledged. */
export function findingsOf(stack: Stack): Finding[] {
  const { violations } = new AwsSolutionsChecks().validateScope(stack)
  return violations.map(({ ruleName, severity = '', description, violatingResources = [] }) => ({
    rule: ruleName,
    severity,
    description,
    resources: violatingResources.flatMap(({ constructPath }) => constructPath ?? []),
  }))
}

function acknowledgedIn(stack: Stack): Acknowledged[] {
  return stack.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.entries(data as Record<string, string>))
      // The CDK acknowledges some rules of its own.
      .filter(([rule]) => rule.startsWith(nagRule))
      .map(([rule, reason]) => ({ rule: rule.slice(nagRule.length), resource: node.id, reason })),
  )
}
