/**
 * Durable functions on this machine. The testing library of Amazon's SDK keeps the checkpoints, in a thread of this
 * process, and would call the function here. Instead, the function runs in an environment of its own, and its SDK sends
 * checkpoints as it does at Amazon: to Lambda's API, of which this serves the two requests that it needs. So the function's
 * process can be killed, and the checkpoints survive it.
 *
 * After a crash Lambda invokes a durable function again. The library does not, so this does.
 */
import type {
  CheckpointDurableExecutionRequest,
  DurableExecutionClient,
  DurableExecutionInvocationInput,
  DurableExecutionInvocationOutput,
  DurableLambdaHandler,
} from '@aws/durable-execution-sdk-js'
import { Hono } from 'hono'
import { listenInSecret } from '../local/loopback.ts'
import type { Environment } from './environment.ts'

export interface DurableOptions {
  /**
   * Starts an environment in which the SDK finds Lambda's API by these variables. It also needs a region and any key: the
   * server asks for no signature, but the SDK sends no request without one.
   */
  start: (env: NodeJS.ProcessEnv) => Promise<Environment>
  /** Gets each checkpoint once it is kept, with the names of the steps that it completes, and the function that sent it. */
  onCheckpoint?: (completed: string[], environment: Environment | undefined) => void
  signal: AbortSignal
}

/** How the testing library gives a function the way to its checkpoints. */
interface Client {
  durableExecutionClient: DurableExecutionClient
}

/** How often a crashed function is invoked again. */
const mostLives = 5

/**
 * Runs a durable function with an input to its end.
 *
 * @returns its result, and in how many processes it ran
 * @throws an Error when it fails, or its process has ended five times
 */
export async function runDurable<Result>(
  input: unknown,
  options: DurableOptions,
): Promise<{ result: Result; lives: number }> {
  const { start, onCheckpoint, signal } = options
  // Loaded only here: the SDK for Lambda, which it needs, is large.
  const { LocalDurableTestRunner } = await import('@aws/durable-execution-sdk-js-testing')
  let client: DurableExecutionClient | undefined
  let environment: Environment | undefined
  let token = ''
  let lives = 0
  const checkpoints = () => {
    if (!client) throw new Error('no durable execution is under way')
    return client
  }

  const api = new Hono().basePath('/2025-12-01/durable-executions/:arn')
  api.post('/checkpoint', async (c) => {
    const request = (await c.req.json()) as CheckpointDurableExecutionRequest
    const kept = await checkpoints().checkpoint({ ...request, DurableExecutionArn: c.req.param('arn') })
    token = kept.CheckpointToken ?? token
    const completed = (request.Updates ?? []).filter(({ Type, Action }) => Type === 'STEP' && Action === 'SUCCEED')
    onCheckpoint?.(
      completed.map(({ Name = '' }) => Name),
      environment,
    )
    return c.body(inSeconds(kept), 200, { 'content-type': 'application/json' })
  })
  api.get('/state', async (c) => {
    const { CheckpointToken, Marker } = c.req.query()
    const state = { DurableExecutionArn: c.req.param('arn'), CheckpointToken, Marker }
    return c.body(inSeconds(await checkpoints().getExecutionState(state)), 200, { 'content-type': 'application/json' })
  })
  await using server = await listenInSecret(api)
  const env = { AWS_ENDPOINT_URL_LAMBDA: `http://${server.address}` }

  async function invokeOnce(input: DurableExecutionInvocationInput) {
    await using started = await start(env)
    environment = started
    return (await started.invoke(input)) as DurableExecutionInvocationOutput
  }
  const live: DurableLambdaHandler = async (event) => {
    const { durableExecutionClient, ...input } = event as DurableExecutionInvocationInput & Client
    client = durableExecutionClient
    token = input.CheckpointToken
    for (;;) {
      lives++
      try {
        return await invokeOnce(input)
      } catch (error) {
        signal.throwIfAborted()
        if (lives === mostLives) throw error
        // The next one begins with all the checkpoints that have arrived.
        input.CheckpointToken = token
        const { Operations = [] } = await client.getExecutionState(input)
        input.InitialExecutionState = { Operations, NextMarker: '' }
      }
    }
  }
  await LocalDurableTestRunner.setupTestEnvironment()
  try {
    const runner = new LocalDurableTestRunner<Result>({ handlerFunction: live })
    const execution = await runner.run({ payload: input })
    const result = execution.getResult()
    if (result === undefined) throw new Error(`the durable function failed: ${execution.getError().errorMessage}`)
    return { result, lives }
  } finally {
    await LocalDurableTestRunner.teardownTestEnvironment()
  }
}

/** JSON as Amazon's services write it: times are numbers of seconds. */
function inSeconds(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, written) {
    const original = this[key]
    return original instanceof Date ? original.getTime() / 1000 : written
  })
}
