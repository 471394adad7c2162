/**
 * remote-currency: calls to an object in another process: in turn, at once, and five that need each other in one round trip
 *
 *     pnpm --filter 04-celery start remote-currency
 *     pnpm --filter 04-celery start remote-currency --delay 100 --pairs 50
 *
 * It starts a name server and a worker, each a process of its own. To use those of `remote-names --stay` and
 * `remote-worker --names …` in other terminals:
 *
 *     export REMOTE_SECRET=…     # the same as there
 *     pnpm --filter 04-celery start remote-currency --names ws://127.0.0.1:9090
 *
 * The rates are real: those of one day, from the npm package @fawazahmed0/currency-api. The distance is simulated: a
 * proxy in between delays what goes through it.
 *
 * Look for: the chain. Calls that need each other's results cannot be made at once, but they can travel together.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { startProxy } from '@repo/common/servers/proxy'
import { mostPairs, pairsOf } from '@repo/common/workloads/rates'
import { AsyncDisposableStack, DisposableStack } from '@whatwg-node/disposablestack'
import type { Exchange } from '../src/remote/exchange.ts'
import { causeFaults } from '../src/remote/faults.ts'
import { lookUp } from '../src/remote/names.ts'
import {
  nameServerAddress,
  newSecret,
  objectName,
  sharedSecret,
  startNameServer,
  startWorker,
} from '../src/remote/processes.ts'
import { connect } from '../src/remote/remote.ts'

const journey = ['usd', 'eur', 'jpy', 'gbp', 'cny', 'aud']
const steps = journey.slice(1).map((to, at) => [journey[at] ?? '', to] as const)

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(20).describe('pairs of currencies'),
    delay: wholeNumber(0, 2_000).default(20).describe('simulated: ms that a message travels'),
    names: nameServerAddress().optional().describe('the name server to use; needs REMOTE_SECRET'),
    name: objectName().default('exchange.demo').describe('the name to look up'),
  },
  quick: { pairs: 10, delay: 10 },

  async run({ pairs: pairCount, delay, names: given, name }, { signal, print }) {
    // Find the object by its name, and connect to it through the proxy.
    await using stack = new AsyncDisposableStack()
    const secret = given ? sharedSecret() : newSecret()
    const names = given ?? stack.use(await startNameServer({ secret, signal })).info.address
    if (!given) stack.use(await startWorker({ secret, signal }, { register: { names, name } }))
    const address = await lookUp(names, name, { secret, signal })
    print(`The name server at ${names} says that ${name} is at ${address}.`)
    const { hostname, port } = new URL(address)
    const proxy = stack.use(await startProxy({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), signal }))
    using connection = await connect<Exchange>(`ws://${proxy.host}:${proxy.port}`, { secret, signal })
    const { remote: exchange, traffic } = connection
    const pairs = pairsOf(pairCount)

    const ways: { way: string; ms: number; sent: number; received: number }[] = []
    async function timed<T>(way: string, call: () => Promise<T>): Promise<T> {
      const [before, start] = [{ ...traffic }, performance.now()]
      const result = await call()
      const ms = performance.now() - start
      ways.push({ way, ms, sent: traffic.sent - before.sent, received: traffic.received - before.received })
      return result
    }
    async function callInAllWays(): Promise<number> {
      // One after the other: each call waits for the answer to the one before, so each costs a round trip.
      const inTurn = await timed(`${pairs.length} rates, one after the other`, async () => {
        const rates: number[] = []
        for (const pair of pairs) rates.push((await exchange.rate(pair)).rate)
        return rates
      })
      // All at once: as many messages, in the time of one round trip.
      const atOnce = await timed(`${pairs.length} rates, all at once`, () =>
        Promise.all(pairs.map(async (pair) => (await exchange.rate(pair)).rate)),
      )
      // A chain: each call needs the result of the one before.
      const stepwise = await timed(`a chain of ${steps.length} conversions, one after the other`, async () => {
        let worth = 100
        for (const [from, to] of steps) worth = await exchange.convert(worth, from, to)
        return worth
      })
      // #region pipelined
      // The same in one round trip: a call returns a promise at once, and the next call takes that promise as an
      // argument. The worker puts the result in its place. Only the last result is asked for.
      const pipelined = await timed('the same chain, pipelined', async () => {
        let worth: Parameters<typeof exchange.convert>[0] = 100
        // The worker keeps the results in between until we dispose of them: somebody might still ask for them.
        using results = new DisposableStack()
        for (const [from, to] of steps) worth = results.use(exchange.convert(worth, from, to))
        return await worth
      })
      // #endregion pipelined
      if (inTurn.join() !== atOnce.join() || stepwise !== pipelined) throw new Error('two ways got different results')
      return pipelined
    }
    // The warm-up: the worker reads the currencies' files, and both ends compile their code.
    await callInAllWays()
    ways.length = 0
    proxy.delayMs = delay
    const worth = await callInAllWays()
    print(
      '',
      table(
        [`${milliseconds(2 * delay)} there and back`, 'time', 'messages sent', 'answers'],
        ways.map(({ way, ms, sent, received }) => [way, milliseconds(ms), sent, received]),
      ),
      '',
      `100 ${journey.map((currency) => currency.toUpperCase()).join(' → ')}: ${worth.toFixed(2)}`,
    )

    // A function as an argument stays here: the worker calls it back while it works.
    let reports = 0
    {
      using bar = progress('the worker reports', pairs.length)
      await exchange.rates(pairs, (done) => {
        reports++
        bar.update(done)
      })
    }
    print(`Called back by the worker: ${reports} times while it looked up ${pairs.length} rates.`)

    // An object as a result stays there: the worker keeps it until we dispose of our reference.
    // #region purses
    const purses: number[] = []
    {
      using euros = exchange.purse(100, 'eur')
      using yen = euros.into('jpy')
      await yen.amount()
      purses.push(await exchange.openPurses())
    }
    purses.push(await exchange.openPurses())
    // #endregion purses
    print(`Purses that the worker holds for us: ${purses[0]}; after disposing of their references: ${purses[1]}.`)

    // What can go wrong, caused for real.
    proxy.delayMs = 0
    const faults = await causeFaults(proxy, address, secret)
    print(
      '',
      table(
        ['what goes wrong', 'the error', 'and its message'],
        faults.map(({ what, type, message }) => [what, type, message]),
      ),
    )
    return { pairs: pairs.length, delayMs: delay, ways, worth, reports, purses, faults }
  },
  figure: ({ ways: [, , inTurn, pipelined] }) =>
    `five dependent calls: ${milliseconds(inTurn?.ms ?? 0)} in turn, ${milliseconds(pipelined?.ms ?? 0)} in one round trip`,
})
