/** Breakpoints: their conditions, their places, and what is left of them. */
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { breakAt } from '../../src/inspect/breakpoint.ts'
import { ConditionError, checkCondition } from '../../src/inspect/condition.ts'
import { inspect } from '../../src/inspect/inspector.ts'
import { Session } from '../../src/inspect/session.ts'
import { startTarget } from './target.ts'

describe('a condition', () => {
  it.each(['order.quantity === 3', 'order.item.startsWith("l") // lamps', '[1, 2].some((n) => n > order.n)', '(a, b)'])(
    'may look: %s',
    (condition) => expect(checkCondition(condition)).toBe(undefined),
  )

  it.each([
    ['order.quantity = 3', /an assignment/],
    ['order.quantity === 3 && (order.seen ||= true)', /an assignment/],
    ['order.quantity++', /an assignment/],
    ['[order].map((each) => { each.n = 1; return true })', /an assignment/],
    ['delete order.id', /delete/],
    ['await order', /./],
    ['import("node:fs")', /an import/],
    ['1) || (1', /not one expression/],
    ['order; true', /./],
    ['order.quantity >', /Unexpected token/],
    ['', /./],
  ])('is refused: %s', (condition, says) => {
    expect(() => checkCondition(condition)).toThrow(ConditionError)
    expect(() => checkCondition(condition)).toThrow(says)
  })
})

const counting = `let done = 0
function work(job) {

  // The line above is blank.
  const twice = 2 * job.n
  done += twice
}
setInterval(() => { work({ n: done % 5 }) }, 5)
`

describe('a breakpoint', () => {
  it('says of a condition that throws what it throws, and lets the process go on', async () => {
    await using target = await startTarget({ 'target.mjs': counting })
    await using inspector = await inspect(target.program, target.lines)
    const place = { file: target.urlOf('target.mjs'), line: 5 }
    const { reached } = await breakAt(inspector, { ...place, condition: 'job.order.id === 1' })
    await expect(reached).rejects.toThrow(/^it throws TypeError: Cannot read properties of undefined/)
    expect(await inspector.evaluate('1 + 1')).toBe(2)
    // The next one stops.
    const second = await breakAt(inspector, { ...place, condition: 'job.n >= 0 // all of them' })
    const stopped = await second.reached
    expect(stopped.variables).toMatchObject({ job: { n: expect.any(Number) } })
    await expect(stopped.evaluate('nothing.here')).rejects.toThrow(/ReferenceError/)
    await second.remove()
    await stopped.resume()
  })

  it('is not set where there is no code, or no such file', async () => {
    await using target = await startTarget({ 'target.mjs': counting })
    await using inspector = await inspect(target.program, target.lines)
    const file = target.urlOf('target.mjs')
    for (const line of [3, 4])
      await expect(breakAt(inspector, { file, line, condition: 'true' })).rejects.toThrow(/no code on line/)
    await expect(breakAt(inspector, { file, line: 99, condition: 'true' })).rejects.toThrow(/no code/)
    const other = target.urlOf('other.mjs')
    await expect(breakAt(inspector, { file: other, line: 1, condition: 'true' })).rejects.toThrow(/no code of .*other/)
  })

  it('of a stopped process is gone with the inspector, and the process goes on', async () => {
    await using target = await startTarget({ 'target.mjs': `${counting}setInterval(() => console.log(done), 10)\n` })
    {
      await using inspector = await inspect(target.program, target.lines)
      const place = { file: target.urlOf('target.mjs'), line: 5 }
      await (await breakAt(inspector, { ...place, condition: 'true' })).reached
    }
    const before = target.lines.length
    while (target.lines.length < before + 5) await delay(10)
  })
})

/** Line 1 comes from line 5 of one source, line 3 from line 11 of another, and the others from none. */
const bundle = `let sum = 0; globalThis.first = (n) => { sum += n }
globalThis.second = (n) => {
  sum -= n
}
setInterval(() => { first(2); second(1) }, 5)
`
const map = { version: 3, sources: ['one.ts', 'two.ts'], sourceRoot: '../src', names: [], mappings: 'AAIA;;ECMA;A' }

describe('a place in the source', () => {
  const inline = `data:application/json;charset=utf-8;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`
  const plain = `data:application/json,${encodeURIComponent(JSON.stringify(map))}`

  it('comes from the source map of a bundle, in the file or beside it', async () => {
    await using target = await startTarget({ 'target.mjs': bundle, 'target.mjs.map': JSON.stringify(map) })
    const url = target.urlOf('target.mjs').href
    const source = (name: string) => new URL(`../src/${name}`, url).href
    for (const sourceMapURL of [inline, plain, 'target.mjs.map', `${url}.map`]) {
      const session = new Session(() => {})
      session.receive(JSON.stringify({ method: 'Debugger.scriptParsed', params: { scriptId: '7', url, sourceMapURL } }))
      expect(session.sourceOf('7', 0, 20)).toEqual({ file: source('one.ts'), line: 5 })
      expect(session.sourceOf('7', 2, 3)).toEqual({ file: source('two.ts'), line: 11 })
      expect(session.sourceOf('7', 1, 3)).toEqual({ file: url, line: 2 })
      expect(session.generatedFrom(source('two.ts'), 11)).toEqual({ scriptId: '7', lineNumber: 2, columnNumber: 2 })
      expect(session.generatedFrom(source('two.ts'), 5)).toBe(undefined)
    }
    for (const sourceMapURL of ['missing.map', 'http://127.0.0.1:1/target.map', 'data:application/json,{', '']) {
      const session = new Session(() => {})
      session.receive(JSON.stringify({ method: 'Debugger.scriptParsed', params: { scriptId: '7', url, sourceMapURL } }))
      expect(session.sourceOf('7', 1, 3), sourceMapURL).toEqual({ file: url, line: 2 })
    }
  })

  it('is where a breakpoint of the source stops the bundle', async () => {
    const code = `${bundle}//# sourceMappingURL=target.mjs.map\n`
    await using target = await startTarget({ 'target.mjs': code, 'target.mjs.map': JSON.stringify(map) })
    await using inspector = await inspect(target.program, target.lines)
    const file = new URL('../src/two.ts', target.urlOf('target.mjs'))
    const { reached, remove } = await breakAt(inspector, { file, line: 11, condition: 'n === 1' })
    const stopped = await reached
    expect(stopped.stack[0]).toMatchObject({ name: 'globalThis.second', file: file.href, line: 11 })
    await remove()
    await stopped.resume()
  })
})
