import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CheckpointFile, checkpointFile, type SaveStep } from '../../src/async/checkpoint.ts'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const steps: SaveStep[] = ['half written', 'written', 'synced', 'renamed', 'saved']
const parse = (value: unknown): object => {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'at')) throw new Error('expected {at}')
  return value
}
const saver = fileURLToPath(new URL('../fixtures/saver.ts', import.meta.url))
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
    await writeFile(newest, Buffer.concat([whole, Buffer.from('\n')]))
    expect((await again().load()).damaged).toEqual([{ file: newest, why: 'its checksum is wrong' }])
    // The next save replaces the damaged file.
    const next = again()
    await next.save({ at: 3 })
    expect(await again().load()).toMatchObject({ state: { at: 3 }, generation: 2, damaged: [] })
  })

  it.runIf(process.platform === 'linux')('falls back where the disk cannot read the newest', async () => {
    for (let at = 1; at <= 2; at++) await file.save({ at })
    await rm(`${path}.b`)
    // Nothing is at its beginning: the read fails as on a damaged disk.
    await symlink('/proc/self/mem', `${path}.b`)
    expect(await file.load()).toMatchObject({
      state: { at: 1 },
      damaged: [{ file: `${path}.b`, why: 'the disk cannot read it (EIO)' }],
    })
    await file.save({ at: 3 })
    expect(await again().load()).toMatchObject({ state: { at: 3 }, damaged: [] })
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

  it.each([
    ['no JSON', '[1]', 'its checksum is right, but its lines are not JSON'],
    ['{"computation":"counting","generation":1,"savedAt":"2026-01-01T00:00:00Z"}', '[1', /not JSON$/],
    ['null', '[1]', /no description/],
    ['{}', '[1]', 'its first line is no description of a state'],
    ['{"computation":"counting","generation":"1","savedAt":"2026-01-01T00:00:00Z"}', '[1]', /no description/],
    ['{"computation":"counting","generation":1,"savedAt":"yesterday"}', '[1]', /no description/],
  ])('treats %s and %s as damaged, even with the right checksum', async (description, state, why) => {
    const lines = `${description}\n${state}\n`
    await writeFile(`${path}.a`, `${lines}${createHash('sha256').update(lines).digest('hex')}\n`)
    const damaged = [{ file: `${path}.a`, why: expect.stringMatching(why) }]
    expect(await file.load()).toMatchObject({ state: undefined, generation: 0, damaged })
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

  it('refuses what could not come back, and keeps what it has', async () => {
    const any = checkpointFile(path, { computation: 'counting', parse: (value) => value })
    await any.save({ at: 1 })
    await any.save({ at: 2 })
    const refused: [state: unknown, why: string][] = [
      [{ best: Infinity, at: 3 }, 'state.best is Infinity and would come back as null'],
      [{ at: [1, [Number.NaN]] }, 'state.at[1][0] is NaN and would come back as null'],
      [undefined, 'state is undefined and would come back as null'],
      [{ at: [undefined] }, 'state.at[0] is undefined and would come back as null'],
      [{ at: new Map([[1, 2]]) }, 'state.at is Map(1) { 1 => 2 } and would come back as {}'],
      [{ at: new Date(0) }, "state.at is 1970-01-01T00:00:00.000Z and would come back as '1970-01-01T00:00:00.000Z'"],
      [{ at: new Float64Array(1) }, "state.at is Float64Array(1) [ 0 ] and would come back as { '0': 0 }"],
      [{ at: () => 1 }, 'state.at is [Function: at] and would come back as undefined'],
      [{ at: 1n }, 'Do not know how to serialize a BigInt'],
    ]
    for (const [state, why] of refused) {
      const error = await any.save(state).catch((error: Error) => error)
      expect(error).toMatchObject({ message: `the state cannot be saved in ${folder.path}`, cause: { message: why } })
      // By a schema that the state violates, too.
      await expect(checkpointFile(path, { computation: 'counting', parse }).save(state as object)).rejects.toThrow()
    }
    expect(await again().load()).toMatchObject({ state: { at: 2 }, generation: 2, damaged: [] })
    expect((await readdir(folder.path)).sort()).toEqual(['count.a', 'count.b'])
  })

  it('refuses a state that its schema shortens', async () => {
    const short = checkpointFile(path, { computation: 'short', parse: (value) => (value as number[]).slice(0, 1) })
    await short.save([1])
    await expect(short.save([1, 2])).rejects.toMatchObject({
      cause: { message: 'state is [ 1, 2 ] and would come back as [ 1 ]' },
    })
  })

  it('refuses a state that its own schema would not accept', async () => {
    await expect(file.save({ text: 'no at' })).rejects.toMatchObject({
      cause: { message: 'not a state of this computation: Error: expected {at}' },
    })
  })

  it('gives back every state that JSON can carry, and what a schema restores', async () => {
    const any = checkpointFile<unknown>(path, { computation: 'any', parse: (value) => value })
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (state) => {
        await any.save(state)
        expect((await checkpointFile(path, { computation: 'any', parse: (value) => value }).load()).state).toEqual(
          state,
        )
      }),
      { numRuns: 15 },
    )
    await any.save({ zero: -0, gone: undefined, list: Object.assign(Object.create(null), { of: 1 }) })
    expect((await any.load()).state).toStrictEqual({ zero: -0, list: { of: 1 } })
    const dates = checkpointFile(join(folder.path, 'dates'), {
      computation: 'dates',
      parse: (value) => new Map((value as [string, string][]).map(([name, at]) => [name, new Date(at)])),
    })
    await expect(dates.save(new Map([['one', new Date(5)]]))).rejects.toThrow('cannot be saved')
    const day = checkpointFile(join(folder.path, 'day'), {
      computation: 'day',
      parse: (value) => ({ at: new Date((value as { at: string }).at) }),
    })
    await day.save({ at: new Date(5) })
    expect((await day.load()).state).toEqual({ at: new Date(5) })
  })

  it('reads a state back from the disk before it replaces an older one', async () => {
    await file.save({ at: 1 })
    await file.save({ at: 2 })
    const losing = checkpointFile<object>(path, {
      computation: 'counting',
      parse,
      // As a disk that loses what was written.
      onStep: async (step) => {
        const unfinished = (await readdir(folder.path)).find((name) => name.endsWith('.tmp'))
        if (step === 'synced' && unfinished) await truncate(join(folder.path, unfinished), 20)
      },
    })
    await expect(losing.save({ at: 3 })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('has another content') },
    })
    expect(await again().load()).toMatchObject({ state: { at: 2 }, generation: 2, damaged: [] })
  })

  it('never goes back to an older generation, with two checkpoints of one path', async () => {
    const [one, other] = [again(), again()]
    await one.load()
    await other.load()
    for (let at = 1; at <= 3; at++) await one.save({ at })
    await other.save({ at: 4 })
    expect(await again().load()).toMatchObject({ state: { at: 4 }, generation: 4 })
    await one.save({ at: 5 })
    await Promise.all(Array.from({ length: 10 }, (_, at) => (at % 2 ? one : other).save({ at: 6 + at })))
    expect(await again().load()).toMatchObject({ state: { at: 15 }, generation: 15, damaged: [] })
    await one.remove()
    await other.save({ at: 1 })
    expect(await one.load()).toMatchObject({ state: { at: 1 }, generation: 1 })
  })

  it('never goes back to an older generation, when another program saves in the middle of a save', async () => {
    let others = 1
    const slow = checkpointFile<number[]>(path, {
      computation: 'counting',
      parse: isCount,
      onStep: (step) => {
        if (step === 'synced' && others-- > 0) spawnSync(process.execPath, [saver, path, '4', 'saved'])
      },
    })
    await slow.save([7])
    expect(await slow.load()).toMatchObject({ state: [7], generation: 5, damaged: [] })
    await rm(`${path}.a`)
    expect(await slow.load()).toMatchObject({ state: [0, 1, 2, 3], generation: 4 })
    expect(await readdir(folder.path)).toEqual(['count.b'])
  })

  it('gives up when other programs save all the time', async () => {
    const crowded = checkpointFile<object>(path, {
      computation: 'counting',
      parse,
      // Another file is another generation.
      onStep: async (step) => step === 'synced' && (await writeFile(`${path}.b`, `${Math.random()}`)),
    })
    await expect(crowded.save({ at: 1 })).rejects.toMatchObject({
      cause: { message: `another program saves at ${path} all the time` },
    })
    expect(await readdir(folder.path)).toEqual(['count.b'])
  })

  it('says what has the name of its file', async () => {
    await mkdir(`${path}.b`)
    const message = `${path}.b is a folder, where the checkpoint needs a file`
    await expect(file.load()).rejects.toThrow(message)
    await expect(file.save({ at: 1 })).rejects.toMatchObject({ cause: { message } })
    expect(await readdir(folder.path)).toEqual(['count.b'])
    await rmdir(`${path}.b`)
    await symlink('/dev/null', `${path}.b`)
    await expect(file.load()).rejects.toThrow(`${path}.b is no file, where the checkpoint needs a file`)
    await rm(`${path}.b`)
    await symlink(`${path}.b`, `${path}.b`)
    await expect(file.load()).rejects.toThrow(`${path}.b is a link that leads to itself, where the checkpoint needs`)
    await expect(file.remove()).rejects.toThrow('is a link that leads to itself')
    await rm(`${path}.b`)
    await mkdir(`${path}.b`)
    await expect(file.remove()).rejects.toThrow(message)
    await rmdir(`${path}.b`)
    await mkdir(`${path}.${hostname()}-${process.pid}-${threadId}.tmp`)
    await expect(file.save({ at: 1 })).rejects.toMatchObject({ cause: { code: 'EISDIR', syscall: 'open' } })
    const nowhere = checkpointFile(join(folder.path, 'no', 'count'), { computation: 'counting', parse })
    await expect(nowhere.load()).rejects.toThrow(`the checkpoint's folder ${join(folder.path, 'no')} cannot be read`)
  })

  it('saves the state as it was at the call', async () => {
    const state = { at: 1 }
    const first = file.save(state)
    state.at = 2
    const second = file.save(state)
    state.at = 3
    await first
    expect(await again().load()).toMatchObject({ state: { at: 1 } })
    await second
    expect(await again().load()).toMatchObject({ state: { at: 2 }, generation: 2 })
  })

  it('is one file, whatever links lead to its folder', async () => {
    const link = join(folder.path, 'link')
    await symlink(folder.path, link)
    const other = checkpointFile(join(link, 'count'), { computation: 'counting', parse })
    await Promise.all(Array.from({ length: 10 }, (_, at) => (at % 2 ? file : other).save({ at })))
    expect(await again().load()).toMatchObject({ state: { at: 9 }, generation: 10, damaged: [] })
  })

  it('may have a schema that fills in what is missing', async () => {
    const filling = checkpointFile<object>(path, {
      computation: 'counting',
      parse: (value) => ({ retries: 3, ...(value as object) }),
    })
    await filling.save({ at: 1 })
    expect((await filling.load()).state).toEqual({ at: 1, retries: 3 })
  })

  it('removes the unfinished files of programs that have ended, and of its own path only', async () => {
    const { pid = 0 } = spawnSync(process.execPath, ['--version'])
    const [ended, other, running] = [
      `count.${hostname()}-${pid}-0.tmp`,
      `other.${hostname()}-${pid}-0.tmp`,
      `count.${hostname()}-${process.pid}-7.tmp`,
    ]
    for (const name of [ended, other, running]) await writeFile(join(folder.path, name), '')
    // No program of ours makes a folder.
    const foreign = `count.${hostname()}-${pid}-1.tmp`
    await mkdir(join(folder.path, foreign))
    await file.load()
    expect((await readdir(folder.path)).sort()).toEqual([foreign, running, other].sort())
  })

  it('never overlaps the saves of one path, and is removed after them', async () => {
    const events: string[] = []
    const onStep = (step: SaveStep) => step !== 'synced' && events.push(step)
    const [one, other] = [1, 2].map(() => checkpointFile<object>(path, { computation: 'counting', parse, onStep }))
    const first = one?.save({ at: 1 })
    const second = other?.save({ at: 2 })
    await first
    await Promise.all([second, one?.save({ at: 3 })])
    expect(events).toEqual([1, 2, 3].flatMap(() => ['half written', 'written', 'renamed', 'saved']))
    const last = one?.save({ at: 4 })
    await other?.remove()
    await last
    expect(await readdir(folder.path)).toEqual([])
    await other?.save({ at: 5 })
    await other?.remove()
    expect(await again().load()).toMatchObject({ state: undefined, generation: 0 })
  })

  describe('on a disk whose every sync is seen', () => {
    /** What happened, in order. A folder's sync fails with `code`. */
    async function watched(code?: string) {
      const events: string[] = []
      await using handle = await open(folder.path)
      const handles = Object.getPrototypeOf(handle) as FileHandle
      const { sync } = handles
      vi.spyOn(handles, 'sync').mockImplementation(async function (this: FileHandle) {
        const isFolder = (await this.stat()).isDirectory()
        events.push(
          isFolder ? 'folder forced to the disk' : `file of ${(await this.stat()).size} bytes forced to the disk`,
        )
        if (isFolder && code) throw Object.assign(new Error(`${code}: fsync`), { code })
        await sync.call(this)
      })
      const checkpoint = checkpointFile<object>(path, {
        computation: 'counting',
        parse,
        onStep: (step) => events.push(step),
      })
      return { checkpoint, events }
    }
    afterEach(() => void vi.restoreAllMocks())

    it('the file is forced to the disk before its renaming, and the folder after it', async () => {
      const { checkpoint, events } = await watched()
      await checkpoint.save({ at: 1 })
      const { size, mode } = await stat(`${path}.a`)
      expect(mode & 0o777).toBe(0o600)
      expect(events).toEqual([
        'half written',
        'written',
        `file of ${size} bytes forced to the disk`,
        'synced',
        'renamed',
        'folder forced to the disk',
        'saved',
      ])
    })

    it.each(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])(
      'a save counts where a folder cannot be forced to the disk: %s',
      async (code) => {
        const { checkpoint, events } = await watched(code)
        for (let at = 1; at <= 3; at++) await checkpoint.save({ at })
        expect(events.filter((event) => event === 'saved')).toHaveLength(3)
        expect(await again().load()).toMatchObject({ state: { at: 3 }, generation: 3 })
        const links = process.platform === 'linux' ? await readdir('/proc/self/fd') : []
        const opened = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
        expect(opened.filter((name) => name.startsWith(folder.path))).toEqual([])
      },
    )

    it('a save fails when the disk does', async () => {
      const { checkpoint } = await watched('EIO')
      await expect(checkpoint.save({ at: 1 })).rejects.toMatchObject({ cause: { code: 'EIO' } })
    })
  })

  it('is whole after SIGKILL at every step of a save, and cleans up after the killed program', async () => {
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
