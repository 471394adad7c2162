/**
 * Elastic Beanstalk on this machine. An environment is an unpacked bundle with the process that its Procfile names.
 * Beside a worker tier's process runs the daemon that hands it messages.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { startServer } from '@repo/common/process/child'
import { freePort, onFreePorts } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { unzipSync } from 'fflate'
import { proxy } from 'hono/proxy'
import { listen } from '../local/loopback.ts'
import type { Environment, EnvironmentRequest, Platform } from './platform.ts'
import { type DaemonOptions, runDaemon } from './sqs-daemon.ts'

export interface LocalPlatformOptions {
  sqs: SQSClient
  /** The queue that feeds the worker tiers. */
  queueUrl: string
  onDelivery?: DaemonOptions['onDelivery']
  /** Ends everything when aborted. */
  signal: AbortSignal
}

/** How long a program that is to end may still work on the messages that it has. */
const mostAnswerMs = 2_000

interface Running extends AsyncDisposable {
  environment: Environment
}

/** The address by which clients know an environment. It stays when another environment takes over. */
interface Named extends AsyncDisposable {
  url: string
  /** The port that requests go to; 0 until the environment's program listens. */
  port: number
}

/** Opens a platform without environments. Disposing of it ends those that it has by then. */
export async function localPlatform(options: LocalPlatformOptions): Promise<Platform> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const versions = new Map<string, Uint8Array>()
  const running = new Map<string, Running>()
  const names = new Map<string, Named>()
  const namedOf = (name: string) => {
    const named = names.get(name)
    if (!named) throw new Error(`no environment with an address is called ${name}`)
    return named
  }
  const terminate = async (name: string) => {
    await running.get(name)?.[Symbol.asyncDispose]()
    await names.get(name)?.[Symbol.asyncDispose]()
    running.delete(name)
    names.delete(name)
  }
  stack.defer(async () => void (await Promise.all([...running.keys()].map(terminate))))

  const owned = stack.move()
  return {
    name: 'processes on this machine',
    async createVersion(label, bundle) {
      versions.set(label, bundle)
    },
    async createEnvironment(request) {
      const { name, tier, version } = request
      const bundle = versions.get(version)
      if (!bundle) throw new Error(`version ${version} does not exist`)
      if (running.has(name)) throw new Error(`environment ${name} exists already`)
      const environment: Environment = { name, tier, version, status: 'Launching', health: 'Grey' }
      const named = tier === 'web' ? await giveName() : undefined
      if (named) names.set(name, named)
      const started = start(request, bundle, join(folder.path, name), named, environment, options)
      started.catch((error: Error) => {
        Object.assign(environment, { status: 'Ready', health: 'Red', reason: error.message })
      })
      running.set(name, {
        environment,
        async [Symbol.asyncDispose]() {
          environment.status = 'Terminating'
          await (await started.catch(() => undefined))?.disposeAsync()
        },
      })
    },
    async environments() {
      return [...running.values()].map(({ environment }) => ({
        ...environment,
        cname: names.get(environment.name)?.url,
      }))
    },
    async swap(one, other) {
      const [first, second] = [namedOf(one), namedOf(other)]
      names.set(one, second).set(other, first)
      const port = first.port
      first.port = second.port
      second.port = port
    },
    terminate,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function start(
  { tier, settings }: EnvironmentRequest,
  bundle: Uint8Array,
  home: string,
  named: Named | undefined,
  environment: Environment,
  { sqs, queueUrl, onDelivery, signal }: LocalPlatformOptions,
): Promise<AsyncDisposableStack> {
  await using stack = new AsyncDisposableStack()
  await unpack(bundle, home)
  const [command = '', ...args] = webProcess(await readFile(join(home, 'Procfile'), 'utf8'))
  const { port, url, server } = await onFreePorts(async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/`
    const server = await startServer({
      // Without a shell: our Procfiles contain only plain words.
      command: command === 'node' ? process.execPath : command,
      args,
      cwd: home,
      env: { ...settings, PORT: String(port) },
      // Beanstalk's health check.
      ready: async () => (await fetch(url).catch(() => undefined))?.ok === true,
      readyTimeoutMs: 30_000,
      signal,
    })
    return { port, url, server }
  })
  stack.use(server)
  if (named) named.port = port
  void server.exited.then(() => {
    environment.health = 'Red'
  })
  if (tier === 'worker') {
    const stopping = new AbortController()
    const given = onDelivery ? { onDelivery } : {}
    const daemon = runDaemon({ sqs, queueUrl, url, ...given, signal: AbortSignal.any([stopping.signal, signal]) })
    daemon.catch((error: Error) => {
      Object.assign(environment, { health: 'Red', reason: error.message })
    })
    const ended = daemon.catch(() => {})
    // The daemon ends before the program that it calls, unless that hangs: then the messages that it holds come again.
    stack.defer(async () => {
      stopping.abort()
      await Promise.race([ended, delay(mostAnswerMs, undefined, { ref: false })])
      await server.stop()
      await ended
    })
  }
  Object.assign(environment, { status: 'Ready', health: 'Green' })
  return stack.move()
}

async function unpack(bundle: Uint8Array, home: string) {
  for (const [name, content] of Object.entries(unzipSync(bundle))) {
    const file = join(home, name)
    // A zip can name files outside of the folder that it is unpacked into.
    if (relative(home, file).startsWith('..')) throw new Error(`the bundle has a file "${name}"`)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

/** The words of the Procfile's command for `web`. */
function webProcess(procfile: string): string[] {
  const command = /^web:(.*)$/m.exec(procfile)?.[1]
  if (!command?.trim()) throw new Error('the Procfile has no line "web: <command>"')
  return command.trim().split(/\s+/)
}

async function giveName(): Promise<Named> {
  const named = { port: 0, url: '', [Symbol.asyncDispose]: async () => {} }
  const listening = await listen((request) => {
    const { pathname, search } = new URL(request.url)
    return proxy(`http://127.0.0.1:${named.port}${pathname}${search}`, {
      raw: request,
      // With a connection of its own: the program may be about to close the one that another client's request has left.
      customFetch: (toProgram) => {
        toProgram.headers.set('connection', 'close')
        // As Beanstalk's proxy answers when the program has died.
        return fetch(toProgram).catch(() => new Response('Bad Gateway\n', { status: 502 }))
      },
    })
  })
  named.url = `http://${listening.address}`
  named[Symbol.asyncDispose] = async () => await listening[Symbol.asyncDispose]()
  return named
}
