/** Numbers to sort, in orders that sorts are known to handle well or badly. */
import { integersFrom } from '@repo/common/async/random'
import { isFloat, type Numbers } from './numbers.ts'

export const inputKinds = ['random', 'sorted', 'reversed', 'few'] as const
export type InputKind = (typeof inputKinds)[number]

/** Fills an array, always with the same numbers for the same seed. `few` means eight different values. */
export function fillNumbers(numbers: Numbers, input: InputKind, seed: number): void {
  const random = integersFrom(seed)
  const { length } = numbers
  const special = [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -1e-40]
  const float = isFloat(numbers)
  for (let at = 0; at < length; at++) {
    if (input === 'sorted') numbers[at] = at
    else if (input === 'reversed') numbers[at] = length - at
    else if (input === 'few') numbers[at] = random() & 7
    else {
      const value = random()
      numbers[at] = !float ? value : (value & 1023) === 0 ? (special[at % 7] as number) : value / 65_537
    }
  }
}
