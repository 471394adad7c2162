import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { stretch, stretchPassword } from '../../src/throughput/stretch.ts'

it('a task of any length makes the key that its plain function makes', async () => {
  const key = await promisify(pbkdf2)('secret', 'salt', 3, 32, 'sha256')
  expect(stretchPassword('secret', 3)).toBe(key.toString('hex'))
  expect(stretch.run?.({ password: 'secret', iterations: 3 }, {} as never)).toBe(key.toString('hex'))
  for (const iterations of [0, 1.5]) expect(stretch.args.safeParse({ password: '', iterations }).success).toBe(false)
})
