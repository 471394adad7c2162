/** instances, beanstalk and `wordcount --on ec2` as a reader runs them. */
import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { mobyDick } from '@repo/common/workloads/texts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import beanstalk from '../../examples/beanstalk.ts'
import instances from '../../examples/instances.ts'
import wordcount from '../../examples/wordcount.ts'
import { mostInstances } from '../../src/cloud/prices.ts'
import { findMoto, installMoto, type Moto, startMoto } from '../../src/local/moto.ts'
import { countWords, topWords } from '../../src/wordcount/words.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)
const moto = { name: 'moto', found: await findMoto(), install: installMoto }
const words = 1_789_020

describe.concurrent('instances', () => {
  it('goes from launch to clean-up with processes, without an account or moto', async () => {
    const run = await runExample(chapter, 'instances', ['--quick'], { env: { MOTO_PYTHON: '/no/such/python' } })
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toContain('2 instances: processes on this machine')
    expect(run.stdout).toMatch(/list +local-2 is running: process \d+/)
    expect(run.stdout).toContain('1,789,020 words counted')
    expect(run.stdout).toMatch(/stop +local-1 is stopped/)
    expect(await run.leftBehind()).toEqual([])
  })

  it('returns what it did', async () => {
    expect(await instances.run({ count: 1 })).toMatchObject({
      on: 'processes on this machine',
      instances: ['local-1'],
      words,
      minutes: 30,
    })
  })

  it('stops on Ctrl-C with 130, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'instances', [], { interruptWhen: /is running/ })
    expect(run.code).toBe(130)
    expect(run.stderr).not.toContain('error')
    expect(await run.leftBehind(15_000)).toEqual([])
  })

  it.each([
    ['with --aws', ['--aws'], {}],
    ['at an address of Amazon’s', [], { AWS_ENDPOINT_URL: 'https://ec2.eu-central-1.amazonaws.com' }],
  ])('creates nothing %s without --yes, and says what it would create and cost', async (_, args, env) => {
    // With these credentials any request to Amazon would fail.
    const none = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none', ...env }
    const run = await runExample(chapter, 'instances', ['--count', '3', ...args], { env: none })
    expect(run.code).toBe(2)
    expect(run.stdout).toMatch(/3 × t3\.micro +\$0\.031 an hour/)
    expect(run.stdout).toMatch(/In all \$0\.050 an hour, for about 30 minutes/)
    expect(run.stderr).toMatch(/^error: --yes: received nothing; accepts [^\n]+\n$/)
  })

  it('refuses an unknown option in one line', async () => {
    const { code, stdout, stderr } = await start('instances', '--regoin', 'x')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: option: received "--regoin"; accepts [^\n]+\n$/)
  })

  it.each([
    ['--count', { count: 0 }],
    ['--count', { count: mostInstances + 1 }],
    ['--type', { type: 'x1e.32xlarge' as 't3.micro' }],
    ['--minutes', { minutes: 1 }],
    ['--ssh-from', { sshFrom: '0.0.0.0/0' }],
    ['--key', { key: '/tmp/key' }],
  ])('refuses for %s %j', async (option, options) => {
    const refused = instances.run(options).catch((error: Error) => error)
    expect(await refused).toMatchObject({ name: 'UsageError', message: expect.stringContaining(`${option}: received`) })
  })

  it('refuses an operand that is not clean', async () => {
    await expect(instances.run({}, ['clear'])).rejects.toThrow('operand: received "clear"; accepts nothing, or clean')
  })

  it('says in one line how to install moto where it is missing', async () => {
    const run = await runExample(chapter, 'instances', ['--moto'], { env: { MOTO_PYTHON: '/no/such/python' } })
    expect(run).toMatchObject({ code: 1, stdout: '' })
    expect(run.stderr).toMatch(/^error: MOTO_PYTHON names "[^"]+", .*npm run moto.*\n$/)
  })

  it('says that a region is missing', async () => {
    const env = { AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined, AWS_CONFIG_FILE: '/no/such/file' }
    const run = await runExample(chapter, 'instances', ['--aws'], { env })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(/^error: AWS_REGION: received nothing; accepts a region/)
  })
})

