/** A file that goes up and down again over a link that breaks half way, both times. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { s3Client } from '../cloud/cloud.ts'
import type { SlowLink } from '../local/slow-link.ts'
import { downloadFile, uploadFile } from './files.ts'
import type { Target } from './parts.ts'
import { pseudoRandom } from './stream.ts'

export interface BrokenTransfer {
  parts: number
  /** Parts that were there when it was begun again. */
  resumedUp: number
  resumedDown: number
  /** By which checksum what was stored is known to be what came back. */
  verified: 'CRC-32' | 'MD5' | undefined
  /** What the first attempts said. */
  errors: string[]
}

/** Uploads and downloads a file of `bytes`; each time the link breaks for good after about half, and heals. */
export async function transferOverBrokenLink(
  link: SlowLink,
  target: Target,
  bytes: number,
  signal?: AbortSignal,
): Promise<BrokenTransfer> {
  await using folder = await temporaryFolder()
  // Two attempts for each request: it will not get better by asking again.
  const s3 = s3Client(link.place, { maxAttempts: 2 })
  const [path, back] = [join(folder.path, 'original'), join(folder.path, 'back')]
  await writeFile(path, pseudoRandom(bytes))
  const errors: string[] = []
  /** The first time with a link that breaks, the second time with one that does not. */
  async function twice<Result>(transfer: (onProgress: (done: number) => void) => Promise<Result>): Promise<Result> {
    try {
      return await transfer((done) => done >= bytes / 2 && link.proxy.refuse())
    } catch (error) {
      if (signal?.aborted) throw error
      errors.push(error instanceof Error ? error.message : String(error))
    }
    link.proxy.heal()
    return await transfer(() => {})
  }
  try {
    const options = { signal, concurrency: 2 }
    const up = await twice((onProgress) => uploadFile(s3, target, path, { ...options, onProgress }))
    const down = await twice((onProgress) => downloadFile(s3, target, back, { ...options, onProgress }))
    if ((await sha256Of(path)) !== (await sha256Of(back))) throw new Error('what came back is not what was sent')
    return { parts: up.parts, resumedUp: up.resumed, resumedDown: down.resumed, verified: down.verified, errors }
  } finally {
    s3.destroy()
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}
