/** Whole quick runs of the bench that are interrupted: what was measured is kept, and nothing is left running. */
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { expect, it } from 'vitest'
import type { Results } from '../../src/harness/results.ts'

const bench = fileURLToPath(new URL('../..', import.meta.url))

/** Command lines that name a folder: servers may have overwritten the environment by which `leftBehind` finds them. */
async function naming(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '))
}

describeReal('the bench', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it.each([
    // Elsewhere than on a terminal, progress is a line every two seconds: not every rung has one.
    ['ladder', 'SIGTERM', 'servers start', /ladder: starting (BullMQ|SQS|a new|a job|a batch)/, []],
    // Up to 42 %, servers start and rungs are warmed up.
    ['ladder', 'SIGINT', 'rounds are measured', /ladder: climbing \S+ [5-9]\d %/, ['ladder']],
    ['engines', 'SIGTERM', 'a worker is killed', /engines: (?!chapter|starting).*: worker killed/, ['engines']],
    ['ladder and engines', 'SIGINT', 'the second one has begun', /engines: .*: jobs/, ['ladder']],
  ] as const)('%s: ends at %s when %s', { timeout: 600_000 }, async (named, signal, _, moment, kept) => {
    await using stack = new AsyncDisposableStack()
    const { path: results } = stack.use(await temporaryFolder())
    // A short name: the sockets of Slurm are below it.
    const temporary = await mkdtemp(join(tmpdir(), 'bench-'))
    stack.defer(() => rm(temporary, { recursive: true }))
    // As root, PostgreSQL runs as nobody.
    await chmod(temporary, 0o711)
    const run = await runExample(bench, 'suites', [...named.split(' and '), '--quick', '--results', results], {
      interruptWhen: moment,
      interruptWith: signal,
      timeoutMs: 500_000,
      env: { TMPDIR: temporary },
    })
    expect(run, run.stderr).toMatchObject({ code: signal === 'SIGINT' ? 130 : 143, signal: null })
    expect(run.stderr).not.toMatch(/^(error|warning)|^ +at /m)
    expect(await run.leftBehind()).toEqual([])
    expect(await naming(temporary)).toEqual([])
    expect(await readdir(temporary)).toEqual([])

    const [file] = (await readdir(results)).filter((name) => name.endsWith('.json'))
    const text = file === undefined ? '{}' : await readFile(join(results, file), 'utf8')
    const { suites = {} } = JSON.parse(text) as Partial<Results>
    expect(Object.keys(suites)).toEqual(expect.arrayContaining([...kept]))
    const rows = Object.values(suites).flatMap(({ rows }) => rows)
    // A rung that could not be had is a row as well.
    for (const { samples, failed } of rows) expect(Object.values(samples).flat().length > 0 || failed).toBeTruthy()
    if (kept.length > 0) expect(run.stdout).toContain(`Results so far: ${join(results, file ?? '')}`)
  })
})
