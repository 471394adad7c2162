/** The sessions open over one connection: commands, shells, SFTP. A server allows only so many at a time. */

import { setTimeout as delay } from 'node:timers/promises'

/** What a server answers that does not open another session; ssh2 puts the protocol's reason on its error. */
const isRefusal = (error: unknown) => error instanceof Error && typeof Reflect.get(error, 'reason') === 'number'

/** For how long a host is asked again that refuses although nothing is open. */
const patienceMs = 2_000
const retryMs = 50

export class Sessions {
  #bound: number
  #open = 0
  #lost: Error | undefined
  readonly #waiting: PromiseWithResolvers<void>[] = []
  /** Closes a session that is only kept at hand. */
  readonly #makeRoom: () => void

  constructor(bound: number, makeRoom: () => void) {
    this.#bound = bound
    this.#makeRoom = makeRoom
  }

  /**
   * Opens a session when there is room for it, and keeps to what the server allows: MaxSessions of sshd is 10, but some
   * sites set it lower, and nothing tells a client. So a refusal lowers the bound to what was open then.
   *
   * @returns what `open` returned, and a function that gives the place back, to be called when the session is closed
   * @throws what `open` throws
   */
  async take<Session>(open: () => Promise<Session>): Promise<{ session: Session; release: () => void }> {
    let patientUntil = Number.POSITIVE_INFINITY
    for (;;) {
      while (this.#open >= this.#bound && !this.#lost) {
        const turn = Promise.withResolvers<void>()
        this.#waiting.push(turn)
        this.#makeRoom()
        await turn.promise
      }
      if (this.#lost) throw this.#lost
      this.#open++
      try {
        const session = await open()
        let held = true
        return {
          session,
          release: () => {
            if (held) this.#release()
            held = false
          },
        }
      } catch (error) {
        this.#open--
        if (!isRefusal(error) || (this.#open === 0 && performance.now() > patientUntil)) {
          this.#wake()
          throw error
        }
        if (this.#open > 0) this.#bound = Math.min(this.#bound, this.#open)
        // A session that was closed counts until its process at the other end is gone.
        else {
          patientUntil = Math.min(patientUntil, performance.now() + patienceMs)
          await delay(retryMs)
        }
      }
    }
  }

  /** Refuses everybody who waits, and whoever comes. */
  lose(error: Error): void {
    this.#lost = error
    for (const turn of this.#waiting.splice(0)) turn.resolve()
  }

  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  #release() {
    this.#open--
    this.#wake()
  }

  #wake() {
    this.#waiting.shift()?.resolve()
  }
}
