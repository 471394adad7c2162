import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { makeBook } from '../../src/site/book.ts'
import { makeEpub } from '../../src/site/epub.ts'

type Output = { stdout: string; stderr: string }

/** Debian's program is a Java archive that not every system starts by itself. */
const checkers: [string, ...string[]][] = [['java', '-jar', '/usr/share/java/epubcheck.jar'], ['epubcheck']]
const check = ([program, ...args]: [string, ...string[]], ...more: string[]): Promise<Output> =>
  promisify(execFile)(program, [...args, ...more], { maxBuffer: 1 << 26 })

// Asked for its version, it prints that, and ends with 1 because it got no file.
const isThere = async (checker: [string, ...string[]]) => {
  const { stdout } = await check(checker, '--version').catch((error: Output) => error)
  if (!/^EPUBCheck v/m.test(stdout ?? '')) throw new Error(`${checker.join(' ')} is no epubcheck`)
  return checker
}
const found = await Promise.any(checkers.map(isThere)).catch(() => undefined)
const needEpubcheck = { name: 'epubcheck', found, install: 'sudo apt-get install epubcheck' }

describeReal('epubcheck', needEpubcheck, () => {
  it('accepts the book', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'book.epub')
    await writeFile(file, makeEpub((await makeBook()).pages))
    const { stdout, stderr } = await check(found ?? ['epubcheck'], '--failonwarnings', file).catch(
      (error: Output) => error,
    )
    expect(`${stdout}${stderr}`).toMatch(/No errors or warnings detected/)
  }, 300_000)
})
