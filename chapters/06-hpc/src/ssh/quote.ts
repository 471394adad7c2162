/**
 * Commands for a remote shell. SSH carries one string, and the account's login shell at the other end splits it into
 * words: sh, bash or zsh, often tcsh, sometimes fish. What this module writes means the same to all of them.
 */

/** A program and its arguments, not yet quoted for any shell. */
export type Command = readonly [program: string, ...args: string[]]

/** Characters that mean something to fish or tcsh even inside single quotes. */
const special = /[\\!\r\n]/

// #region quote
/**
 * Quotes an argument so that a shell passes it on unchanged. An argument without special characters is returned as is.
 *
 * @throws an Error for a NUL, which no argument of a program can hold
 */
export function quote(argument: string): string {
  if (argument.includes('\0')) throw new Error(`an argument cannot hold a NUL: ${JSON.stringify(argument)}`)
  if (/^(--?[\w-]+=)?[\w@%+:,./-]+$/.test(argument)) return argument
  return `'${argument.replaceAll("'", `'\\''`)}'`
}
// #endregion quote

export interface Surroundings {
  /** The folder to run in; by default the account's home. Relative paths, and `~/…`, begin there. */
  cwd?: string
  /** Variables to add to the environment. */
  environment?: Record<string, string>
}

/**
 * The command line that runs a program with exactly these arguments.
 *
 * @throws an Error for a NUL in an argument, or for a variable with an invalid name
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

/** A remote path without `~/`. It never begins with a minus, which programs would take for an option. */
export function fromHome(path: string): string {
  const relative = path === '~' ? '.' : path.replace(/^~\//, './')
  return relative.startsWith('-') || relative === '' ? `./${relative}` : relative
}

/**
 * Inside quotes, tcsh refuses line breaks and expands `!`, and fish takes a backslash for an escape. So such a line
 * travels as octal numbers, which a plain sh at the other end decodes.
 */
function encoded(line: string): string {
  const octal = Array.from(Buffer.from(line), (byte) =>
    /[\w ./:=,-]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `\\0${byte.toString(8).padStart(3, '0')}`,
  )
  return `sh -c 'eval "$(printf %b "$1")"' sh '${octal.join('')}'`
}
