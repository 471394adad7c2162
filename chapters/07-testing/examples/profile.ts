/**
 * profile: the hot function, the leak and the stall of a worker under load, found from outside while it runs
 *
 *     pnpm --filter 07-testing start profile
 *     pnpm --filter 07-testing start profile --process "payment 1"
 *     pnpm --filter 07-testing start profile --pid 12345
 *
 * Three faults are planted into the shipping workers (src/inspect/planted.ts). Their inspector is opened while they run, on loopback,
 * and closed again. A CPU profile names the hot function; two heap snapshots name the class that only grows, and who keeps it;
 * a stack taken in the middle of a stall names what blocks the event loop. With --pid the CPU profile is that of a Node process
 * of your own.
 *
 * Look for: the names, with file and line in the TypeScript source. Drop the .cpuprofile onto https://www.speedscope.app.
 */
import { example } from '@repo/common/example/example'
import { accepting, wholeNumber } from '@repo/common/example/options'
import { bold, bytes, count, milliseconds, percent, table } from '@repo/common/output/terminal'
import { type CpuProfile, flames, hotFunctions, takeCpuProfile } from '../src/inspect/cpu-profile.ts'
import { findLeak } from '../src/inspect/heap.ts'
import { type Inspector, isClosed, isOwn, placeText } from '../src/inspect/inspector.ts'
import { attach } from '../src/inspect/inspector-attach.ts'
import { startPlanted } from '../src/inspect/planted-trial.ts'
import { watchStalls, worstOf } from '../src/inspect/stalls.ts'

export default example(import.meta, {
  options: {
    process: accepting('the name of a worker: payment 1, payment 2, shipping 1 or shipping 2', (text) =>
      /^(payment|shipping) [12]$/.test(text) ? text : undefined,
    )
      .default('shipping 1')
      .describe('whom to look at'),
    seconds: wholeNumber(1, 600).default(4).describe('how long each look takes'),
    rate: wholeNumber(1, 1_000).default(150).describe('orders per second meanwhile'),
    pid: wholeNumber(1, 2 ** 31 - 1)
      .optional()
      .describe('a Node process of your own instead'),
    port: wholeNumber(1, 65_535).default(9229).describe("its inspector's port"),
  },
  quick: { seconds: 1 },

  async run({ process: name, seconds, rate, pid, port }, { signal, print, picture }) {
    const ms = seconds * 1000
    async function report(inspector: Inspector, profile: CpuProfile, of: string) {
      const { functions, busy } = hotFunctions(profile, inspector.sourceOf.bind(inspector))
      // The code of the process's own: not that of Node and of packages.
      const hot = functions.find(({ place }) => isOwn(place))
      print(
        bold(`CPU of ${of}: busy for ${percent(busy)} of ${milliseconds(ms)}`),
        table(
          ['function', 'in itself', 'with what it calls', 'where'],
          functions
            .slice(0, 5)
            .map(({ name, self, total, place }) => [name, percent(self), percent(total), placeText(place)]),
        ),
        '',
      )
      const { flamePicture } = await import('../src/inspect/flame-picture.ts')
      const svg = flamePicture(flames(profile), hot?.name, `${of}, ${milliseconds(ms)} of load`)
      return {
        hot: hot && { ...hot, where: placeText(hot.place) },
        busy,
        svg: await picture('profile.svg', svg),
        file: await picture('profile.cpuprofile', JSON.stringify(profile)),
      }
    }

    if (pid !== undefined) {
      await using inspector = await attach(pid, port)
      print(`Process ${pid} for ${seconds} s …`)
      const profile = await takeCpuProfile(inspector, ms, signal)
      const { hot, busy, svg, file } = await report(inspector, profile, `process ${pid}`)
      print(`Flame graph: ${svg}`, `Profile: ${file}`)
      return { process: String(pid), hot, busy, leak: undefined, stalls: 0, stall: undefined, closed: undefined, file }
    }

    print(`${name} under ${rate} orders per second …`)
    await using planted = await startPlanted(name, rate, signal)
    const { url, ...found } = await (async () => {
      await using inspector = await planted.inspect()
      const cpu = await report(inspector, await takeCpuProfile(inspector, ms, signal), name)
      print(`Flame graph: ${cpu.svg}`, `Profile: ${cpu.file}`, '')

      const { bytes: size, grown, leak } = await findLeak(inspector, ms, signal)
      print(
        bold(`Heap: ${bytes(size[0])}, ${milliseconds(ms)} later ${bytes(size[1])}`),
        table(
          ['class', 'more objects', 'their own bytes'],
          grown.slice(0, 4).map((kind) => [kind.name, count(kind.count), bytes(kind.bytes)]),
        ),
        leak ? `A ${leak.name} is kept by ${leak.kept.join(' → ')}` : 'No class of its own has grown.',
        '',
      )

      const mustFind = name.startsWith('shipping')
      const stalls = await watchStalls(inspector, { ms: 3 * ms, longerThanMs: 100, mustFind, signal })
      const { times, frames } = worstOf(stalls)
      const [culprit] = frames
      const most = culprit ? `, ${times} of them in ${culprit.name}` : ''
      print(
        bold(`Event loop: ${stalls.length} stalls of more than 100 ms${most}`),
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
    const { cpu, ...rest } = found
    return { process: name, hot: cpu.hot, busy: cpu.busy, ...rest, closed, file: cpu.file }
  },

  figure: ({ hot, leak, stall }) => `hot: ${hot?.name}; leak: ${leak?.name}; stall: ${stall?.name}`,
})
