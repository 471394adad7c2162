/** instances and beanstalk as a reader runs them with moto. More runs are in moto-examples.long.test.ts. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findMoto, installMoto } from '../../src/local/moto.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)
const moto = { name: 'moto', found: await findMoto(), install: installMoto }

describeReal('with moto', moto, () => {
  it('instances goes through EC2 and leaves nothing with its tag', async () => {
    const run = await start('instances', '--moto', '--ssh-from', '203.0.113.7')
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toMatch(/image +ami-/)
    expect(run.stdout).toMatch(/security group +sg-\w+: SSH from 203\.0\.113\.7\/32/)
    expect(run.stdout).toMatch(/no machine boots +moto only keeps records/)
    expect(run.stdout).toMatch(/launch +i-\w+, i-\w+; each ends by itself after 30 minutes/)
    expect(run.stdout).toContain('1,789,020 words counted')
    expect(run.stdout).toMatch(/left +0 things with the tag/)
    expect(run.stdout + run.stderr).not.toContain('PRIVATE KEY')
    expect(await run.leftBehind()).toEqual([])
  })

  it('beanstalk goes from bundle to end, and says that nothing runs there', async () => {
    const run = await start('beanstalk', '--moto')
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toContain('Two tiers on Elastic Beanstalk (64bit Amazon Linux 2023')
    expect(run.stdout).toContain('nothing runs in them')
    expect(run.stdout).toMatch(/terminate +all environments have ended/)
    expect(await run.leftBehind()).toEqual([])
  })
})
