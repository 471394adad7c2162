/** Child processes by name, which can be killed and started again. */
import type { Child } from './child.ts'
import { onOldPort } from './ports.ts'

export interface Children<C extends Child = Child> extends AsyncDisposable {
  /**
   * Returns the process that was started last under a name.
   *
   * @throws a RangeError if there is none
   */
  get: (name: string) => C
  /** Starts a process again that has ended, on its old port if it has one. */
  restart: (name: string) => Promise<void>
}

/**
 * Starts a process for each name, all at once: some are not ready before they have found the others. Disposing of them stops
 * all, also those that are still starting.
 */
export async function startChildren<C extends Child>(
  names: readonly string[],
  start: (name: string) => Promise<C>,
): Promise<Children<C>> {
  const starting = new Map<string, Promise<C>>()
  const running = new Map<string, C>()
  let isStopped = false
  async function launch(name: string, begin = () => start(name)) {
    if (isStopped) throw new Error(`${name} has been stopped for good`)
    const child = begin()
    starting.set(name, child)
    running.set(name, await child)
  }
  async function stopAll() {
    isStopped = true
    await Promise.allSettled([...starting.values()].map(async (child) => await (await child).stop()))
  }
  try {
    await Promise.all(names.map((name) => launch(name)))
  } catch (error) {
    await stopAll()
    throw error
  }
  return {
    get(name) {
      const child = running.get(name)
      if (!child) throw new RangeError(`no process "${name}"; there are ${names.join(', ')}`)
      return child
    },
    restart: (name) => launch(name, () => onOldPort(() => start(name))),
    [Symbol.asyncDispose]: stopAll,
  }
}
