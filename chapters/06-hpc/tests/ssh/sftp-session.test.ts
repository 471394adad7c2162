/** One session, with a server that is played: what a real one does rarely, or only when its disk breaks. */
import { EventEmitter } from 'node:events'
import type { SFTPWrapper } from 'ssh2'
import { describe, expect, it } from 'vitest'
import { chunkBytes, RemoteFileError, Sftp } from '../../src/ssh/sftp.ts'

type Done = (error: Error | undefined, value?: unknown) => void

/** Has one file, of which it gives at most `most` bytes at a time. `broken` names the request that fails. */
function played(content: Buffer, { most = Infinity, broken }: { most?: number; broken?: string } = {}) {
  const answer = (request: string, done: Done, value?: unknown) =>
    broken === request ? done(Object.assign(new Error('Failure'), { code: 4 })) : done(undefined, value)
  const session = Object.assign(new EventEmitter(), {
    ended: 0,
    end: () => void session.ended++,
    open: (_path: string, _flags: string, _attributes: object, done: Done) => answer('open', done, Buffer.from('h')),
    close: (_handle: Buffer, done: Done) => answer('close', done),
    fstat: (_handle: Buffer, done: Done) => answer('fstat', done, { size: content.length }),
    stat: () => {},
    read(
      _: Buffer,
      into: Buffer,
      offset: number,
      length: number,
      position: number,
      done: (...args: unknown[]) => void,
    ) {
      if (broken === 'read') return done(Object.assign(new Error('Failure'), { code: 4 }))
      const piece = content.subarray(position, position + Math.min(length, most))
      if (piece.length === 0) return done(Object.assign(new Error('EOF'), { code: 1 }))
      piece.copy(into, offset)
      done(undefined, piece.length)
    },
  })
  const lost = new Error('the connection is lost')
  return { session, lost, sftp: new Sftp('host', session as unknown as SFTPWrapper, () => lost) }
}

const content = Buffer.from(Array.from({ length: 3 * chunkBytes + 7 }, (_, at) => at % 251))

describe('a file', () => {
  it.each([0, 1, chunkBytes, chunkBytes + 5, content.length])(
    'is read from byte %i on, however little the server gives at a time',
    async (begin) => {
      for (const most of [Infinity, 10_000]) {
        const { sftp } = played(content, { most })
        const pieces = await sftp.withFile('f', { flags: 'r' }, (file) => Array.fromAsync(sftp.read(file, { begin })))
        expect(Buffer.concat(pieces).equals(content.subarray(begin))).toBe(true)
      }
    },
  )

  it.each([
    ['open', 'r', 'read'],
    ['open', 'w', 'written'],
    ['fstat', 'r', 'read'],
    ['read', 'r', 'read'],
    // A full disk may be told only now.
    ['close', 'w', 'closed'],
  ] as const)('whose %s fails, opened with %s, cannot be %s', async (broken, flags, what) => {
    const { sftp } = played(content, { broken })
    const used = sftp.withFile('f', { flags }, async (file) =>
      flags === 'r' ? await Array.fromAsync(sftp.read(file)) : [],
    )
    const error = await used.catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RemoteFileError)
    expect(error).toMatchObject({ name: 'RemoteFileError', message: `host: f cannot be ${what}`, code: 'EIO' })
  })

  it('that was only read does not fail when it cannot be closed', async () => {
    const { sftp } = played(content, { broken: 'close' })
    expect(await sftp.withFile('f', { flags: 'r' }, async () => 'used')).toBe('used')
  })
})

it('a session that the server closes fails what is under way and what comes later, and is closed on this side', async () => {
  const { sftp, session, lost } = played(content)
  const unanswered = sftp.stat('f')
  session.emit('close')
  await expect(unanswered).rejects.toBe(lost)
  await expect(sftp.stat('f')).rejects.toBe(lost)
  expect(session.ended).toBe(1)
})
