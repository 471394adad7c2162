/** The log files of a folder: read as they are, or followed while they grow. */
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@repo/common/output/errors'
import { type LogLine, parseLine, type Unreadable } from './lines.ts'

/** The files of a folder whose names end in `.log`. Folders, pipes, and links to nothing may be named like that too. */
async function logFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort()
  const files = names.map(async (name) => {
    const file = join(folder, name)
    const found = await stat(file).catch(() => undefined)
    return found?.isFile() ? [file] : []
  })
  return (await Promise.all(files)).flat()
}

const unreadableFile = (file: string, error: unknown): Unreadable => ({
  unreadable: `${basename(file)} cannot be read: ${messageOf(error)}`,
})

/** Reads all lines of each file. A last line without a line break is what a killed process had begun to write. */
export async function readLogs(folder: string): Promise<{ logs: LogLine[][]; unreadable: string[] }> {
  const unreadable: string[] = []
  const logs: LogLine[][] = []
  for (const file of await logFiles(folder)) {
    const lines: LogLine[] = []
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      unreadable.push(unreadableFile(file, error).unreadable)
      return ''
    })
    for (const [at, line] of text.split('\n').entries()) {
      if (isEmpty(line)) continue
      const read = parseLine(line, `${basename(file)}:${at + 1}`)
      if ('unreadable' in read) unreadable.push(read.unreadable)
      else lines.push(read)
    }
    logs.push(lines)
  }
  return { logs, unreadable }
}

const everyMs = 100

/**
 * Yields the lines of a folder's files as they are written, including new files, until the signal is aborted. A line
 * that receives a message is held back until the line that sends it has been seen, because another machine may not have
 * written that yet, but for no longer than `patienceMs`.
 */
export async function* followLogs(
  folder: string,
  signal: AbortSignal,
  patienceMs = 1_000,
): AsyncGenerator<LogLine | Unreadable> {
  /** By inode: a file that is renamed stays the same. */
  await using files = new OpenFiles()
  const sent = new Set<string>()
  /** The files that have been reported. */
  const unreadable = new Set<string>()
  /** The lines of each process: all others queue behind a line that waits. */
  const waiting = new Map<string, { line: LogLine | Unreadable; since: number }[]>()
  const queueOf = (file: string) => {
    const queue = waiting.get(file) ?? []
    waiting.set(file, queue)
    return queue
  }
  for (;;) {
    // Before it looks: what was there when the signal was aborted is shown, however long it takes to read.
    const isLast = signal.aborted
    const problems = await files.look(await logFiles(folder))
    for (const { file, line } of problems) {
      if (!unreadable.has(file)) queueOf(file).push({ line, since: performance.now() })
      unreadable.add(file)
    }
    for (const { file, line } of await files.lines()) queueOf(file).push({ line, since: performance.now() })
    // Repeat: a line of one file may have been waiting for a line of another.
    for (let moved = true; moved; ) {
      moved = false
      for (const queue of waiting.values()) {
        for (let first = queue[0]; first; first = queue[0]) {
          const { line, since } = first
          const receives = 'unreadable' in line ? undefined : line.receives
          if (receives && !sent.has(receives) && performance.now() - since < patienceMs) break
          queue.shift()
          moved = true
          if (!('unreadable' in line) && line.sends) sent.add(line.sends)
          yield line
        }
      }
    }
    if (isLast) return
    await delay(everyMs, undefined, { signal }).catch(() => {})
  }
}

/** A file that is followed. */
interface Followed {
  handle: FileHandle
  /** Its first name. */
  file: string
  bytes: number
  lines: number
  /** The beginning of a line. */
  rest: Buffer
  /** When it was first missed in the folder, and nothing has come since. */
  goneSince: number | undefined
}

/** A program may write to a file for some time after logrotate has renamed it, until it opens the new one. */
const goneMs = 5_000

/**
 * The files of a folder, each held open. logrotate renames a file and begins another one of its name: what was written
 * to the first one until then is still read.
 */
class OpenFiles implements AsyncDisposable {
  readonly #files = new Map<bigint, Followed>()

  /** Opens what is new in the folder, and closes what has been gone for long. Returns what cannot be opened. */
  async look(names: readonly string[]): Promise<{ file: string; line: Unreadable }[]> {
    const problems: { file: string; line: Unreadable }[] = []
    const there = new Set<bigint>()
    for (const file of names) {
      try {
        const inode = (await stat(file, { bigint: true })).ino
        there.add(inode)
        if (this.#files.has(inode)) continue
        const none = { bytes: 0, lines: 0, rest: Buffer.alloc(0), goneSince: undefined }
        this.#files.set(inode, { handle: await open(file, 'r'), file, ...none })
      } catch (error) {
        // It may have been renamed since the folder was listed.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          problems.push({ file, line: unreadableFile(file, error) })
      }
    }
    const now = performance.now()
    for (const [inode, followed] of this.#files) {
      if (there.has(inode)) followed.goneSince = undefined
      else followed.goneSince ??= now
      if (now - (followed.goneSince ?? now) < goneMs) continue
      this.#files.delete(inode)
      await followed.handle.close()
    }
    return problems
  }

  /** Returns the whole lines that have come since the last time. */
  async lines(): Promise<{ file: string; line: LogLine | Unreadable }[]> {
    const lines: { file: string; line: LogLine | Unreadable }[] = []
    for (const followed of this.#files.values()) {
      const { file, handle } = followed
      const { size } = await handle.stat()
      // A program, or logrotate with `copytruncate`, has begun it again.
      if (size < followed.bytes) Object.assign(followed, { bytes: 0, lines: 0, rest: Buffer.alloc(0) })
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - followed.bytes), { position: followed.bytes })
      if (bytesRead > 0) followed.goneSince = undefined
      followed.bytes += bytesRead
      let text = Buffer.concat([followed.rest, buffer.subarray(0, bytesRead)])
      // Split as bytes: a read may cut a character in two.
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        const line = text.subarray(0, end).toString()
        text = text.subarray(end + 1)
        followed.lines++
        if (!isEmpty(line)) lines.push({ file, line: parseLine(line, `${basename(file)}:${followed.lines}`) })
      }
      followed.rest = text
    }
    return lines
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle } of this.#files.values()) await handle.close()
  }
}

/** Windows' editors end lines with CR and LF. */
const isEmpty = (line: string) => line === '' || line === '\r'
