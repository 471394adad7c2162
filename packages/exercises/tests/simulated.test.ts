import { scenarios } from '@repo/simulator/search'
import type { Handler, System } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { effects, underFaults } from '../src/simulated.ts'

type Node = 'server' | 'client'
type Message = { say: 'add' | 'added' }
const { ask, save } = effects<Node, Message>()

/** A server that counts what clients add, on its disk or only in its memory. */
function counter(isSaved: boolean): System<Node, number, Message, string> {
  return {
    nodes: ['server', 'client'],
    requestEveryMs: 5,
    mostMs: 5_000,
    mostMessages: 500,
    describe: ({ say }) => say,
    begin(world) {
      let told = 0
      let count = 0
      function* adding(): Handler<Node, Message> {
        yield ask('server', { say: 'add' })
        told++
      }
      return {
        request: () => world.run('client', adding()),
        start(node, disk) {
          if (node === 'server') count = Number(disk.get('count') ?? 0)
          return function* (): Handler<Node, Message, Message> {
            count++
            if (isSaved) yield save('count', count)
            return { say: 'added' }
          }
        },
        check: () => (count < told ? [`${told} were added, ${count} are there`] : []),
      }
    },
  }
}

const settings = {
  scenarios: scenarios({
    requests: fc.array(fc.constant(1), { minLength: 1, maxLength: 4 }),
    nodes: 1,
    messages: 20,
    withinMs: 40,
  }),
  histories: 2_000,
}

it('finds the shortest history that breaks a system', async () => {
  const fault = await underFaults(counter(false), settings, (says) => ({ says }))
  expect(fault?.says).toBe('1 were added, 0 are there')
  expect(fault?.history?.map(({ who, to }) => (to ? `${who} → ${to}` : who))).toEqual([
    'client → server',
    'server → client',
    'server',
  ])
  expect(fault?.history?.[0]).toMatchObject({ who: 'client', to: 'server', what: 'add' })
})

it('finds nothing in a system that holds', async () => {
  expect(await underFaults(counter(true), settings, (says) => ({ says }))).toBeUndefined()
})
