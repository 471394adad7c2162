/**
 * debug: a running worker is stopped at a line when a condition holds, its variables are read, and it goes on
 *
 *     pnpm --filter 07-testing start debug
 *     pnpm --filter 07-testing start debug --condition "order.item === 'lamp'"
 *     pnpm --filter 07-testing start debug --wait
 *
 * Orders go through the pipeline. The inspector of one worker is opened while it works, on loopback; a breakpoint with a
 * condition is set in src/orders.ts, where the goods are taken; when it is reached the program reads what a debugger shows,
 * lets the worker go on, and closes the inspector. With --wait it opens the inspector and waits for your own editor: choose
 * "Attach to a worker" (.vscode/launch.json), and press Ctrl-C when you are done.
 *
 * Look for: what the other workers did meanwhile; and the order that was held up, and still arrived once.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { example, UsageError } from '@repo/common/example'
import { accepting, flag, wholeNumber } from '@repo/common/options'
import { bold, count, dim, milliseconds } from '@repo/common/terminal'
import { until } from '@repo/common/until'
import { breakAt, lineWith } from '../src/breakpoint.ts'
import { inspect, inspectable, isClosed } from '../src/inspector.ts'
import { ordersOf, placeOrders, plenty } from '../src/load.ts'
import { startPipeline } from '../src/pipeline.ts'

const worker = 'shipping 1'
const source = new URL('../src/orders.ts', import.meta.url)

export default example(import.meta, {
  options: {
    condition: accepting('a JavaScript expression', (text) => text.trim() || undefined)
      .default('order.quantity === 3')
      .describe('when to stop; it sees order, id, item and quantity'),
    orders: wholeNumber(1, 2_000).default(100).describe('how many are placed'),
    pause: wholeNumber(0, 20_000).default(500).describe('ms for which the worker is held'),
    port: wholeNumber(1, 65_535).default(9229).describe('with --wait: where the inspector listens'),
    wait: flag().describe('waits for your own editor'),
  },
  quick: { orders: 30, pause: 100 },

  async run({ condition, orders: wanted, pause, port, wait }, { signal, print }) {
    const lines: string[] = []
    const orders = ordersOf(1, wanted)
    const env = wait ? { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` } : inspectable
    print(`${count(wanted)} orders; ${worker} is to stop where ${condition} …`)
    await using pipeline = await startPipeline({
      ...{ stock: plenty, env, signal },
      onLine: (process, line) => void (process === worker && lines.push(line)),
    })
    const program = pipeline.processes.get(worker)
    if (!program) throw new Error(`${worker} has ended`)
    const line = await lineWith(source, 'const { id, item, quantity } = order')

    if (wait) {
      program.process.kill('SIGUSR1')
      await until(() => lines.some((text) => /Debugger listening|Starting inspector.*failed/.test(text)), {
        signal,
        what: 'the inspector is open',
      })
      const failed = lines.find((text) => /failed/.test(text))
      if (failed) throw new UsageError('--port', port, `a port that is free; Node says: ${failed}`)
      print(
        `The inspector of ${worker} (process ${program.pid}) listens on 127.0.0.1:${port}.`,
        `Set a breakpoint at src/orders.ts:${line} and attach. Orders are placed until you press Ctrl-C.`,
      )
      for (let round = 1; ; round++) {
        await placeOrders({
          url: pipeline.url,
          orders: orders.map((order) => ({ ...order, id: `${order.id}-${round}` })),
          rate: 2,
          signal,
        })
      }
    }

    const inspector = await inspect(program, lines)
    const { hostname, port: opened } = new URL(inspector.url)
    print(`The inspector of ${worker} listens on ${hostname}:${opened}.`)
    const found = await (async () => {
      await using _ = inspector
      const { reached, remove } = await breakAt(inspector, { file: source, line, condition }).catch((error) => {
        throw new UsageError('--condition', condition, `a JavaScript expression; ${(error as Error).message}`)
      })
      const placing = placeOrders({ url: pipeline.url, orders, signal })
      const stopped = await Promise.race([
        reached,
        placing.then(() => pipeline.drained({ signal })).then(() => undefined),
      ])
      if (!stopped) return undefined
      const stoppedAt = performance.now()
      const doneBefore = await pipeline.store.historyLength()
      const [frame] = stopped.stack
      const order = await stopped.evaluate<{ id: string; item: string; quantity: number }>('order')
      const memory = await stopped.evaluate<number>('process.memoryUsage().heapUsed')
      print(
        '',
        bold(`Stopped in ${frame?.name} (src/orders.ts:${frame?.line})`),
        ...Object.entries(stopped.variables).map(
          ([name, value]) => `  ${name} = ${dim(JSON.stringify(value) ?? 'undefined')}`,
        ),
        `  called by ${stopped.stack
          .slice(1, 4)
          .map(({ name }) => name)
          .join(', ')}`,
        `  ${Math.round(memory / 1e6)} MB of heap in use`,
      )
      await delay(pause, undefined, { signal })
      const meanwhile = (await pipeline.store.historyLength()) - doneBefore
      // First the breakpoint, or the worker stops at the next such order.
      await remove()
      await stopped.resume()
      const heldMs = performance.now() - stoppedAt
      print(`Held for ${milliseconds(heldMs)}; the other processes went on: ${count(meanwhile)} effects meanwhile.`)
      await placing
      return {
        order,
        at: { function: frame?.name, line: frame?.line },
        variables: stopped.variables,
        heldMs,
        meanwhile,
        memory,
      }
    })()
    await pipeline.drained({ signal })
    const closed = await isClosed(hostname, Number(opened))
    if (!found) {
      print(`No order at ${worker} was such that ${condition}.`)
      return { worker, condition, stopped: false, closed }
    }
    const history = await pipeline.store.history()
    const taken = history.filter(
      ({ effect, answer }) => effect.do === 'take' && effect.order === found.order.id && answer === 'taken',
    ).length
    const state = await pipeline.store.stateOf(found.order.id)
    print(
      '',
      `${found.order.id} is ${state}; its goods were taken ${taken} times. The inspector is ${closed ? 'closed' : 'STILL OPEN'}.`,
    )
    return { worker, condition, stopped: true, ...found, state, taken, closed }
  },

  figure: (result) => ('order' in result ? `stopped for ${result.order.id}, which went on` : 'never stopped'),
})
