/** The sessions open over one connection: commands, shells and SFTP. A server limits their number. */
import { setTimeout as delay } from 'node:timers/promises'

/** Whether the server refused to open another session: ssh2 puts the protocol's reason on such an error. */
const isRefusal = (error: unknown) => error instanceof Error && typeof Reflect.get(error, 'reason') === 'number'

/** How long to keep asking a host that refuses although no session is open. */
const patienceMs = 2_000
const retryMs = 50

export class Sessions {
  #bound: number
  #open = 0
  #lost: Error | undefined
  readonly #waiting: PromiseWithResolvers<void>[] = []
  /** Closes a session that is open but not in use. */
  readonly #makeRoom: () => void

  constructor(bound: number, makeRoom: () => void) {
    this.#bound = bound
    this.#makeRoom = makeRoom
  }

  /**
   * Opens a session once there is room for it. The server's limit is found by trial: sshd's MaxSessions is 10, some
   * sites set it lower, and nothing tells a client. So a refusal lowers the bound to the number of sessions open at
   * that time.
   *
   * @returns what `open` returned, and a function that frees the slot, to be called when the session is closed
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
        // The server counts a closed session until its process has ended.
        else {
          patientUntil = Math.min(patientUntil, performance.now() + patienceMs)
          await delay(retryMs)
        }
      }
    }
  }

  /** Rejects all waiting and all later calls of `take`. */
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
