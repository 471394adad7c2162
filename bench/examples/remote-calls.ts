/**
 * remote-calls: calls per second to an object: in this process; in another one, singly and at once; and with Pyro
 *
 *     pnpm --filter bench start remote-calls
 *     pnpm --filter bench start remote-calls --calls 100000
 *
 * Pyro, in Python, takes part where it is installed: version 5 by npm run peers, version 4 by sudo apt-get install
 * python3-pyro4 (Debian, Ubuntu), or in a Python environment pip install Pyro4. All serve the same object over the
 * loopback interface, and take turns.
 *
 * Look for: what a call costs when many are made at once, because calls of one turn of the event loop are written in
 * one piece; and the COST, against calls within this process.
 */
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, table, times } from '@repo/common/output/terminal'
import { installPython } from '04-celery/celery/python'
import { Exchange } from '04-celery/remote/exchange'
import { newSecret, startWorker } from '04-celery/remote/processes'
import { connect } from '04-celery/remote/remote'
import { type PyroRates, startPyro } from '../src/remote/pyro.ts'

const atOnce = 1_000

export default example(import.meta, {
  options: {
    calls: wholeNumber(atOnce, 1_000_000).default(10_000).describe('calls in each round and way'),
  },
  quick: { calls: 1_000 },

  async run({ calls }, { signal, quick, print }) {
    // The same object in a TypeScript worker, and in a daemon of each Pyro.
    const secret = newSecret()
    await using worker = await startWorker({ secret, signal }, {})
    using connection = await connect<Exchange>(worker.info.address, { secret, signal })
    const exchange = connection.remote
    await using pyro4 = await startPyro('Pyro4', signal)
    await using pyro5 = await startPyro('Pyro5', signal)
    const pyros = [pyro5, pyro4].filter((pyro) => pyro !== undefined)

    const local = new Exchange()
    const pair = { from: 'usd', to: 'eur' }
    const inPython = pyros.map((): PyroRates[] => [])
    using bar = progress('calling', 1)
    const timed = await interleave(
      {
        // #region ways
        // The same object in this process.
        async here() {
          for (let call = 0; call < calls; call++) await local.rate(pair)
        },
        async sequential() {
          for (let call = 0; call < calls; call++) await exchange.rate(pair)
        },
        async concurrent() {
          for (let call = 0; call < calls; call += atOnce) {
            await Promise.all(Array.from({ length: atOnce }, () => exchange.rate(pair)))
          }
        },
        // #endregion ways
        async pyro() {
          for (const [at, pyro] of pyros.entries()) inPython[at]?.push(await pyro.measure(calls))
        },
      },
      { rounds: quick ? 1 : 5, signal, onProgress: (done, total) => bar.update(done / total) },
    )

    // Calls at once are made in full thousands, perhaps more than `calls`: scale their time down to the same work.
    const fewer = calls / (Math.ceil(calls / atOnce) * atOnce)
    const remote = [timed.sequential.ms, timed.concurrent.ms * fewer]
    const cost = costOf(
      timed.here.ms,
      remote.map((ms) => ({ workers: 1, ms })),
    )
    const perSecond = {
      here: (1_000 * calls) / timed.here.ms,
      sequential: (1_000 * calls) / timed.sequential.ms,
      concurrent: (1_000 * Math.ceil(calls / atOnce) * atOnce) / timed.concurrent.ms,
      // The first round was a warm-up.
      pyro: pyros.map(({ version }, at) => {
        const rounds = inPython[at]?.slice(1) ?? []
        return {
          version,
          sequential: median(rounds.map(({ sequentialPerSecond }) => sequentialPerSecond)),
          batch: median(rounds.map(({ batchPerSecond }) => batchPerSecond)),
        }
      }),
    }
    const rows: [string, number][] = [
      ['in this process, no worker', perSecond.here],
      ['one after the other', perSecond.sequential],
      ['1,000 at once', perSecond.concurrent],
    ]
    for (const { version, sequential, batch } of perSecond.pyro) {
      rows.push([`Pyro ${version}, one after the other`, sequential], [`Pyro ${version}, 1,000 in a batch`, batch])
    }
    const [newest] = perSecond.pyro
    const against = (rate: number) => (newest ? times(rate / newest.sequential) : 'not installed')
    const missing = [...(pyro5 ? [] : (['Pyro5'] as const)), ...(pyro4 ? [] : (['Pyro4'] as const))]
    print(
      table(
        ['calls per second over loopback', 'median', `against Pyro${newest ? ` ${newest.version}` : ''}, one by one`],
        rows.map(([who, rate]) => [who, count(Math.round(rate)), against(rate)]),
      ),
      describeCost(cost),
      ...missing.map((generation) => `${generation} is not installed: ${installPython[generation]}`),
    )
    return { calls, perSecond, ...cost }
  },
  figure: ({ perSecond: { sequential, concurrent }, cost }) =>
    `${count(Math.round(sequential))} calls/s one after the other, ${count(Math.round(concurrent))} at once; COST ${cost}`,
})
