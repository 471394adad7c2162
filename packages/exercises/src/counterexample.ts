/** Inputs that a function gets wrong, made smaller by fast-check until nothing can be left out. */
import fc from 'fast-check'
import type { Fault } from './exercise.ts'

export interface CounterexampleOptions<Input> {
  /** The number of inputs to try; 300 by default. */
  runs?: number
  seed?: number
  /** Inputs to try first. */
  examples?: readonly unknown[]
  /**
   * Further inputs that are smaller than one, to be tried when fast-check has found nothing smaller: it shortens a list
   * from its beginning, and changes one part at a time.
   */
  smaller?: (input: Input) => Iterable<Input>
}

/** Returns the lists with one item less. */
export const withOneLess = <Item>(list: readonly Item[]): Item[][] => list.map((_, at) => list.toSpliced(at, 1))

/**
 * Looks for an input that gives a fault, and makes it as small as possible.
 *
 * @param inputs how to make inputs
 * @param check returns what is wrong with the solution's answer to an input
 * @returns the fault of the smallest input
 * @throws what the solution throws, for the smallest input that makes it throw
 */
export async function counterexample<Input>(
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => Promise<Fault | undefined> | Fault | undefined,
  { runs = 300, seed = 1, examples = [], smaller = () => [] }: CounterexampleOptions<Input> = {},
): Promise<Fault | undefined> {
  for (const example of examples as readonly Input[]) {
    const fault = await check(example)
    if (fault) return fault
  }
  let last: { fault: Fault } | { error: unknown } | undefined
  const property = fc.asyncProperty(inputs, async (input) => {
    try {
      const fault = await check(input)
      if (fault) last = { fault }
      return fault === undefined
    } catch (error) {
      last = { error }
      return false
    }
  })
  const { failed, counterexample: found } = await fc.check(property, { numRuns: runs, seed })
  if (!failed || last === undefined) return undefined
  let smallest = found?.[0]
  let fault = found && (await check(found[0]))
  if (smallest === undefined || !fault) {
    // It is right now and was not before: it depends on more than its input.
    if ('error' in last) throw last.error
    return last.fault
  }
  search: for (;;) {
    for (const input of smaller(smallest)) {
      const other = await Promise.resolve(input)
        .then(check)
        .catch(() => undefined)
      if (other?.says !== fault.says) continue
      smallest = input
      fault = other
      continue search
    }
    return fault
  }
}
