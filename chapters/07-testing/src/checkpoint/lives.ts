/**
 * One computation in many lives: its process is killed again and again, at random moments and in the middle of a save,
 * its files are damaged, and each time a new process resumes from what is left.
 */
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { SaveStep } from '@repo/common/async/checkpoint'
import { randomFrom } from '@repo/common/async/random'
import { draw, palette } from '@repo/common/output/plots'
import { startProgram } from '@repo/common/process/child'
import type { PrimesMessage, PrimesSettings } from './primes.program.ts'
import type { PrimesState } from './primes.ts'

/** How a life ends, and what happens to the newest file before the next life. */
export type Death =
  | { by: 'SIGKILL' | 'SIGTERM'; afterMs: number; damage?: 'truncated' | 'a bit flipped' }
  | { by: 'SIGKILL'; at: SaveStep }

export interface Life {
  /** How it ended, in words. */
  ended: string
  /** Where it began: all smaller numbers were done. */
  resumedAt: number
  /** The number of saves that led there; 0 at the beginning. */
  generation: number
  /** How far it had got when it ended, saved or not. */
  reached: number
  saves: number
  /** The files that it could not use when it began. */
  damaged: string[]
  /** Its progress over time, in ms since the first life. The first sample is its beginning. */
  samples: { ms: number; next: number }[]
}

export interface Lives {
  lives: Life[]
  state: PrimesState
  /** The duration of every save. */
  savesMs: number[]
  ms: number
  /** Whether SIGUSR2 made it save; false on Windows, which has no such signal. */
  savedOnSignal: boolean
}

/**
 * Returns a signal to save and exit, a kill at each critical moment of a save, and kills at random moments, two of
 * which also damage a file. The same seed gives the same deaths.
 *
 * @param lifeMs the average time of a life that ends at a random moment
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
 * Runs the computation to its end, in one more life than there are deaths, unless it is done earlier.
 *
 * @param onReached called with the number that the computation has reached
 */
export async function live(
  settings: Omit<PrimesSettings, 'dieAt'>,
  deaths: Death[],
  { signal, onReached }: { signal?: AbortSignal; onReached?: (next: number) => void } = {},
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
  }
  return { lives, state, savesMs, ms: performance.now() - started, savedOnSignal }
}

/** Damages the file with the newest generation, as a full or broken disk does. Returns whether there was a file. */
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

/** Draws the computation's progress over time: a line for each life, in alternating colours. Returns SVG text. */
export function drawLives(lives: Pick<Life, 'samples'>[], subtitle: string): string {
  return draw({
    title: `One computation in ${lives.length} lives`,
    subtitle,
    x: { label: 'seconds' },
    y: { label: 'numbers looked at', tickFormat: '~s' },
    marginLeft: 80,
    marks: (plot) =>
      lives.map(({ samples }, at) => {
        // More points would not be visible.
        const every = Math.ceil(samples.length / 100)
        const kept = samples.filter((_, index) => index % every === 0 || index === samples.length - 1)
        const seconds = ({ ms }: (typeof samples)[number]) => ms / 1000
        return plot.line(kept, { x: seconds, y: 'next', strokeWidth: 2.5, stroke: palette[at % 2] ?? palette[0] })
      }),
  })
}
