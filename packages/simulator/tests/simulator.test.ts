/** The simulator: what it does to messages, nodes and handlers, and that its runs are reproducible. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scenarios } from '../src/search.ts'
import {
  type Effect,
  type Handler,
  historyText,
  type Receive,
  type Running,
  type Scenario,
  type System,
  simulate,
  type World,
} from '../src/simulator.ts'
import { keeper } from './keeper.ts'

const nodes = ['a', 'b'] as const
type Node = (typeof nodes)[number]
type Task = Handler<Node, string>

/** A system of two nodes: each request runs `onRequest` on a, each message `onMessage` where it arrives. */
interface Parts {
  onRequest?: (world: World<Node, string>, request: string) => Task | undefined
  onMessage?: (world: World<Node, string>, message: string, node: Node) => ReturnType<Receive<Node, string>>
  onStart?: (world: World<Node, string>, node: Node, disk: ReadonlyMap<string, unknown>) => void
  back?: (node: Node) => void
  more?: Partial<System<Node, string, string, string>>
}

/** Runs one or more requests in a scenario without jitter; returns the history and what was noted. */
function play(parts: Parts, scenario: Partial<Scenario<string>> = {}) {
  const system: System<Node, string, string, string> = {
    nodes,
    requestEveryMs: 10,
    mostMs: 1_000,
    mostMessages: 100,
    describe: (message) => message,
    begin: (world): Running<Node, string, string, string> => ({
      request(request) {
        const handler = parts.onRequest?.(world, request)
        if (handler) world.run('a', handler)
      },
      start(node, disk) {
        parts.onStart?.(world, node, disk)
        return (message) => parts.onMessage?.(world, message, node)
      },
      ...(parts.back && { back: parts.back }),
      check: () => [],
    }),
    ...parts.more,
  }
  const { history, messages } = simulate(
    system,
    { requests: ['go'], jitter: 0, messages: [], nodes: [], ...scenario },
    { record: true },
  )
  return {
    text: historyText(history, nodes)
      .replaceAll(/ +/g, ' ')
      .split('\n')
      .map((line) => line.trim()),
    messages,
  }
}

const crash = (node: number, atMs: number, ms: number) => ({ node, fate: 'crash', atMs, ms }) as const
const ask = (message = 'hello'): Effect<Node, string> => ({ do: 'ask', to: 'b', message, againMs: 40 })

function* asking(): Task {
  yield ask()
}
const answering = () => 'hi'
const hello: Parts = { onRequest: asking, onMessage: answering }

describe('a history', () => {
  it('is the same, byte for byte, for the same scenario, recorded or not', () => {
    const any = scenarios({
      requests: fc.array(fc.constantFrom('x', 'y'), { maxLength: 5 }),
      nodes: 2,
      messages: 30,
      withinMs: 60,
    })
    fc.assert(
      fc.property(any, fc.boolean(), (scenario, isHasty) => {
        const first = simulate(keeper(isHasty), scenario, { record: true })
        expect(simulate(keeper(isHasty), structuredClone(scenario), { record: true })).toEqual(first)
        expect(simulate(keeper(isHasty), scenario)).toEqual({ ...first, history: [] })
      }),
    )
  })

  it('contains a request and its answer', () => {
    expect(play(hello)).toEqual({ text: ['0 ms a → b hello (at 1 ms)', '1 ms b → a hi (at 2 ms)'], messages: 2 })
  })

  it('as text has its nodes in a column, however long their names are', () => {
    const crashes = ['a', 'longer'].map((node) => ({ kind: 'node' as const, node, text: 'crashes', atMs: 7 }))
    expect(historyText(crashes, ['a', 'longer'])).toBe('    7 ms a        crashes\n    7 ms longer   crashes')
  })
})

