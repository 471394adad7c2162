import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CheckpointFile, checkpointFile, type SaveStep } from '../../src/async/checkpoint.ts'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const steps: SaveStep[] = ['half written', 'written', 'synced', 'renamed', 'saved']
const parse = (value: unknown): object => {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'at')) throw new Error('expected {at}')
  return value
}
const isCount = (value: unknown) => value as number[]

describe('a checkpoint', () => {
  let folder: TemporaryFolder
  let path: string
  let file: CheckpointFile<object>
  const again = () => checkpointFile(path, { computation: 'counting', parse })
  beforeEach(async () => {
    folder = await temporaryFolder()
    path = join(folder.path, 'count')
    file = again()
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  it('is empty at first, then has the last state saved, and is empty again after its removal', async () => {
    expect(await file.load()).toEqual({ state: undefined, generation: 0, savedAt: undefined, damaged: [] })
    for (let at = 1; at <= 5; at++) await file.save({ at, text: 'ä\n"' })
    const loaded = await again().load()
    expect(loaded).toMatchObject({ state: { at: 5, text: 'ä\n"' }, generation: 5, damaged: [] })
    expect(loaded.savedAt?.getTime()).toBeLessThanOrEqual(Date.now())
    await file.remove()
    expect(await readdir(folder.path)).toEqual([])
  })

  it('continues the generations in the next program, and keeps two files', async () => {
    for (let at = 1; at <= 3; at++) await again().save({ at })
    expect((await file.load()).generation).toBe(3)
    expect((await readdir(folder.path)).sort()).toEqual(['count.a', 'count.b'])
  })

  it('runs overlapping saves in order', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, at) => file.save({ at })))
    expect(await again().load()).toMatchObject({ state: { at: 19 }, generation: 20 })
  })

  it('falls back to the previous generation, wherever the newest is damaged or cut off', async () => {
    await file.save({ at: 1 })
    await file.save({ at: 2 })
    const newest = `${path}.b`
    const whole = await readFile(newest)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, by, cut) => {
          const damaged = Buffer.from(whole)
          damaged[at] = (damaged[at] ?? 0) ^ by
          await writeFile(newest, cut ? whole.subarray(0, at) : damaged)
          const loaded = await again().load()
          expect(loaded).toMatchObject({ state: { at: 1 }, generation: 1, damaged: [{ file: newest }] })
          expect(loaded.damaged[0]?.why).toMatch(/^(truncated: \d+ bytes without an end|its checksum is wrong)$/)
        },
      ),
    )
    // The next save replaces the damaged file.
    const next = again()
    await next.save({ at: 3 })
    expect(await again().load()).toMatchObject({ state: { at: 3 }, generation: 2, damaged: [] })
  })

  it('says when all is damaged', async () => {
    await file.save({ at: 1 })
    await writeFile(`${path}.a`, '')
    expect(await again().load()).toEqual({
      state: undefined,
      generation: 0,
      savedAt: undefined,
      damaged: [{ file: `${path}.a`, why: 'truncated: 0 bytes without an end' }],
    })
  })

  it('refuses the state of another computation, and treats a state that it cannot parse as damaged', async () => {
    await file.save({ at: 1 })
    await expect(checkpointFile(path, { computation: 'sums', parse }).load()).rejects.toThrow(
      /is the state of "counting", not of "sums"$/,
    )
    await checkpointFile(path, { computation: 'counting', parse: isCount }).save([2])
    expect(await again().load()).toMatchObject({
      state: { at: 1 },
      damaged: [{ why: 'not a state of this computation: Error: expected {at}' }],
    })
  })

  it('keeps the old state when a save fails, and can save again later', async () => {
    await file.save({ at: 1 })
    let full = true
    const failing = checkpointFile<object>(path, {
      computation: 'counting',
      parse,
      onStep: () => {
        if (full) throw new Error('ENOSPC: no space left on device')
      },
    })
    await expect(failing.save({ at: 2 })).rejects.toThrow(`the state cannot be saved in ${folder.path}`)
    expect(await readdir(folder.path)).toEqual(['count.a'])
    full = false
    await failing.save({ at: 3 })
    expect(await again().load()).toMatchObject({ state: { at: 3 }, generation: 2 })
  })

  it('is whole after SIGKILL at every step of a save, and cleans up after the killed program', async () => {
    const saver = fileURLToPath(new URL('../fixtures/saver.ts', import.meta.url))
    const counting = () => checkpointFile(path, { computation: 'counting', parse: isCount })
    let killedAt = 0
    for (const step of steps) {
      killedAt += 3
      expect(await runProgram(saver, [path, String(killedAt), step])).toMatchObject({ signal: 'SIGKILL' })
      const { state, generation, damaged } = await counting().load()
      const reached = step === 'renamed' || step === 'saved' ? killedAt : killedAt - 1
      expect({ length: state?.length, generation, damaged }).toEqual({
        length: reached,
        generation: reached,
        damaged: [],
      })
      expect(state).toEqual(Array.from({ length: reached }, (_, count) => count))
      expect((await readdir(folder.path)).sort()).toEqual(['count.a', 'count.b'])
    }
  })
})
