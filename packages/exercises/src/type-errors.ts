/** What the compiler says about a reader's file. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Fault } from './exercise.ts'

const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
// As in tsconfig.base.json, except that what is not used yet is no error.
const options =
  '--noEmit --pretty false --ignoreConfig --strict --target es2024 --lib esnext --types node --module nodenext --allowImportingTsExtensions --erasableSyntaxOnly --verbatimModuleSyntax --skipLibCheck'

/** Returns the first type error of a file as a fault; undefined if it has none. */
export async function typeError(file: string, signal?: AbortSignal): Promise<Fault | undefined> {
  const args = [compiler, ...options.split(' '), basename(file)]
  const output = await promisify(execFile)(process.execPath, args, { cwd: dirname(file), signal }).then(
    ({ stdout }) => stdout,
    (error: Error & { stdout?: string }) => {
      if (error.stdout === undefined || signal?.aborted) throw error
      return error.stdout
    },
  )
  for (const line of output.split('\n')) {
    const [, name, at, message] = /^(.+?)\((\d+),\d+\): error TS\d+: (.+)$/.exec(line) ?? []
    if (name === basename(file)) return { says: `It does not compile: ${message}`, line: Number(at) }
  }
  return undefined
}
