/** The same verdicts as porcupine, a checker in Go by another author, on histories that are made up. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { checkHistory } from '../../src/linear/check.ts'
import { makeHistory } from '../../src/linear/make.ts'

const env = { ...process.env, PATH: [process.env.PATH, '/usr/local/go/bin'].join(delimiter) }

async function findGo() {
  return await promisify(execFile)('go', ['version'], { env }).catch(() => undefined)
}

describeReal(
  'beside porcupine',
  { name: 'Go', found: await findGo(), install: 'sudo apt-get install golang-go' },
  () => {
    it('agrees on 10,000 histories, a third of them with a replaced answer', async () => {
      await using folder = await temporaryFolder()
      const program = `${folder.path}/verdicts`
      const cwd = fileURLToPath(new URL('./porcupine', import.meta.url))
      await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd, env })
      const histories = Array.from({ length: 10_000 }, (_, at) =>
        makeHistory({
          seed: at,
          operations: 3 + (at % 38),
          clients: 2 + (at % 5),
          keys: 1 + (at % 3),
          isChanged: at % 3 === 0,
          lost: at % 2 === 0 ? 0.05 : 0.2,
        }),
      )
      const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
      const said = text(child.stdout)
      child.stdin.end(histories.map((history) => `${JSON.stringify(history)}\n`).join(''))
      await once(child, 'close')
      const theirs = (await said).trim().split('\n')
      const ours = histories.map((history) => String(checkHistory(history).verdict === 'linearizable'))
      expect(theirs.length).toBe(histories.length)
      expect(histories.flatMap((_, at) => (ours[at] === theirs[at] ? [] : [at]))).toEqual([])
      // It is no test of one verdict only.
      expect(ours.filter((each) => each === 'false').length).toBeGreaterThan(1_000)
    })
  },
)
