import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { mobyDick, readTextFiles, stateOfTheUnion, stateOfTheUnionFiles } from '../../src/workloads/texts.ts'

describe('the State of the Union', () => {
  const addresses = stateOfTheUnion()

  it('has 233 addresses from 1790 to 2021, in order of year', () => {
    const years = addresses.map(({ year }) => year)
    expect(years).toHaveLength(233)
    expect([years[0], years.at(-1)]).toEqual([1790, 2021])
    expect(years).toEqual(years.toSorted((a, b) => a - b))
  })

  it('has the text of each president', () => {
    const lincoln = addresses.find(({ year }) => year === 1862)
    expect(lincoln?.name).toBe('Abraham Lincoln')
    expect(lincoln?.text).toContain('the last best hope of earth')
  })

  it('has as many files', () => {
    expect(stateOfTheUnionFiles()).toHaveLength(233)
  })
})

describe('Moby-Dick', () => {
  it('has 135 chapters between extracts and epilogue', () => {
    const chapters = mobyDick()
    expect(chapters.map(({ chapter }) => chapter)).toEqual([
      'Etymology',
      'Extracts',
      ...Array.from({ length: 135 }, (_, at) => String(at + 1)),
      'Epilogue',
    ])
    expect(chapters[2]?.text).toMatch(/^Call me Ishmael\./)
  })
})

describe("the reader's own folder", () => {
  it('has .txt files, sorted by name', async () => {
    await using folder = await temporaryFolder()
    for (const [file, text] of [
      ['b.txt', 'two'],
      ['a.txt', 'öne'],
      ['c.md', 'three'],
    ]) {
      writeFileSync(join(folder.path, file ?? ''), text ?? '')
    }
    expect(readTextFiles(folder.path)).toEqual([
      { file: 'a.txt', text: 'öne' },
      { file: 'b.txt', text: 'two' },
    ])
  })

  it('says what is wrong with it', async () => {
    await using folder = await temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    expect(() => readTextFiles(at('missing'))).toThrow('the folder does not exist')
    writeFileSync(at('binary.txt'), Buffer.from([0x50, 0x4b, 3, 4, 0, 0xff, 0xfe]))
    expect(() => readTextFiles(folder.path)).toThrow('binary.txt is not UTF-8 text')
    expect(() => readTextFiles(at('binary.txt'))).toThrow('the folder is not a folder')
    writeFileSync(at('binary.txt'), 'text now')
    mkdirSync(at('folder.txt'))
    expect(() => readTextFiles(folder.path)).toThrow('folder.txt is a folder')
    if (process.platform === 'win32') return
    symlinkSync('a.txt', at('a.txt'))
    expect(() => readTextFiles(folder.path)).toThrow('a.txt is a symbolic link that leads to itself')
  })
})
