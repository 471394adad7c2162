/** The event-loop quiz: its code and its answers are those that chapter 2 runs and tests. */
import { predicted } from '02-async/event-loop/quiz'
import source from '02-async/examples/event-loop?raw'

/** The callbacks in the order in which they run, and why. */
export const answers: readonly { name: string; why: string }[] = predicted

/** The callbacks in an order that gives nothing away. */
export const choices: readonly string[] = answers.map(({ name }) => name).sort()

/** Returns the text of a function that a source declares at its top level, without the marks of regions. */
export function functionIn(source: string, name: string): string {
  const plain = source.replaceAll(/^ *\/\/ #(end)?region .*\n/gm, '').replaceAll(/^export /gm, '')
  const [text] = new RegExp(`^(?:async )?function ${name}\\([^]*?^}$`, 'm').exec(plain) ?? []
  if (text === undefined) throw new Error(`no function "${name}" in the source`)
  return text
}

/** The code that is asked about. */
export const code = functionIn(source, 'observe')

/** Returns how many of the callbacks are at their place. */
export const score = (order: readonly string[]): number => answers.filter(({ name }, at) => order[at] === name).length
