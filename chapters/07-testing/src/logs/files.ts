/** The log files of a folder: read as they are, or followed while they grow. */
import { open, readdir, readFile, stat } from 'node:fs/promises'
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
  const readTo = new Map<string, Place>()
  const sent = new Set<string>()
  /** The files that have been reported. */
  const unreadable = new Set<string>()
  /** The lines of each process: all others queue behind a line that waits. */
  const waiting = new Map<string, { line: LogLine | Unreadable; since: number }[]>()
  for (;;) {
    for (const file of await logFiles(folder)) {
      const queue = waiting.get(file) ?? []
      waiting.set(file, queue)
      const read = await readOn(file, readTo.get(file)).catch((error: unknown) => {
        if (!unreadable.has(file)) queue.push({ line: unreadableFile(file, error), since: performance.now() })
        unreadable.add(file)
      })
      if (!read) continue
      const { state, chunk } = read
      readTo.set(file, state)
      state.bytes += chunk.length
      let text = Buffer.concat([state.rest, chunk])
      // Split as bytes: a read may cut a character in two.
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        const line = text.subarray(0, end).toString()
        text = text.subarray(end + 1)
        state.lines++
        const where = `${basename(file)}:${state.lines}`
        if (!isEmpty(line)) queue.push({ line: parseLine(line, where), since: performance.now() })
      }
      state.rest = text
    }
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
    if (signal.aborted) return
    await delay(everyMs, undefined, { signal }).catch(() => {})
  }
}

/** How far a file has been read. */
interface Place {
  /** Tells the file from another one of the same name. */
  inode: number
  bytes: number
  lines: number
  /** The beginning of a line. */
  rest: Buffer
}

/**
 * Reads what has been added to a file. One that is shorter than before, or another file by now, was begun again by
 * logrotate or by its program: it is read from its beginning.
 */
async function readOn(file: string, before: Place | undefined): Promise<{ state: Place; chunk: Buffer }> {
  const none = { inode: 0, bytes: 0, lines: 0, rest: Buffer.alloc(0) }
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    // It was renamed since the folder was listed.
    if (error.code !== 'ENOENT') throw error
  })
  if (!handle) return { state: before ?? none, chunk: none.rest }
  try {
    const { size, ino: inode } = await handle.stat()
    const isSame = before !== undefined && before.inode === inode && before.bytes <= size
    const state = isSame ? before : { ...none, inode }
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - state.bytes), { position: state.bytes })
    return { state, chunk: buffer.subarray(0, bytesRead) }
  } finally {
    await handle.close()
  }
}

/** Windows' editors end lines with CR and LF. */
const isEmpty = (line: string) => line === '' || line === '\r'
