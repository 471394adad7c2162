import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bill, costOf } from '../../src/cloud/prices.ts'
import { readWorkerUserData, workerUserData } from '../../src/machines/user-data.ts'

const name = fc.stringMatching(/^[A-Z][A-Z_]{0,10}$/)
const userData = fc.record({
  code: fc.stringMatching(/^s3:\/\/[a-z0-9-]{3,20}\/[a-z0-9/.-]{1,20}$/),
  environment: fc.dictionary(name, fc.string({ unit: fc.constantFrom(...'ab\'"$`\\{}[]:;,&|<>()*? \n#!~%') })),
  endsAfterMinutes: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
})

describe('user data', () => {
  it('can be read back, whatever the settings', () => {
    fc.assert(
      fc.property(userData, (given) => {
        expect(readWorkerUserData(workerUserData(given))).toEqual({ ...given, environment: { ...given.environment } })
      }),
    )
  })

  it('is refused when it is another script', () => {
    expect(() => readWorkerUserData('#!/bin/bash\necho hello\n')).toThrow('fetches no worker')
  })

  it.skipIf(process.platform === 'win32')(
    'runs as a shell script: installs Node, fetches the worker, starts it with exactly its settings',
    async () => {
      await using folder = await temporaryFolder()
      const bin = join(folder.path, 'bin')
      const log = join(folder.path, 'log')
      await mkdir(bin)
      // Stand-ins for Amazon Linux's commands. Each writes its name and arguments as a line of JSON.
      for (const command of ['shutdown', 'dnf', 'aws', 'systemd-run']) {
        const script = `#!${process.execPath}\nrequire('fs').appendFileSync(${JSON.stringify(log)}, JSON.stringify([${JSON.stringify(command)}, ...process.argv.slice(2)]) + '\\n')\n`
        await writeFile(join(bin, command), script)
        await chmod(join(bin, command), 0o755)
      }
      await fc.assert(
        fc.asyncProperty(userData, async (given) => {
          await writeFile(log, '')
          const script = join(folder.path, 'user-data.sh')
          await writeFile(script, workerUserData(given))
          await promisify(execFile)('bash', [script], { env: { PATH: `${bin}:${process.env.PATH}` } })
          const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
          const { environment, code, endsAfterMinutes } = given
          expect(lines.map((line) => JSON.parse(line) as string[])).toEqual([
            ...(endsAfterMinutes === undefined ? [] : [['shutdown', '-h', `+${endsAfterMinutes}`]]),
            ['dnf', 'install', '-y', 'nodejs24'],
            ['aws', 's3', 'cp', code, '/opt/worker.mjs'],
            [
              'systemd-run',
              '--unit=worker',
              '--property=DynamicUser=yes',
              '--property=Restart=on-failure',
              ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
              'node-24',
              '/opt/worker.mjs',
            ],
          ])
        }),
        { numRuns: 8 },
      )
    },
  )
})

describe('the bill', () => {
  it('adds up', () => {
    // 2 × 0.0104 + 2 × 0.005 + 24 × 0.08 / 730 = 0.0334 dollars an hour
    expect(bill(costOf(2, 't3.micro', 24), 30)).toContain('In all $0.033 an hour, for about 30 minutes')
  })
})
