/** A computation that takes a while: counting all words of many texts, and how many different ones there are. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { wordsOf } from '@repo/common/workloads/shingles'

export interface WordCount {
  words: number
  distinct: number
}

/** Counts the words of texts. Yields after each text, so that the caller may do something else in between. */
export function* countWordsInSteps(texts: string[]): Generator<undefined, WordCount, void> {
  const counts = new Map<string, number>()
  let words = 0
  for (const text of texts) {
    for (const word of wordsOf(text)) {
      counts.set(word, (counts.get(word) ?? 0) + 1)
      words++
    }
    yield
  }
  return { words, distinct: counts.size }
}

/** Runs all steps without a pause: nothing else happens on this thread until the result is there. */
export function runAtOnce<Result>(steps: Generator<unknown, Result, void>): Result {
  let step = steps.next()
  while (!step.done) step = steps.next()
  return step.value
}

/** Runs steps for about `sliceMs` at a time and lets the event loop turn in between. */
// #region slices
export async function runInSlices<Result>(steps: Generator<unknown, Result, void>, sliceMs: number): Promise<Result> {
  let pauseAt = performance.now() + sliceMs
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() < pauseAt) continue
    await new Promise((resolve) => setImmediate(resolve))
    pauseAt = performance.now() + sliceMs
  }
}
// #endregion slices

/** Starts a thread that counts the words of the texts whenever it is asked; disposing of it ends it. */
export async function startWordCounter(texts: string[]) {
  const worker = new Worker(new URL('./words.worker.ts', import.meta.url), { workerData: texts })
  await once(worker, 'online')
  return {
    async countWords(): Promise<WordCount> {
      worker.postMessage('count')
      const [result] = await once(worker, 'message')
      return result
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}
