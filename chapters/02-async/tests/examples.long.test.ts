import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { expect, it } from 'vitest'
import grep from '../examples/grep.ts'

interface Grep {
  occurrences: number
  grep: { occurrences: number } | null
  grepLeftOut?: string
}

it('grep leaves the system’s grep out where its Unicode is another, and counts', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'a')
  // U+FB05 and U+FB06 have been the same but for their case since Unicode 15.1.
  await writeFile(file, 'ﬁrst ﬅill, then ﬆill')
  const { json } = await runHere(grep, 'ﬅ', file, '--ignore-case', '--rounds', '1', '--quick', '--json')
  const result = json<Grep>()
  const here = 'ﬅ ﬆ'.match(/ﬅ/giu)?.length
  expect(result.occurrences).toBe(here)
  if (!result.grep) expect(result.grepLeftOut).toMatch(/^it counts \d+: it knows another edition of Unicode/)
})
