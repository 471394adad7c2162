import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it, vi } from 'vitest'
import wordcount from '../../examples/wordcount.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describe('wordcount', () => {
  it('leaves no process behind when it is killed itself', async () => {
    const options = { interruptWhen: /bucket distributed/, interruptWith: 'SIGKILL' as const }
    const run = await runExample(chapter, 'wordcount', ['--repeat', '1000', '--workers', '1'], options)
    expect(run.signal).toBe('SIGKILL')
    expect(await run.leftBehind()).toEqual([])
  })

  it('stops on Ctrl-C with 130, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'wordcount', ['--repeat', '1000', '--workers', '1'], {
      interruptWhen: /bucket distributed/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })

  it('refuses an impossible option in one line', async () => {
    const run = await runHere(wordcount, '--workers', '2', '--kill', '2')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toBe('error: --kill: received "2"; accepts less than the 2 of --workers\n')
  })

  it.each([
    [{ workers: 0 }, '--workers: received "0"; accepts a whole number from 1 to 64'],
    [{ workers: 2, kill: 1, compare: true }, '--kill: received "1"; accepts 0 with --compare'],
    [{ workers: 2, kill: 1, growth: true }, '--kill: received "1"; accepts 0 with --growth'],
    [{ workers: 2, on: 'ec2' as const, growth: true }, '--on: received "ec2"; accepts processes with --growth'],
    [{ bucket: 'No_Bucket' }, '--bucket: received "No_Bucket"; accepts a bucket name: 3 to 63'],
    [{ bucket: 'distributed-computing-0123456789ab' }, 'and not distributed-computing-…, which is removed'],
    [{ bucket: '192.168.1.1' }, '--bucket: received "192.168.1.1"'],
  ])('refuses %j', async (options, message) => {
    const refused: Error = await wordcount.run(options).then(
      () => new Error('it ran'),
      (error: Error) => error,
    )
    expect(refused.name).toBe('UsageError')
    expect(refused.message).toContain(message)
  })

  it('says in one line that its cloud cannot be reached', async () => {
    const env = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const run = await runHere(wordcount, '--quick').finally(() => vi.unstubAllEnvs())
    expect(run.code).toBe(1)
    expect(run.stderr.trim()).toMatch(/^error: \w+ of \S+ at http:\/\/127.0.0.1:1 failed: ECONNREFUSED[^\n]*$/)
  })
})
