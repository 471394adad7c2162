/** Which of the pictures that a command has drawn belongs to which picture of a text. */
import { basename } from 'node:path'

const drawnIn = /[^\s,]+\/[^\s,]+\.(?:svg|png)\b/g
const shownIn = /!\[[^\]]*\]\((pictures\/[^)]+)\)/g

/**
 * Returns pairs of paths: a picture that the output names, and the picture of the text that it replaces. They have the
 * same name, or the drawn one's is longer: those of the bench begin with a date. Where a text shows one picture in two
 * states, it has a name of its own for one of them. The first such picture gets what was drawn last, unless that already
 * has its place.
 */
export function picturesToReplace(output, text) {
  const drawn = output.match(drawnIn) ?? []
  const shown = Array.from(text.matchAll(shownIn), ([, path]) => path)
  const namesakeOf = (path) =>
    drawn.findLast((each) => basename(each) === basename(path)) ??
    drawn.findLast((each) => basename(each).endsWith(`-${basename(path)}`))
  const pairs = shown.map((path) => [namesakeOf(path), path])
  const last = drawn.at(-1)
  const other = pairs.find(([from]) => from === undefined)
  if (other && pairs.every(([from]) => from !== last)) other[0] = last
  return pairs.filter(([from]) => from !== undefined)
}
