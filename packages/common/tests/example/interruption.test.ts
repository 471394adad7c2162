/** How an example ends when it is interrupted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loader } from '../../src/process/child.ts'
import { runProgram } from '../../src/testing/testing.ts'

const file = fileURLToPath(new URL('../fixtures/declared.ts', import.meta.url))
const cleaning = fileURLToPath(new URL('../fixtures/cleaning.ts', import.meta.url))

it.concurrent.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('cleans up after %s and exits with %i', async (signal, code) => {
  const ended = await runProgram(file, ['--slowly'], { interruptWhen: /running/, interruptWith: signal })
  expect(ended).toMatchObject({ code, stderr: 'cleaned up\n' })
})

it.concurrent('says that it cleans up if that may take long, and exits at once after a second Ctrl-C', async () => {
  const child = spawn(process.execPath, [...loader(), cleaning], {
    env: { ...process.env, DEADLINE_MS: '60000' },
  })
  const said = { running: Promise.withResolvers<void>(), cleaning: Promise.withResolvers<void>() }
  child.stdout.once('data', () => said.running.resolve())
  child.stderr.once('data', (text) => {
    expect(String(text)).toMatch(/^cleaning up; a second Ctrl-C exits at once[^\n]*\n$/)
    said.cleaning.resolve()
  })
  await said.running.promise
  child.kill('SIGINT')
  await said.cleaning.promise
  child.kill('SIGINT')
  expect(await once(child, 'close')).toEqual([130, null])
})

it.concurrent('ends when its time for cleaning up is over', async () => {
  const env = { DEADLINE_MS: '50' }
  const ended = await runProgram(cleaning, [], { env, interruptWhen: /running/ })
  expect(ended).toMatchObject({ code: 130, stderr: 'error: the work did not stop within 0.05 s after SIGINT\n' })
})

it.concurrent('says what could not be cleaned up after Ctrl-C, if that may take long', async () => {
  const env = { DEADLINE_MS: '60000' }
  expect(await runProgram(cleaning, ['--late'], { env, interruptWhen: /running/ })).toMatchObject({
    code: 130,
    stderr: 'error: not everything was cleaned up: the second cleaning up failed; the first cleaning up failed\n',
  })
})

it.concurrent('ends quietly when its output is closed', async () => {
  const child = spawn(process.execPath, [...loader(), file, '--lines', '1000000'])
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  child.stdout.once('data', () => child.stdout.destroy())
  expect(await once(child, 'close')).toEqual([0, null])
  expect(errors).toBe('')
})
