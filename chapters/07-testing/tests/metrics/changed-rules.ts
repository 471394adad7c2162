/** The rules with one text replaced: their tests must notice. */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { checkRules, rulesFile, rulesTestFile } from '../../src/metrics/prometheus.ts'

/** Has promtool check the changed rules and run their tests; rejected with what it says. */
export async function checkChanged(from: string, to: string): Promise<string> {
  await using folder = await temporaryFolder()
  const [rules, tests] = [join(folder.path, 'rules.yml'), join(folder.path, 'rules.test.yml')] as const
  const text = await readFile(rulesFile, 'utf8')
  if (!text.includes(from)) throw new TypeError(`no rule contains ${from}`)
  await writeFile(rules, text.replace(from, to))
  await copyFile(rulesTestFile, tests)
  return await checkRules(rules, tests)
}
