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
 * @param {string} [again] path of the report of a second run, of the files that had failed
 * @returns {{ passed: number, failed: string[], retried: string[], skipped: string[] }}
 */
export function readReport(file, exitCode, again) {
  const files = filesOf(file)
  if (files === undefined) return { passed: 0, failed: ['the run left no report'], retried: [], skipped: [] }
  const second = new Map((again && filesOf(again))?.map((each) => [each.name, each]))
  const count = { passed: 0, failed: [], retried: [], skipped: [] }
  for (const first of files) {
    const later = second.get(first.name)
    const isUncollected = first.status === 'failed' && first.assertionResults.every(({ status }) => status !== 'failed')
    const isCollectedLater = isUncollected && later?.status === 'passed'
    if (isUncollected) {
      const told = `${first.name.replace(/^.*[\\/]/, '')}: ${firstLine(first.message)}`
      count[isCollectedLater ? 'retried' : 'failed'].push(told)
    }
    for (const { status, fullName, failureMessages = [] } of (isCollectedLater ? later : first).assertionResults) {
      if (status === 'passed') count.passed++
      else if (notRun.includes(status)) count.skipped.push(fullName)
      else {
        const repeated = later?.assertionResults.filter((each) => each.fullName === fullName) ?? []
        const messages = [failureMessages, ...repeated.map((each) => each.failureMessages ?? [])].flat()
        const hasPassed = repeated.length > 0 && repeated.every((each) => each.status === 'passed')
        if (hasPassed) count.passed++
        count[hasPassed ? 'retried' : 'failed'].push([fullName, ...messages.map(firstLine)].join('\n      '))
      }
    }
  }
  for (const report of [file, again]) {
    const uncaught = report && join(dirname(report), 'uncaught.json')
    if (!uncaught || !existsSync(uncaught)) continue
    count.failed.push(...JSON.parse(readFileSync(uncaught, 'utf8')).map((error) => `outside of the tests: ${error}`))
  }
  // What was tried again is why the first run ended badly.
  if (exitCode !== 0 && count.failed.length + count.retried.length === 0) {
    count.failed.push(`the run ended with exit code ${exitCode}`)
  }
  return count
}

/**
 * The files of a report that failed.
 *
 * @param {string} file path of the report
 * @returns {string[]} their paths
 */
export function failedFiles(file) {
  return (filesOf(file) ?? []).filter(({ status }) => status === 'failed').map(({ name }) => name)
}

function filesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    return undefined
  }
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
