/** The comparison with Python, where it is missing and where its script fails. */
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { afterEach, expect, it, vi } from 'vitest'
import { python } from '../../src/fib/python.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

it('is left out where python3 is not installed', async () => {
  vi.stubEnv('PATH', '/nowhere')
  expect(await python(10, [1, 2])).toBeUndefined()
})

it.skipIf(process.platform === 'win32')('says that python3 could not run the script', async () => {
  await using folder = await temporaryFolder()
  const command = join(folder.path, 'python3')
  await writeFile(command, '#!/bin/sh\nexit 1\n')
  await chmod(command, 0o755)
  vi.stubEnv('PATH', folder.path)
  await expect(python(10, [1, 2])).rejects.toThrow('python3 could not run src/fib/fib.py')
})

it('is not asked once the signal is aborted', async () => {
  await expect(python(10, [1], AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})
