import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { runProgram } from '../../src/testing/testing.ts'

const file = fileURLToPath(new URL('../fixtures/echo.program.ts', import.meta.url))

it('gives a program that is not an example its options', async () => {
  expect(await runProgram(file, ['--number', '3'])).toMatchObject({ code: 0, stdout: '3\n', stderr: '' })
  expect(await runProgram(file, ['--', '--number', '4'])).toMatchObject({ code: 0, stdout: '4\n', stderr: '' })
})

it('explains it with --help, without the switches of examples', async () => {
  const { code, stdout } = await runProgram(file, ['-h'])
  expect(code).toBe(0)
  expect(stdout).toBe(`echo: prints a number

Nothing else.

Usage: echo [options]
  --number …  the number; a whole number from 0 to 9; default 7
  --help      this text
`)
})

it.each([
  [['--number', '10'], 2, '--number: received "10"; accepts a whole number from 0 to 9'],
  [['--number', '9'], 2, '--number: received "9"; accepts less'],
  [['--number', '8'], 1, 'eight is too much'],
  [['--quick'], 2, 'option: received "--quick"; accepts --number, --help'],
  [['three'], 2, 'operand: received "three"; accepts no operands, only --number, --help'],
])('ends it after %j with exit code %i and one line', async (args, code, message) => {
  expect(await runProgram(file, args)).toMatchObject({ code, stdout: '', stderr: `error: ${message}\n` })
})
