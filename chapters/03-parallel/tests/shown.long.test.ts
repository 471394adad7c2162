/** What the examples show to a reader that keep every core busy for longest. */
import { readFile } from 'node:fs/promises'
import { coreCount } from '@repo/common/cores'
import { describe, expect, it } from 'vitest'
import { pictures, shownBy } from './shown.ts'

const cores = coreCount()

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
})
