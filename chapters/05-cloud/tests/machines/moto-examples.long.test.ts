/**
 * instances, beanstalk and `wordcount --on ec2` as a reader runs them with moto. What they call of it is tested in
 * ec2.test.ts and beanstalk.test.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateAccessKeyCommand, CreateUserCommand, PutUserPolicyCommand } from '@aws-sdk/client-iam'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import instances from '../../examples/instances.ts'
import { s3Client, sqsClient } from '../../src/cloud/clients.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { findMoto, installMoto, type Moto, startMoto } from '../../src/local/moto.ts'
import { machineClients } from '../../src/machines/resources.ts'
import { makeQueues } from '../../src/queues.ts'
import { findLeftovers } from '../../src/session/leftovers.ts'
import { faultyStore } from '../fixtures/http-faults.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)
const moto = { name: 'moto', found: await findMoto(), install: installMoto }
const words = 1_789_020

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
    beforeAll(async () => {
      server = await startMoto()
      vi.stubEnv('AWS_ENDPOINT_URL', server.place.url)
      vi.stubEnv('AWS_REGION', 'us-east-1')
      vi.stubEnv('AWS_ACCESS_KEY_ID', server.place.credentials?.accessKeyId)
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.place.credentials?.secretAccessKey)
    })
    afterAll(async () => {
      vi.unstubAllEnvs()
      await server[Symbol.asyncDispose]()
    })
    const removed = async () => {
      const cleaned = await instances.run({}, ['clean'])
      return ('removed' in cleaned && cleaned.removed) || {}
    }

    it('instances stay until clean with --key, whose file only its owner may read', async () => {
      await using folder = await temporaryFolder()
      const key = join(folder.path, 'key')
      const args = ['--count', '1', '--ssh-from', '203.0.113.7', '--key', key]
      const run = await start('instances', ...args)
      expect(run).toMatchObject({ code: 0 })
      expect(run.stdout).toMatch(/work +not waited for/)
      expect(run.stdout).toContain(`ssh -i ${key} ec2-user@`)
      expect(await readFile(key, 'utf8')).toContain('PRIVATE KEY')
      expect((await stat(key)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)

      const again = await start('instances', ...args)
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
        const env = { AWS_ENDPOINT_URL: `http://${far.host}:${far.port}` }
        const run = await runExample(chapter, name, [], { env, interruptWhen, interruptWith: 'SIGKILL' })
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

  // Of its some sixty requests, a few that create or end something.
  it.each([
    ['CreateSecurityGroup', 'SIGTERM'],
    ['RunInstances', 'SIGTERM'],
    ['RunInstances', 'SIGINT'],
    ['AttachVolume', 'SIGTERM'],
    ['TerminateInstances', 'SIGTERM'],
  ] as const)('instances is interrupted during %s by %s, and leaves nothing behind', async (action, signal) => {
    await using server = await startMoto()
    const interruption = Promise.withResolvers<void>()
    await using store = await faultyStore(server.place, (_, body) => {
      if (body.includes(`Action=${action}&`)) interruption.resolve()
      return undefined
    })
    const env = { AWS_ENDPOINT_URL: store.place.url, AWS_REGION: 'us-east-1', ...keysOf(server.place) }
    const program = spawn(process.execPath, [...loader(), 'examples/instances.ts', '--count', '1'], {
      cwd: chapter,
      env: { ...process.env, ...env },
      stdio: 'ignore',
    })
    await interruption.promise
    program.kill(signal)
    expect(await once(program, 'close')).toEqual([signal === 'SIGINT' ? 130 : 143, null])
    const [s3, sqs] = [s3Client(server.place), sqsClient(server.place)]
    const { found, notAsked } = await findLeftovers({ s3, sqs }, server.place)
    s3.destroy()
    sqs.destroy()
    expect([Object.values(found).flat(), notAsked]).toEqual([[], []])
  })

  describe('where Elastic Beanstalk may not be asked', () => {
    let server: Moto
    beforeAll(async () => {
      server = await startMoto()
      using clients = machineClients(server.place)
      const UserName = 'without-beanstalk'
      const Statement = [
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', Action: 'elasticbeanstalk:*', Resource: '*' },
      ]
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
      await clients.iam.send(new CreateUserCommand({ UserName }))
      await clients.iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'may', PolicyDocument }))
      const { AccessKey } = await clients.iam.send(new CreateAccessKeyCommand({ UserName }))
      vi.stubEnv('AWS_ENDPOINT_URL', server.place.url)
      vi.stubEnv('AWS_REGION', 'us-east-1')
      vi.stubEnv('AWS_ACCESS_KEY_ID', AccessKey?.AccessKeyId)
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', AccessKey?.SecretAccessKey)
    })
    afterAll(async () => {
      vi.unstubAllEnvs()
      await server[Symbol.asyncDispose]()
    })

    it('instances has worked all the same, and says what nobody knows', async () => {
      const run = await start('instances', '--count', '1')
      expect(run).toMatchObject({ code: 0 })
      expect(run.stdout).toMatch(/left +0 things with the tag/)
      expect(run.stdout).toMatch(/left +nobody knows which applications: DescribeApplications .*AccessDenied/)
    })

    it('instances clean removes the rest, says what is left, and ends with 1', async () => {
      const sqs = sqsClient(server.place)
      await makeQueues(sqs)
      sqs.destroy()
      const run = await start('instances', 'clean')
      expect(run.code).toBe(1)
      expect(run.stdout).toMatch(/queues +http\S+-dead, http\S+-jobs, http\S+-results/)
      expect(run.stdout).toMatch(/left +applications could not be asked: DescribeApplications .*AccessDenied/)
      expect(run.stderr).toMatch(/^error: not everything is removed: applications not asked: [^\n]+\n$/)
    })
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
})
