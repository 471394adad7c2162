/** What `grep` reads, checked before the work: UTF-8 text in regular files, with lines that fit into memory. */
import { createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { messageOf } from '@repo/common/output/errors'
import { bytes } from '@repo/common/output/terminal'

/** Every way holds a line in memory, and for a while the lines before it. This bound keeps it below 150 MB. */
export const longestLineBytes = 512 * 1024

/** A file cannot be searched; the message says why. */
export class InputError extends Error {
  override name = 'InputError'
}

const newline = 10

/**
 * Reads a file once and returns its size in bytes.
 *
 * @throws an InputError if it is missing, unreadable, not a regular file, not UTF-8 text, or has too long a line
 */
export async function inspect(path: string, signal?: AbortSignal): Promise<number> {
  await using handle = await openText(path)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  // A block may end within a character. The end of the file may not: `block` is then undefined.
  const check = (block?: Buffer) => {
    try {
      decoder.decode(block, { stream: block !== undefined })
    } catch (cause) {
      throw new InputError('it is not UTF-8', { cause })
    }
  }
  let size = 0
  let lineBytes = 0
  // A stream that begins with an aborted signal fails before anybody can hear of it.
  signal?.throwIfAborted()
  // A block is no larger than a line may be, so a line within one block is never too long.
  const blocks = handle.createReadStream({ highWaterMark: longestLineBytes, signal, autoClose: false })
  for await (const block of blocks as AsyncIterable<Buffer>) {
    const zero = block.indexOf(0)
    if (zero >= 0) throw new InputError(`it is binary: byte ${size + zero} is 0`)
    check(block)
    const first = block.indexOf(newline)
    lineBytes += first < 0 ? block.length : first
    if (lineBytes > longestLineBytes) throw new InputError(`it has a line of more than ${bytes(longestLineBytes)}`)
    if (first >= 0) lineBytes = block.length - block.lastIndexOf(newline) - 1
    size += block.length
  }
  check()
  return size
}

async function openText(path: string) {
  try {
    // Checked before it is opened: opening a named pipe would wait for a writer.
    const stats = await stat(path)
    if (stats.isFile()) return await open(path)
    throw new InputError(stats.isDirectory() ? 'it is a directory' : 'it is not a regular file')
  } catch (error) {
    const reasons: Record<string, string> = {
      ENOENT: 'it does not exist',
      ENOTDIR: 'it does not exist',
      EACCES: 'it may not be read',
      EPERM: 'it may not be read',
      EISDIR: 'it is a directory',
      ELOOP: 'it is a link that leads to itself',
      ENAMETOOLONG: 'its name is too long',
    }
    if (error instanceof InputError) throw error
    const { code = '' } = error as NodeJS.ErrnoException
    throw new InputError(reasons[code] ?? `it cannot be read: ${code || messageOf(error)}`, { cause: error })
  }
}

/**
 * Writes a stream to a file, so that it can be read more than once.
 *
 * @throws an InputError if it is longer than `mostBytes`
 */
export async function spool(input: Readable, path: string, mostBytes: number, signal: AbortSignal): Promise<void> {
  let size = 0
  const bounded = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      size += chunk.length
      if (size > mostBytes) throw new InputError(`it is longer than ${bytes(mostBytes)}`)
      yield chunk
    }
  }
  await pipeline(input, bounded, createWriteStream(path), { signal })
}
