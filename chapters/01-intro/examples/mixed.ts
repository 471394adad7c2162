/**
 * mixed: one sum on processes with threads, with the same result in every layout, bit for bit
 *
 *     pnpm --filter 01-intro start mixed
 *     pnpm --filter 01-intro start mixed --layouts 1x1,4x1,2x2,1x4
 *
 * 2×1 is two processes with one thread each, 1×2 one process with two. Between processes the numbers travel in
 * messages; the threads of a process write them into memory that they share. The sum is π, by the midpoint rule.
 *
 * Look for: the bits of the sum, the same in every layout; the last digits of the same numbers added in the order of
 * the workers, which differ; and which layout is fastest, which one starts fastest and which takes the least memory.
 */

import { setImmediate } from 'node:timers/promises'
import { divide } from '@repo/common/async/ranges'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { interleave, startSpinners } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { bytes, count, howMany, milliseconds } from '@repo/common/output/terminal'
import { ask } from '@repo/common/process/ask'
import { type Program, startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { busyNotice, wasBusy } from '../src/measure/scaling.ts'
import {
  drawLayouts,
  layoutList,
  layoutName,
  layoutsFor,
  layoutTable,
  memoryFor,
  partsOf,
  winnerOf,
} from '../src/mixed/layouts.ts'
import { bitsOf, chunkSum, chunks, type PartSum, pairwiseSum } from '../src/mixed/sum.ts'

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

    // The best serial version: one loop over all chunks on this thread, without messages.
    const sums = new Float64Array(chunks)
    async function alone() {
      for (let chunk = 0; chunk < chunks; chunk++) {
        sums[chunk] = chunkSum(chunk, terms)
        // Ctrl-C is heard when the event loop turns.
        if (chunk % 64 === 0) await setImmediate(undefined, { signal })
      }
      return pairwiseSum(sums)
    }

    // Processes × threads: each process gets its share of the chunks in a message and divides it among its threads,
    // which write into memory that they share. It sends the sums back, and this process adds them up in the order of
    // the chunks.
    // #region together
    async function together(programs: Program<undefined>[]) {
      const shares = divide({ from: 0, to: chunks }, programs.length)
      const asking = programs.map((program, at) => ask<PartSum>(program, { terms, range: shares[at] }, signal))
      const answers = await Promise.all(asking)
      const total = (of: 'inOrderOfWorkers' | 'memoryBytes') => answers.reduce((sum, answer) => sum + answer[of], 0)
      const sum = pairwiseSum(Float64Array.from(answers.flatMap(({ sums }) => [...sums])))
      return { bits: bitsOf(sum), inOrderOfWorkers: total('inOrderOfWorkers'), memoryBytes: total('memoryBytes') }
    }
    // #endregion together
    const program = new URL('../src/mixed/sum.program.ts', import.meta.url)
    const running = []
    for (const { processes, threads } of layouts) {
      const layout = layoutName({ processes, threads })
      bar.update(0, `starting ${layout} processes × threads`)
      const begin = performance.now()
      const starting = Array.from({ length: processes }, () =>
        startProgram(program, { args: [String(threads)], serialization: 'advanced', signal }),
      )
      const programs = await startAll(stack, starting)
      running.push({ layout, processes, threads, programs, startMs: performance.now() - begin })
    }
    // To compare with both, the machine's ceiling: independent work of the same length on as many threads.
    const spinners = stack.use(
      await startSpinners(Math.max(...layouts.map(({ processes, threads }) => processes * threads))),
    )
    const begin = performance.now()
    const bits = bitsOf(await alone())
    // On a busy machine a run may take many times as long as its work.
    const spin = await spinners.calibrate(Math.min(quick ? 200 : 2_000, performance.now() - begin))

    const results = new Map<string, Awaited<ReturnType<typeof together>>>()
    const ways: Record<string, () => unknown> = {
      alone: async () => void (await alone()),
      'one spins': () => spinners.run(1, spin),
    }
    for (const { layout, processes, threads, programs } of running) {
      const workers = processes * threads
      ways[layout] = async () => {
        const result = await together(programs)
        if (result.bits !== bits) throw new Error(`${layout} has the sum ${result.bits}, one thread alone has ${bits}`)
        results.set(layout, result)
      }
      ways[`${workers} spin`] = () => spinners.run(workers, Math.ceil(spin / workers))
    }
    const rounds = quick ? 5 : 9
    const onProgress = (done: number, total: number) =>
      bar.update(0, `adding up, in turn: ${count(done)} of ${count(total)}`)
    const timings = await interleave(ways, { rounds, signal, onProgress })
    const msOf = (way: string) => timings[way]?.ms ?? Number.NaN

    const rows = running.map(({ layout, processes, threads, startMs }) => {
      const { memoryBytes = 0, inOrderOfWorkers = Number.NaN } = results.get(layout) ?? {}
      const speedup = msOf('alone') / msOf(layout)
      const ceiling = msOf('one spins') / msOf(`${processes * threads} spin`)
      const parts = partsOf({ processes, threads })
      const measured = { ms: msOf(layout), speedup, ceiling, efficiency: speedup / ceiling, startMs, memoryBytes }
      return { layout, processes, threads, parts, ...measured, bits, inOrderOfWorkers }
    })
    const { winner, equals } = winnerOf(rows)
    const cores = coreCount()
    const workersOf = (row: (typeof rows)[number]) => ({ ...row, workers: row.processes * row.threads })
    const busy = wasBusy(rows.map(workersOf), cores)
    const cost = costOf(
      msOf('alone'),
      rows.map(({ processes, threads, ms }) => ({ workers: processes * threads, ms })),
    )
    const title = `${count(terms)} numbers added up by processes × threads`
    const svg = drawLayouts(rows, msOf('alone'), title, `median of ${rounds} rounds on ${howMany(cores, 'core')}`)
    const result = {
      cores,
      terms,
      chunks,
      sum: pairwiseSum(sums),
      bits,
      aloneMs: msOf('alone'),
      layouts: rows,
      ...cost,
      busy,
      winner: winner?.layout ?? null,
      equals: equals.map(({ layout }) => layout),
      picture: await picture('mixed.svg', svg),
    }
    print(
      '',
      layoutTable(rows, { ms: msOf('alone'), bits }),
      '',
      `The sum is ${result.sum}, ${Math.abs(result.sum - Math.PI).toExponential(1)} off π.`,
      equals.length > 1
        ? `${equals.map(({ layout }) => layout).join(', ')} are equally fast, within 5 %.`
        : `${winner?.layout} is the fastest by more than 5 %.`,
      describeCost(cost),
      `${winner?.layout} wins: ${bytes(winner?.memoryBytes ?? 0)} of memory, started in ${milliseconds(winner?.startMs ?? 0)}.`,
      ...(busy ? [busyNotice] : []),
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ layouts, winner, equals, cost, busy }) =>
    `the same bits in ${layouts.length} layouts; ${winner} wins${equals.length > 1 ? `, by its memory, of ${equals.length} equally fast` : ''}; COST ${cost}${busy ? '; the machine was busy: do not believe it' : ''}`,
})
