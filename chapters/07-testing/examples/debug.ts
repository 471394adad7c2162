/**
 * debug: a running worker is stopped at a line when a condition holds, its variables are read, and it goes on
 *
 *     pnpm --filter 07-testing start debug
 *     pnpm --filter 07-testing start debug --condition "order.item === 'lamp'"
 *     pnpm --filter 07-testing start debug --wait
 *
 * Orders go through the pipeline. While one worker runs, its inspector is opened on loopback, and a conditional
 * breakpoint is set in src/pipeline/orders.ts, where the goods are taken. When the worker reaches it, the program reads
 * what a debugger shows, lets the worker continue, and closes the inspector. With --wait it opens the inspector and
 * waits for your own editor: choose "Attach to a worker" (.vscode/launch.json), and press Ctrl-C when you are done.
 *
 * Look for: what the other workers did meanwhile; and the order that was held up, and was still shipped exactly once.
 */
import { example } from '@repo/common/example/example'
import { accepting, flag, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { count, howMany, milliseconds } from '@repo/common/output/terminal'
import { breakAt, lineWith, stopText } from '../src/inspect/breakpoint.ts'
import { ConditionError } from '../src/inspect/condition.ts'
import { inspect, inspectable, isClosed, openForEditor } from '../src/inspect/inspector.ts'
import { keepPlacing, ordersOf, placeOrders, plenty } from '../src/pipeline/load.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'

const worker = 'shipping 1'
const source = new URL('../src/pipeline/orders.ts', import.meta.url)

export default example(import.meta, {
  options: {
    condition: accepting('a JavaScript expression', (text) => text.trim() || undefined)
      .default('order.quantity === 3')
      .describe('when to stop; it sees order, id, item and quantity'),
    orders: wholeNumber(1, 2_000).default(100).describe('how many are placed'),
    pause: wholeNumber(0, 20_000).default(500).describe('ms that the worker is held'),
    port: wholeNumber(1, 65_535).default(9229).describe('with --wait: the port of the inspector'),
    wait: flag().describe('waits for your own editor'),
  },
  quick: { orders: 30, pause: 100 },

  async run({ condition, orders: wanted, pause, port, wait }, { signal, print }) {
    const lines: string[] = []
    print(`${howMany(wanted, 'order')}; ${worker} is to stop where ${condition} …`)
    await using pipeline = await startPipeline({
      stock: plenty,
      env: wait ? { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` } : inspectable,
      signal,
      onLine: (process, line) => void (process === worker && lines.push(line)),
    })
    const { url, store } = pipeline
    const program = pipeline.processes.get(worker)
    if (!program) throw new Error(`${worker} has ended`)
    const line = await lineWith(source, 'const { id, item, quantity } = order')

    if (wait) {
      await openForEditor(program, lines, signal).catch((error: Error) => {
        signal.throwIfAborted()
        throw new UsageError('--port', port, `a port that is free; Node says: ${error.message}`)
      })
      print(
        `The inspector of ${worker} (process ${program.pid}) listens on 127.0.0.1:${port}.`,
        `Set a breakpoint at src/pipeline/orders.ts:${line} and attach. Orders are placed until you press Ctrl-C.`,
      )
      return await keepPlacing({ url, rate: 2, signal })
    }

    // A signal opens the inspector of the running worker.
    const inspector = await inspect(program, lines)
    const { hostname, port: opened } = new URL(inspector.url)
    print(`The inspector of ${worker} listens on ${hostname}:${opened}.`)
    const found = await (async () => {
      const ended = new AbortController()
      using _end = { [Symbol.dispose]: () => ended.abort() }
      const untilEnd = AbortSignal.any([signal, ended.signal])
      await using _ = inspector
      // #region stop
      // The worker stops at this line when the condition holds for its order.
      const { reached, remove } = await breakAt(inspector, { file: source, line, condition })
      // #endregion stop
      const placing = placeOrders({ url, orders: ordersOf(1, wanted), signal: untilEnd })
      const allDone = placing.then(() => pipeline.drained({ signal: untilEnd }))
      allDone.catch(() => {})
      const stopped = await Promise.race([reached, allDone.then(() => undefined)])
      if (!stopped) return undefined
      // Everything that an editor shows can be read: stack, variables, the value of an expression.
      const stoppedAt = performance.now()
      const doneBefore = await store.historyLength()
      // #region read
      const order = await stopped.evaluate<{ id: string; item: string; quantity: number }>('order')
      const memory = await stopped.evaluate<number>('process.memoryUsage().heapUsed')
      print('', ...stopText(stopped), `  ${Math.round(memory / 1e6)} MB of heap in use`)
      await inspector.wait(pause, signal)
      const meanwhile = (await store.historyLength()) - doneBefore
      // Remove the breakpoint first, or the worker stops at the next such order.
      await remove()
      await stopped.resume()
      // #endregion read
      const heldMs = performance.now() - stoppedAt
      print(`Held for ${milliseconds(heldMs)}; the other processes went on: ${count(meanwhile)} effects meanwhile.`)
      await allDone
      const at = { function: stopped.stack[0]?.name, line: stopped.stack[0]?.line }
      return { order, at, variables: stopped.variables, heldMs, meanwhile, memory }
    })().catch((error) => {
      if (!(error instanceof ConditionError)) throw error
      throw new UsageError('--condition', condition, `a JavaScript expression that only looks; ${error.message}`)
    })
    const closed = await isClosed(hostname, Number(opened))
    if (!found) {
      print(`The condition ${condition} held for no order at ${worker}.`)
      return { worker, condition, stopped: false, closed }
    }
    // What became of the order that was held up?
    const { id } = found.order
    const taken = (await store.history()).filter(
      ({ effect, answer }) => effect.do === 'take' && effect.order === id && answer === 'taken',
    ).length
    const state = await store.stateOf(id)
    const inspectorNow = closed ? 'closed' : 'STILL OPEN'
    print(
      '',
      `${id} is ${state}; its goods were taken ${taken === 1 ? 'once' : `${taken} times`}. The inspector is ${inspectorNow}.`,
    )
    return { worker, condition, stopped: true, ...found, state, taken, closed }
  },

  figure: (result) => ('order' in result ? `stopped for ${result.order.id}, which went on` : 'never stopped'),
})
