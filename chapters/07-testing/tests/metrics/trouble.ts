/** The metrics of the pipeline's processes, and trouble in any of them, by messages. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '../../src/pipeline/instruments.ts'
import observe from '../../src/watch/observe.ts'

export interface Trouble {
  /** Blocks the event loop for the first number of ms out of the second; 0 for no longer. */
  block?: readonly [ms: number, everyMs: number]
  /** Whether each step waits, and whether each job fails. */
  hang?: boolean
  fail?: boolean
}

const trouble: Instrument = async (identity) => {
  const watched = await observe(identity)
  let is: Trouble = {}
  let timer: NodeJS.Timeout | undefined
  process.on('message', (message: Trouble) => {
    is = message
    clearTimeout(timer)
    if (is.block) block(is.block)
  })
  function block([ms, everyMs]: readonly [number, number]) {
    const end = performance.now() + ms
    while (performance.now() < end);
    timer = setTimeout(block, everyMs - ms, [ms, everyMs])
  }
  return {
    ...watched,
    around: async (step, run) => {
      const around = watched.around ?? ((_step, run) => run())
      return await around(step, async () => {
        while (is.hang && step.kind === 'effect') await delay(50)
        if (is.fail && step.kind === 'job') throw new Error('told to fail')
        return await run()
      })
    },
  }
}
export default trouble
