/**
 * Making an effect happen once, although its task may run twice.
 *
 * A worker can die after the effect and before the acknowledgement; the task then runs again. So the effect must carry
 * a key that tells the receiver whether it has already happened. For an effect in Redis itself, key and effect can be
 * one step, as here. Elsewhere the key is a unique column in a database, or a header of the called service.
 */
import type { Redis } from 'ioredis'
import { longestMs } from '../queue/settings.ts'

/**
 * A script is one step, because nothing else runs meanwhile. But Redis does not undo what a script wrote before a command
 * that fails, so the script does that itself: it first copies what commands change before the last one. The note is
 * written before them: if Redis refuses it, nothing has changed yet. So no command may change the note.
 *
 * KEYS: the key of the effect, the keys that the commands name. ARGV: milliseconds to keep it, then for each command the
 * number of its words, and the words.
 */
const script = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local commands = {}
local at = 2
while ARGV[at] do
  local words = tonumber(ARGV[at])
  commands[#commands + 1] = { unpack(ARGV, at + 1, at + words) }
  at = at + words + 1
end
local copies = {}
for at, command in ipairs(commands) do
  local isLast = at == #commands
  -- The last one needs no copies, so it may do without keys, as PUBLISH does.
  local named = redis[isLast and 'pcall' or 'call']('COMMAND', 'GETKEYS', unpack(command))
  for _, key in ipairs(named) do
    if key == KEYS[1] then return redis.error_reply('ERR ' .. command[1] .. ' received the key of its own note, ' .. key) end
    if not isLast and not copies[key] then copies[key] = { redis.call('DUMP', key), math.max(redis.call('PTTL', key), 0) } end
  end
end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
for _, command in ipairs(commands) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then
    redis.call('DEL', KEYS[1])
    for key, copy in pairs(copies) do
      redis.call('DEL', key)
      if copy[1] then redis.call('RESTORE', key, copy[2], copy[1]) end
    end
    return redis.error_reply(answer.err)
  end
end
return 1`

/** A Redis command: its name, then the key it changes, then the rest. */
export type Effect = [name: string, key: string, ...rest: (string | number)[]]

/** Lua passes no more than 8,000 words to one command. */
const mostWords = 7_000

/**
 * Runs commands in Redis unless this key was used before: all of them and the note that they ran, or none of it. Redis
 * copies the values that all but the last command change, so put the one that changes a large value last.
 *
 * @param key identifies the effect, such as the id of the task or of its order
 * @param keepMs how long the key is remembered: longer than a task may run again. Default: 7 days
 * @returns whether this call ran them
 * @throws the error of the command that failed, or a RangeError for what cannot be run or kept: nothing was changed
 */
export async function once(
  redis: Redis,
  key: string,
  effects: readonly Effect[],
  { keepMs = 7 * 24 * 3600 * 1000 }: { keepMs?: number } = {},
): Promise<boolean> {
  if (!(Number.isInteger(keepMs) && keepMs > 0 && keepMs <= longestMs)) {
    throw new RangeError(`keepMs: received ${keepMs}; accepts whole milliseconds from 1 to ${longestMs}`)
  }
  const long = effects.find(({ length }) => length > mostWords)
  if (long) throw new RangeError(`${long[0]}: received ${long.length} words; accepts ${mostWords} in one command`)
  const keys = [key, ...effects.map(([, changes]) => changes)]
  const words = effects.flatMap((effect) => [effect.length, ...effect]).map(String)
  // As one list: as single arguments, many words would not fit on the stack.
  return (await redis.call('EVAL', [script, keys.length, ...keys, keepMs, ...words])) === 1
}
