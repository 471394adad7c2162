import { expect, it } from 'vitest'
import { firstInstalled, versionOf } from '../../src/process/version.ts'

const node = process.execPath
const { node: version } = process.versions

it('is what a program prints, also one that another program starts', async () => {
  expect(await versionOf([node])).toBe(version)
  expect(await versionOf([node, '--no-warnings'], /^v\d+/)).toBe(`v${version.split('.')[0]}`)
})

it('is that of the first program that is installed and prints one', async () => {
  const paths = ['/no/such/program', 'no-such-program', '', node]
  expect(await firstInstalled(paths)).toEqual({ path: node, version })
  expect(await firstInstalled(paths, /no such version/)).toBeUndefined()
})
