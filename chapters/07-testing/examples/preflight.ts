/**
 * preflight: asks every worker about itself before the work: what differs between them, and what would break
 *
 *     pnpm --filter 07-testing start preflight
 *     pnpm --filter 07-testing start preflight --workers as-it-is,old-node --open-files 100000
 *
 * Ten workers are asked about their Node and packages, environment, user and permissions, time zone and clock, memory,
 * disk, cores and limits, and whether they can reach Redis. They are real processes on this machine. Eight are made
 * different on purpose, each in one or two respects, and a list says in which. With --strict the exit code is 1 when something
 * would break.
 *
 * Look for: ≠ where a worker differs from most, ✗ where the work would fail; and that no secret is shown, although the
 * table says which worker has a different one.
 */
import { fileURLToPath } from 'node:url'
import { example } from '@repo/common/example/example'
import { flag, listOf, number, oneOf, wholeNumber } from '@repo/common/example/options'
import { describeError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { dim, green, howMany, red, table, yellow } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { startRedis } from '@repo/common/servers/redis'
import pLimit from 'p-limit'
import { fleet, workerNames } from '../src/preflight/fleet.ts'
import {
  ask,
  checkNames,
  findings,
  installed,
  type Needs,
  newKey,
  unanswered,
  values,
} from '../src/preflight/preflight.ts'

/** The packages that the order pipeline needs. */
const packages = ['bullmq', 'ioredis', 'pino', 'zod']

export default example(import.meta, {
  options: {
    workers: listOf(oneOf(...workerNames), `names out of ${workerNames.join(', ')}`, { distinct: true })
      .default([...workerNames])
      .describe('which workers to ask'),
    memory: number(1, 1e6).default(256).describe('MB that each needs'),
    disk: number(1, 1e9).default(100).describe('MB that each needs'),
    openFiles: wholeNumber(1, 1e9).default(1024).describe('how many files each must be able to open'),
    clock: number(0.1, 1e9).default(500).describe('ms by which a clock may be wrong'),
    strict: flag().describe('ends with 1 when something would break'),
  },
  quick: {},

  async run({ workers, memory, disk, openFiles, clock, strict }, { signal, print }) {
    print(`Asking ${workers.length} worker${workers.length > 1 ? 's' : ''} …`)
    await using folder = await temporaryFolder()
    await using redis = await startRedis({ signal })
    await using blocked = await startProxy({ ...redis, signal })
    blocked.block()
    // How to start each worker; all but two are different on purpose.
    const { candidates, missing } = await fleet(workers, { folder: folder.path, redisUrl: redis.url, blocked })
    const needs: Needs = {
      node: '22.18.0',
      memory: memory * 1e6,
      disk: disk * 1e6,
      openFiles,
      clockMs: clock,
      packages: await installed(fileURLToPath(new URL('..', import.meta.url)), packages),
    }

    using bar = progress('asking', candidates.length)
    const key = newKey()
    // Only two at once: a worker that waits for a core answers late, and its clock is measured badly.
    const limit = pLimit(2)
    let done = 0
    const unreachable: { worker: string; why: string }[] = []
    const asking = candidates.map((candidate) =>
      limit(async () => {
        // If a worker cannot be asked, that is an answer too.
        const answer = await ask(candidate, { packages, key, signal }).catch((error) => {
          signal.throwIfAborted()
          unreachable.push({ worker: candidate.name, why: describeError(error).replace(/^error: /, '') })
        })
        bar.update(++done)
        return answer ?? []
      }),
    )
    const answers = (await Promise.all(asking)).flat()

    // What most workers have counts as normal; what the work needs counts as necessary.
    const found = [...unreachable.map(({ worker, why }) => unanswered(worker, why)), ...findings(answers, needs)]
    const mark = (name: string, row: string) => {
      // A finding about a variable is named after the variable; they share a row.
      const rowOf = (check: string) => (checkNames.includes(check) ? check : 'environment')
      const here = found.filter(({ worker, check }) => worker === name && rowOf(check) === row)
      if (here.some(({ breaks }) => breaks)) return red('✗')
      return here.length > 0 ? yellow('≠') : green('·')
    }
    const [first] = answers
    print(
      table(
        ['', ...answers.map((_, at) => String(at + 1)), 'worker 1 has'],
        checkNames.map((check, at) => [
          check,
          ...answers.map(({ name }) => mark(name, check)),
          (first && values(first)[at]) ?? '',
        ]),
      ),
      '',
      ...answers.map(
        ({ name, different }, at) =>
          `${String(at + 1).padStart(2)} ${name}${different ? dim(` (on purpose: ${different})`) : ''}`,
      ),
      ...missing.map((what) => `Not asked: ${what}.`),
      '',
      found.length === 0
        ? 'Nothing differs.'
        : table(
            ['worker', 'what', 'has', 'most have', 'so'],
            found.map(({ worker, check, value, others, breaks }) => {
              return [worker, check, short(value), short(others), breaks ? red(`✗ ${breaks}`) : '≠']
            }),
          ),
    )
    const broken = new Set(found.filter(({ breaks }) => breaks).map(({ worker }) => worker))
    print('', `The work would fail on ${broken.size} of ${howMany(candidates.length, 'worker')}.`)
    if (strict && broken.size > 0) throw new Error(`the work would fail on ${[...broken].join(', ')}`)
    const asked = answers.map(({ name, different, clock }) => ({ name, different, clock }))
    return { workers: asked, findings: found, missing, unreachable, broken: [...broken] }
  },

  figure: ({ workers, broken }) => `${broken.length} of ${howMany(workers.length, 'worker')} would fail`,
})

const short = (text: string) => (text.length > 34 ? `${text.slice(0, 33)}…` : text)
