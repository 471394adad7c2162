/**
 * The real Celery, in each generation that is here: the one of the system's packages and the one of today. Both run our
 * tasks, and both get our results.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import type { Child, Exit } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, startRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { type CeleryClient, connectCelery } from '../../src/celery/client.ts'
import { callFromPython, type PythonReply, startCeleryWorker } from '../../src/celery/programs.ts'
import { resultKey } from '../../src/celery/protocol.ts'
import { findPythons, installPeers, installPython } from '../../src/celery/python.ts'
import { celeryTasks } from '../../src/celery/tasks.ts'
import { serveCelery } from '../../src/celery/worker.ts'
import { redisAt } from '../fixtures/redis-at.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const redis = process.env.REDIS_URL ?? (await findRedisServer())
const pythons = await findPythons('celery')
const generations = [
  { title: "the system's Celery", install: installPython.celery, python: pythons.find(({ ofToday }) => !ofToday) },
  { title: "today's Celery", install: installPeers, python: pythons.find(({ ofToday }) => ofToday) },
]
const patient = { timeoutMs: 60_000 }
const queue = 'python'

/** What Python gets from the worker in TypeScript, for each call of celery_client.py. */
const fromTypeScript = [
  { state: 'SUCCESS', result: expect.any(Number) },
  { state: 'FAILURE', error: 'Error', message: 'there is no currency "atlantis"', isTypeError: false },
  { state: 'FAILURE', error: 'TypeError', isTypeError: true },
  { state: 'FAILURE', error: 'NotRegistered' },
  { state: 'SUCCESS', result: 'done at attempt 3' },
  { state: 'SUCCESS', result: 49 },
  { state: 'REVOKED', error: 'TaskRevokedError', message: 'expired' },
  { state: 'FAILURE', error: 'TimeLimitExceeded' },
  { state: 'SUCCESS', result: 49 },
  { state: 'FAILURE', error: 'TypeError', message: expect.stringContaining('expected number, received bigint') },
  { state: 'SUCCESS', result: 81 },
  { state: 'SUCCESS', result: 3 ** 8 },
  { state: 'SUCCESS', result: Array.from({ length: 10 }, (_, n) => n * n) },
]

/** Keeps a worker running, as systemd does with `Restart=always`. */
async function restarting(start: () => Promise<Child>) {
  const exits: Exit[] = []
  const over = new AbortController()
  let worker = await start()
  const watching = (async () => {
    for (;;) {
      const exit = await worker.exited
      if (over.signal.aborted) return
      exits.push(exit)
      await delay(200)
      worker = await start()
    }
  })()
  return {
    exits,
    async [Symbol.asyncDispose]() {
      over.abort()
      await worker.stop()
      await watching
    },
  }
}

const noteSeconds = 2

/** Sends a task that writes into a file which process has begun it, and waits until it has. */
async function beginNote(client: CeleryClient, file: string) {
  const begun = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  const sent = await client.send({ task: 'note', args: [file, noteSeconds], queue })
  const [pid] = await until(async () => ((await begun()).length > 0 ? begun() : undefined), patient)
  return { sent, begun, pid: Number(pid) }
}

const statesOf = ({ states }: { states: { status: string }[] }) => states.map(({ status }) => status)

