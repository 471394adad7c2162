/** The libraries and programs that are compared. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { firstInstalled, type InstalledProgram } from '@repo/common/process/version'

/** Returns the version of a dependency of the bench. */
export async function versionOfLibrary(name: string): Promise<string> {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version
}

/**
 * Returns the first of several programs that is installed.
 *
 * @throws an Error that says what to do where there is none
 */
export async function found(paths: readonly [string, ...string[]], install: string): Promise<InstalledProgram> {
  const program = await firstInstalled(paths)
  if (!program) throw new Error(`needs ${basename(paths[0])}: ${install}`)
  return program
}

/** A program that is started for each piece of work leaves nothing behind. */
export const nothing = { async [Symbol.asyncDispose]() {} }
