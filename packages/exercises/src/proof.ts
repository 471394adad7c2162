/** Proves a chapter's exercises: what must be caught is caught, with its sentence, and the solution holds every time. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { judgeAll, type Verdict } from './judge.ts'

/** How often a solution must hold. */
const times = 20

/**
 * Returns what is wrong with an exercise; nothing if its gap and its wrong answers are caught, each with the sentence in
 * its first line, `// The checker says: …`, and its solution holds twenty times.
 */
export async function prove(folder: string): Promise<string[]> {
  const wrong = (existsSync(join(folder, 'wrong')) ? readdirSync(join(folder, 'wrong')) : [])
    .sort()
    .map((name) => join(folder, 'wrong', name))
  const caught = [join(folder, 'gap.ts'), ...wrong]
  const solution = join(folder, 'solution.ts')
  const missing = ['README.md', 'exercise.ts', 'check.ts', 'hints.md', 'solution.ts', 'gap.ts'].filter(
    (name) => !existsSync(join(folder, name)),
  )
  const faults = missing.map((name) => `${name} is missing`)
  if (wrong.length < 3) faults.push(`wrong/ has ${wrong.length} files; accepts three wrong answers or more`)
  if (missing.length > 0) return faults
  const verdicts: Verdict[] = []
  for await (const verdict of judgeAll(folder, [{ file: solution, times }, ...caught.map((file) => ({ file }))]))
    verdicts.push(verdict)
  const held = verdicts.filter(({ file, passed }) => file === solution && passed)
  if (held.length !== times) {
    const failed = verdicts.find(({ file, passed }) => file === solution && !passed)
    faults.push(`solution.ts held ${held.length} of ${times} times: ${failed?.fault?.says}`)
  }
  for (const file of caught) {
    const sentence = /^\/\/ The checker says: (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1]
    const verdict = verdicts.find((each) => each.file === file)
    const { says, history = [] } = verdict?.fault ?? {}
    if (sentence === undefined) faults.push(`${relative(folder, file)} has no line "// The checker says: …"`)
    else if (says !== sentence)
      faults.push(`${relative(folder, file)}: expected "${sentence}"; received "${says ?? 'nothing: it passed'}"`)
    if (history.length > 12) faults.push(`${relative(folder, file)}: its history has ${history.length} steps`)
  }
  return faults
}
