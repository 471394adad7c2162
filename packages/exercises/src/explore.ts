/**
 * Runs a program under many schedules, those with the fewest deviations first, so that the first schedule that breaks it
 * is also the easiest to follow: iterative context bounding, after Musuvathi and Qadeer (PLDI 2007).
 */

/**
 * Decides what happens next.
 *
 * @param options how many things could happen
 * @param usual the one that happens unless the schedule deviates here
 * @param isFree whether something else must happen anyway, because what happened last cannot go on: then no choice is a
 *   deviation
 * @returns the one that happens, from 0
 */
export type Choose = (options: number, usual: number, isFree?: boolean) => number

export interface ExploreOptions {
  /** How often a schedule may deviate from the usual one; 3 by default. */
  mostDeviations?: number
  /** The number of schedules to try; 3,000 by default. */
  mostRuns?: number
  signal?: AbortSignal
}

interface Schedule {
  /** What happens at which step instead of the usual. */
  deviations: { step: number; option: number }[]
}

/**
 * Runs a program until a schedule gives a result, and then all others with as few deviations.
 *
 * @param run runs the program once, from its beginning, and asks `choose` at each step
 * @param sizeOf the size of a result: the smallest is returned
 */
export async function explore<Result>(
  run: (choose: Choose) => Promise<Result | undefined> | Result | undefined,
  sizeOf: (result: Result) => number,
  { mostDeviations = 3, mostRuns = 3_000, signal }: ExploreOptions = {},
): Promise<Result | undefined> {
  let level: Schedule[] = [{ deviations: [] }]
  let smallest: Result | undefined
  let runs = 0
  for (let deviations = 0; deviations <= mostDeviations && smallest === undefined; deviations++) {
    const next: Schedule[] = []
    for (const schedule of level) {
      if (runs >= mostRuns) break
      signal?.throwIfAborted()
      runs++
      const taken: { options: number; usual: number; isFree: boolean }[] = []
      const result = await run((options, usual, isFree = false) => {
        const deviation = schedule.deviations.find(({ step }) => step === taken.length)
        taken.push({ options, usual, isFree })
        return deviation && deviation.option < options ? deviation.option : usual
      })
      if (result !== undefined) {
        if (smallest === undefined || sizeOf(result) < sizeOf(smallest)) smallest = result
        continue
      }
      if (smallest !== undefined) continue
      const after = schedule.deviations.at(-1)?.step ?? -1
      for (const [step, { options, usual, isFree }] of taken.entries()) {
        if (step <= after || (!isFree && deviations === mostDeviations)) continue
        for (let option = 0; option < options; option++) {
          if (option === usual) continue
          // As many deviations: it is tried after the others of this level.
          const list = isFree ? level : next
          list.push({ deviations: [...schedule.deviations, { step, option }] })
        }
      }
    }
    level = next
  }
  return smallest
}
