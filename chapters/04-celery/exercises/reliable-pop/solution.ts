/** A queue of lists on a server. An item that nobody has handled is in exactly one of them. */
import type { Lists } from './check.ts'

export const waiting = 'waiting'
/** Returns the list of what a worker has taken and not yet handled. */
export const takenBy = (worker: string) => `taken by ${worker}`

/** Hands the next item to a worker. Returns undefined if none waits. */
export async function take(lists: Lists, worker: string): Promise<string | undefined> {
  // One step on the server: the item is never in no list, and never in two.
  return await lists.move(waiting, takenBy(worker))
}

/** Called when a worker has handled an item that it has taken. */
export async function acknowledge(lists: Lists, worker: string, item: string): Promise<void> {
  // By its name: the worker may have taken others before it.
  await lists.remove(takenBy(worker), item)
}

/** Puts back all that a dead worker had taken. Called by any number of other workers, which may die as well. */
export async function recover(lists: Lists, dead: string): Promise<void> {
  // One by one: a move is never half done, and two workers never move the same item.
  let moved: string | undefined
  do moved = await lists.move(takenBy(dead), waiting)
  while (moved !== undefined)
}
