/**
 * Making an effect happen once, although its task may run twice.
 *
 * A worker can die after the effect and before the acknowledgement; the task then runs again. So the effect must carry
 * a key that tells the receiver whether it has already happened. For an effect in Redis itself, key and effect can be
 * one step, as here. Elsewhere the key is a unique column in a database, or a header of the called service.
 */
import type { Redis } from 'ioredis'

/** KEYS: the key of the effect, the keys that the commands change. ARGV: milliseconds to keep it, commands as JSON. */
const script = `
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
for _, command in ipairs(cjson.decode(ARGV[2])) do redis.call(unpack(command)) end
return 1`

/** A Redis command: its name, then the key it changes, then the rest. */
export type Effect = [name: string, key: string, ...rest: (string | number)[]]

/**
 * Runs commands in Redis unless this key was used before: all of them and the note that they ran, or none of it.
 *
 * @param key identifies the effect, such as the id of the task or of its order
 * @param keepMs how long the key is remembered: longer than a task may run again. Default: 7 days
 * @returns whether this call ran them
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
