/**
 * Execution environments: each is a process of its own, in which a function is loaded once and then handles one
 * invocation after the other. Between Lambda and the process is the Runtime API. Amazon's Runtime Interface Emulator
 * serves it where it is installed (`npm run lambda`); a small server of ours serves it elsewhere.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Child, loader, startProgram, startServer } from '@repo/common/process/child'
import { guard } from '@repo/common/process/guard'
import { freePort, isListening, onFreePorts } from '@repo/common/process/ports'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Hono } from 'hono'
import { listenInSecret } from '../local/loopback.ts'

export interface Environment extends AsyncDisposable {
  /**
   * Hands an event to the function and returns its answer. One at a time.
   *
   * @throws an Error with what the function threw, or when its process ended
   */
  invoke: (event: unknown) => Promise<unknown>
  /** Sends SIGKILL to the function's process. */
  kill: () => Promise<unknown>
}

export interface EnvironmentOptions {
  /** The bundle that exports `handler`. */
  file: string
  env: NodeJS.ProcessEnv
  /** Gets what the function writes to its outputs, line by line: its log. */
  onLine?: (line: string) => void
  /** Ends the function's process when aborted. */
  signal?: AbortSignal | undefined
}

/** Who serves the Runtime API. */
export type Runtime = 'emulator' | 'host'

const bootstrap = fileURLToPath(new URL('./bootstrap.program.ts', import.meta.url))
const timeoutMs = 300_000
/** How the bootstrap tells its process behind the emulator. */
const functionPid = /^function process (\d+)$/

/** The path of Amazon's Runtime Interface Emulator, as `npm run lambda` installs it; undefined where it is missing. */
export function findEmulator(): string | undefined {
  const path = fileURLToPath(new URL('../../../../node_modules/.cache/lambda/aws-lambda-rie', import.meta.url))
  return process.platform === 'linux' && existsSync(path) ? path : undefined
}

/** Starts an environment. With our host, the function is loaded when this resolves; with the emulator, it is not yet. */
export async function startEnvironment(runtime: Runtime, options: EnvironmentOptions): Promise<Environment> {
  return await (runtime === 'emulator' ? startEmulator(options) : startHost(options))
}

async function startEmulator({ file, env, onLine, signal }: EnvironmentOptions): Promise<Environment> {
  const command = findEmulator()
  if (!command) throw new Error('there is no Runtime Interface Emulator: npm run lambda installs it')
  let url = ''
  // The emulator starts the function in a process group of its own, which would outlive both of us.
  let pid: number | undefined
  let release = async () => {}
  const readLine = (line: string) => {
    const [, started] = functionPid.exec(line) ?? []
    if (!started) return onLine?.(line)
    pid = Number(started)
    release = guard(pid)
  }
  const emulator = await onFreePorts(async () => {
    const [port, apiPort] = [await freePort(), await freePort()]
    url = `http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`
    const addresses = [
      ...['--runtime-interface-emulator-address', `127.0.0.1:${port}`],
      ...['--runtime-api-address', `127.0.0.1:${apiPort}`],
    ]
    const args = ['--log-level', 'fatal', ...addresses, process.execPath, ...loader(), bootstrap, file]
    const ready = () => isListening(port)
    return await startServer({ command, args, env, ready, onLine: readLine, signal })
  })
  async function invoke(event: unknown) {
    const answered = fetch(url, { method: 'POST', body: JSON.stringify(event) }).then((answer) => answer.json())
    return resultOf(await Promise.race([answered, ended(emulator)]))
  }
  const kill = async () => void (pid && endGroup(pid))
  signal?.addEventListener('abort', kill)
  async function dispose() {
    signal?.removeEventListener('abort', kill)
    await emulator[Symbol.asyncDispose]()
    await kill()
    await release()
  }
  return { invoke, kill, [Symbol.asyncDispose]: dispose }
}

async function startHost({ file, env, ...options }: EnvironmentOptions): Promise<Environment> {
  let next = Promise.withResolvers<unknown>()
  let answer = Promise.withResolvers<unknown>()
  const api = new Hono().basePath('/2018-06-01/runtime/invocation')
  api.get('/next', async (c) => {
    const event = await next.promise
    next = Promise.withResolvers()
    c.header('Lambda-Runtime-Aws-Request-Id', randomUUID())
    c.header('Lambda-Runtime-Deadline-Ms', String(Date.now() + timeoutMs))
    return c.json(event)
  })
  api.post('/:id/:kind{response|error}', async (c) => {
    answer.resolve(await c.req.json())
    return c.json({ status: 'OK' }, 202)
  })
  await using stack = new AsyncDisposableStack()
  const { address } = stack.use(await listenInSecret(api))
  const environment = { ...env, AWS_LAMBDA_RUNTIME_API: address }
  const program = stack.use(await startProgram(bootstrap, { args: [file], env: environment, ...options }))
  async function invoke(event: unknown) {
    answer = Promise.withResolvers()
    next.resolve(event)
    return resultOf(await Promise.race([answer.promise, ended(program)]))
  }
  const owned = stack.move()
  return { invoke, kill: program.kill, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function endGroup(pid: number) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function ended({ exited }: Child): Promise<never> {
  const { code, signal } = await exited
  throw new Error(`the function's process ended ${signal ? `by ${signal}` : `with code ${code}`}`)
}

function resultOf(answer: unknown): unknown {
  const { errorType, errorMessage } = (answer ?? {}) as { errorType?: string; errorMessage?: string }
  if (errorType !== undefined) throw new Error(`${errorType}: ${errorMessage}`)
  return answer
}
