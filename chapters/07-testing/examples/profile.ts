/**
 * profile: the hot function, the leak and the stall of a worker under load, found from outside while it runs
 *
 *     pnpm --filter 07-testing start profile
 *     pnpm --filter 07-testing start profile --process "payment 1"
 *     pnpm --filter 07-testing start profile --pid 12345
 *
 * Three faults are planted in the shipping workers (src/inspect/planted.ts). While a worker runs, its inspector is
 * opened on loopback, and closed again afterwards. A CPU profile names the hot function. Heap snapshots name the class
 * that only grows, and what keeps its objects alive. A stack from the middle of a stall names what blocks the
 * event loop. With --pid, the example takes a CPU profile of your own Node process.
 *
 * Look for: the names, with file and line in the TypeScript source. Drop the .cpuprofile onto
 * https://www.speedscope.app.
 */
import { example } from '@repo/common/example/example'
import { accepting, wholeNumber } from '@repo/common/example/options'
import { bold, bytes, count, howMany, milliseconds, percent, table } from '@repo/common/output/terminal'
import { drawFlames, flames, hotFunctions, takeCpuProfiles } from '../src/inspect/cpu-profile.ts'
import { findLeak } from '../src/inspect/heap.ts'
import { attach, type Inspector, inspect, inspectable, isClosed } from '../src/inspect/inspector.ts'
import { isOwn, placeText } from '../src/inspect/session.ts'
import { watchStalls, worstOf } from '../src/inspect/stalls.ts'
import { plenty, startPlacing } from '../src/pipeline/load.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'

const planted = new URL('../src/inspect/planted.ts', import.meta.url)
/** Longer than the slow function takes for one order: once it was paused, V8 no longer optimises it. */
const longerThanMs = 250

export default example(import.meta, {
  options: {
    process: accepting('the name of a worker: payment 1, payment 2, shipping 1 or shipping 2', (text) =>
      /^(payment|shipping) [12]$/.test(text) ? text : undefined,
    )
      .default('shipping 1')
      .describe('which worker to look at'),
    seconds: wholeNumber(1, 600).default(4).describe('how long each look takes'),
    rate: wholeNumber(1, 1_000).default(150).describe('orders per second meanwhile'),
    pid: wholeNumber(1, 2 ** 31 - 1)
      .optional()
      .describe('a Node process of your own instead'),
    port: wholeNumber(1, 65_535).optional().describe('where its inspector listens, if it is open already'),
  },
  quick: { seconds: 1 },

  async run({ process: name, seconds, rate, pid, port }, { signal, print, picture }) {
    const ms = seconds * 1000
    /** The profiler samples the stack again and again: the function most often at the top takes the most time. */
    async function findHotFunction(inspector: Inspector, of: string) {
      const profiles = await takeCpuProfiles(inspector, ms, signal)
      const threads = profiles.map((each) => ({ ...each, ...hotFunctions(each.profile, each.placeOf) }))
      const [busiest = threads[0]] = threads.toSorted((a, b) => b.busy - a.busy)
      if (!busiest) throw new Error('a process has a main thread')
      const { functions, busy, profile, thread } = busiest
      const hot = functions.find(({ place }) => isOwn(place))
      const isAlone = threads.length === 1
      const rows = functions
        .slice(0, 5)
        .map(({ name, self, total, place }) => [name, percent(self), percent(total), placeText(place)])
      const svg = drawFlames(flames(profile), hot?.name, `${of}, ${milliseconds(ms)} of load`)
      const file = await picture('profile.cpuprofile', JSON.stringify(profile))
      print(
        bold(`CPU of ${of}${isAlone ? '' : `, ${thread}`}: busy for ${percent(busy)} of ${milliseconds(ms)}`),
        ...threads
          .filter((each) => each !== busiest)
          .map((each) => `The ${each.thread} was busy for ${percent(each.busy)} of it.`),
        table(['function', 'in itself', 'with what it calls', 'where'], rows),
        '',
        `Flame graph: ${await picture('profile.svg', svg)}`,
        `Profile: ${file}`,
      )
      const busyShares = Object.fromEntries(threads.map((each) => [each.thread, each.busy]))
      return { hot: hot && { ...hot, where: placeText(hot.place) }, busy, threads: busyShares, file }
    }
    if (pid !== undefined) {
      await using inspector = await attach(pid, port)
      print(`Process ${pid} for ${seconds} s …`)
      const { file, ...cpu } = await findHotFunction(inspector, `process ${pid}`)
      return { process: String(pid), ...cpu, leak: undefined, stalls: 0, stall: undefined, closed: undefined, file }
    }

    print(`${name} under ${rate} orders per second …`)
    const lines: string[] = []
    await using pipeline = await startPipeline({
      stock: plenty,
      instruments: planted,
      env: inspectable,
      signal,
      // One job at a time: several that are slow, in one go, would look like a stall on a busy machine.
      concurrency: 1,
      slowMs: [1, 5],
      onLine: (process, line) => void (process === name && lines.push(line)),
    })
    const worker = pipeline.processes.get(name)
    if (!worker) throw new Error(`there is no ${name}`)
    await using _load = startPlacing({ url: pipeline.url, rate, signal })
    const { url, cpu, ...found } = await (async () => {
      // A signal opens the inspector of the running worker.
      await using inspector = await inspect(worker, lines)
      const cpu = await findHotFunction(inspector, name)

      // One snapshot of the heap shows what is there, several show what grows.
      const mustFind = name.startsWith('shipping')
      const { bytes: size, grown, leak } = await findLeak(inspector, { ms, mustFind, signal })
      print(
        '',
        bold(`Heap: ${bytes(size[0])}, ${milliseconds(ms)} later ${bytes(size[1])}`),
        table(
          ['class', 'more objects', 'their own bytes'],
          grown.slice(0, 4).map((kind) => [kind.name, count(kind.count), bytes(kind.bytes)]),
        ),
        leak ? `A ${leak.name} is kept by ${leak.kept.join(' → ')}` : 'Nothing of its own goes on growing.',
        '',
      )

      // While the worker does not answer, it is paused in the middle of its work, and its stack is read.
      const stalls = await watchStalls(inspector, { ms: 3 * ms, longerThanMs, mustFind, signal })
      const { times, frames } = worstOf(stalls)
      const [culprit] = frames
      const most = culprit ? `, ${times} of them in ${culprit.name}` : ''
      print(
        bold(`Event loop: ${howMany(stalls.length, 'stall')} of more than ${longerThanMs} ms${most}`),
        ...frames.slice(0, 8).map(({ name, place }) => `  at ${name} (${placeText(place)})`),
        '',
      )
      const stall = culprit && { name: culprit.name, where: placeText(culprit.place) }
      return { url: new URL(inspector.url), cpu, leak, stalls: stalls.length, stall }
    })().catch((error) => {
      signal.throwIfAborted()
      throw new Error(`${name} could not be profiled`, { cause: error })
    })
    const closed = await isClosed(url.hostname, Number(url.port))
    print(`The inspector is ${closed ? 'closed again' : 'STILL OPEN'}; ${name} goes on.`)
    const { file, ...rest } = cpu
    return { process: name, ...rest, ...found, closed, file }
  },

  figure: ({ hot, leak, stall }) => `hot: ${hot?.name}; leak: ${leak?.name}; stall: ${stall?.name}`,
})
