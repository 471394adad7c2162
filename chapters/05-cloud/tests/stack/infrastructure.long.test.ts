import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { expect, it } from 'vitest'
import infrastructure from '../../examples/infrastructure.ts'
import { checks } from '../../src/stack/checks.ts'

it('infrastructure returns for programs what it shows a reader', async () => {
  await using out = await temporaryFolder()
  const result = await infrastructure.run({ out: out.path })
  expect(result).toMatchObject({
    resources: 42,
    findings: [],
    checks: Object.keys(checks),
    assembly: join(out.path, 'assembly'),
    types: { 'AWS::S3::Bucket': 1, 'AWS::SQS::Queue': 2, 'AWS::Budgets::Budget': 1, 'AWS::CloudWatch::Alarm': 4 },
  })
})
