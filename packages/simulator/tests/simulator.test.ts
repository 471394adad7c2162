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

  it('names the nodes when a message is addressed to none of them', () => {
    const lost: Parts = {
      *onRequest() {
        yield { do: 'send', to: 'c' as Node, message: 'hello' }
      },
    }
    expect(() => play(lost)).toThrow('no node "c"; the nodes are a, b')
  })
})
