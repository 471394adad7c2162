import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import wordcount from '../examples/wordcount.ts'

type Result = Awaited<ReturnType<typeof wordcount.run>>

/** Seconds. */
const visibility = 3
/** The jobs are long enough that a worker holds some when it is killed. */
const killed = ['--quick', '--workers', '3', '--kill', '1', '--repeat', '10', '--visibility', String(visibility)]
const growth = ['--quick', '--workers', '2', '--growth']

/** The times for texts that are counted so often. */
function counted({ sizes }: Result, times: number) {
  const size = sizes?.find(({ repeat }) => repeat === times)
  if (!size) throw new Error(`no run counts each text ${times} times`)
  return size
}

/** By how much the times grow from counting once to counting ten times. */
function growthOf(result: Result) {
  const [once, ten] = [counted(result, 1), counted(result, 10)]
  return { workers: ten.ms / once.ms, alone: ten.bestSerialMs / once.bestSerialMs }
}

export default claims(wordcount, {
  'killed-jobs-come-back': {
    says: "Other workers do the killed worker's jobs again, and all 1,789,020 words are counted.",
    holds: (result) => result.killed === 1 && result.again > 0 && result.words === 1_789_020,
    values: (result) => `${result.killed} killed, ${result.again} jobs again, ${result.words} words`,
    args: killed,
  },
  'killed-jobs-wait': {
    says: 'The whole work then takes at least as long as the visibility timeout.',
    holds: ({ ms }) => ms >= 1000 * visibility,
    values: ({ ms }) => `${milliseconds(ms)} with a timeout of ${visibility} s`,
    args: killed,
  },
  'once-is-transport': {
    says: 'If each text is counted once, the two workers take at least twice as long as one thread alone.',
    holds: (result) => counted(result, 1).ms >= 2 * counted(result, 1).bestSerialMs,
    values: (result) => `${milliseconds(counted(result, 1).ms)}, ${milliseconds(counted(result, 1).bestSerialMs)}`,
    args: growth,
  },
  'workers-grow-less': {
    says: "With ten times the work per text, the workers' time grows by a smaller factor than that of the plain program.",
    holds: (result) => growthOf(result).workers < growthOf(result).alone,
    values: (result) => `${growthOf(result).workers.toFixed(1)}×, ${growthOf(result).alone.toFixed(1)}×`,
    args: growth,
  },
})
