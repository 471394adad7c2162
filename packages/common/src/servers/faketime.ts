/**
 * A wrong clock for a server that asks libc for the time: libfaketime, loaded before it. Programs in Go do not ask libc.
 * Timers that count from the start of the machine go on as before.
 */
import { glob, writeFile } from 'node:fs/promises'

/** Says in messages how to install libfaketime. */
export const installFaketime = 'sudo apt-get install libfaketime (Debian, Ubuntu)'

export interface WrongClock {
  /** For the server's environment. */
  env: NodeJS.ProcessEnv
  /** Sets the server's clock wrong by this number of seconds, within a second. */
  set: (seconds: number) => Promise<void>
}

/** Returns the path of the library, if it is installed. */
export async function findFaketime(): Promise<string | undefined> {
  const [found] = await Array.fromAsync(
    glob(['/usr/lib/*/faketime/libfaketime.so.1', '/usr/lib*/faketime/libfaketime.so.1']),
  )
  return found
}

/**
 * Prepares a clock that is right at first.
 *
 * @param library what `findFaketime` has returned
 * @param file where the server reads how wrong its clock is
 */
export async function wrongClock(library: string, file: string): Promise<WrongClock> {
  const set = (seconds: number) => writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}`)
  await set(0)
  return {
    env: {
      // libc's malloc before another one of the server's: jemalloc asks for the time before libfaketime is ready.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
  }
}
