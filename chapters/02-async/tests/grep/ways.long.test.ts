import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { expect, it } from 'vitest'
import { searchFor } from '../../src/grep/pattern.ts'
import { startWay } from '../../src/grep/processes.ts'
import { type WayName, ways } from '../../src/grep/ways.ts'
import { everyWayCountsAsGrep, gnuGrep } from './gnu-grep.ts'

const names = Object.keys(ways) as WayName[]

describeReal('the real grep', gnuGrep, () => {
  it.each([
    ['freedom', false],
    ['the', false],
    ['\\bwar\\b', true],
    ['[A-Z][a-z]+ [A-Z][a-z]+', false],
    ['(war|warfare|peace)s?', false],
    ['Congress.{0,20}peace', false],
    ['nosuchword', false],
  ])('counts %j (ignoring the case: %j) in all addresses as every way does', everyWayCountsAsGrep)
})

it('stays below 150 MB in every way on a text of 100 MB, with short lines and with the longest allowed', async () => {
  await using folder = await temporaryFolder()
  const texts = Buffer.concat(stateOfTheUnionFiles().map((file) => readFileSync(file)))
  const short = Buffer.from(texts.toString().replaceAll('. ', '.\n'))
  const long = Buffer.concat([Buffer.from(texts.toString().replaceAll('\n', ' ').slice(0, 500_000)), Buffer.from('\n')])
  for (const [name, block] of Object.entries({ short, long })) {
    const file = join(folder.path, name)
    await writeFile(file, Buffer.concat(new Array(Math.ceil(100e6 / block.length)).fill(block)))
    for (const way of names) {
      await using process = await startWay(way)
      // Only the last way does something else for each of these patterns. Alone, the process needs some 60 MB.
      const patterns = ['free(dom|ly).', ...(way === 'bytes, not decoded' ? ['freedom', 'free(dom|ly)'] : [])]
      for (const pattern of patterns) {
        const { peakRssMb } = await process.search(searchFor(pattern), [file])
        expect(peakRssMb, `${way}, ${name} lines, ${pattern}`).toBeLessThan(150)
      }
    }
  }
})
