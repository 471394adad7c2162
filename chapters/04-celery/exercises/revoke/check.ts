/** A worker and a client that revokes, under every schedule. One of them may be killed. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

export type State = 'waiting' | 'running' | 'done' | 'revoked'

/** The state of a task on a server. Each call is one step there. */
export interface Task {
  read(): Promise<State>
  write(state: State): Promise<void>
  /** Writes `to` if the state is `from`, in one step. Returns the state that it found. */
  change(from: State, to: State): Promise<State>
}

function newTask(stage: Stage, beginning: State) {
  let state = beginning
  const task: Task = {
    read: () =>
      stage.step(
        (found: State) => `reads ${found}`,
        () => state,
      ),
    write: (to) =>
      stage.step(`writes ${to}`, () => {
        state = to
      }),
    change: (from, to) =>
      stage.step(
        (found: State) => (found === from ? `${from} → ${to}` : `${from} → ${to}? it is ${found}`),
        () => {
          const found = state
          if (found === from) state = to
          return found
        },
      ),
  }
  return { task, current: () => state }
}

/** Without any race. */
const alone = async ({ begin, revoke }: Solution, state: State) =>
  await underEverySchedule(
    (stage) => {
      const { task } = newTask(stage, state)
      return {
        actors: { client: () => revoke(task), worker: async () => state === 'done' && (await begin(task)) },
        check({ returned }) {
          const answer = returned.get('client')
          if (state === 'waiting' && answer !== 'revoked')
            return { says: 'Nobody has begun the task, and revoke says too late.', line: declaredAt('revoke') }
          if (state === 'running' && answer !== 'too late')
            return { says: 'The task is running, and revoke says that it never will.' }
          if (state === 'done' && answer !== 'too late')
            return { says: 'The task is done, and revoke says that it never will be.' }
          if (state === 'done' && returned.get('worker') !== false)
            return { says: 'The task is done, and begin lets it run again.' }
          return undefined
        },
      }
    },
    { mostDeviations: 0 },
  )

const race = async ({ begin, revoke }: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const { task, current } = newTask(stage, 'waiting')
      let runs = 0
      async function worker() {
        if (!(await begin(task))) return
        await stage.step('runs the task', () => {
          runs++
        })
        await task.write('done')
      }
      const told: string[] = []
      async function client() {
        const answer = await revoke(task)
        // It may die between the change and the answer.
        await stage.step(`tells its user: ${answer}`, () => {
          told.push(answer)
        })
      }
      return {
        actors: { worker, client },
        mortal: ['worker', 'client'],
        successor: (killed) => (killed === 'worker' ? worker : client),
        check: (ended) => faultOf(ended, { runs, told, state: current() }),
      }
    },
    { signal },
  )

interface Outcome {
  runs: number
  /** What users were told. */
  told: readonly string[]
  state: State
}

function faultOf({ killed }: Ended, { runs, told, state }: Outcome): Fault | undefined {
  if (runs > 0 && told.includes('revoked')) {
    const why = 'Between its look at the state and its change of it, the other one looked or changed as well.'
    return { says: 'revoke says revoked, and the task runs.', why }
  }
  if (runs === 0 && state !== 'revoked') {
    const why = 'A worker that is handed a running task has taken the place of one that died.'
    return { says: 'The worker is killed, and nobody ever runs its task.', why }
  }
  if (runs === 0 && told.includes('too late')) {
    if (!killed.includes('client')) return { says: 'revoke says too late, and the task never runs.' }
    const why = 'The first call did its work and died before its answer: the second one finds what the first has left.'
    return { says: 'The repeated revocation says too late, and the task never runs.', why }
  }
  return undefined
}

export default exercise<Solution>({
  async check(solution, { signal }) {
    for (const state of ['waiting', 'running', 'done'] as const) {
      const fault = await alone(solution, state)
      if (fault) return fault
    }
    return await race(solution, signal)
  },
})
