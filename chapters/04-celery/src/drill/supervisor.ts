/** Starts a killed worker of the drill again, as a process manager would: one name, one process after the other. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Child, ChildOptions } from '@repo/common/process/child'
import type { StateRecord } from '@repo/common/servers/faults'

/** A worker or server is up; a worker's host is cut off. */
export type State = 'up' | 'cut off'

export interface SupervisorOptions {
  /** Such as `worker 1`. */
  name: string
  /** Starts a process, which the queue knows by the name that is given. Resolves when it takes jobs. */
  launch: (workerName: string, options: ChildOptions) => Promise<Child>
  history: StateRecord<State>
  /** Ends a process that is still starting. */
  signal: AbortSignal
  /** Called when the worker cannot be started, or ends without having been killed or stopped. */
  onFailure: (error: Error) => void
}

const startAttempts = 50
const finishMs = 60_000

export class Supervisor implements AsyncDisposable {
  readonly name: string
  /** The name under which the queue knows the latest process. */
  workerName = ''
  readonly #options: SupervisorOptions
  #generation = 0
  #current: Promise<Child> | undefined
  #ending = false
  #lastLine = ''

  constructor(options: SupervisorOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Starts a process without waiting for it. */
  start(): void {
    this.#current = this.#launch()
    this.#current.catch((error) => this.#ending || this.#options.onFailure(error))
  }

  /** Fulfilled when the latest process takes jobs. */
  async running(): Promise<void> {
    await this.#current
  }

  /** Tries again and again: while a server is away or the host is cut off, a worker cannot start. */
  async #launch(): Promise<Child> {
    const { launch, history, signal, onFailure } = this.#options
    for (let attempt = 1; ; attempt++) {
      const workerName = `${this.name.replace(' ', '-')}.${++this.#generation}`
      try {
        const program = await launch(workerName, {
          readyTimeoutMs: finishMs,
          stopTimeoutMs: finishMs,
          untilReady: signal,
          onLine: (line) => {
            this.#lastLine = line
          },
        })
        this.workerName = workerName
        history.begin(this.name, 'up')
        void program.exited.then(({ code, signal: endedBy }) => {
          history.end(this.name, 'up')
          if (this.#ending || endedBy === 'SIGKILL') return
          onFailure(new Error(`${this.name} ended by itself with ${endedBy ?? `exit code ${code}`}: ${this.#lastLine}`))
        })
        return program
      } catch (error) {
        if (this.#ending || signal.aborted || attempt === startAttempts) throw error
        await delay(100)
      }
    }
  }

  /** Sends SIGKILL; fulfilled with the worker's name when it is dead. It is not started again yet. */
  async kill(): Promise<string> {
    const program = await this.#current
    await program?.kill()
    return this.workerName
  }

  /** Ends the worker in order: it finishes the jobs it has. */
  async finish(): Promise<void> {
    const program = await this.#current
    this.#ending = true
    const exit = await program?.stop()
    if (exit?.code !== 0) {
      throw new Error(`${this.name} did not end in order, but with ${JSON.stringify(exit)}: ${this.#lastLine}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    await this.kill().catch(() => {})
  }
}
