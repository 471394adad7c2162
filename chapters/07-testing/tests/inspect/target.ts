/** A program that is looked into. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Program, startProgram } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { inspectable } from '../../src/inspect/inspector.ts'

export interface Target extends AsyncDisposable {
  program: Program<unknown>
  pid: number
  /** Its output so far. */
  lines: string[]
  /** The URL of a file of its folder. */
  urlOf: (file: string) => URL
}

/** Starts `target.mjs` in a folder with these files. It runs until it is disposed of. */
export async function startTarget(
  files: Record<string, string>,
  env: NodeJS.ProcessEnv = inspectable,
): Promise<Target> {
  const folder = await temporaryFolder()
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder.path, name), content)
  const lines: string[] = []
  await writeFile(
    join(folder.path, 'ready.mjs'),
    "import './target.mjs'\nprocess.send({ ready: true })\nprocess.on('message', () => {})\n",
  )
  const program = await startProgram(join(folder.path, 'ready.mjs'), { env, onLine: (line) => lines.push(line) })
  return {
    program,
    pid: program.pid,
    lines,
    urlOf: (file) => pathToFileURL(join(folder.path, file)),
    [Symbol.asyncDispose]: async () => {
      await program.kill()
      await folder[Symbol.asyncDispose]()
    },
  }
}
