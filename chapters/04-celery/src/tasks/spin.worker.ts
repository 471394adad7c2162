/** A loop that never ends, and never lets anything else of its thread run. */
export default function spin(): never {
  for (let steps = 0; ; steps++) Math.sqrt(steps)
}
