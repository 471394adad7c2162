/** Counts what the test runner reported: every package's `reports/tests.json`, vitest's JSON, and `uncaught.json`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { causeOf } from './needs.mjs'

const notRun = ['skipped', 'pending', 'todo', 'disabled']

/**
 * The tests of one package's run: how many passed, and the names of those that failed or did not run.
 *
 * A run that ended badly counts as at least one failure, even if it left no report or a report of passed tests only: it
 * crashed, or something outside the tests failed. So does a file whose tests could not be collected. Errors that no test
 * caught are failures with their messages.
 *
 * @param {string} file path of the report
 * @param {number} exitCode of the run
 * @returns {{ passed: number, failed: string[], skipped: string[] }}
 */
export function readReport(file, exitCode) {
  let files
  try {
    files = JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    return { passed: 0, failed: ['the run left no report'], skipped: [] }
  }
  const count = { passed: 0, failed: [], skipped: [] }
  for (const { name, status, message, assertionResults } of files) {
    const failedBefore = count.failed.length
    for (const test of assertionResults) {
      if (test.status === 'passed') count.passed++
      else (notRun.includes(test.status) ? count.skipped : count.failed).push(test.fullName)
    }
    if (status === 'failed' && count.failed.length === failedBefore) {
      count.failed.push(`${name.replace(/^.*[\\/]/, '')}: ${message.split('\n', 1)[0]}`)
    }
  }
  const uncaught = join(dirname(file), 'uncaught.json')
  if (existsSync(uncaught)) {
    count.failed.push(...JSON.parse(readFileSync(uncaught, 'utf8')).map((error) => `outside of the tests: ${error}`))
  }
  if (exitCode !== 0 && count.failed.length === 0) count.failed.push(`the run ended with exit code ${exitCode}`)
  return count
}

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
