/**
 * Claims: what a chapter's text says about an example, as data that a program can evaluate. `claims/<example>.ts` of a
 * chapter declares them, README.md marks the sentences, and `npm run claims` says which hold on this machine.
 */
import { coreCount } from '../cores.ts'
import type { Example } from './example.ts'
import { describeError } from './usage.ts'

/** A sentence about the results of an example. The functions get what `--json` prints. */
export interface Claim<Result = unknown> {
  /** The sentence, as in README.md, without marks for emphasis, code and links. */
  says: string
  holds(result: Result): boolean
  /** The figures that decided, in a few words. */
  values?(result: Result): string
  /** It is about a machine with at least as many cores. */
  cores?: number
  platform?: NodeJS.Platform | NodeJS.Platform[]
  /** Whether the result has what the sentence is about, such as the figures of a peer. */
  applies?(result: Result): boolean
  /** The command line of the run that it is about; `['--quick']` by default. */
  args?: string[]
}

/** The claims about one example, by their ids. */
export interface Claims {
  example: Example
  claims: Record<string, Claim>
}

/** Declares the claims about an example, typed by its result. */
export function claims<Options, Result>(
  example: Example<Options, Result>,
  list: Record<string, Claim<Result>>,
): Claims {
  return { example: example as Example<unknown, unknown>, claims: list as Record<string, Claim> }
}

/** What became of a claim on this machine. */
export interface Evaluation {
  outcome: 'holds' | 'does not hold here' | 'not applicable'
  /** The figures that decided, why the claim does not apply, or how its function failed. */
  values?: string
}

/** The command line, without the example's name, of the run that a claim needs. */
export const argsOf = ({ args = ['--quick'] }: Claim): string[] => args

/** Why a claim is not about this machine, whatever the result; undefined if it is. */
export function notHere({ cores = 1, platform = process.platform }: Claim): string | undefined {
  if (coreCount() < cores) return `needs ${cores} cores`
  const platforms = [platform].flat()
  return platforms.includes(process.platform) ? undefined : `only on ${platforms.join(', ')}`
}

/** Evaluates a claim on what its example printed with `--json`. Never throws. */
export function evaluate(claim: Claim, result: unknown): Evaluation {
  const why = notHere(claim)
  if (why !== undefined) return { outcome: 'not applicable', values: why }
  try {
    if (claim.applies?.(result) === false) return { outcome: 'not applicable', values: 'not part of this result' }
    const outcome = claim.holds(result) === true ? 'holds' : 'does not hold here'
    return { outcome, ...(claim.values && { values: claim.values(result) }) }
  } catch (error) {
    return {
      outcome: 'does not hold here',
      values: `its function failed: ${describeError(error).replace(/^error: /, '')}`,
    }
  }
}
