/**
 * mixed: one sum on processes that have threads, in every layout with the same result, bit for bit
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 01-intro start mixed
 *     pnpm --filter 01-intro start mixed --layouts 1x1,4x1,2x2,1x4
 *
 * 2×1 is two processes with one thread each, 1×2 one process with two. Between processes the numbers travel in messages;
 * the threads of a process write them into memory that they share. The sum is π, by the midpoint rule.
 *
 * Look for: the bits of the sum, the same in every layout; the last digits of the same numbers added in the order of the
 * workers, which are not; and which layout is fastest, which one starts first and which takes the least memory.
 */
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { interleave, startSpinners } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { drawLayouts, layoutTable, winnerOf } from '../src/mixed/layout-times.ts'
import {
  type LayoutSum,
  layoutList,
  layoutName,
  layoutsFor,
  memoryFor,
  partsOf,
  startLayout,
} from '../src/mixed/layouts.ts'
import { bitsOf, chunkSum, chunks, pairwiseSum } from '../src/mixed/sum.ts'

export default example(import.meta, {
  options: {
    terms: wholeNumber(1_000_000, 10_000_000_000).default(400_000_000).describe('numbers to add up'),
    layouts: layoutList.default(layoutsFor()).describe('processes × threads'),
  },
  quick: { terms: 60_000_000 },

  async run({ terms, layouts }, { signal, quick, print, picture }) {
    const needed = layouts.reduce((sum, layout) => sum + memoryFor(layout), 0)
    if (needed > process.availableMemory()) {
      const accepts = `layouts that fit into ${bytes(process.availableMemory())} of memory; these may take ${bytes(needed)}`
      throw new UsageError('--layouts', layouts.map(layoutName).join(), accepts)
    }
    print(`Adding up ${count(terms)} numbers in ${layouts.length} layouts of processes × threads …`)

    await using stack = new AsyncDisposableStack()
    using bar = progress('starting the processes')
    const running = []
    for (const layout of layouts) {
      bar.update(0, `starting ${layoutName(layout)} processes × threads`)
      running.push({ ...layout, layout: stack.use(await startLayout(layout, signal)), results: [] as LayoutSum[] })
    }
    const most = Math.max(...layouts.map(({ processes, threads }) => processes * threads))
    const spinners = stack.use(await startSpinners(most))

    // The best serial version: the same loop on this thread, without messages.
    const sums = new Float64Array(chunks)
    async function alone() {
      for (let chunk = 0; chunk < chunks; chunk++) {
        sums[chunk] = chunkSum(chunk, terms)
        // Lets Ctrl-C be heard.
        if (chunk % 64 === 0) await setImmediate(undefined, { signal })
      }
      return pairwiseSum(sums)
    }
    const begin = performance.now()
    const bits = bitsOf(await alone())
    const spin = await spinners.calibrate(performance.now() - begin)
    const ways: Record<string, () => unknown> = {
      alone: async () => void (await alone()),
      'one spins': () => spinners.run(1, spin),
    }
    for (const { processes, threads, layout, results } of running) {
      const workers = processes * threads
      ways[layoutName({ processes, threads })] = async () => void results.push(await layout.sum(terms))
      ways[`${workers} spin`] = () => spinners.run(workers, Math.ceil(spin / workers))
    }
    const rounds = quick ? 5 : 9
    const timings = await interleave(ways, {
      rounds,
      signal,
      onProgress: (done, total) => bar.update(0, `adding up, in turn: ${count(done)} of ${count(total)}`),
    })
    const msOf = (way: string) => timings[way]?.ms ?? Number.NaN

    const rows = running.map(({ processes, threads, layout, results }) => {
      const name = layoutName({ processes, threads })
      const other = results.find((result) => result.bits !== bits)
      if (other) throw new Error(`${name} has the sum ${other.bits}, one thread alone has ${bits}`)
      const [ms, speedup] = [msOf(name), msOf('alone') / msOf(name)]
      const ceiling = msOf('one spins') / msOf(`${processes * threads} spin`)
      const { inOrderOfWorkers = Number.NaN, memoryBytes = 0 } = results.at(-1) ?? {}
      return {
        layout: name,
        processes,
        threads,
        parts: partsOf({ processes, threads }),
        ms,
        speedup,
        ceiling,
        efficiency: speedup / ceiling,
        startMs: layout.startMs,
        memoryBytes,
        bits,
        inOrderOfWorkers,
      }
    })
    const { winner, equals } = winnerOf(rows)

    const cores = availableParallelism()
    const title = `${count(terms)} numbers added up by processes × threads`
    const svg = drawLayouts(rows, msOf('alone'), title, `median of ${rounds} rounds on ${cores} cores`)
    const result = {
      cores,
      terms,
      chunks,
      sum: pairwiseSum(sums),
      bits,
      aloneMs: msOf('alone'),
      layouts: rows,
      winner: winner?.layout ?? null,
      picture: await picture('mixed.svg', svg),
    }
    print(
      '',
      layoutTable(rows, msOf('alone'), bits),
      '',
      `The sum is ${result.sum}, ${Math.abs(result.sum - Math.PI).toExponential(1)} off π.`,
      equals.length > 1
        ? `${equals.map(({ layout }) => layout).join(', ')} are equally fast, within 5 %.`
        : `${winner?.layout} is the fastest by more than 5 %.`,
      `${winner?.layout} wins: ${bytes(winner?.memoryBytes ?? 0)} of memory, started in ${milliseconds(winner?.startMs ?? 0)}.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ layouts, winner }) => `the same bits in ${layouts.length} layouts; ${winner} wins`,
})
