import { describe, expect, it } from 'vitest'
import { figuresOf } from '../../src/site/figures.ts'
import { read } from '../../src/site/repository.ts'

describe('a figure', () => {
  it('is the cell of a recorded output, linked to the section that has it', () => {
    const [, perSecond] = /^ bee-queue +2 +([\d,]+)/m.exec(read('bench/README.md')) ?? []
    expect(figuresOf('Bee: `figure: bench compare > bee-queue > tasks per second`.')).toBe(
      `Bee: [${perSecond}](../../bench/README.md#queues-and-remote-objects).`,
    )
  })

  it('is found by the number of its column', () => {
    expect(figuresOf('`figure: bench compare > bee-queue > 1`')).toBe(
      '[2](../../bench/README.md#queues-and-remote-objects)',
    )
  })

  it.each([
    [
      'bench compare --quick > bee-queue > workers',
      'it has no recorded output of "pnpm --filter bench start compare --quick"',
    ],
    ['bench compare > wasp-queue > workers', 'the output has no row "wasp-queue"'],
    ['bench compare > bee-queue > stings', 'the output has no column "stings"'],
    ['bench compare > bee-queue > 9', 'the row "bee-queue" has no column "9"'],
  ])('that does not exist is refused: %s', (given, why) => {
    expect(() => figuresOf(`\`figure: ${given}\``)).toThrow(`bench/README.md: ${why}`)
  })
})
