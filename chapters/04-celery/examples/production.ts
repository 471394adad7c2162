/**
 * production: the settings that matter, each tried with and without; a worker that ends in order; its systemd unit
 *
 *     pnpm --filter 04-celery start production
 *     pnpm --filter 04-celery start production --tasks 20 --nap 3000
 *
 * A worker for production takes its configuration from the environment (src/production/config.ts). Start one with:
 *
 *     cd chapters/04-celery
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 WORKER_HEALTH_PORT=8080 node --import tsx src/production/worker.program.ts
 *
 * The example tries everything on servers of its own, even if REDIS_URL names another.
 *
 * Look for: what is lost without a setting and not with it; what a stranger or a worker may not do; and what becomes of
 * the tasks of a worker that gets SIGTERM.
 */
import { fileURLToPath } from 'node:url'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { bytes, count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { hiddenFolders, serviceUnit } from '../src/production/systemd.ts'
import { memoryPerTask, shutDown, whenFull, whenKilled, whenSecured } from '../src/production/trials.ts'

/** The program's default is 30 s; systemd must wait longer. */
const stopSeconds = 45

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 1_000).default(12).describe('tasks sent to the worker that gets SIGTERM'),
    concurrency: wholeNumber(1, 100).default(4).describe('tasks that it runs at a time'),
    nap: wholeNumber(1, 20_000).default(5_000).describe('ms that the tasks take that run then'),
    sample: wholeNumber(100, 100_000).default(5_000).describe('tasks sent to measure the memory of one'),
  },
  quick: { sample: 1_000 },

  async run({ tasks, concurrency, nap, sample }, { signal, print, picture }) {
    print('Each setting on a Redis of its own …', '')
    using bar = progress('trying')
    const trial = async <T>(label: string, work: Promise<T>) => {
      bar.update(0, label)
      return await work
    }
    const options = { signal }

    // A full memory, and a killed server: what is lost?
    const evicting = await trial('a full Redis that evicts', whenFull('allkeys-lru', options))
    const full = await trial('a full Redis', whenFull('noeviction', options))
    const forgetful = await trial('a killed Redis', whenKilled(false, options))
    const durable = await trial('a killed Redis with a file', whenKilled(true, options))
    print(
      table(
        ['setting', 'what happens', 'accepted', 'lost'],
        [
          ['maxmemory-policy allkeys-lru', 'memory full', evicting.accepted, evicting.lost],
          ['maxmemory-policy noeviction', 'memory full', full.accepted, full.lost],
          ['appendonly no', 'SIGKILL, restart', forgetful.accepted, forgetful.lost],
          ['appendonly yes, appendfsync always', 'SIGKILL, restart', durable.accepted, durable.lost],
        ],
      ),
      '',
      `With noeviction the sender hears: ${full.refusal?.replace(/:\/\/\S*/, '://…')}`,
      '',
    )

    // Strangers and workers: what may they do? A server that was built without TLS does not end the example.
    const secured = await trial('TLS and users', whenSecured(options)).catch((error: Error) => error)
    if (secured instanceof Error) print(`TLS: ${secured.message}`, '')
    else {
      print(
        `Over TLS, as the user "worker": 1 + 2 = ${secured.sum}.`,
        table(
          ['tried', 'answer'],
          Object.entries(secured.refusals).map(([what, answer]) => [what, shortened(answer)]),
        ),
        '',
      )
    }

    // SIGTERM in the middle of work.
    const ended = await trial('a worker that gets SIGTERM', shutDown({ tasks, concurrency, napMs: nap }, options))
    print(
      `SIGTERM with ${ended.running} of ${howMany(tasks, 'task')} running: /ready went from ${ended.readyBefore} to ${ended.readyAfter};`,
      `the worker ended after ${milliseconds(ended.ms)} with code ${ended.code}, ${howMany(ended.doneThen, 'task')} done.`,
      `Another worker did the rest: ${ended.done} of ${tasks} done, ${ended.begunTwice} begun twice.`,
      '',
    )
    // How much memory does Redis need?
    const memory = await trial('memory', memoryPerTask(sample, options))
    const perGigabyte = 1e9 / memory.kept
    print(
      `Memory: a small task takes ${bytes(memory.waiting)} while it waits, ${bytes(memory.kept)} with its result, kept for a day.`,
      `1 GB holds ${count(Math.round(perGigabyte / 1_000) * 1_000)} results: ${(perGigabyte / 86_400).toFixed(0)} tasks a second around the clock.`,
    )

    // The worker as a service of systemd.
    const [node, folder] = [process.execPath, fileURLToPath(new URL('..', import.meta.url))]
    const unit = serviceUnit({ node, folder, environmentFile: '/etc/celery-worker.env', stopSeconds })
    const path = await picture('celery-worker@.service', unit)
    print(`systemd unit: ${path}`)
    const unseen = [node, folder].filter((place) => hiddenFolders.some((hidden) => place.startsWith(`${hidden}/`)))
    for (const place of unseen)
      print(`The service will not see ${place}: install it below /srv and make the unit there.`)
    return {
      full: { noeviction: full, 'allkeys-lru': evicting },
      killed: { appendOnly: durable, without: forgetful },
      secured: secured instanceof Error ? undefined : secured,
      notSecured: secured instanceof Error ? secured.message : undefined,
      ended,
      memory,
      unit: path,
      unseen,
    }
  },
  figure: ({ full, ended, notSecured }) =>
    `full: ${full['allkeys-lru'].lost} tasks lost when evicting, ${full.noeviction.lost} when not; SIGTERM: ${ended.done} of ${howMany(ended.tasks, 'task')} done${notSecured === undefined ? '' : '; TLS not tried'}`,
})

const shortened = (text: string) => (text.length > 70 ? `${text.slice(0, 69)}…` : text)
