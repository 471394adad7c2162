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
import { interleave } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, table, times } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { newRow } from '../src/harness/suite.ts'
import { startEach } from '../src/harness/turns.ts'
import { ours, pyro4, pyro5 } from '../src/remote/contenders.ts'
import { Texts } from '../src/remote/texts.ts'

const text = 'x'.repeat(10)
const most = 1_000
const limitMs = 60_000

export default example(import.meta, {
  options: {
    calls: wholeNumber(most, 1_000_000).default(10_000).describe('calls in each round and way'),
  },
  quick: { calls: 1_000 },

  async run({ calls }, { signal, quick, print }) {
    // The same object in a TypeScript worker, and in a daemon of each Pyro that is installed.
    await using stack = new AsyncDisposableStack()
    const remote = stack.use(await ours.start(signal))
    const rows = Object.entries({ pyro5, pyro4 }).map(([id, { label }]) => newRow(id, label))
    const pyros = await startEach(rows, { stack, limitMs, signal, onProgress: () => {} }, ({ id }) =>
      (id === 'pyro5' ? pyro5 : pyro4).start(signal),
    )

    const local = new Texts()
    // #region ways
    const ways: Record<string, () => Promise<unknown>> = {
      // The same object in this process.
      async here() {
        for (let call = 0; call < calls; call++) await local.length(text)
      },
      sequential: async () => (await remote.call({ text, calls, atOnce: 1 }, signal)).ms,
      concurrent: async () => (await remote.call({ text, calls, atOnce: most }, signal)).ms,
    }
    // #endregion ways
    for (const [{ id }, { call }] of pyros) {
      ways[`${id} sequential`] = async () => (await call({ text, calls, atOnce: 1 }, signal)).ms
      ways[`${id} batch`] = async () => (await call({ text, calls, atOnce: most }, signal)).ms
    }
    using bar = progress('calling', 1)
    const timed = await interleave(ways, {
      rounds: quick ? 1 : 5,
      signal,
      onProgress: (done, total) => bar.update(done / total),
    })

    const msOf = (way: string) => timed[way]?.ms ?? Number.NaN
    const rateOf = (way: string) => (1_000 * calls) / msOf(way)
    const cost = costOf(
      msOf('here'),
      ['sequential', 'concurrent'].map((way) => ({ workers: 1, ms: msOf(way) })),
    )
    const perSecond = {
      here: rateOf('here'),
      sequential: rateOf('sequential'),
      concurrent: rateOf('concurrent'),
      pyro: [...pyros].map(([{ id }, { version }]) => ({
        version,
        sequential: rateOf(`${id} sequential`),
        batch: rateOf(`${id} batch`),
      })),
    }
    const rates: [string, number][] = [
      ['in this process, no worker', perSecond.here],
      ['one after the other', perSecond.sequential],
      ['1,000 at once', perSecond.concurrent],
    ]
    for (const { version, sequential, batch } of perSecond.pyro) {
      rates.push([`Pyro ${version}, one after the other`, sequential], [`Pyro ${version}, 1,000 in a batch`, batch])
    }
    const [newest] = perSecond.pyro
    const against = (rate: number) => (newest ? times(rate / newest.sequential) : 'not installed')
    print(
      table(
        ['calls per second over loopback', 'median', `against Pyro${newest ? ` ${newest.version}` : ''}, one by one`],
        rates.map(([who, rate]) => [who, count(Math.round(rate)), against(rate)]),
      ),
      describeCost(cost),
      ...rows.flatMap(({ label, failed }) => (failed === undefined ? [] : [`${label}: ${failed}`])),
    )
    return { calls, perSecond, ...cost }
  },
  figure: ({ perSecond: { sequential, concurrent }, cost }) =>
    `${count(Math.round(sequential))} calls/s one after the other, ${count(Math.round(concurrent))} at once; COST ${cost}`,
})
