/** `npm run doctor`, and the list of what examples and tests need. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { findRedisServer } from '../../src/servers/redis.ts'
import { runProgram } from '../../src/testing/testing.ts'

interface Part {
  id: string
  isRequired: boolean
  found?: string
  why?: string
  install: string
  examples: string[]
  optional: string[]
  tests: string[]
}
interface Need {
  id: string
  name: string
  optional?: true | string[]
}
const setup = new URL('../../../../setup/', import.meta.url)
const root = fileURLToPath(new URL('..', setup))
const { causeOf, needs, users } = (await import(new URL('needs.mjs', setup).href)) as {
  causeOf: (testName: string) => { cause: string; install: string }
  needs: Need[]
  users: () => Map<string, Pick<Part, 'examples' | 'optional' | 'tests'>>
}
const doctor = (args: string[] = [], env: NodeJS.ProcessEnv = {}) =>
  runProgram(fileURLToPath(new URL('doctor.mjs', setup)), args, { env })

describe('the list of needs', () => {
  const used = users()

  it('knows every reason for which a test is skipped', () => {
    const tests = globSync(['{chapters,packages}/*/tests/**/*.ts', 'bench/tests/**/*.ts'], { cwd: root })
    const reasons = tests
      .filter((file) => !file.includes(join('common', 'tests')))
      .flatMap((file) => [
        ...readFileSync(join(root, file), 'utf8').matchAll(/(?:name|title): (['"])(.+?)\1,\s*(?:found|install)\b/g),
      ])
      .map(([, , name = '']) => name)
    expect(reasons.length).toBeGreaterThan(40)
    const unknown = reasons.filter(
      (name) => causeOf(`it (needs ${name}: as the test says) works`).install === 'as the test says',
    )
    expect(unknown).toEqual([])
  })

  it('names nothing that nobody uses', () => {
    for (const { id, optional } of needs) {
      const { examples, optional: does, tests } = used.get(id) ?? { examples: [], optional: [], tests: [] }
      expect(examples.length + does.length + tests.length, id).toBeGreaterThan(0)
      if (Array.isArray(optional)) expect(does, id).toEqual(expect.arrayContaining(optional))
    }
  })

  it('finds by their imports who uses a part, directly, through a worker, and in a test by its fixture', () => {
    const redis = used.get('redis')
    // By src/system.ts; by the example itself; and not by a module that only names Redis.
    expect(redis?.examples).toEqual(expect.arrayContaining(['04-celery/canvas', '07-testing/preflight']))
    expect(redis?.examples).not.toContain('04-celery/remote-names')
    expect(redis?.optional).toEqual(
      expect.arrayContaining(['01-intro/latency', '04-celery/no-redis', '08-road-ahead/consistency']),
    )
    expect(redis?.examples).not.toContain('08-road-ahead/replicas')
    expect(used.get('celery')?.examples).toEqual(['04-celery/celery-interop'])
    expect(used.get('slurm')?.tests).toContain('chapters/06-hpc/tests/real/real-examples.test.ts')
    expect(used.get('labs')?.tests).toContain('chapters/04-celery/tests/hosts/hosts.test.ts')
  })
})

describe('npm run doctor', () => {
  it('says what is here, and is ready when the tour has all that it needs', async () => {
    const run = await doctor(['--json'], { REDIS_URL: undefined })
    const { ready, parts } = run.json<{ ready: boolean; parts: Part[] }>()
    expect(ready).toBe(parts.every(({ isRequired, found }) => found || !isRequired))
    expect(run.code).toBe(ready ? 0 : 1)
    expect(parts.filter(({ isRequired }) => isRequired).map(({ id }) => id)).toEqual(['node', 'packages', 'redis'])
    const redis = await findRedisServer()
    expect(parts.find(({ id }) => id === 'redis')?.found).toBe(redis?.version)
  })

  it('works where there is nothing but Node: who needs what is missing, and how to install it', async () => {
    await using empty = await temporaryFolder()
    const env = { PATH: empty.path, REDIS_URL: undefined, REDIS_SERVER: 'no-such-server', PEERS_PYTHON: 'none' }
    const { code, stdout, stderr } = await doctor([], env)
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).toMatch(/^✗ Redis +REDIS_SERVER names no program: \d+ examples \(.*04, 07.*\) fail, .* → \S/m)
    expect(stdout).toMatch(/^– Celery +missing: 04-celery\/celery-interop fails, .* → npm run peers$/m)
    expect(stdout).toMatch(/^npm start needs .*Redis: /m)
    // A terminal has 24 lines.
    expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24)
  })

  it('says that a server that REDIS_URL names does not answer, without its password', async () => {
    const run = await doctor([], { REDIS_URL: 'redis://:secret@127.0.0.1:1' })
    expect(run.code).toBe(1)
    expect(run.stdout).toMatch(/^✗ Redis +REDIS_URL: 127\.0\.0\.1:1 does not answer/m)
    expect(run.stdout).not.toContain('secret')
  })

  it('refuses an unknown option in one line', async () => {
    const { code, stdout, stderr } = await doctor(['--josn'])
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: option: received "--josn"; accepts --json, --help\n',
    })
  })
})
