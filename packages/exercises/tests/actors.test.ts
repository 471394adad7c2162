import { describe, expect, it } from 'vitest'
import { type Ended, type Play, type Stage, underEverySchedule } from '../src/actors.ts'

/** Returns what is wrong under some schedule, and what the history says. */
async function play(begin: (stage: Stage) => Play) {
  const fault = await underEverySchedule(begin)
  return fault && { says: fault.says, history: fault.history?.map(({ who, what }) => `${who} ${what}`) }
}

/** Plays one program in the usual order, and returns what became of it. */
async function usual(begin: (stage: Stage) => Omit<Play, 'check'>): Promise<Ended> {
  let seen: Ended | undefined
  await underEverySchedule(
    (stage) => ({
      ...begin(stage),
      check(ended) {
        seen ??= { ...ended, history: [...ended.history] }
        return undefined
      },
    }),
    { mostDeviations: 0 },
  )
  return seen as Ended
}

describe('two actors', () => {
  /** Each adds 1 to a counter. */
  const counting = (stage: Stage, inOneStep: boolean): Play => {
    let counter = 0
    const add = async () => {
      if (inOneStep) return await stage.step('adds 1', () => ++counter)
      const found = await stage.step(
        (result) => `reads ${result}`,
        () => counter,
      )
      return await stage.step(`writes ${found + 1}`, () => {
        counter = found + 1
      })
    }
    return {
      actors: { a: add, b: add },
      check: () => (counter === 2 ? undefined : { says: `the counter is ${counter}` }),
    }
  }

  it('lose an update when they look and write in two steps: the shortest history shows it', async () => {
    expect(await play((stage) => counting(stage, false))).toEqual({
      says: 'the counter is 1',
      history: ['a reads 0', 'b reads 0', 'b writes 1', 'a writes 1'],
    })
  })

  it('lose none when it is one step', async () => {
    expect(await play((stage) => counting(stage, true))).toBeUndefined()
  })
})

describe('an actor', () => {
  it('is killed between any two steps, and a successor begins', async () => {
    const seen = new Set<string>()
    await underEverySchedule((stage) => {
      const done: string[] = []
      const work = (name: string) => async () => {
        for (const step of ['first', 'second']) await stage.step(step, () => done.push(`${name} ${step}`))
        return name
      }
      return {
        actors: { a: work('a') },
        mortal: ['a'],
        successor: (killed) => work(`after ${killed}`),
        check({ killed, returned }) {
          seen.add(`${done.join(', ')}; killed: ${killed}; returned: ${[...returned.keys()]}`)
          return undefined
        },
      }
    })
    expect([...seen].sort()).toEqual([
      'a first, a second; killed: ; returned: a',
      'a first, after a first, after a second; killed: a; returned: a′',
      'after a first, after a second; killed: a; returned: a′',
    ])
  })

  it('does nothing more when it was killed', async () => {
    const faults = await underEverySchedule((stage) => {
      let isDead = false
      return {
        actors: {
          async a() {
            await stage.step('one', () => {})
            await stage.step('two', () => {
              if (isDead) throw new Error('a dead actor acts')
            })
          },
          async b() {
            await stage.step('looks', () => {})
          },
        },
        mortal: ['a'],
        check({ killed, stuck, returned }) {
          isDead = killed.length > 0
          const ends = isDead ? !returned.has('a') && stuck.length === 0 : returned.has('a')
          return ends ? undefined : { says: 'it came back' }
        },
      }
    })
    expect(faults).toBeUndefined()
  })

  it('waits in virtual time, and others act meanwhile or not', async () => {
    const orders = new Set<string>()
    await underEverySchedule((stage) => {
      const seen: string[] = []
      return {
        actors: {
          async a() {
            await stage.sleep(3_600_000)
            seen.push(`a at ${stage.now}`)
          },
          async b() {
            await stage.step('acts', () => seen.push(`b at ${stage.now}`))
          },
        },
        check({ now }) {
          expect(now).toBe(3_600_000)
          orders.add(seen.join(', '))
          return undefined
        },
      }
    })
    expect([...orders].sort()).toEqual(['a at 3600000, b at 3600000', 'b at 0, a at 3600000'])
  })

  it('wakes up early when its signal is aborted', async () => {
    const { threw, now } = await usual((stage) => {
      const controller = new AbortController()
      return {
        mayThrow: true,
        actors: {
          sleeper: async () => await stage.sleep(1_000, { signal: controller.signal }),
          late: async () => {
            await stage.step('aborts', () => controller.abort(new Error('enough')))
            await stage.sleep(1, { signal: controller.signal })
          },
        },
      }
    })
    expect([...threw].map(([who, error]) => `${who}: ${(error as Error).message}`).sort()).toEqual([
      'late: enough',
      'sleeper: enough',
    ])
    expect(now).toBe(0)
  })

  it('is stuck when nothing can wake it', async () => {
    const { stuck, returned } = await usual((stage) => ({
      actors: {
        waits: async () => await new Promise(() => {}),
        works: async () => await stage.step('works', () => 7),
      },
    }))
    expect(stuck).toEqual(['waits'])
    expect([...returned]).toEqual([['works', 7]])
  })

  it('must await its operations', async () => {
    const careless = (maySkipAwait: boolean) => (stage: Stage) => ({
      maySkipAwait,
      actors: {
        async a() {
          await stage.step('reads', () => {})
          void stage.step('writes', () => {})
        },
      },
      check: () => undefined,
    })
    expect(await play(careless(false))).toEqual({
      says: 'a returned before its operation was done: an await is missing.',
      history: ['a reads', 'a writes'],
    })
    expect(await play(careless(true))).toBeUndefined()
  })

  it('gives its parts names of their own, which it need not await', async () => {
    const { history, returned } = await usual((stage) => ({
      actors: {
        async group() {
          const part = async (who: string) => {
            await stage.sleep(10, { who })
            return await stage.step('works', () => who, { who })
          }
          void part('a')
          return await part('b')
        },
      },
    }))
    expect(returned.get('group')).toBe('b')
    expect(history.map(({ who, what }) => `${who} ${what}`)).toEqual([
      'a has waited 10 ms',
      'a works',
      'b has waited 10 ms',
      'b works',
    ])
  })

  it('may throw only if the play says so', async () => {
    const throwing = (mayThrow: boolean) => (stage: Stage) => ({
      mayThrow,
      actors: {
        async a() {
          await stage.step('reads', () => {
            throw new Error('no such file')
          })
        },
      },
      check: ({ threw }: Ended) => (threw.has('a') ? undefined : { says: 'it did not throw' }),
    })
    expect(await play(throwing(false))).toEqual({ says: 'a throws: no such file', history: ['a reads fails'] })
    expect(await play(throwing(true))).toBeUndefined()
  })

  it('does not act for ever', async () => {
    const fault = await play((stage) => ({
      actors: {
        async a() {
          for (;;) await stage.step('polls', () => {})
        },
      },
      check: () => undefined,
    }))
    expect(fault?.says).toBe('After 400 operations it has still not ended: an endless loop.')
    expect(fault?.history).toHaveLength(4)
  })
})