describe('a message', () => {
  const fate = (fate: 'lost' | 'doubled' | 'late', number = 1) =>
    play(hello, { messages: [{ number, fate, ms: 30 }] }).text

  it('that is lost is sent again, request and answer alike', () => {
    expect(fate('lost')).toEqual([
      '0 ms a → b hello (lost)',
      '40 ms a → b hello (at 41 ms)',
      '41 ms b → a hi (at 42 ms)',
    ])
    expect(fate('lost', 2)).toContain('1 ms b → a hi (lost)')
    expect(fate('lost', 2)).toContain('40 ms a → b hello (at 41 ms)')
  })

  it('that is duplicated is handled twice and answered twice; the second answer is ignored', () => {
    expect(fate('doubled')).toEqual([
      '0 ms a → b hello (at 1 ms)',
      '0 ms a → b hello (at 31 ms)',
      '1 ms b → a hi (at 2 ms)',
      '31 ms b → a hi (at 32 ms)',
    ])
  })

  it('that is late arrives later', () => {
    expect(fate('late')[0]).toBe('0 ms a → b hello (at 31 ms)')
  })

  it('that expects no answer is not sent again', () => {
    const heard: string[] = []
    const send: Parts = {
      *onRequest() {
        yield { do: 'send', to: 'b', message: 'one' }
        yield { do: 'send', to: 'b', message: 'two' }
      },
      onMessage: (_, message) => void heard.push(message),
    }
    expect(play(send, { messages: [{ number: 1, fate: 'lost', ms: 1 }] }).messages).toBe(2)
    expect(heard).toEqual(['two'])
  })

  it('takes 1 to 8 ms, depending on the jitter', () => {
    const times = Array.from({ length: 200 }, (_, at) => {
      const { history } = simulate(
        keeper(),
        { requests: ['x'], jitter: at + 1, messages: [], nodes: [] },
        { record: true },
      )
      return history.map((line) => (line.kind === 'message' ? line.arrivesMs - line.sentMs : 0))
    })
    expect([...new Set(times.flat())].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })
})

describe('a node', () => {
  it('that crashes stops its handlers for ever, forgets, and receives nothing meanwhile', () => {
    const steps: string[] = []
    const starts: string[] = []
    const parts: Parts = {
      *onRequest() {
        steps.push('asks')
        yield ask()
        steps.push('is answered')
      },
      onMessage: answering,
      onStart: (world, node) => starts.push(`${node} at ${world.now}`),
    }
    const { text } = play(parts, { nodes: [crash(0, 1, 50)] })
    expect(text).toEqual(['0 ms a → b hello (at 1 ms)', '1 ms a crashes for 50 ms', '1 ms b → a hi (a is down)'])
    expect(steps).toEqual(['asks'])
    expect(starts).toEqual(['a at 0', 'b at 0', 'a at 51'])
  })

  it('is asked again while it is down', () => {
    expect(play(hello, { nodes: [crash(1, 0, 30)] }).text).toEqual([
      '0 ms b crashes for 30 ms',
      '0 ms a → b hello (b is down)',
      '40 ms a → b hello (at 41 ms)',
      '41 ms b → a hi (at 42 ms)',
    ])
  })

  it('starts once after overlapping crashes, whichever ends first; clients are told of each end', () => {
    const starts: number[] = []
    const backs: string[] = []
    const parts: Parts = {
      onStart: (world, node) => void (node === 'a' && starts.push(world.now)),
      back: (node) => backs.push(node),
    }
    play(parts, { nodes: [crash(0, 1, 100), crash(0, 11, 10)] })
    expect([starts, backs]).toEqual([
      [0, 21],
      ['a', 'a'],
    ])
    starts.length = 0
    play(parts, { nodes: [crash(0, 1, 10), crash(0, 6, 100)] })
    expect(starts).toEqual([0, 106])
  })

  it('that has just come back starts before it handles a message', () => {
    const seen: string[] = []
    const parts: Parts = {
      ...hello,
      onStart: (world, node) => seen.push(`${node} starts at ${world.now}`),
      onMessage(world, _, node) {
        seen.push(`${node} answers at ${world.now}`)
        return 'hi'
      },
    }
    // The message is sent before the crash, and arrives when it ends.
    play(parts, { messages: [{ number: 1, fate: 'late', ms: 19 }], nodes: [crash(1, 5, 15)] })
    expect(seen).toEqual(['a starts at 0', 'b starts at 0', 'b starts at 20', 'b answers at 20'])
  })

  it('finds on its disk a copy of what it had saved before the crash', () => {
    const found: unknown[] = []
    const value = { votes: ['a'] }
    const parts: Parts = {
      *onRequest() {
        yield { do: 'save', key: 'term 1', value }
        // A change in memory does not reach the disk.
        value.votes.push('b')
        yield { do: 'save', key: 'term 2', value: 2 }
      },
      onStart(_, node, disk) {
        if (node === 'a') found.push(structuredClone([...disk]))
        for (const kept of disk.values()) (kept as typeof value).votes?.push('c')
      },
    }
    // The second save would end at 2 ms.
    play(parts, { nodes: [crash(0, 2, 10), crash(0, 50, 10)] })
    const kept = [['term 1', { votes: ['a'] }]]
    expect(found).toEqual([[], kept, kept])
  })

  it('that is cut off sends and receives nothing, but keeps running', () => {
    expect(play(hello, { nodes: [{ node: 1, fate: 'partition', atMs: 0, ms: 20 }] }).text).toEqual([
      '0 ms b is cut off for 20 ms',
      '0 ms a → b hello (cut off)',
      '40 ms a → b hello (at 41 ms)',
      '41 ms b → a hi (at 42 ms)',
    ])
  })

  it('has a clock that may be wrong once it is set', () => {
    const told: number[] = []
    const parts: Parts = {
      onRequest(world) {
        told.push(world.clock('a'), world.clock('b'), world.now)
        return undefined
      },
    }
    play(parts, { requests: ['1', '2'], nodes: [{ node: 0, fate: 'clock', atMs: 5, ms: -100 }] })
    expect(told).toEqual([0, 0, 0, -90, 10, 10])
  })
})

describe('a fault of a node', () => {
  type Fate = 'deaf' | 'mute' | 'slow disk' | 'pause' | 'drift' | 'power cut'
  const strike = (fate: Fate, node: number, ms: number, atMs = 0) => ({ node, fate, atMs, ms }) as const

  it('lets it send and not receive, or receive and not send', () => {
    // The answer to the first message is lost on its way to a; what a sends arrives.
    expect(play(hello, { nodes: [strike('deaf', 0, 20)] }).text).toEqual([
      '0 ms a receives nothing for 20 ms',
      '0 ms a → b hello (at 1 ms)',
      '1 ms b → a hi (cut off)',
      '40 ms a → b hello (at 41 ms)',
      '41 ms b → a hi (at 42 ms)',
    ])
    expect(play(hello, { nodes: [strike('mute', 0, 20)] }).text).toEqual([
      '0 ms a sends nothing for 20 ms',
      '0 ms a → b hello (cut off)',
      '40 ms a → b hello (at 41 ms)',
      '41 ms b → a hi (at 42 ms)',
    ])
    expect(play(hello, { nodes: [strike('mute', 1, 20)] }).text).toContain('1 ms b → a hi (cut off)')
    expect(play(hello, { nodes: [strike('deaf', 1, 20)] }).text).toContain('0 ms a → b hello (cut off)')
  })

  it('makes its disk slow for a while, and saves still end in order', () => {
    const saved: string[] = []
    const parts: Parts = {
      *onRequest(world, name) {
        yield { do: 'save', key: 'last', value: name }
        saved.push(`${name} at ${world.now}`)
      },
    }
    play(parts, { requests: ['one', 'two', 'three', 'four'], nodes: [strike('slow disk', 0, 5, 8)] })
    expect(saved).toEqual(['one at 1', 'two at 30', 'three at 30', 'four at 31'])
    saved.length = 0
    // At the moment when the time is up, it is as fast as before.
    play(parts, { requests: ['one', 'two'], nodes: [strike('slow disk', 0, 2, 8)] })
    expect(saved).toEqual(['one at 1', 'two at 11'])
  })

  it('pauses it: what happens meanwhile is handled afterwards, and its clock goes on', () => {
    const told: string[] = []
    const parts: Parts = {
      ...hello,
      *onRequest(world) {
        world.later('a', 5, () => void told.push(`timer at ${world.now}`))
        yield { do: 'ask', to: 'b', message: 'hello', againMs: 40 }
        told.push(`answer at ${world.now}, ${world.clock('a')} by its clock`)
        yield { do: 'wait', ms: 10 }
        told.push(`waited until ${world.now}`)
      },
    }
    // Nor does a paused node ask again.
    expect(play(parts, { nodes: [strike('pause', 0, 60, 1)] }).text).toEqual([
      '0 ms a → b hello (at 1 ms)',
      '1 ms a is paused for 60 ms',
      '1 ms b → a hi (at 2 ms)',
    ])
    expect(told).toEqual(['answer at 61, 61 by its clock', 'timer at 61', 'waited until 71'])
    expect(play(hello, { nodes: [strike('pause', 1, 50)] }).text).toEqual([
      '0 ms b is paused for 50 ms',
      '0 ms a → b hello (at 1 ms)',
      '40 ms a → b hello (at 41 ms)',
      '50 ms b → a hi (at 51 ms)',
      '50 ms b → a hi (at 51 ms)',
    ])
    expect(play(hello, { nodes: [strike('pause', 0, 50)] }).text).toEqual([
      '0 ms a is paused for 50 ms',
      '50 ms a → b hello (at 51 ms)',
      '51 ms b → a hi (at 52 ms)',
    ])
    // A crash ends the pause.
    expect(play(hello, { nodes: [strike('pause', 1, 50), crash(1, 5, 10)] }).text).toContain(
      '41 ms b → a hi (at 42 ms)',
    )
  })

  it('lets its clock gain or lose from then on', () => {
    const told: number[] = []
    const parts: Parts = {
      onRequest(world) {
        told.push(world.clock('a') - world.now)
        return undefined
      },
    }
    const requests = ['1', '2', '3', '4']
    play(parts, { requests, nodes: [strike('drift', 0, 500, 10), { node: 0, fate: 'clock', atMs: 25, ms: -7 }] })
    expect(told).toEqual([0, 0, 5, 3])
    told.length = 0
    play(parts, { requests, nodes: [strike('drift', 0, -500, 10), strike('drift', 0, 0, 20)] })
    expect(told).toEqual([0, 0, -5, -5])
  })

  it('takes what was only in the cache of its disk, if it is a power cut and not a crash', () => {
    const found: unknown[] = []
    const value = { votes: ['a'] }
    const parts: Parts = {
      *onRequest() {
        yield { do: 'cache', key: 'one', value }
        value.votes.push('b')
        yield { do: 'save', key: 'two', value: 2 }
        yield { do: 'cache', key: 'three', value: 3 }
      },
      onStart(_, node, disk) {
        if (node === 'a') found.push(Object.fromEntries(disk))
      },
    }
    // A save also forces to the disk what was in the cache before.
    const forced = { one: { votes: ['a'] }, two: 2 }
    play(parts, { nodes: [crash(0, 5, 10)] })
    expect(found).toEqual([{}, { ...forced, three: 3 }])
    found.length = 0
    value.votes.length = 1
    play(parts, { nodes: [strike('power cut', 0, 10, 5)] })
    expect(found).toEqual([{}, forced])
    found.length = 0
    play(parts, { nodes: [strike('power cut', 0, 10, 0)] })
    expect(found).toEqual([{}, {}])
  })

  it.each([1, 2, 3, 4])('crashes it after its effect %i, which is performed', (effects) => {
    const steps: string[] = []
    const parts: Parts = {
      *onRequest() {
        steps.push('begins')
        yield { do: 'send', to: 'b', message: 'one' }
        steps.push('has sent')
        yield { do: 'cache', key: 'x', value: 1 }
        steps.push('has cached')
        yield ask()
        steps.push('has asked')
        yield { do: 'save', key: 'y', value: 1 }
        steps.push('has saved')
      },
      onMessage: answering,
    }
    const { text } = play(parts, { nodes: [{ node: 0, fate: 'crash after', effects, ms: 10 }] })
    expect(steps).toEqual(['begins', 'has sent', 'has cached', 'has asked'].slice(0, effects))
    expect(text).toContain(`${effects === 4 ? 2 : 0} ms a crashes after effect ${effects} for 10 ms`)
    expect(text[0]).toBe('0 ms a → b one (at 1 ms)')
  })

  it('crashes it after an effect with which it starts, and then starts it once more', () => {
    const steps: string[] = []
    function* beginning(): Task {
      steps.push('begins')
      yield { do: 'send', to: 'b', message: 'one' }
      steps.push('has sent')
    }
    const onStart: Parts['onStart'] = (world, node) => {
      if (node === 'a') world.run('a', beginning())
    }
    const { text } = play({ onStart }, { requests: [], nodes: [{ node: 0, fate: 'crash after', effects: 1, ms: 10 }] })
    expect(steps).toEqual(['begins', 'begins', 'has sent'])
    expect(text).toEqual([
      '0 ms a → b one (at 1 ms)',
      '0 ms a crashes after effect 1 for 10 ms',
      '10 ms a → b one (at 11 ms)',
    ])
  })
})

describe('paces', () => {
  /** Breaks only if one message from a is later than a whole conversation of b and c. */
  const race: System<'a' | 'b' | 'c', string, string, string> = {
    nodes: ['a', 'b', 'c'],
    requestEveryMs: 1,
    mostMs: 1_000,
    mostMessages: 100,
    describe: (message) => message,
    begin(world) {
      const heard: string[] = []
      return {
        request() {
          world.run('a', send('c', 'first'))
          world.run('b', talk())
        },
        start: (node) => (message) => {
          if (message === 'question') return 'answer'
          if (node === 'c') heard.push(message)
          return undefined
        },
        check: () => (heard[0] === 'last' ? ['the last was first'] : []),
      }
      function* send(to: 'c', message: string): Handler<'a' | 'b' | 'c', string> {
        yield { do: 'send', to, message }
      }
      function* talk(): Handler<'a' | 'b' | 'c', string> {
        for (let times = 0; times < 3; times++) yield { do: 'ask', to: 'c', message: 'question', againMs: 100 }
        yield { do: 'send', to: 'c', message: 'last' }
      }
    },
  }
  const found = (paces: (at: number) => number) =>
    Array.from({ length: 2_000 }, (_, at) => ({
      requests: [''],
      jitter: at + 1,
      paces: paces(at),
      messages: [],
      nodes: [],
    })).filter((scenario) => simulate(race, scenario).violations.length > 0).length

  it('find what jitter alone does not: one message that is later than seven others in turn', () => {
    const [even, uneven] = [found(() => 0), found((at) => at + 1)]
    expect(uneven).toBeGreaterThan(20)
    expect(uneven).toBeGreaterThan(10 * even)
  })

  it('last: messages that go the same way take equally long, until two ways become slow', () => {
    const many: Parts = {
      *onRequest() {
        for (let times = 0; times < 70; times++) yield { do: 'send', to: 'b', message: String(times) }
      },
    }
    const times = Array.from({ length: 20 }, (_, at) =>
      play(many, { paces: at + 1 }).text.map((line) => Number(/at (\d+)/.exec(line)?.[1])),
    )
    for (const each of times) {
      const kinds = new Set(each)
      expect(kinds.size).toBeLessThanOrEqual(2)
      expect(each.toSorted((a, b) => a - b)).toEqual(each)
      expect(each.at(-1)).toBe(25)
    }
    expect(times.map(([first]) => first)).toEqual(expect.arrayContaining([1, 2, 3, 5, 9]))
    expect(times.some((each) => new Set(each).size === 2)).toBe(true)
  })
})

describe('a handler', () => {
  it('waits until a condition holds or its time is up', () => {
    const ends: string[] = []
    let votes = 0
    const parts: Parts = {
      *onRequest(world) {
        yield { do: 'send', to: 'b', message: 'vote' }
        yield { do: 'send', to: 'b', message: 'vote' }
        yield { do: 'wait', ms: 100, until: () => votes === 2 }
        ends.push(`${votes} votes at ${world.now}`)
        yield { do: 'wait', ms: 100, until: () => votes === 3 }
        ends.push(`${votes} votes at ${world.now}`)
      },
      *onMessage(_, message, node): Task {
        if (node === 'a') votes++
        else yield { do: 'send', to: 'a', message }
      },
    }
    play(parts, { messages: [{ number: 2, fate: 'late', ms: 20 }] })
    expect(ends).toEqual(['2 votes at 22', '2 votes at 122'])
  })

  it('does not continue when another has made its condition false again', () => {
    const holders: string[] = []
    let isFree = false
    const parts: Parts = {
      *onRequest(world, name) {
        yield { do: 'wait', ms: 500, until: () => isFree }
        if (!isFree) return
        isFree = false
        holders.push(`${name} at ${world.now}`)
      },
      onMessage: () => {
        isFree = true
        return undefined
      },
    }
    const freed = (world: World<Node, string>, node: Node) => {
      if (node !== 'b') return
      for (const ms of [50, 60])
        world.later('b', ms, function* free(): Task {
          yield { do: 'send', to: 'a', message: 'free' }
        })
    }
    play({ ...parts, onStart: freed }, { requests: ['first', 'second'] })
    expect(holders).toEqual(['first at 51', 'second at 61'])
  })

  it('is not woken by the condition of a wait whose time is up', () => {
    const answers: unknown[] = []
    let isFree = false
    const parts: Parts = {
      *onRequest(_, name) {
        if (name === 'second') isFree = true
        else {
          yield { do: 'wait', ms: 9, until: () => isFree }
          // The second request comes before the answer does.
          answers.push(yield { do: 'ask', to: 'b', message: 'question', againMs: 100 })
        }
      },
      *onMessage(): Handler<Node, string, string> {
        yield { do: 'wait', ms: 1 }
        return 'answer'
      },
    }
    play(parts, { requests: ['first', 'second'] })
    expect(answers).toEqual(['answer'])
  })

  it('may mark a moment: faults follow the mark with their number, on whatever node it was', () => {
    const { text } = play(
      {
        onRequest: (world, request) => {
          world.mark(request === 'b' ? 'b' : 'a')
          return undefined
        },
      },
      {
        requests: ['b', 'a', 'b'],
        marks: [
          { number: 1, fate: 'crash', afterMs: 3, ms: 7 },
          { number: 3, fate: 'mute', afterMs: 0, ms: 5 },
          { number: 4, fate: 'crash', afterMs: 0, ms: 9 },
        ],
      },
    )
    expect(text).toEqual(['3 ms b crashes for 7 ms', '20 ms b sends nothing for 5 ms'])
  })

  it('that is scheduled for later waits for its node, whatever has crashed', () => {
    const ran: number[] = []
    const parts: Parts = {
      onRequest(world) {
        world.later('b', 20, () => void ran.push(world.now))
        return undefined
      },
    }
    play(parts, { nodes: [crash(0, 5, 100), crash(1, 10, 40)] })
    expect(ran).toEqual([50])
  })

  it('gets the same random numbers in each run of a scenario, and different ones in another scenario', () => {
    const draw = (jitter: number) => {
      const numbers: number[] = []
      const parts: Parts = {
        onRequest(world) {
          numbers.push(world.random(), world.random())
          return undefined
        },
      }
      play(parts, { jitter })
      return numbers
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(8)).not.toEqual(draw(7))
    expect(new Set(draw(0)).size).toBe(2)
  })
})

describe('a run', () => {
  const endless: Parts = {
    *onRequest() {
      for (;;) yield ask()
    },
    onMessage: answering,
  }

  it('ends at its last message or its last moment, or when the system stops it', () => {
    expect(play(endless).messages).toBe(101)
    expect(play({ ...endless, more: { mostMs: 21 } }).messages).toBe(22)
    const stopped: Parts = {
      ...endless,
      onMessage(world) {
        world.stop()
        return answering()
      },
    }
    expect(play(stopped).text).toEqual(['0 ms a → b hello (at 1 ms)', '1 ms b → a hi (at 2 ms)'])
  })

  it('ends with the first violation that is reported, and is not checked then', () => {
    const checks: string[] = []
    const system = (reports: boolean): System<Node, string, string, string> => ({
      nodes,
      describe: (message) => message,
      begin: (world) => ({
        request(request) {
          world.run('a', asking())
          if (reports) for (const each of ['first', 'second']) world.report(`${each} of ${request}`)
        },
        start: () => answering,
        check() {
          checks.push('checked')
          return ['at the end']
        },
      }),
    })
    const scenario = { requests: ['one', 'two'], jitter: 0, messages: [], nodes: [] }
    expect(simulate(system(true), scenario)).toMatchObject({ violations: ['first of one'], messages: 1 })
    expect(checks).toEqual([])
    expect(simulate(system(false), scenario)).toMatchObject({ violations: ['at the end'], messages: 4 })
    expect(checks).toEqual(['checked'])
  })

  it('names the nodes when a message is addressed to none of them', () => {
    const lost: Parts = {
      *onRequest() {
        yield { do: 'send', to: 'c' as Node, message: 'hello' }
      },
    }
    expect(() => play(lost)).toThrow('no node "c"; the nodes are a, b')
  })
})
