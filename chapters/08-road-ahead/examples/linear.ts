/**
 * linear: is this history linearizable? The checker on random histories, some of them broken on purpose, and on a file
 *
 *     pnpm --filter 08-road-ahead start linear
 *     pnpm --filter 08-road-ahead start linear my-history.jsonl
 *     pnpm --filter 08-road-ahead start linear --clients 20 --budget 1000
 *
 * A history says what clients asked of a store, when, and what they were told. It is linearizable if there is an order of
 * the operations in which each takes place at one moment between its beginning and its end, and every answer is right.
 *
 * Look for: no broken history that passes, the part of it that shows why, and what is called unknown rather than fine
 * when the budget is too small.
 */
import { readFile } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { pathFromReader, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { messageOf } from '@repo/common/output/errors'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { checkHistory } from '../src/linear/check.ts'
import { parseHistory } from '../src/linear/file.ts'
import { type Operation, partLines } from '../src/linear/history.ts'
import { makeHistory } from '../src/linear/make.ts'
import { shorten } from '../src/linear/shorten.ts'

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 1_000_000).default(3_000).describe('how many are made up'),
    operations: wholeNumber(1, 10_000).default(40).describe('the most in one of them'),
    clients: wholeNumber(1, 100).default(5).describe('that ask at the same time'),
    budget: wholeNumber(1, 1_000_000_000).default(1_000_000).describe('steps to take for each key before giving up'),
    seed: seedNumber().default(1).describe('for the histories'),
  },
  quick: { histories: 500 },
  operands: '[FILE]',

  async run({ histories, operations, clients, budget, seed }, { operands, signal, print }) {
    const [file, more] = operands
    if (more !== undefined) throw new UsageError('FILE', operands.join(' '), 'one at most')
    if (file !== undefined) {
      const history = await readHistory(file)
      const verdict = checkHistory(history, budget)
      const part = shorten(history, budget)
      print(`${file}: ${howMany(history.length, 'operation')}: ${verdict.verdict}`, ...partLines(part))
      return { ...verdict, operations: history.length, part }
    }

    // A third of them is broken on purpose: an answer is replaced by another one, which may still be right by chance.
    using bar = progress('histories', histories)
    const counts = { linearizable: 0, 'not linearizable': 0, unknown: 0 }
    const byKind = { honest: { ...counts }, changed: { ...counts } }
    let shown: Operation[] = []
    const begin = performance.now()
    /** When progress and Ctrl-C last had their turn. One history may take seconds. */
    let turnMs = begin
    for (let at = 0; at < histories; at++) {
      const isChanged = at % 3 === 0
      const history = makeHistory({ seed: seed + at, operations: 1 + (at % operations), clients, keys: 2, isChanged })
      const verdict = checkHistory(history, budget)
      byKind[isChanged ? 'changed' : 'honest'][verdict.verdict]++
      if (verdict.verdict === 'not linearizable' && shown.length < 3) {
        const part = shorten(history, budget)
        if (part.length > shown.length) shown = part
      }
      if (at % 100 === 99 || performance.now() - turnMs > 100) {
        bar.update(at)
        await new Promise((resolve) => setTimeout(resolve))
        signal.throwIfAborted()
        turnMs = performance.now()
      }
    }
    const ms = performance.now() - begin

    // One that is as large as a real test makes it.
    const large = makeHistory({ seed, operations: 1_000, clients: 10, keys: 10 })
    const largeBegin = performance.now()
    const largeVerdict = checkHistory(large, budget)
    const largeMs = performance.now() - largeBegin

    print(
      table(
        ['histories', 'linearizable', 'not', 'unknown'],
        Object.entries(byKind).map(([kind, each]) => [
          kind === 'honest' ? 'as a right store answers' : 'with one answer replaced',
          count(each.linearizable),
          count(each['not linearizable']),
          count(each.unknown),
        ]),
      ),
      '',
      `${count(histories)} histories of up to ${operations} operations in ${milliseconds(ms)}, made up and judged.`,
      `One of 1,000 operations by 10 clients on 10 keys is ${largeVerdict.verdict}: ${milliseconds(largeMs)}.`,
      ...(shown.length > 0 ? ['', 'The part of one that shows why it is not linearizable:'] : []),
      ...partLines(shown),
    )
    if (byKind.honest['not linearizable'] > 0) throw new Error(`--seed ${seed}: an honest history is not linearizable`)
    return { seed, ...byKind, large: { ...largeVerdict, ms: largeMs }, ms, part: shown }
  },
  figure: (result) =>
    'honest' in result
      ? `${count(result.changed['not linearizable'])} wrong histories found; 1,000 operations in ${milliseconds(result.large.ms)}`
      : result.verdict,
})

async function readHistory(file: string): Promise<Operation[]> {
  try {
    const history = parseHistory(await readFile(pathFromReader(file), 'utf8'))
    // A program that could not write has left such a file.
    if (history.length === 0) throw new Error('it has no operation')
    return history
  } catch (error) {
    throw new UsageError('FILE', file, `a history that consistency has saved: ${messageOf(error)}`)
  }
}
