/** What `grep` reads, checked before the work: UTF-8 text in regular files, with lines that fit into memory. */
import { isUtf8 } from 'node:buffer'
import { createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { bytes } from '@repo/common/output/terminal'

/** Every way holds a line in memory, and for a while the lines before it. This bound keeps it below 150 MB for any file. */
export const longestLineBytes = 512 * 1024

/** A file cannot be searched; the message says why. */
export class InputError extends Error {
  override name = 'InputError'
}

const newline = 10
/** No larger than that, so that a line within one block is never too long. */
const blockBytes = longestLineBytes

/**
 * Reads a file once and returns its size in bytes.
 *
 * @throws an InputError if it is missing, unreadable, not a regular file, not UTF-8 text, or has too long a line
 */
export async function inspect(path: string, signal?: AbortSignal): Promise<number> {
  await using handle = await openText(path)
  const buffer = Buffer.allocUnsafe(blockBytes)
  let size = 0
  let lineBytes = 0
  // The number of bytes of a character that the last block cut in two.
  let cut = 0
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, cut, buffer.length - cut)
    const block = buffer.subarray(0, cut + bytesRead)
    const zero = block.indexOf(0)
    if (zero >= 0) throw new InputError(`it is binary: byte ${size - cut + zero} is 0`)
    const whole = bytesRead === 0 ? block.length : endOfCharacters(block)
    if (!isUtf8(block.subarray(0, whole))) throw new InputError('it is not UTF-8')
    if (bytesRead === 0) return size

    const read = block.subarray(cut)
    size += bytesRead
    const first = read.indexOf(newline)
    lineBytes += first < 0 ? bytesRead : first
    if (lineBytes > longestLineBytes) throw new InputError(`it has a line of more than ${bytes(longestLineBytes)}`)
    if (first >= 0) lineBytes = bytesRead - read.lastIndexOf(newline) - 1
    cut = buffer.copy(buffer, 0, whole, block.length)
  }
}

/** The bytes of a block that are whole characters, if it is UTF-8. The last character may lack up to three bytes. */
function endOfCharacters(block: Buffer): number {
  for (let back = 1; back <= Math.min(3, block.length); back++) {
    const byte = block[block.length - back] ?? 0
    if (byte < 0x80) break
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return back < length ? block.length - back : block.length
  }
  return block.length
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
    }
    const reason = reasons[(error as NodeJS.ErrnoException).code ?? '']
    throw reason ? new InputError(reason, { cause: error }) : error
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
