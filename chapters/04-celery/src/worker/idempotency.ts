/**
 * Doing a thing once although the task that does it may run twice.
 *
 * A worker can die after the effect and before the acknowledgement; the task then runs again. So the effect must carry a key
 * by which whoever receives it knows that it has been there. For an effect in Redis itself the key and the effect
 * can be one step, as here. Elsewhere it is a unique column in a database, or a header of the service that is called.
 */
import type { Redis } from 'ioredis'

/** KEYS[1]: the key that says it has been done; the others: what the commands touch. ARGV: keep ms, commands as JSON. */
const script = `
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
for _, command in ipairs(cjson.decode(ARGV[2])) do redis.call(unpack(command)) end
return 1`

/** A Redis command: its name, then the key it changes, then the rest. */
export type Effect = [name: string, key: string, ...rest: (string | number)[]]

/**
 * Runs commands in Redis if none has been run under this key before: all of them and the note that they were, or nothing.
 *
 * @param key what makes the effect the same one, such as the id of the task or of the order it is for
 * @param keepMs for how long the key is remembered; longer than a task may be run again. 7 days.
 * @returns whether this call did it
 */
export async function once(
  redis: Redis,
  key: string,
  effects: readonly Effect[],
  { keepMs = 7 * 24 * 3600 * 1000 }: { keepMs?: number } = {},
): Promise<boolean> {
  const touched = effects.map(([, changes]) => changes)
  const done = await redis.eval(script, 1 + touched.length, key, ...touched, keepMs, JSON.stringify(effects))
  return done === 1
}