describe.concurrent('beanstalk', () => {
  it('counts Moby-Dick through both tiers, and swaps versions without a failed request', async () => {
    const run = await start('beanstalk', '--quick', '--json')
    expect(run).toMatchObject({ code: 0 })
    const text = mobyDick()
      .map((chapter) => chapter.text)
      .join('\n')
    const result = run.json<{ swapped: { requests: number } }>()
    expect(result).toMatchObject({
      on: 'processes on this machine',
      words: 215_528,
      parts: 121,
      swapped: { failed: 0 },
      top: topWords(countWords(text), 10),
    })
    expect(result.swapped.requests).toBeGreaterThanOrEqual(200)
    expect(await run.leftBehind()).toEqual([])
  })

  it('serves until Ctrl-C, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'beanstalk', ['--serve'], { interruptWhen: /until Ctrl-C/ })
    expect(run.stdout).toMatch(/both are green: http:\/\/127\.0\.0\.1:\d+/)
    expect(run.code).toBe(130)
    expect(await run.leftBehind(15_000)).toEqual([])
  })

  it('creates nothing with --aws without --yes', async () => {
    const env = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' }
    const run = await runExample(chapter, 'beanstalk', ['--aws'], { env })
    expect(run.code).toBe(2)
    expect(run.stdout).toMatch(/3 × t3\.micro/)
    expect(run.stderr).toMatch(/^error: --yes: /)
  })

  it('refuses --serve with --moto', async () => {
    await expect(beanstalk.run({ serve: true, moto: true })).rejects.toThrow('--serve: received "with --moto"; accepts')
  })
})

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

  describe('that outlives the program', () => {
    let server: Moto
    let env: NodeJS.ProcessEnv
    beforeAll(async () => {
      server = await startMoto()
      env = {
        AWS_ENDPOINT_URL: server.place.url,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: server.place.credentials?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.place.credentials?.secretAccessKey,
      }
    })
    afterAll(() => server[Symbol.asyncDispose]())
    const removed = async () => {
      const run = await runExample(chapter, 'instances', ['clean', '--json'], { env })
      return run.json<{ removed: Record<string, string[]> }>().removed
    }

    it('instances stay until clean with --key, whose file only its owner may read', async () => {
      await using folder = await temporaryFolder()
      const key = join(folder.path, 'key')
      const args = ['--count', '1', '--ssh-from', '203.0.113.7', '--key', key]
      const run = await runExample(chapter, 'instances', args, { env })
      expect(run).toMatchObject({ code: 0 })
      expect(run.stdout).toMatch(/work +not waited for/)
      expect(run.stdout).toContain(`ssh -i ${key} ec2-user@`)
      expect(await readFile(key, 'utf8')).toContain('PRIVATE KEY')
      expect((await stat(key)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)

      const again = await runExample(chapter, 'instances', args, { env })
      expect(again.code).toBe(2)
      expect(again.stderr).toMatch(/^error: --key: received "[^"]+"; accepts a file that does not exist yet\n$/)

      const left = await removed()
      expect(left).toMatchObject({ instances: { length: 1 }, keyPairs: { length: 1 }, roles: { length: 1 } })
      expect(left).toMatchObject({ securityGroups: { length: 1 }, buckets: { length: 1 }, queues: { length: 3 } })
      expect(Object.values(await removed()).flat()).toEqual([])
    })

    it.each(['instances', 'beanstalk'])(
      '%s is killed in the middle, and clean removes what it has left',
      async (name) => {
        // Far away, so that the program is still busy when we have read its output.
        await using far = await startProxy({ port: Number(new URL(server.place.url ?? '').port), delayMs: 150 })
        const interruptWhen = name === 'instances' ? /launch / : /create .*worker/
        const farEnv = { ...env, AWS_ENDPOINT_URL: `http://${far.host}:${far.port}` }
        const run = await runExample(chapter, name, [], { env: farEnv, interruptWhen, interruptWith: 'SIGKILL' })
        expect(run.signal).toBe('SIGKILL')
        const left = await removed()
        expect(left).toMatchObject({ roles: { length: 1 }, buckets: { length: 1 }, queues: { length: 3 } })
        expect(left).toMatchObject(
          name === 'instances' ? { instances: { length: 2 } } : { applications: { length: 1 } },
        )
        expect(Object.values(await removed()).flat()).toEqual([])
      },
    )
  })

  it('instances clean says what it removed', async () => {
    const run = await start('instances', 'clean', '--moto', '--json')
    expect(run.json()).toMatchObject({ on: 'moto on this machine', removed: { instances: [], roles: [], buckets: [] } })
  })

  it('beanstalk goes from bundle to end, and says that nothing runs there', async () => {
    const run = await start('beanstalk', '--moto')
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toContain('Two tiers on Elastic Beanstalk (64bit Amazon Linux 2023')
    expect(run.stdout).toContain('nothing runs in them')
    expect(run.stdout).toMatch(/terminate +all environments have ended/)
    expect(await run.leftBehind()).toEqual([])
  })

  it('wordcount counts the same on instances as one pass', async () => {
    const run = await start('wordcount', '--on', 'ec2', '--workers', '2', '--json')
    const result = run.json<{ picture: string }>()
    expect(result).toMatchObject({
      objects: 233,
      words,
      workers: 2,
      top: expect.arrayContaining([{ word: 'the', count: 151_264 }]),
    })
    await access(result.picture)
    expect(await run.leftBehind()).toEqual([])
  })

  it.each([
    ['--workers', { on: 'ec2' as const, workers: mostInstances + 1 }],
    ['--on', { on: 'ec2' as const, workers: 3, kill: 1 }],
    ['--on', { on: 'ec2' as const, compare: true }],
    ['--on', { on: 'moon' as 'ec2' }],
  ])('wordcount refuses for %s %j', async (option, options) => {
    const refused = wordcount.run(options).catch((error: Error) => error)
    expect(await refused).toMatchObject({ name: 'UsageError', message: expect.stringContaining(`${option}: received`) })
  })
})