// What they wait for is not the processor: together they take little longer than one alone.
describe.concurrent('the real Celery', () => {
  for (const { title, install, python } of generations) {
    describeReal(title, { name: title, found: python && redis, install }, () => {
      if (!python) return

      it('runs our tasks, with chains, countdowns, priorities and every integer; one whose process was killed again', async () => {
        await using server = await startRedis()
        await using _worker = await startCeleryWorker(python, { url: server.url, queue })
        await using client = await connectCelery(server.url)
        const send = (task: string, args: unknown[], more = {}) => client.send({ task, args, queue, ...more })
        const next = randomUUID()
        const options = { task_id: next, queue, countdown: 0.2, priority: 9 }
        const chain = [{ task: 'add', args: [100], kwargs: {}, options, immutable: false, subtask_type: null }]
        const first = await send('add', [1, 2], { chain })
        // Late in its second: a worker that loses the fraction is far too early.
        const eta = Math.ceil(Date.now() / 1_000) * 1_000 + 990
        const later = await send('add', [1, 2], { eta })
        const expired = await send('add', [1, 2], { expires: Date.now() - 60_000 })
        const reported = await send('report', [3])
        const unimportant = await send('add', [2n ** 64n, 1], { priority: 9 })
        const infinite = await send('add', [1e308, 1e308])
        await using folder = await temporaryFolder()
        const note = await beginNote(client, join(folder.path, 'killed'))
        process.kill(note.pid, 'SIGKILL')

        expect(await first.get(patient)).toBe(3)
        const chained = await until(() => redisAt(server.url, (redis) => redis.get(resultKey(next))), patient)
        expect(JSON.parse(chained)).toMatchObject({ status: 'SUCCESS', result: 103 })
        await expect(expired.get(patient)).rejects.toThrow('TaskRevokedError: expired')
        expect(await reported.get(patient)).toBe(3)
        expect(statesOf(reported)).toEqual(['PROGRESS', 'PROGRESS', 'SUCCESS'])
        expect(await unimportant.get(patient)).toBe(2n ** 64n + 1n)
        expect(await infinite.get(patient)).toBe(Number.POSITIVE_INFINITY)
        expect(await later.get(patient)).toBe(3)
        expect(Date.now()).toBeGreaterThanOrEqual(eta)
        expect(await note.sent.get(patient)).toBe(noteSeconds)
        expect(await note.begun()).toHaveLength(2)
        expect(statesOf(note.sent)).toEqual(['SUCCESS'])
      })

      it('gets our results and errors', async () => {
        await using server = await startRedis()
        const stop = new AbortController()
        const served = serveCelery(server.url, queue, celeryTasks, { concurrency: 10, signal: stop.signal })
        expect(await callFromPython(python, { url: server.url, queue })).toMatchObject(fromTypeScript)
        stop.abort()
        await served
      })

      it('ends the task that it had and serves again after Redis was restarted', async () => {
        await using server = await startRedis({ appendOnly: true, own: true })
        await using folder = await temporaryFolder()
        await using worker = await restarting(() => startCeleryWorker(python, { url: server.url, queue }))
        await using client = await connectCelery(server.url)
        const note = await beginNote(client, join(folder.path, 'cut off'))
        server.server?.process.kill('SIGKILL')
        await server.server?.exited
        await server.restart()
        expect(await note.sent.get(patient)).toBe(noteSeconds)
        expect(await (await client.send({ task: 'add', args: [1, 2], queue })).get(patient)).toBe(3)
        // Celery 5.7 gives up when it loses a task that it has yet to acknowledge: another process has served us then.
        expect(worker.exits).toEqual(worker.exits.map(() => ({ code: 1, signal: null })))
      })
    })
  }

  const found = redis && pythons[0]
  describeReal('celery-interop', { name: 'Celery for Python', found, install: installPeers }, () => {
    it('shows both directions to a reader, and leaves nothing behind', async () => {
      await using server = await startRedis({ own: true })
      const run = await runExample(chapter, 'celery-interop', ['--json'], { env: { REDIS_URL: server.url } })
      expect(run, run.stderr).toMatchObject({ code: 0 })
      type Reply = { task: string; states: string[]; result?: unknown; error?: object; traceback?: string }
      const { toPython, fromPython } = run.json<{ toPython: Reply[]; fromPython: PythonReply[] }>()
      expect(toPython).toMatchObject([
        { task: 'add', states: ['SUCCESS'], result: 5 },
        { task: 'count_words', states: ['SUCCESS'], result: { to: 2, be: 2 } },
        {
          task: 'divide',
          states: ['FAILURE'],
          error: { type: 'ZeroDivisionError', message: 'divide failed: ZeroDivisionError: division by zero' },
        },
        { task: 'add', states: ['FAILURE'], error: { type: 'TypeError' } },
        { task: 'flaky', states: ['RETRY', 'RETRY', 'SUCCESS'], result: 'done at attempt 3' },
        { task: 'report', states: ['PROGRESS', 'PROGRESS', 'SUCCESS'], result: 3 },
        { task: 'os.system', states: ['FAILURE'], error: { type: 'NotRegistered' } },
      ])
      expect(toPython[2]?.traceback).toMatch(/^Traceback[\s\S]*celery_tasks\.py[\s\S]*return x \/ by/)
      expect(fromPython).toMatchObject(fromTypeScript)
      expect(await run.leftBehind()).toEqual([])
      expect(await redisAt(server.url, (redis) => redis.keys('*'))).toEqual([])
    })
  })
})
