import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import infrastructure from '../../examples/infrastructure.ts'
import { checks } from '../../src/stack/checks.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('infrastructure shows a reader the resources, the promises and how to deploy', async () => {
  await using out = await temporaryFolder()
  const run = await runExample(chapter, 'infrastructure', ['--quick', '--workers', '2', '--out', out.path])
  expect(run).toMatchObject({ code: 0 })
  for (const promise of Object.keys(checks)) expect(run.stdout).toContain(`✓ ${promise}`)
  expect(run.stdout).toContain('cdk-nag: 0 findings')
  expect(run.stdout).toContain(`npx aws-cdk@2 deploy --app ${join(out.path, 'assembly')}`)
  await access(join(out.path, 'assembly', 'manifest.json'))
})

it('infrastructure returns for programs what it shows a reader', async () => {
  await using out = await temporaryFolder()
  const result = await infrastructure.run({ out: out.path })
  expect(result).toMatchObject({
    resources: 54,
    findings: [],
    checks: Object.keys(checks),
    assembly: join(out.path, 'assembly'),
    types: { 'AWS::S3::Bucket': 1, 'AWS::SQS::Queue': 4, 'AWS::Budgets::Budget': 1, 'AWS::CloudWatch::Alarm': 5 },
  })
})
