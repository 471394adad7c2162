/**
 * The object store of a private cloud on this machine: the real OpenStack Swift, as small as possible. It keeps one
 * copy of each object in a plain folder, and each of its four servers runs once, on free ports of the loopback
 * interface.
 *
 * Swift spreads objects over machines with a ring: a table that maps some bits of a name's hash to the devices that
 * hold it. https://docs.openstack.org/swift/latest/admin/objectstorage-ringbuilder.html
 */
import { constants } from 'node:fs'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { startServer } from '@repo/common/process/child'
import { freePort, onFreePorts } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Credentials, Place } from '../cloud/place.ts'
import { randomCredentials } from './practice-cloud.ts'

/** The command that installs Swift, for messages. */
export const installSwift = 'sudo apt-get install swift-proxy swift-account swift-container swift-object'

export interface Swift extends AsyncDisposable {
  /** Its S3 interface, with the credentials of a user who may do everything. */
  place: Place
  /** A user of the same project who may do nothing. */
  guest: Credentials
}

const storageServers = ['account', 'container', 'object'] as const

/** Whether Swift's servers are on PATH. */
export async function findSwift(): Promise<boolean> {
  const needed = ['proxy', ...storageServers].map((name) => `swift-${name}-server`)
  const folders = (process.env.PATH ?? '').split(delimiter)
  const isThere = (program: string) =>
    Promise.any(folders.map((folder) => access(join(folder, program), constants.X_OK))).then(
      () => true,
      () => false,
    )
  return process.platform !== 'win32' && (await Promise.all(needed.map(isThere))).every(Boolean)
}

/**
 * Starts an empty Swift in a temporary folder. Disposing of it stops it and deletes everything in it.
 *
 * @throws an Error with Swift's own words when it does not start
 */
export async function startSwift({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Swift> {
  return await onFreePorts(() => tryToStart(signal))
}

async function tryToStart(signal: AbortSignal | undefined): Promise<Swift> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  const [user, guest] = [randomCredentials(), randomCredentials()]
  const ports = { proxy: 0, account: 0, container: 0, object: 0 }
  for (const name of ['proxy', ...storageServers] as const) ports[name] = await freePort()

  await mkdir(join(folder, 'devices', 'disk'), { recursive: true })
  for (const name of storageServers) await writeFile(join(folder, `${name}.ring.gz`), ring(ports[name]))
  const start = async (name: 'proxy' | (typeof storageServers)[number], settings: string) => {
    const file = join(folder, `${name}-server.conf`)
    // The proxy's configuration holds the keys.
    await writeFile(file, settings, { mode: 0o600 })
    const server = await startServer({
      command: `swift-${name}-server`,
      args: [file, '--verbose'],
      ready: () => accepts(ports[name]),
      signal,
    })
    stack.use(server)
  }
  await Promise.all([
    ...storageServers.map((name) => start(name, storageSettings(folder, name, ports[name]))),
    start('proxy', proxySettings(folder, ports.proxy, user, guest)),
  ])

  const owned = stack.move()
  const credentialsOf = (name: string, { secretAccessKey }: Credentials) => ({
    accessKeyId: `project:${name}`,
    secretAccessKey,
  })
  return {
    place: {
      kind: 'endpoint',
      url: `http://127.0.0.1:${ports.proxy}`,
      region: 'us-east-1',
      credentials: credentialsOf('user', user),
    },
    guest: credentialsOf('guest', guest),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * A ring file as swift-ring-builder writes it: 2⁴ parts, one copy of each, all on one device. The builder would start
 * Python three times per ring.
 */
function ring(port: number): Uint8Array {
  const device = { id: 0, region: 1, zone: 1, ip: '127.0.0.1', port, device: 'disk', weight: 1, meta: '' }
  const replication = { replication_ip: device.ip, replication_port: port }
  const description = Buffer.from(
    JSON.stringify({
      devs: [{ ...device, ...replication }],
      // Of the 32 bits of a name's hash, the upper 4 are the number of its part.
      part_shift: 28,
      replica_count: 1,
      byteorder: 'little',
    }),
  )
  const head = Buffer.alloc(10)
  head.write('R1NG')
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(description.length, 6)
  const deviceOfPart = new Uint16Array(2 ** 4)
  return gzipSync(Buffer.concat([head, description, Buffer.from(deviceOfPart.buffer)]))
}

const shared = (folder: string, port: number) => `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${userInfo().username}
swift_dir = ${folder}
# No processes besides the one we started.
workers = 0
log_level = ERROR
`

/** How long the servers wait for each other, in seconds. A busy machine may need that. */
const patience = `conn_timeout = 10
node_timeout = 60`

const storageSettings = (folder: string, name: string, port: number) => `${shared(folder, port)}
devices = ${join(folder, 'devices')}
# A folder stands in for a disk.
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = ${name}-server
[app:${name}-server]
use = egg:swift#${name}
recon_cache_path = ${folder}
${patience}
# An update left for later would need a process that does not run here.
container_update_timeout = 60
`

const proxySettings = (folder: string, port: number, user: Credentials, guest: Credentials) => `${shared(folder, port)}
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
${patience}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:cache]
use = egg:swift#memcache
# The cache is mandatory, but works without a server: nothing listens on port 1.
memcache_servers = 127.0.0.1:1
[filter:tempauth]
use = egg:swift#tempauth
user_project_user = ${user.secretAccessKey} .admin
user_project_guest = ${guest.secretAccessKey}
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
${['catch_errors', 'listing_formats', 'bulk', 'copy', 'slo', 'dlo', 'symlink']
  .map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`)
  .join('')}`

/** Whether a server listens on a port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
