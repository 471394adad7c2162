/** The workers of wordcount on machines of their own: the same as those of workers.ts to whoever uses them. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type FleetOptions, openFleet } from '../machines/fleet.ts'
import type { Workers } from './workers.ts'

/** Launches machines, each with one worker; disposing of them terminates them and removes all that was made for them. */
export async function launchWorkers(count: number, options: FleetOptions): Promise<Workers> {
  await using stack = new AsyncDisposableStack()
  const fleet = stack.use(await openFleet(options))
  const ids = await fleet.launch(count, fleet.userData)
  options.onStep?.('launch', ids.join(', '))
  const owned = stack.move()
  return { processes: [], gone: fleet.failed, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
