/** Who counts a word in a file: two ways of chapter 2, the system's programs, Python, and the bare machine. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { grepCommand, searchFor } from '02-async/grep/pattern'
import { grepAndCount, startWay } from '02-async/grep/processes'
import type { WayName } from '02-async/grep/ways'
import { startAsked } from '../harness/asked.ts'
import { found, nothing } from '../harness/library.ts'
import type { ContenderOf } from '../harness/suite.ts'

export interface Counted {
  ms: number
  /** Undefined for who does not look. */
  occurrences?: number
}

export type Contender = ContenderOf<AbortSignal, { count: (file: string, signal: AbortSignal) => Promise<Counted> }>

/** Occurs in all eras. */
export const word = 'freedom'
const search = searchFor(word)

const way = (label: string, name: WayName): Contender => ({
  label,
  async start(signal) {
    const program = await startWay(name, signal)
    return {
      version: `Node ${process.versions.node}`,
      count: (file) => program.search(search, [file]),
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  },
})

export const contenders: Record<string, Contender> = {
  bytes: way('chapter 2, bytes', 'bytes, not decoded'),
  pull: way('chapter 2, async generators', 'pull async generators'),
  grep: {
    label: 'grep -o -F | wc -l',
    async start() {
      const { version } = await found(['grep'], 'sudo apt-get install grep')
      const command = grepCommand(search)
      if ('leftOut' in command) throw new Error(command.leftOut)
      return {
        ...nothing,
        version: `grep ${version}`,
        count: (file, stop) => grepAndCount(command, word, [file], stop),
      }
    },
  },
  ripgrep: {
    label: 'rg -F --count-matches',
    async start() {
      const { path, version } = await found(['rg'], 'sudo apt-get install ripgrep')
      // Without the reader's own settings, and text whatever its bytes, as for grep.
      const args = ['--no-config', '--text', '-F', '--count-matches', '--no-filename', '-e', word, '--']
      return {
        ...nothing,
        version: `ripgrep ${version}`,
        async count(file, signal) {
          const begin = performance.now()
          const { stdout } = await promisify(execFile)(path, [...args, file], { signal })
          return { ms: performance.now() - begin, occurrences: Number(stdout) }
        },
      }
    },
  },
  python: {
    label: 'generators in Python',
    async start() {
      const { path, version } = await found(['python3', 'python'], 'sudo apt-get install python3')
      const program = startAsked(path, [fileURLToPath(new URL('./text.py', import.meta.url))])
      return {
        version: `Python ${version}`,
        count: (file) => program.ask<Counted>({ file, word }),
        [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
      }
    },
  },
  limit: {
    label: 'the limit: cat to /dev/null',
    async start() {
      const { version } = await found(['cat'], 'coreutils')
      return {
        ...nothing,
        version: `cat ${version}`,
        async count(file, signal) {
          const begin = performance.now()
          const [code] = await once(spawn('cat', [file], { stdio: 'ignore', signal }), 'close')
          if (code !== 0) throw new Error(`cat ended with ${code}`)
          return { ms: performance.now() - begin }
        },
      }
    },
  },
}
