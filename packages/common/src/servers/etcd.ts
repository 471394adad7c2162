/** etcd on this machine: a cluster whose nodes can be killed and cut off, and the HTTP gateway of its API. */
import { randomBytes } from 'node:crypto'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startServer } from '../process/child.ts'
import { type Children, startChildren } from '../process/children.ts'
import { onFreePorts } from '../process/ports.ts'
import { temporaryFolder } from '../process/temporary.ts'
import { type Links, startForwarder, startLinks } from './links.ts'
import { findEtcd, installStores } from './stores.ts'

export interface EtcdCluster extends AsyncDisposable {
  version: string
  children: Children
  links: Links
  /** Where clients reach a node. */
  url: (node: string) => string
  /** The password of the user root, who may do everything. Nobody else may do anything. */
  password: string
  /** Returns the node that leads, if one of them says so of itself. */
  leader: () => Promise<string | undefined>
}

export interface EtcdOptions {
  /** Further options of etcd, such as `election-timeout`. */
  settings?: Record<string, string>
  signal?: AbortSignal | undefined
}

/** A node that takes longer to answer counts as away. */
const answerTimeoutMs = 1_000

/**
 * Starts nodes on free loopback ports, as etcd is configured by default, with a random password.
 *
 * @throws an Error of one line if etcd is not installed
 */
export async function startEtcd(nodes: readonly string[], options: EtcdOptions = {}): Promise<EtcdCluster> {
  const program = await findEtcd()
  if (!program) throw new Error(`needs etcd: ${installStores}`)
  return await onFreePorts(async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder())
    const links = stack.use(await startLinks(nodes))
    const url = (node: string) => `http://127.0.0.1:${links.clientPort(node)}`
    // All nodes reach one of them by the same address. So that its links can be cut, each has a proxy of its own. Programs in
    // Go send nothing for a loopback address to a proxy; this one is not taken for such an address.
    const peerUrl = (node: string) => `http://0.0.0.0:${links.peerPort(node)}`
    const forwarders = new Map<string, number>()
    for (const node of nodes) forwarders.set(node, stack.use(await startForwarder(node, nodes, links)).port)
    const children = stack.use(
      await startChildren(nodes, (node) => {
        const settings = {
          name: node,
          'data-dir': `${folder.path}/${node}`,
          'listen-client-urls': url(node),
          'advertise-client-urls': url(node),
          'listen-peer-urls': `http://127.0.0.1:${links.peerPort(node)}`,
          'initial-advertise-peer-urls': peerUrl(node),
          'initial-cluster': nodes.map((each) => `${each}=${peerUrl(each)}`).join(','),
          'bcrypt-cost': '4',
          'log-level': 'error',
          ...options.settings,
        }
        return startServer({
          command: program.path,
          args: Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
          env: { HTTP_PROXY: `http://127.0.0.1:${forwarders.get(node)}`, NO_PROXY: '', no_proxy: '' },
          ready: () => isUp(`${url(node)}/version`),
          // It would wait for its clients. Its data is removed anyway.
          stopTimeoutMs: 500,
          signal: options.signal,
        })
      }),
    )
    const password = randomBytes(24).toString('base64url')
    const [first = ''] = nodes.map(url)
    await call(first, 'auth/user/add', { name: 'root', password })
    await call(first, 'auth/role/add', { name: 'root' })
    await call(first, 'auth/user/grant', { user: 'root', role: 'root' })
    await call(first, 'auth/enable', {})
    const owned = stack.move()
    return {
      version: program.version,
      children,
      links,
      url,
      password,
      async leader() {
        const asked = nodes.map(async (node) => {
          const { header, leader, raftTerm } = await call(url(node), 'maintenance/status', {})
          return leader !== undefined && leader === header?.member_id ? [{ node, term: Number(raftTerm) }] : []
        })
        const leaders = (await Promise.allSettled(asked)).flatMap((each) =>
          each.status === 'fulfilled' ? each.value : [],
        )
        return leaders.sort((a, b) => b.term - a.term)[0]?.node
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  })
}

const isUp = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) }).then(
    ({ ok }) => ok,
    () => false,
  )

/** The parts of etcd's answers that are used. */
interface EtcdAnswer {
  token?: string
  succeeded?: boolean
  kvs?: KeyValue[]
  /** Of a transaction, one for each request. */
  responses?: { response_range?: { kvs?: KeyValue[] } }[]
  deleted?: string
  /** Of a lease. */
  ID?: string
  result?: { TTL?: string }
  leader?: string
  raftTerm?: string
  header?: { member_id?: string; revision?: string }
  error?: string
}

interface KeyValue {
  value: string
  create_revision: string
  lease?: string
}

/**
 * Calls a node's API.
 *
 * @throws an Error with what etcd says
 */
async function call(url: string, path: string, body: object, token?: string): Promise<EtcdAnswer> {
  const response = await fetch(`${url}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: token === undefined ? {} : { authorization: token },
    signal: AbortSignal.timeout(answerTimeoutMs),
  })
  const answer = (await response.json()) as EtcdAnswer
  if (!response.ok) throw new Error(answer.error ?? response.statusText)
  return answer
}

/** Logs in at a node as root, and returns what calls its API from then on. */
export async function logIn(url: string, password: string) {
  const { token } = await call(url, 'auth/authenticate', { name: 'root', password })
  return (path: string, body: object) => call(url, path, body, token)
}

/** Keys and values are in base64. */
export const encode = (text: string) => Buffer.from(text).toString('base64')
export const decode = (text: string) => Buffer.from(text, 'base64').toString()
