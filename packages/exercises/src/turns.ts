/** How the threads of an exercise and their scheduler talk to each other, by shared memory. */

export const mostThreads = 8
const textBytes = 400

/** What a thread is doing. Only one that is `running` changes its fields. */
export const state = { running: 0, parked: 1, waiting: 2, ended: 3, failed: 4 } as const
/** What a thread is told: to go on, or to give up because the run is over. */
export const turn = { none: 0, go: 1, giveUp: 2 } as const

const fields = ['state', 'turn', 'isNotify', 'address', 'count', 'hasTimeout', 'woken', 'line', 'textLength'] as const
type Field = (typeof fields)[number]

/** What the threads and the scheduler share. */
export interface Shared {
  turns: Int32Array<SharedArrayBuffer>
  texts: Uint8Array<SharedArrayBuffer>
  /** What the reader's code works on. */
  memory: Int32Array<SharedArrayBuffer>
}

/** What a thread gets when it starts. */
export interface Setup extends Shared {
  /** Its number, from 0. */
  at: number
  name: string
  labels: readonly string[]
  /** The checker and the reader's file, by their URLs. */
  checker: string
  solution: string
  /** Whether each step has its line. */
  hasLines: boolean
}

export const newShared = (words: number): Shared => ({
  turns: new Int32Array(new SharedArrayBuffer(4 * fields.length * (mostThreads + 1))),
  texts: new Uint8Array(new SharedArrayBuffer(textBytes * mostThreads)),
  memory: new Int32Array(new SharedArrayBuffer(4 * words)),
})

/** The position of a thread's field in `turns`. */
export const place = (thread: number, name: Field): number => thread * fields.length + fields.indexOf(name)
/** The position of the number of changes of all states. */
export const changes = mostThreads * fields.length

/** Writes what a thread has done. */
export function writeText({ texts, turns }: Shared, thread: number, text: string): void {
  const bytes = new TextEncoder().encode(text).subarray(0, textBytes)
  texts.set(bytes, thread * textBytes)
  turns[place(thread, 'textLength')] = bytes.length
}

export function readText({ texts, turns }: Shared, thread: number): string {
  const begin = thread * textBytes
  // TextDecoder does not read shared memory: this is a copy.
  return new TextDecoder().decode(texts.slice(begin, begin + (turns[place(thread, 'textLength')] ?? 0)))
}
