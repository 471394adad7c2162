/** The practice cluster's login node: an SSH server in this process that lets one user in, with one key. */
import { spawn } from 'node:child_process'
import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { guard } from '@repo/common/process/guard'
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel, type Session } from 'ssh2'
import type { Faults } from './commands.ts'
import { serveFiles } from './sftp.ts'

export interface LoginOptions {
  hostKey: string
  /** The public key that may log in. */
  publicKey: string
  user: string
  home: string
  environment: Record<string, string | undefined>
  faults: Faults
}

export interface Login extends AsyncDisposable {
  port: number
  /** Drops every connection without a goodbye, like a cut cable. */
  cutConnections: () => void
}

/** Sessions per connection, as OpenSSH's MaxSessions. */
const mostSessions = 10

export async function startLogin(options: LoginOptions): Promise<Login> {
  const { hostKey, publicKey, user, home, environment, faults } = options
  const allowed = ssh2.utils.parseKey(publicKey)
  if (allowed instanceof Error) throw allowed
  const connections = new Set<Connection>()
  const running = new Set<number>()
  const gone = new Set<Promise<unknown>>()

  /** Runs a command line or a shell whose streams are the channel. Returns a function that sends it a signal. */
  function run(channel: ServerChannel, args: string[], added: Record<string, string>, onTerminal: boolean) {
    const child = spawn('sh', args, { cwd: home, env: { ...environment, ...added }, detached: true })
    const { pid } = child
    if (pid === undefined) {
      channel.exit(127)
      return () => {}
    }
    const release = guard(pid)
    running.add(pid)
    channel.pipe(child.stdin).on('error', () => {})
    child.stdout.pipe(channel, { end: false })
    child.stderr.pipe(channel.stderr, { end: false })
    // As with sshd, losing the connection ends a program with a terminal; one without a terminal runs on.
    if (onTerminal) channel.on('close', () => kill(pid, 'SIGHUP'))
    // The channel closes only after all of its input has been read.
    child.stdin.on('close', () => channel.resume())
    child.on('error', () => {})
    const ended = once(child, 'close').then(async ([code, name]) => {
      running.delete(pid)
      if (name) channel.exit(String(name).replace('SIG', ''))
      else channel.exit(code ?? 0)
      channel.end()
      await release()
    })
    const forgotten = ended.catch(() => {}).finally(() => gone.delete(forgotten))
    gone.add(forgotten)
    return (name: string) => kill(pid, `SIG${name}` as NodeJS.Signals)
  }

  function onSession(session: Session, client: string, closed: () => void) {
    // Every sshd sets this variable.
    const added: Record<string, string> = { SSH_CONNECTION: client }
    // The shell's streams are pipes even if the client asks for a terminal.
    let onTerminal = false
    session.on('pty', (accept) => {
      onTerminal = true
      accept?.()
    })
    session.on('env', (accept, _, { key, val }) => {
      if (/^(LANG|LC_\w+)$/.test(key)) added[key] = val
      accept?.()
    })
    let signal: ((name: string) => void) | undefined
    session.on('signal', (accept, _, { name }) => {
      signal?.(name)
      accept?.()
    })
    session.on('exec', (accept, _, { command }) => {
      signal = run(accept().on('close', closed), ['-c', command], added, onTerminal)
    })
    session.on('shell', (accept) => {
      signal = run(accept().on('close', closed), ['-s'], added, onTerminal)
    })
    session.on('sftp', (accept) => serveFiles(accept().on('close', closed), home, faults))
  }

  const server = new ssh2.Server(
    { hostKeys: [hostKey], ident: 'PracticeCluster' },
    (connection, { ip, port: from }) => {
      // Responses are small and the client waits for each: Nagle's algorithm would delay them by 40 ms. ssh2's types
      // lack this method.
      ;(connection as Connection & { setNoDelay: (on: boolean) => void }).setNoDelay(true)
      connections.add(connection)
      let sessions = 0
      connection.on('authentication', (context) => {
        if (context.username === user && mayEnter(context, allowed)) context.accept()
        else context.reject(['publickey'])
      })
      connection.on('session', (accept, reject) => {
        if (sessions >= mostSessions) return reject()
        sessions++
        onSession(accept(), `${ip} ${from} 127.0.0.1 ${port}`, () => void sessions--)
      })
      connection.on('error', () => {})
      connection.on('close', () => connections.delete(connection))
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  function cutConnections() {
    for (const connection of connections) cut(connection)
  }
  return {
    port,
    cutConnections,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      cutConnections()
      for (const pid of running) kill(pid, 'SIGKILL')
      await Promise.all(gone)
      await closed
    },
  }
}

/** Destroys the socket, because ssh2's end() would say goodbye first. */
function cut(connection: Connection) {
  const { _sock: socket } = connection as Connection & { _sock?: { destroy: () => void } }
  if (socket) socket.destroy()
  else connection.end()
}

function mayEnter(context: AuthContext, allowed: ParsedKey): boolean {
  if (context.method !== 'publickey') return false
  const wanted = allowed.getPublicSSH()
  const { key, signature, blob, hashAlgo } = context
  if (key.algo !== allowed.type || key.data.length !== wanted.length || !timingSafeEqual(key.data, wanted)) return false
  // A request without a signature only asks whether the key would be accepted.
  return !signature || !blob || allowed.verify(blob, signature, hashAlgo) === true
}

function kill(group: number, name: NodeJS.Signals) {
  try {
    process.kill(-group, name)
  } catch {
    // The process has ended, or no such signal exists.
  }
}
