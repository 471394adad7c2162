/** What serverless accepts; serverless-example.long.test.ts has what it finds. */
import { runHere } from '@repo/common/testing/run-here'
import { describe, expect, it } from 'vitest'
import serverless from '../../examples/serverless.ts'

describe('serverless', () => {
  it('explains itself, and refuses an impossible option in one line', async () => {
    const help = await runHere(serverless, '--help')
    expect(help).toMatchObject({ code: 0 })
    expect(help.stdout).toContain('Usage: serverless [options]')
    const run = await runHere(serverless, '--texts', '5', '--twice', '6')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toBe('error: --twice: received "6"; accepts at most the 5 of --texts\n')
  })

  it.each([
    [{ concurrency: 1 }, '--concurrency: received "1"; accepts a whole number from 2 to 64'],
    [{ batch: 11 }, '--batch: received "11"; accepts a whole number from 1 to 10'],
    [{ texts: 20, jobs: 24, twice: 0 }, '--jobs: received "24"; accepts at most the 20 of --texts'],
  ])('refuses %j', async (options, message) => {
    await expect(serverless.run(options)).rejects.toThrow(message)
  })
})
