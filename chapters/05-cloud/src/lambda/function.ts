/** A Lambda function: as many execution environments as there are invocations at once. */
import type { Environment } from './environment.ts'

export interface Invocation {
  /** Whether an environment had to be started for it. */
  isCold: boolean
  /** From the call to the answer, in milliseconds; for a cold one with the start of the environment. */
  ms: number
}

export class LambdaFunction implements AsyncDisposable {
  /** The invocations that were answered, in order. */
  readonly invocations: Invocation[] = []
  /** The most invocations at any time. */
  mostAtOnce = 0
  readonly #start: () => Promise<Environment>
  readonly #all: Environment[] = []
  readonly #idle: Environment[] = []
  #running = 0

  constructor(start: () => Promise<Environment>) {
    this.#start = start
  }

  /**
   * Hands an event to an environment that is idle, or to a new one.
   *
   * @throws an Error when the function throws or its process ends
   */
  async invoke(event: unknown): Promise<unknown> {
    const start = performance.now()
    const warm = this.#idle.pop()
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#running)
    try {
      const environment = warm ?? (await this.#new())
      // An environment that fails is not used again.
      const result = await environment.invoke(event)
      this.#idle.push(environment)
      this.invocations.push({ isCold: !warm, ms: performance.now() - start })
      return result
    } finally {
      this.#running--
    }
  }

  async #new() {
    const environment = await this.#start()
    this.#all.push(environment)
    return environment
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((environment) => environment[Symbol.asyncDispose]()))
  }
}
