import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { exampleSwitches, parseCommandLine, parseOptions, program } from '../../src/example/command-line.ts'
import { flag, listOf, number, oneOf, wholeNumber } from '../../src/example/options.ts'
import { UsageError } from '../../src/example/usage.ts'
import { runHere } from '../../src/testing/run-here.ts'
import { runProgram } from '../../src/testing/testing.ts'
import { declaration } from '../fixtures/echo.ts'

const file = fileURLToPath(new URL('../fixtures/echo.program.ts', import.meta.url))

const options = {
  workers: wholeNumber(1, 8).default(2),
  center: listOf(number(-4, 4), 'two numbers from -4 to 4, X,Y', { min: 2, max: 2 }).default([0, 0]),
  colourScheme: oneOf('light', 'dark').optional(),
  slowly: flag(),
}

function parse(...argv: string[]) {
  const { values, operands } = parseCommandLine(options, argv, { switches: exampleSwitches, takesOperands: true })
  const { help, json, quick, ...given } = values
  return { switches: { help, json, quick }, operands, ...parseOptions(options, given) }
}

describe('a command line', () => {
  it('has values after a space and after =, switches and operands', () => {
    expect(
      parse('--workers=4', '--colour-scheme', 'dark', '--center', '-0.75,0.1', '--json', 'one', '--slowly'),
    ).toEqual({
      workers: 4,
      colourScheme: 'dark',
      center: [-0.75, 0.1],
      slowly: true,
      operands: ['one'],
      switches: { json: true },
    })
    expect(parse('-h').switches).toEqual({ help: true })
  })

  it('has defaults, and operands that look like options after --', () => {
    expect(parse('--', '--workers', '9')).toMatchObject({ workers: 2, slowly: false, operands: ['--workers', '9'] })
  })

  it('of a preset takes what the reader does not give', () => {
    expect(parseOptions(options, { colourScheme: 'dark' }, { workers: 1, colourScheme: 'light' })).toMatchObject({
      workers: 1,
      colourScheme: 'dark',
    })
  })

  it.each([
    [['--workers', '0'], '--workers: received "0"; accepts a whole number from 1 to 8'],
    [['--workers', '-1'], '--workers: received "-1"; accepts a whole number from 1 to 8'],
    [['--workers', '1e9'], '--workers: received "1e9"; accepts a whole number from 1 to 8'],
    [['--workers', ''], '--workers: received ""; accepts a whole number from 1 to 8'],
    [['--workers'], '--workers: received nothing; accepts a whole number from 1 to 8'],
    [['--workers', '--json'], '--workers: received nothing; accepts a whole number from 1 to 8'],
    [['--center', '1'], '--center: received "1"; accepts two numbers from -4 to 4, X,Y'],
    [['--center', '1,9'], '--center: received "1,9"; accepts two numbers from -4 to 4, X,Y'],
    [['--colour-scheme', 'blue'], '--colour-scheme: received "blue"; accepts one of light, dark'],
    [['--slowly=yes'], '--slowly: received "yes"; accepts no value: it is a switch'],
    [['--colour', 'dark'], 'option: received "--colour"; accepts --workers, --center'],
    [['--constructor', 'dark'], 'option: received "--constructor"; accepts'],
    [['-x'], 'option: received "-x"; accepts'],
    [['--workers', 'a\nb\u001b[31m'], '--workers: received "a b"; accepts'],
  ])('is refused as %j in one line', (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError)
    expect(() => parse(...args)).toThrow(message)
    expect(() => parse(...args)).not.toThrow('\n')
  })
})

describe('a program that is not an example', () => {
  /** Runs it in this process, and gives this process its own exit code back. */
  async function echo(...argv: string[]) {
    const main = async () => {
      const before = process.exitCode
      try {
        process.exitCode = 0
        await program(declaration, argv)
        return Number(process.exitCode)
      } finally {
        process.exitCode = before
      }
    }
    const { code, stdout, stderr } = await runHere({ main })
    return { code, stdout, stderr }
  }

  it('gets its options', async () => {
    expect(await runProgram(file, ['--number', '3'])).toMatchObject({ code: 0, stdout: '3\n', stderr: '' })
    expect(await echo('--', '--number', '4')).toEqual({ code: 0, stdout: '4\n', stderr: '' })
  })

  it('explains itself with --help, without the switches of examples', async () => {
    expect(await echo('-h')).toEqual({
      code: 0,
      stderr: '',
      stdout: `echo: prints a number

Nothing else.

Usage: echo [options]
  --number …  the number; a whole number from 0 to 9; default 7
  --help      this text
`,
    })
  })

  it('ends with exit code 2 and one line for a wrong option', async () => {
    const message = 'error: --number: received "10"; accepts a whole number from 0 to 9\n'
    expect(await runProgram(file, ['--number', '10'])).toMatchObject({ code: 2, stdout: '', stderr: message })
  })

  it.each([
    [['--number', '9'], 2, '--number: received "9"; accepts less'],
    [['--number', '8'], 1, 'eight is too much'],
    [['--quick'], 2, 'option: received "--quick"; accepts --number, --help'],
    [['three'], 2, 'operand: received "three"; accepts no operands, only --number, --help'],
  ])('ends after %j with exit code %i and one line', async (args, code, message) => {
    expect(await echo(...args)).toEqual({ code, stdout: '', stderr: `error: ${message}\n` })
  })
})
