/** The picture of a history. */
import { expect, it } from 'vitest'
import { drawSequence } from '../src/sequence-picture.ts'
import { simulate } from '../src/simulator.ts'
import { keeper } from './keeper.ts'

it('has a column for each node, text for each message and fault, and a cross where a message is lost', () => {
  const { history } = simulate(
    keeper(true),
    {
      requests: ['x'],
      jitter: 0,
      messages: [{ number: 2, fate: 'lost', ms: 1 }],
      nodes: [{ node: 0, fate: 'crash', atMs: 20, ms: 5 }],
    },
    { record: true },
  )
  const svg = drawSequence(history, { columns: ['client', 'server'], title: 'Kept <and> lost', subtitle: 'once' })
  for (const text of ['client', 'server', 'keep x', 'kept (lost)', 'crashes for 5 ms', 'Kept &lt;and&gt; lost', '✕'])
    expect(svg).toContain(text)
  expect(svg.match(/>✕</g)).toHaveLength(1)
})
