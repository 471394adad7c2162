/** What the examples show to a reader, each once in a process that must end well and leave nothing behind. */
import { readFile, stat } from 'node:fs/promises'
import { coreCount } from '@repo/common/cores'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { pictures, shownBy } from './shown.ts'

const cores = coreCount()
const costLine = /^COST in threads: .+; the best plain program on one thread takes [\d.]+ m?s/m

describe('a reader is shown', () => {
  it('computing and waiting for 1 to 8 × cores workers', async () => {
    const shown = await shownBy('oversubscribe', '--limit', '20000', '--requests', '2', '--latency', '2')
    for (const workers of [1, 8 * cores]) expect(shown).toMatch(new RegExp(`^ +${workers} +[\\d.]+ [mµ]?s`, 'm'))
    for (const what of ['Computing, by a sieve', 'Waiting, on the event loop']) {
      expect(shown).toMatch(new RegExp(`^${what}: COST in threads: `, 'm'))
    }
    const [picture = ''] = pictures(shown)
    const svg = await readFile(picture, 'utf8')
    expect(svg).toContain(`More workers than the ${cores} cores`)
    expect(svg).toContain('2,262 primes counted')
  })

  it('four pools, and what a fault does to each', async () => {
    const args = ['--tasks', '500', '--calls', '50', '--workers', '1', '--timeout', '300']
    const shown = await shownBy('pool', ...args)
    const errors = [
      ['throws', 'RangeError: a bug in the task'],
      ['exits', 'Error: the worker exited with code 3 during its task'],
      ['hangs', 'TimeoutError: no result within 300 ms: its worker was stopped'],
      ['out of memory', 'Error: the worker ran out of memory, its limit is 32 MB: give it smaller tasks'],
    ]
    for (const pool of ['ours', 'piscina', 'tinypool', 'workerpool']) {
      expect(shown).toMatch(new RegExp(`^ ${pool} +[1-9][\\d,]* +\\d+ µs +\\d+ µs `, 'm'))
      for (const [fault] of errors) expect(shown).toMatch(new RegExp(`^ ${fault} +${pool} +\\d+ of 5 `, 'm'))
    }
    for (const [fault, error] of errors) expect(shown).toMatch(new RegExp(`^ ${fault} +${error} *$`, 'm'))
    // What is not settled may be settled later: the table says for how long it was watched.
    if (/ no | still open /.test(shown)) expect(shown).toMatch(/^"no" and "still open" mean: not within 2\.3 s of/m)
  })

  it('the life of tasks', async () => {
    const shown = await shownBy('futures', '--n', '30')
    expect(shown).toMatch(
      /waited 1 ms for fib\(30\): TimeoutError: no result within 1 ms; the task goes on; it is running$/m,
    )
    expect(shown).toMatch(/all settled: done, done, done$/m)
  })

  it('sorts that agree', async () => {
    const shown = await shownBy('sort', '--numbers', '100003', '--workers', '3')
    expect(shown).toMatch(/^ parallel merge sort +3 /m)
    expect(shown).toMatch(/^ radix sort +1 /m)
    expect(shown).toContain('All results are equal, number by number.')
  })

  it('the whole Mandelbrot set if a reader asks for it', async () => {
    const size = ['--width', '320', '--height', '200', '--iterations', '500']
    const shown = await shownBy('mandelbrot', ...size, '--center', '-0.75,0', '--zoom', '1')
    expect(shown).toMatch(costLine)
    expect(shown).toMatch(/sha256 of the pixels: [0-9a-f]{64}\n/)
    const [picture = ''] = pictures(shown)
    expect((await stat(picture)).size).toBeGreaterThan(1_000)
    expect(decode(await readFile(picture))).toMatchObject({ width: 320, height: 200, channels: 3 })
  })

  it('the same rates of the day in three ways', async () => {
    const shown = await shownBy('currency', '--pairs', '3', '--latency', '5')
    // From the package's usd.json, as published.
    expect(shown).toMatch(/^ USD\/EUR +0\.88022588 $/m)
    expect(shown).toMatch(costLine)
    for (const way of ['one after the other', 'a thread for each pair', 'the event loop alone']) {
      expect(shown).toMatch(new RegExp(`^ ${way} +[\\d.]+ m?s +[\\d.]+× +[\\d.]+ MB`, 'm'))
    }
  })

  it('every way for every k, and Python if it is installed', async () => {
    const shown = await shownBy('fib', '--n', '22', '--python-n', '15')
    expect(shown).toMatch(/^ k +main thread +worker_threads +piscina pool +child processes /m)
    expect(shown).toMatch(new RegExp(`^ +${2 * cores} +[\\d.]+ `, 'm'))
    expect(shown).toMatch(/^Python 3|^python3 was not found/m)
    for (const n of [10, 20, 22, 30]) expect(shown).toMatch(new RegExp(`^ n = ${n} +[\\d.]+ m?s +[\\d.]+ m?s `, 'm'))
    expect(shown).toMatch(costLine)
    const [picture = ''] = pictures(shown)
    expect(await readFile(picture, 'utf8')).toContain('The same computation k times at once')
  })

  it('words, items and who lost what', async () => {
    const args = ['--items', '20000', '--producers', '2', '--consumers', '2', '--capacity', '16']
    const shown = await shownBy('queues', '--kill', ...args)
    // Counted with Python's re in the package's text files.
    expect(shown).toContain('1,789,020 words; the processes counted')
    expect(shown).toMatch(
      /^One more task, which kills, failed: its consumer, process \d+, was ended by SIGKILL\. Another consumer took/m,
    )
    expect(shown).toContain(
      '20,000 items from 2 producers to 2 consumers: 0 lost or doubled, 0 damaged or out of order',
    )
    for (const way of [
      'a queue between two processes',
      'postMessage, an item',
      'postMessage, 256',
      'ring of 16',
      'ring, 2',
      'one thread, no queue',
    ]) {
      expect(shown).toMatch(new RegExp(`^ ${way}.* [1-9][\\d,]* +[\\d.]+× $`, 'm'))
    }
  })

  it('cuts and schedules of the same loop', async () => {
    const shown = await shownBy('chunking', '--limit', '20000', '--tasks', '1000', '--chunk', '100', '--workers', '2')
    for (const tasks of ['1', '2', '4', '8', '16', '32', '100', '320', '1,000']) {
      expect(shown).toMatch(new RegExp(`^ +${tasks} +[\\d,]+ +[\\d.]+ [mµ]?s`, 'm'))
    }
    expect(shown).toMatch(/^ static .* 2 +[\d.]+ % $/m)
    expect(shown).toMatch(/^ dynamic .* 200 +[\d.]+ % $/m)
    expect(shown).toMatch(/^ guided /m)
    expect(shown).toMatch(costLine)
    for (const limit of ['10,000', '100,000', '1,000,000', '10,000,000']) {
      expect(shown).toMatch(new RegExp(`^ +${limit} +[\\d.]+ m?s +[\\d.]+ m?s +[\\d.]+× +(2|not up to 2) +$`, 'm'))
    }
    const [valley = '', schedules = ''] = pictures(shown)
    // π(20,000)
    expect(await readFile(valley, 'utf8')).toContain('2,262 primes below 20,000')
    expect(await readFile(schedules, 'utf8')).toMatch(/^<svg/)
  })
})
