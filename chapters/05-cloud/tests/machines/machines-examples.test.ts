/** instances as a reader runs it, with processes in place of machines, and what it and beanstalk refuse. */
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import beanstalk from '../../examples/beanstalk.ts'
import instances from '../../examples/instances.ts'
import wordcount from '../../examples/wordcount.ts'
import { mostInstances } from '../../src/cloud/prices.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describe('instances', () => {
  it('goes from launch to clean-up with processes, without an account or moto', async () => {
    const run = await runExample(chapter, 'instances', ['--quick'], { env: { MOTO_PYTHON: '/no/such/python' } })
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toContain('2 instances: processes on this machine')
    expect(run.stdout).toMatch(/list +local-2 is running: process \d+/)
    expect(run.stdout).toContain('1,789,020 words counted')
    expect(run.stdout).toMatch(/stop +local-1 is stopped/)
    expect(await run.leftBehind()).toEqual([])
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
})

describe('beanstalk', () => {
  it('refuses --serve with --moto', async () => {
    await expect(beanstalk.run({ serve: true, moto: true })).rejects.toThrow('--serve: received "with --moto"; accepts')
  })
})

// With these credentials any request to Amazon would fail.
const none = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' }

describe('with the environment of a reader', () => {
  const environment = (variables: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  }
  afterEach(() => vi.unstubAllEnvs())

  it.each([
    ['with --aws', ['--aws'], {}],
    ['at an address of Amazon’s', [], { AWS_ENDPOINT_URL: 'https://ec2.eu-central-1.amazonaws.com' }],
  ])('instances creates nothing %s without --yes, and says what it would create and cost', async (_, args, env) => {
    environment({ ...none, ...env })
    const run = await runHere(instances, '--count', '3', ...args)
    expect(run.code).toBe(2)
    expect(run.stdout).toMatch(/3 × t3\.micro +\$0\.031 an hour/)
    expect(run.stdout).toMatch(/In all \$0\.050 an hour, for about 30 minutes/)
    expect(run.stderr).toMatch(/^error: --yes: received nothing; accepts [^\n]+\n$/)
  })

  it('beanstalk creates nothing with --aws without --yes', async () => {
    environment(none)
    const run = await runHere(beanstalk, '--aws')
    expect(run.code).toBe(2)
    expect(run.stdout).toMatch(/3 × t3\.micro/)
    expect(run.stderr).toMatch(/^error: --yes: /)
  })

  it('instances refuses an unknown option in one line', async () => {
    const { code, stdout, stderr } = await runHere(instances, '--regoin', 'x')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: option: received "--regoin"; accepts [^\n]+\n$/)
  })

  it('instances says in one line how to install moto where it is missing', async () => {
    environment({ MOTO_PYTHON: '/no/such/python' })
    const run = await runHere(instances, '--moto')
    expect(run).toMatchObject({ code: 1, stdout: '' })
    expect(run.stderr).toMatch(/^error: MOTO_PYTHON names "[^"]+", .*npm run moto.*\n$/)
  })

  it('instances says that a region is missing', async () => {
    environment({ AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined, AWS_CONFIG_FILE: '/no/such/file' })
    const run = await runHere(instances, '--aws')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(/^error: AWS_REGION: received nothing; accepts a region/)
  })
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
