/** A Redis as it should be in production: TLS only, users with names, an append-only file, limited memory. */
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, onFreePorts } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { generate } from 'selfsigned'
import { connect } from '../queue/connect.ts'

/**
 * The user of clients and workers: it may use every command that a queue needs, on the queue's own keys and channels.
 */
export const workerUser = 'worker'
/**
 * All commands but those that change the server or see everything in it; and INFO, from which BullMQ takes the version.
 */
const commands = '+@all -@admin -@dangerous +info'

export interface SecureRedis extends AsyncDisposable {
  /** `rediss://`, for the user `worker`. */
  url: string
  /** The certificate by which clients recognise the server, as PEM, and its file. */
  ca: string
  caFile: string
}

/**
 * Starts such a server on the loopback interface.
 *
 * @param prefix begins the worker's keys
 * @throws an Error of one line if there is no Redis server, or it was built without TLS
 */
export async function startSecureRedis(
  prefix: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<SecureRedis> {
  const found = await findRedisServer()
  if (!found) throw new Error('no Redis server on PATH')
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const file = (name: string) => join(folder.path, name)
  const certificate = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const passwords = { worker: randomBytes(24).toString('base64url'), admin: randomBytes(24).toString('base64url') }
  const hash = (password: string) => `#${createHash('sha256').update(password).digest('hex')}`
  // #region settings
  const settings = (port: number) => [
    // It does not listen without TLS. Clients present a password, not a certificate.
    'bind 127.0.0.1',
    'port 0',
    `tls-port ${port}`,
    'tls-auth-clients no',
    `tls-cert-file "${file('server.pem')}"`,
    `tls-key-file "${file('server.key')}"`,
    `aclfile "${file('users.acl')}"`,
    `dir "${folder.path}"`,
    'save ""',
    'loglevel warning',
    'appendonly yes',
    'appendfsync always',
    'maxmemory-policy noeviction',
    'maxmemory 256mb',
    'set-proc-title no',
  ]
  const users = [
    'user default off',
    `user admin on ${hash(passwords.admin)} ~* &* +@all`,
    `user ${workerUser} on ${hash(passwords.worker)} ~${prefix}:* &${prefix}:* ${commands}`,
  ]
  // #endregion settings
  const contents = {
    'server.pem': certificate.cert,
    'server.key': certificate.private,
    'users.acl': users.join('\n'),
  }
  for (const [name, text] of Object.entries(contents)) await writeFile(file(name), `${text}\n`, { mode: 0o600 })

  const urlOf = (user: keyof typeof passwords, port: number) => `rediss://${user}:${passwords[user]}@127.0.0.1:${port}`
  const ca = certificate.cert
  async function start(port: number): Promise<Child> {
    await writeFile(file('redis.conf'), `${settings(port).join('\n')}\n`, { mode: 0o600 })
    const ready = async () => {
      const url = urlOf('admin', port)
      const redis = await connect(url, { tls: { ca }, retryStrategy: () => null }).catch(() => undefined)
      redis?.disconnect()
      return redis !== undefined
    }
    return await startServer({ command: found?.path ?? '', args: [file('redis.conf')], ready, signal })
  }
  const { port, server } = await onFreePorts(async () => {
    const port = await freePort()
    return { port, server: await start(port) }
  }).catch((cause: Error) => {
    if (cause.message.includes('Bad directive')) throw new Error(`${found.path} was built without TLS`, { cause })
    throw cause
  })
  stack.use(server)
  const owned = stack.move()
  return {
    url: urlOf('worker', port),
    ca,
    caFile: file('server.pem'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
