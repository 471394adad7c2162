/** Which programs are installed, and in which version. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { promisify } from 'node:util'

export interface InstalledProgram {
  /** A path, or a name on PATH. */
  path: string
  /** Such as `3.5.1`. */
  version: string
}

/**
 * Returns the version that a program prints for `--version`; undefined if it cannot be started, or prints none.
 *
 * @param command the program, or one that starts it, with its arguments
 * @param pattern matches the version in what it prints
 */
export async function versionOf(
  [program, ...args]: readonly [string, ...string[]],
  pattern = /\d+(\.\d+)+/,
): Promise<string | undefined> {
  // To start what does not exist, the system copies this process's page tables all the same; PATH has many such places.
  if (isAbsolute(program) && !existsSync(program)) return undefined
  try {
    const { stdout } = await promisify(execFile)(program, [...args, '--version'])
    return pattern.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}

/** Returns the first of several programs that is installed. */
export async function firstInstalled(
  paths: readonly string[],
  pattern?: RegExp,
): Promise<InstalledProgram | undefined> {
  for (const path of paths) {
    const version = await versionOf([path], pattern)
    if (version !== undefined) return { path, version }
  }
  return undefined
}
