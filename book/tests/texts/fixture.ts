/** A repository of one chapter, in a folder of its own that a test may change. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const original = fileURLToPath(new URL('fixtures/repository', import.meta.url))
// Its examples import packages, which Node looks for in the folders above.
const out = fileURLToPath(new URL('../../out', import.meta.url))

export interface Fixture extends AsyncDisposable {
  root: string
  read: (file: string) => Promise<string>
  write: (file: string, content: string) => Promise<void>
  /** Replaces the first occurrence of a text, which must be there. */
  replace: (file: string, from: string, to: string) => Promise<void>
}

export async function fixture(): Promise<Fixture> {
  await mkdir(out, { recursive: true })
  const root = await mkdtemp(join(out, 'texts-'))
  await cp(original, root, { recursive: true })
  const read = (file: string) => readFile(join(root, file), 'utf8')
  return {
    root,
    read,
    write: (file, content) => writeFile(join(root, file), content),
    async replace(file, from, to) {
      const text = await read(file)
      if (!text.includes(from)) throw new Error(`${file} has no "${from}"`)
      await writeFile(
        join(root, file),
        text.replace(from, () => to),
      )
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}
