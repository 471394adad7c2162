/**
 * Arguments for a remote shell. SSH carries one text, and the login shell of the account at the other end takes it apart:
 * sh, bash or zsh, often tcsh, sometimes fish. What is written here means the same to all of them.
 */
import type { Command } from '../scheduler/scheduler.ts'

/** Inside single quotes these mean something to one of the shells: to fish, to tcsh, or to all. */
const special = /[\\!\r\n]/

/**
 * One argument so that every shell hands it on as it is: unchanged where nothing in it is special, else in single quotes.
 *
 * @throws an Error for a NUL, which no argument of a program can hold
 */
export function quote(argument: string): string {
  if (argument.includes('\0')) throw new Error(`an argument cannot hold a NUL: ${JSON.stringify(argument)}`)
  if (/^(--?[\w-]+=)?[\w@%+:,./-]+$/.test(argument)) return argument
  return `'${argument.replaceAll("'", `'\\''`)}'`
}

export interface Surroundings {
  /** The folder to run in; the account's home when not given. A relative one, or `~/…`, begins there. */
  cwd?: string
  /** Added to the environment. */
  environment?: Record<string, string>
}

/**
 * The command line that runs a program with exactly these arguments.
 *
 * @throws an Error for a NUL in an argument, and for a variable's name that is none
 */
export function commandLine(command: Command, { cwd, environment = {} }: Surroundings = {}): string {
  const settings = Object.entries(environment).map(([name, value]) => {
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      throw new Error(`environment: received the name ${JSON.stringify(name)}; accepts letters, digits and _`)
    }
    return `${name}=${value}`
  })
  const words = [...(settings.length > 0 ? ['env', ...settings] : []), ...command]
  const folder = cwd === undefined ? undefined : fromHome(cwd)
  const line = `${folder === undefined ? '' : `cd ${quote(folder)} && `}${words.map(quote).join(' ')}`
  return [...words, folder ?? ''].some((word) => special.test(word)) ? encoded(line) : line
}

/** A remote path without `~/`, and never beginning with a minus, which programs take for an option. */
export function fromHome(path: string): string {
  const relative = path === '~' ? '.' : path.replace(/^~\//, './')
  return relative.startsWith('-') || relative === '' ? `./${relative}` : relative
}

/**
 * A line break inside quotes is an error to tcsh, a backslash there is an escape to fish, and both read `!` in their own
 * way. So such a line travels as octal numbers, and a plain sh at the other end puts it together again.
 */
function encoded(line: string): string {
  const octal = Array.from(Buffer.from(line), (byte) =>
    /[\w ./:=,-]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `\\0${byte.toString(8).padStart(3, '0')}`,
  )
  return `sh -c 'eval "$(printf %b "$1")"' sh '${octal.join('')}'`
}
