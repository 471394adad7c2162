/** A loop that never ends and blocks its thread. */
export default function spin(): never {
  for (let steps = 0; ; steps++) Math.sqrt(steps)
}
