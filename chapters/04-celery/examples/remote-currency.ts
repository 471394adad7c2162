/**
 * remote-currency: calls to an object in another process: in turn, at once, and five that need each other in one round trip
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start remote-currency
 *     pnpm --filter 04-celery start remote-currency --delay 100 --pairs 50
 *
 * It starts a name server and a worker, processes of their own. To use those of `remote-names --stay` and `remote-worker
 * --names …` in other terminals:
 *
 *     export REMOTE_SECRET=…     # the same as there
 *     pnpm --filter 04-celery start remote-currency --names ws://127.0.0.1:9090
 *
 * The rates are real, those of one day from the npm package @fawazahmed0/currency-api. The distance is simulated: a proxy in
 * between delays what goes through it. Calls per second are counted without it.
 *
 * Look for: the chain. Calls that need each other's results cannot be made at once, but they can travel together.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { startProxy } from '@repo/common/servers/proxy'
import { mostPairs, pairsOf } from '@repo/common/workloads/rates'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { countCalls, speedRows } from '../../../bench/src/remote/speed.ts'
import { installPython } from '../src/celery/python.ts'
import type { Exchange } from '../src/remote/exchange.ts'
import { causeFaults } from '../src/remote/faults.ts'
import { lookUp } from '../src/remote/names.ts'
import { nameServerAddress, objectName } from '../src/remote/options.ts'
import { newSecret, sharedSecret, startNameServer, startWorker } from '../src/remote/processes.ts'
import { connect } from '../src/remote/remote.ts'
import { compareWays, convertPipelined, ratesAtOnce } from '../src/remote/ways.ts'

const journey = ['usd', 'eur', 'jpy', 'gbp', 'cny', 'aud']

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(20).describe('pairs of currencies'),
    delay: wholeNumber(0, 2_000).default(20).describe('simulated: how long a message travels, in ms'),
    calls: wholeNumber(1_000, 1_000_000).default(10_000).describe('calls in each round of counting calls per second'),
    names: nameServerAddress().optional().describe('the name server to use; needs REMOTE_SECRET'),
    name: objectName().default('exchange.demo').describe('the name to look up'),
  },
  quick: { pairs: 10, delay: 10, calls: 1_000 },

  async run({ pairs: pairCount, delay, calls, names: given, name }, { signal, quick, print }) {
    await using stack = new AsyncDisposableStack()
    const secret = given ? sharedSecret() : newSecret()
    const names = given ?? stack.use(await startNameServer({ secret, signal })).info.address
    if (!given) stack.use(await startWorker({ secret, signal }, { register: { names, name } }))
    const address = await lookUp(names, name, { secret, signal })
    print(`The name server at ${names} says that ${name} is at ${address}.`)
    const { hostname, port } = new URL(address)
    const proxy = stack.use(await startProxy({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), signal }))

    using far = await connect<Exchange>(`ws://${proxy.host}:${proxy.port}`, { secret, signal })
    const pairs = pairsOf(pairCount)
    // Once before it counts: the worker reads the currencies' files, and the code is compiled.
    await ratesAtOnce(far.remote, pairs)
    await convertPipelined(far.remote, 100, journey)
    proxy.delayMs = delay
    const { ways, worth } = await compareWays(far, pairs, journey)
    print(
      '',
      table(
        [`${milliseconds(2 * delay)} there and back`, 'time', 'messages sent', 'answers'],
        ways.map(({ way, ms, sent, received }) => [way, milliseconds(ms), sent, received]),
      ),
      '',
      `100 ${journey.map((currency) => currency.toUpperCase()).join(' → ')}: ${worth.toFixed(2)}`,
    )

    let reports = 0
    {
      using bar = progress('the worker reports', pairs.length)
      await far.remote.rates(pairs, (done) => {
        reports++
        bar.update(done)
      })
    }
    print(`Called back by the worker: ${reports} times while it looked up ${pairs.length} rates.`)

    const purses: number[] = []
    {
      using euros = far.remote.purse(100, 'eur')
      using yen = euros.into('jpy')
      await yen.amount()
      purses.push(await far.remote.openPurses())
    }
    purses.push(await far.remote.openPurses())
    print(`Purses that the worker holds for us: ${purses[0]}; after disposing of their references: ${purses[1]}.`)

    proxy.delayMs = 0
    const faults = await causeFaults(proxy, address, secret)
    print(
      '',
      table(
        ['what goes wrong', 'the error', 'and its message'],
        faults.map(({ what, type, message }) => [what, type, message]),
      ),
    )

    using bar = progress('counting calls per second', 1)
    const onProgress = (done: number, total: number) => bar.update(done / total)
    const perSecond = await countCalls(address, { secret, calls, rounds: quick ? 1 : 5, signal, onProgress })
    print(
      '',
      table(['calls per second over loopback', 'median', 'against Pyro, one by one'], speedRows(perSecond)),
      ...(perSecond.pyro ? [] : [`Pyro 4 is not installed: ${installPython.Pyro4}`]),
    )
    return { pairs: pairs.length, delayMs: delay, ways, worth, reports, purses, faults, perSecond }
  },
  figure: ({ ways: [, , inTurn, pipelined] }) =>
    `five dependent calls: ${milliseconds(inTurn?.ms ?? 0)} in turn, ${milliseconds(pipelined?.ms ?? 0)} in one round trip`,
})
