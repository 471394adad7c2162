import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ask } from '../../src/process/ask.ts'
import { startProgram } from '../../src/process/child.ts'

const program = fileURLToPath(new URL('../fixtures/child.ts', import.meta.url))

describe('ask', () => {
  it('returns the answers in order, and leaves no listener', async () => {
    await using child = await startProgram(program, { args: ['echo'] })
    const listeners = child.process.listenerCount('message')
    for (const question of ['one', 'two']) expect(await ask(child, question)).toEqual({ echo: question })
    expect(child.process.listenerCount('message')).toBe(listeners)
  })

  it('says how a program ended before it answered', async () => {
    await using child = await startProgram(program, { args: ['stubborn'], stopTimeoutMs: 100 })
    const answer = ask(child, 'anybody there?')
    child.process.kill('SIGKILL')
    await expect(answer).rejects.toThrow('a program ended by SIGKILL before it answered')
    await expect(ask(child, 'still?')).rejects.toThrow('before it answered')
  })

  it('gives up with the reason of its signal', async () => {
    await using child = await startProgram(program, { args: ['stubborn'], stopTimeoutMs: 100 })
    const stopping = new AbortController()
    const answer = ask(child, 'anybody there?', stopping.signal)
    stopping.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
    await expect(ask(child, 'again?', stopping.signal)).rejects.toThrow('enough')
  })
})
