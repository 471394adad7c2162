/** Why a job waits: the schedulers' own words, and what they mean for the one who waits. */

const tooMuch =
  /PartitionConfig|can never run|No machines matched|Requested node configuration|resource limits|feasible nodes/i

const meanings: [pattern: RegExp, meaning: string][] = [
  [tooMuch, 'it asks for more than any node has, or than the queue allows: it will never begin; ask for less'],
  [/DependencyNeverSatisfied/i, 'what it waits for can no longer come true: cancel it'],
  [/Dependency|depend .*hold types s$/i, 'it waits for another job'],
  [/JobHeld|hold types|Job is held/i, 'somebody holds it: it begins only after it has been released'],
  [/NodeNotAvail|total nodes available/i, 'the nodes it needs are down or reserved: ask the administrators'],
  [/JobArrayTaskLimit|Too many running subjobs/i, 'its array may not run more tasks at once'],
  [/Limit|QOS|Assoc/, 'you or your group use all that you may: it begins when your other jobs end'],
  [/Priority/, 'others are before it; a shorter walltime may let it slip into a gap'],
  [/Resources|Insufficient amount|are able to run your job/i, 'what it needs is in use: it begins when other jobs end'],
  [/state Q|reason None/i, 'the scheduler has not looked at it yet, or does not say more'],
]

/** In plain words, and what to do; undefined for words that are not known here. */
export function meaningOf(why: string): string | undefined {
  return meanings.find(([pattern]) => pattern.test(why))?.[1]
}
