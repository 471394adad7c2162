/**
 * One computation in many lives: its process is killed again and again, at random and in the middle of a save, its files
 * are damaged meanwhile, and each time a new process goes on from what is left.
 */
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { SaveStep } from '@repo/common/async/checkpoint'
import { randomFrom } from '@repo/common/async/random'
import { startProgram } from '@repo/common/process/child'
import type { PrimesMessage, PrimesSettings } from './primes.program.ts'
import type { PrimesState } from './primes.ts'

/** How a life ends, and what happens to the newest file before the next one. */
export type Death =
  | { by: 'SIGKILL' | 'SIGTERM'; afterMs: number; damage?: 'truncated' | 'a bit flipped' }
  | { by: 'SIGKILL'; at: SaveStep }

export interface Life {
  /** In words: how it ended. */
  ended: string
  /** What it began with: all numbers below are done. */
  resumedAt: number
  /** How many saves had led there; 0 for the beginning. */
  generation: number
  /** What it had done when it ended, saved or not. */
  reached: number
  saves: number
  /** What it could not use when it began. */
  damaged: string[]
  /** In ms since the first life: when it began to compute, and its samples of what was done. */
  samples: { ms: number; next: number }[]
}

export interface Lives {
  lives: Life[]
  state: PrimesState
  /** Of every save, in ms. */
  savesMs: number[]
  ms: number
  /** Whether a save that was asked for by SIGUSR2 was made; false on Windows, which has no such signal. */
  savedOnSignal: boolean
}

/**
 * A signal to save and leave, a kill at each bad moment of a save, and kills at random moments, after two of which a file is
 * damaged. The same for the same seed.
 *
 * @param lifeMs how long a life that ends at random lasts on average
 */
export function deathsOf({ kills, seed, lifeMs }: { kills: number; seed: number; lifeMs: number }): Death[] {
  const deaths: Death[] = [{ by: 'SIGTERM', afterMs: lifeMs / 2 }]
  for (const at of ['half written', 'written', 'synced', 'renamed'] as const) deaths.push({ by: 'SIGKILL', at })
  const damages = ['truncated', 'a bit flipped'] as const
  const random = randomFrom(seed)
  for (let kill = 0; kill < kills; kill++) {
    const damage = damages[kill]
    deaths.push({ by: 'SIGKILL', afterMs: (0.5 + random()) * lifeMs, ...(damage && { damage }) })
  }
  return deaths
}

const program = new URL('./primes.program.ts', import.meta.url)

/**
 * Runs the computation to its end, in one life more than there are deaths unless it is done before.
 *
 * @param onLife called with each life that is over
 */
export async function live(
  settings: Omit<PrimesSettings, 'dieAt'>,
  deaths: Death[],
  {
    signal,
    onLife,
    onReached,
  }: { signal?: AbortSignal; onLife?: (life: Life) => void; onReached?: (next: number) => void } = {},
): Promise<Lives> {
  const started = performance.now()
  const lives: Life[] = []
  const savesMs: number[] = []
  let savedOnSignal = false
  let state: PrimesState | undefined

  for (let number = 0; !state; number++) {
    const death = deaths[number]
    const life: Life = {
      ended: 'it was done',
      resumedAt: 0,
      generation: 0,
      reached: 0,
      saves: 0,
      damaged: [],
      samples: [],
    }
    const dieAt = death && 'at' in death ? death.at : undefined
    await using child = await startProgram(program, {
      args: [JSON.stringify({ ...settings, dieAt })],
      ...(signal && { signal }),
    })
    const loaded = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    child.process.on('message', (message: PrimesMessage) => {
      if (message.kind === 'loaded') {
        life.resumedAt = life.reached = message.next
        life.generation = message.generation
        life.damaged = message.damaged.map(({ file, why }) => `${file.slice(-1)}: ${why}`)
        life.samples.push({ ms: performance.now() - started, next: message.next })
        loaded.resolve()
      } else if (message.kind === 'saved') {
        life.saves++
        savesMs.push(message.ms)
        if (message.why === 'asked') asked.resolve()
      } else if (message.kind === 'reached' || message.kind === 'done') {
        life.reached = message.state.next
        life.samples.push({ ms: performance.now() - started, next: message.state.next })
        onReached?.(life.reached)
        if (message.kind === 'done') state = message.state
      }
    })
    await Promise.race([loaded.promise, child.exited])

    if (number === 0 && death && process.platform !== 'win32') {
      child.process.kill('SIGUSR2')
      savedOnSignal = await Promise.race([asked.promise.then(() => true), child.exited.then(() => false)])
    }
    if (death && 'afterMs' in death) {
      await Promise.race([delay(death.afterMs, undefined, { signal }), child.exited])
      child.process.kill(death.by)
    }
    const exit = await child.exited
    signal?.throwIfAborted()
    if (!state && exit.signal !== 'SIGKILL' && !(death?.by === 'SIGTERM' && exit.code === 0)) {
      throw new Error(`the computation ended with ${exit.signal ?? `code ${exit.code}`}`)
    }
    if (!state && death) {
      const damage = 'damage' in death ? death.damage : undefined
      life.ended =
        'at' in death ? `SIGKILL in a save: ${death.at}` : death.by === 'SIGTERM' ? 'SIGTERM: saved, left' : death.by
      if (damage && (await damageNewest(settings.path, damage))) life.ended += `, then ${damage}`
    }
    lives.push(life)
    onLife?.(life)
  }
  return { lives, state, savesMs, ms: performance.now() - started, savedOnSignal }
}

/** Damages the file with the newest generation, as a full disk or a bad one does. Returns whether there was one. */
async function damageNewest(path: string, damage: 'truncated' | 'a bit flipped'): Promise<boolean> {
  const generations = await Promise.all(
    [`${path}.a`, `${path}.b`].map(async (file) => {
      const text = await readFile(file, 'utf8').catch(() => '')
      return { file, generation: Number(/"generation":(\d+)/.exec(text)?.[1] ?? 0) }
    }),
  )
  const [newest] = generations.sort((a, b) => b.generation - a.generation)
  if (!newest?.generation) return false
  const middle = Math.floor((await stat(newest.file)).size / 2)
  if (damage === 'truncated') await truncate(newest.file, middle)
  else {
    const handle = await open(newest.file, 'r+')
    const byte = Buffer.alloc(1)
    await handle.read(byte, 0, 1, middle)
    byte[0] = (byte[0] ?? 0) ^ 1
    await handle.write(byte, 0, 1, middle)
    await handle.close()
  }
  return true
}
