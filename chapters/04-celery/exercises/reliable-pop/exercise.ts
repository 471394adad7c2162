/** A queue of lists on a server. An item that nobody has handled is in exactly one of them. */
import type { Lists } from './check.ts'

export const waiting = 'waiting'
/** Returns the list of what a worker has taken and not yet handled. */
export const takenBy = (worker: string) => `taken by ${worker}`

/** Hands the next item to a worker. Returns undefined if none waits. */
export async function take(_lists: Lists, _worker: string): Promise<string | undefined> {
  // Your code: at no moment may the item be only in this function.
  return undefined
}

/** Called when a worker has handled an item that it has taken. */
export async function acknowledge(_lists: Lists, _worker: string, _item: string): Promise<void> {
  // Your code.
}

/** Puts back all that a dead worker had taken. Called by any number of other workers, which may die as well. */
export async function recover(_lists: Lists, _dead: string): Promise<void> {
  // Your code.
}
