/** Chapters with exercises, made for a test. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'

const own = fileURLToPath(new URL('..', import.meta.url))
/** The folder of this package's sources, to be imported by a checker. */
export const src = join(own, 'src')

/** What an exercise has besides what a test gives it. */
const usual = {
  'README.md': '# A number\n',
  'check.ts': `
    export default {
      async check({ run }: { run: () => unknown }) {
        const received = await run()
        return received === 1 ? undefined : { says: 'It is not 1.', expected: '1', received: String(received) }
      },
    }`,
  'hints.md': '# Hints\n\n## First\n\nIt is small.\n\n## Second\n\nIt is 1.\n',
  'exercise.ts': 'export const run = (): number => 0\n',
  'gap.ts': '// The checker says: It is not 1.\nexport const run = (): number => 0\n',
  'solution.ts': 'export const run = (): number => 1\n',
  'wrong/two.ts': '// The checker says: It is not 1.\nexport const run = () => 2\n',
  'wrong/three.ts': '// The checker says: It is not 1.\nexport const run = () => 3\n',
  'wrong/four.ts': '// The checker says: It is not 1.\nexport const run = () => 4\n',
}

/** A temporary chapter. Each exercise has the files that are given, and the usual ones. */
export async function chapterWith(
  exercises: Record<string, Record<string, string>>,
): Promise<TemporaryFolder & { file: (...path: string[]) => string }> {
  const folder = await temporaryFolder()
  const file = (...path: string[]) => join(folder.path, 'exercises', ...path)
  for (const [name, files] of Object.entries(exercises)) {
    for (const [path, text] of Object.entries({ ...usual, ...files })) {
      await mkdir(dirname(file(name, path)), { recursive: true })
      await writeFile(file(name, path), text)
    }
  }
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }\n')
  // For the compiler.
  await mkdir(join(folder.path, 'node_modules'))
  await symlink(join(own, 'node_modules', '@types'), join(folder.path, 'node_modules', '@types'))
  return { ...folder, file }
}
