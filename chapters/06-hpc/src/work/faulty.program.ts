/**
 * One task of the `failures` example: counts the primes among its numbers. In their first attempt four of the tasks
 * fail; in the second, their faults are fixed.
 */
import { rename, writeFile } from 'node:fs/promises'
import { countPrimes } from '@repo/common/workloads/primes'

const [task, attempt, size] = [process.env.TASK_ID, process.env.ATTEMPT, process.env.SIZE].map(Number)
if (task === undefined || attempt === undefined || size === undefined) throw new Error('no task')

const faults: Record<string, () => unknown> = {
  throws: () => {
    throw new RangeError(`there is no row ${task} in the table`)
  },
  exits: () => {
    console.error(`input of task ${task}: file not found`)
    process.exit(2)
  },
  hangs: () => new Promise(() => setInterval(() => {}, 1_000)),
  killed: () => process.kill(process.pid, 'SIGKILL'),
}
const planned = JSON.parse(process.env.FAULTS ?? '{}') as Record<string, string>
if (attempt === 1) await faults[planned[task] ?? '']?.()

const primes = countPrimes(task * size, (task + 1) * size)
await writeFile(`primes.${task}.new`, String(primes))
await rename(`primes.${task}.new`, `primes.${task}.txt`)
console.log(`${primes} primes from ${task * size} on`)
