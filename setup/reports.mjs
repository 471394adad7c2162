/** Counts what the test runner reported: every package's `reports/tests.json`, vitest's JSON, and `uncaught.json`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { causeOf } from './needs.mjs'

const notRun = ['skipped', 'pending', 'todo', 'disabled']

/**
 * The tests of one package's run: how many passed, and the names of those that did not run, that failed, and that passed
 * only when they were tried again, the last two with the messages.
 *
 * A run that ended badly counts as at least one failure, even if it left no report or a report of passed tests only: it
 * crashed, or something outside the tests failed. So does a file whose tests could not be collected. Errors that no test
 * caught are failures with their messages.
 *
 * @param {string} file path of the report
 * @param {number} exitCode of the run
 * @returns {{ passed: number, failed: string[], retried: string[], skipped: string[] }}
 */
export function readReport(file, exitCode) {
  let files
  try {
    files = JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    return { passed: 0, failed: ['the run left no report'], retried: [], skipped: [] }
  }
  const count = { passed: 0, failed: [], retried: [], skipped: [] }
  for (const { name, status, message, assertionResults } of files) {
    const failedBefore = count.failed.length
    for (const test of assertionResults) {
      const { status, fullName, failureMessages = [] } = test
      const told = [fullName, ...failureMessages.map(firstLine)].join('\n      ')
      if (status === 'passed') count.passed++
      if (status === 'passed' && failureMessages.length > 0) count.retried.push(told)
      else if (notRun.includes(status)) count.skipped.push(fullName)
      else if (status !== 'passed') count.failed.push(told)
    }
    if (status === 'failed' && count.failed.length === failedBefore) {
      count.failed.push(`${name.replace(/^.*[\\/]/, '')}: ${firstLine(message)}`)
    }
  }
  const uncaught = join(dirname(file), 'uncaught.json')
  if (existsSync(uncaught)) {
    count.failed.push(...JSON.parse(readFileSync(uncaught, 'utf8')).map((error) => `outside of the tests: ${error}`))
  }
  if (exitCode !== 0 && count.failed.length === 0) count.failed.push(`the run ended with exit code ${exitCode}`)
  return count
}

const firstLine = (text) => text.split('\n', 1)[0]

/**
 * Why tests were skipped, a line for each cause and the largest first, such as
 * `96 in 06-hpc: OpenSSH and Slurm: setup/real-servers.sh`.
 *
 * @param {{ name: string, skipped: string[] }[]} counts the packages with the names of their skipped tests
 * @returns {string[]}
 */
export function skippedByCause(counts) {
  const causes = new Map()
  for (const { name, skipped } of counts) {
    for (const test of skipped) {
      const { cause, install } = causeOf(test)
      const why = [cause, install].filter(Boolean).join(': ')
      const tests = causes.get(why) ?? new Map()
      causes.set(why, tests.set(name, (tests.get(name) ?? 0) + 1))
    }
  }
  const sum = (tests) => [...tests.values()].reduce((total, each) => total + each, 0)
  return [...causes]
    .sort(([, a], [, b]) => sum(b) - sum(a))
    .map(([why, tests]) => `${[...tests].map(([name, each]) => `${each} in ${name}`).join(', ')}: ${why}`)
}
