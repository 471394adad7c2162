/** Handlers that are run for real: what they ask, and how long they wait. */
import { expect, it } from 'vitest'
import { perform } from '../src/perform.ts'
import type { Handler } from '../src/simulator.ts'

it('asks until there is an answer, waits, saves, and returns the result', async () => {
  function* handler(): Handler<string, string, string> {
    const first = yield { do: 'ask', to: 'a', message: 'one', againMs: 40 }
    yield { do: 'wait', ms: 7 }
    yield { do: 'save', key: 'x', value: 1 }
    const second = yield { do: 'ask', to: 'b', message: first, againMs: 40 }
    return `${first} ${second}`
  }
  const done: string[] = []
  let failures = 2
  const result = await perform(handler(), {
    async ask(message, to) {
      done.push(`${to}: ${message}`)
      if (failures-- > 0) throw new Error('the connection is lost')
      return `re ${message}`
    },
    async sleep(ms) {
      done.push(`${ms} ms`)
    },
    async save(key, value) {
      done.push(`${key} = ${value}`)
    },
  })
  expect(done).toEqual(['a: one', '40 ms', 'a: one', '40 ms', 'a: one', '7 ms', 'x = 1', 'b: re one'])
  expect(result).toBe('re one re re one')
})

it('refuses an effect that nobody performs, and ends when sleeping is aborted', async () => {
  function* saving(): Handler<string, string> {
    yield { do: 'save', key: 'x', value: 1 }
  }
  const performer = {
    ask: () => Promise.reject(new Error('nobody answers')),
    sleep: () => Promise.reject(new Error('aborted')),
  }
  await expect(perform(saving(), performer)).rejects.toThrow('received the effect "save"; accepts ask, wait')
  function* asking(): Handler<string, string> {
    yield { do: 'ask', to: 'a', message: 'one', againMs: 1 }
  }
  await expect(perform(asking(), performer)).rejects.toThrow('aborted')
})
