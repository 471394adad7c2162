/** A conditional breakpoint in a running process: set, reached, read, and removed. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '@repo/common/output/errors'
import { bold, dim } from '@repo/common/output/terminal'
import { ConditionError, checkCondition } from './condition.ts'
import { type Generated, placeText, type Session } from './session.ts'

/** Returns the number, from 1, of the first line of a file that contains a text. */
export async function lineWith(file: URL, text: string): Promise<number> {
  const lines = (await readFile(fileURLToPath(file), 'utf8')).split('\n')
  const at = lines.findIndex((line) => line.includes(text))
  if (at < 0) throw new Error(`no line of ${file.href} contains ${JSON.stringify(text)}`)
  return at + 1
}

/** What a process was doing when it stopped. */
export interface Stopped {
  /** Innermost first. */
  stack: { name: string; file: string; line: number }[]
  /** The variables in scope, as far as JSON can represent them; a function is the text `a function`. */
  variables: Record<string, unknown>
  /** Evaluates an expression in the innermost function; rejected with what it throws. */
  evaluate: <Value>(expression: string) => Promise<Value>
  resume: () => Promise<void>
}

interface Frame {
  callFrameId: string
  functionName: string
  location: { scriptId: string; lineNumber: number; columnNumber?: number }
  scopeChain: { type: string; object: { objectId: string } }[]
}

/** Describes for readers where it stopped, what is in scope, and who called it. */
export function stopText({ stack: [innermost, ...callers], variables }: Stopped): string[] {
  return [
    bold(`Stopped in ${innermost?.name} (${placeText(innermost)})`),
    ...Object.entries(variables).map(([name, value]) => `  ${name} = ${dim(JSON.stringify(value) ?? 'undefined')}`),
    `  called by ${callers
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ')}`,
  ]
}

/**
 * Sets a breakpoint at a line of a source file. The process keeps running, and stops there when the condition is true.
 *
 * @param condition a JavaScript expression over the variables there, such as `order.quantity > 2`, that only looks
 * @returns `reached`, fulfilled when it stops, and `remove`. When the condition throws, `reached` is rejected with a
 *   ConditionError, and the process goes on
 * @throws a ConditionError when the condition is no such expression; an Error when the process has loaded no code for
 *   that line
 */
export async function breakAt(
  inspector: Session,
  { file, line, condition }: { file: URL; line: number; condition: string },
): Promise<{ reached: Promise<Stopped>; remove: () => Promise<void> }> {
  // A condition that is wrong would silently never be true.
  checkCondition(condition)
  await inspector.send('Runtime.enable')
  await inspector.send('Debugger.enable')
  const location = inspector.generatedFrom(file.href, line)
  if (!location) throw new Error(`no code of ${file.href}:${line} runs in the process`)
  const { scriptId, lineNumber } = location
  const { locations } = await inspector.send<{ locations: Generated[] }>('Debugger.getPossibleBreakpoints', {
    start: location,
    end: { scriptId, lineNumber: lineNumber + 1, columnNumber: 0 },
  })
  // V8 would move the breakpoint to another line.
  if (locations.length === 0) throw new Error(`there is no code on line ${line} of ${file.href}: it is blank`)
  const paused = inspector.once<{ callFrames: Frame[] }>('Debugger.paused')
  // If the breakpoint cannot be set, nothing awaits this promise.
  paused.catch(() => {})
  const { breakpointId } = await inspector.send<{ breakpointId: string }>('Debugger.setBreakpoint', {
    location,
    // V8 takes a condition that throws for one that is false.
    condition: `(() => { try { return (${condition}\n) } catch { return true } })()`,
  })
  const remove = async () => void (await inspector.send('Debugger.removeBreakpoint', { breakpointId }))
  const reached = paused.then(async ({ callFrames }) => {
    const stopped = await read(inspector, callFrames)
    try {
      await stopped.evaluate(condition)
    } catch (error) {
      await remove()
      await stopped.resume()
      throw new ConditionError(`it throws ${messageOf(error)}`, { cause: error })
    }
    return stopped
  })
  reached.catch(() => {})
  return { reached, remove }
}

async function read(inspector: Session, frames: Frame[]): Promise<Stopped> {
  const [innermost] = frames
  if (!innermost) throw new Error('stopped nowhere')
  const variables: Stopped['variables'] = {}
  for (const { type, object } of innermost.scopeChain) {
    if (type !== 'local' && type !== 'block') continue
    type Properties = { result: { name: string; value?: { value?: unknown; objectId?: string; type: string } }[] }
    const { result } = await inspector.send<Properties>('Runtime.getProperties', {
      objectId: object.objectId,
      ownProperties: true,
    })
    for (const { name, value } of result)
      if (value && value.type !== 'function') variables[name] = await plainValue(inspector, value)
  }
  return {
    variables,
    stack: frames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => ({
      name: functionName || '(anonymous)',
      file: '',
      line: 0,
      ...inspector.sourceOf(scriptId, lineNumber, columnNumber),
    })),
    async evaluate<Value>(expression: string) {
      type Answer = {
        result: { value: Value }
        exceptionDetails?: { exception?: { description?: string }; text: string }
      }
      const parameters = { callFrameId: innermost.callFrameId, expression, returnByValue: true }
      const { result, exceptionDetails } = await inspector.send<Answer>('Debugger.evaluateOnCallFrame', parameters)
      if (exceptionDetails) {
        const said = exceptionDetails.exception?.description ?? exceptionDetails.text
        throw new Error(said.split('\n')[0])
      }
      return result.value
    },
    resume: async () => void (await inspector.send('Debugger.resume')),
  }
}

async function plainValue(
  inspector: Session,
  { value, objectId }: { value?: unknown; objectId?: string },
): Promise<unknown> {
  if (objectId === undefined) return value
  // JSON has no functions: as properties they would be missing, or empty objects.
  const functionDeclaration = `function () {
    return JSON.parse(JSON.stringify(this, (_, value) => (typeof value === 'function' ? 'a function' : value)))
  }`
  const parameters = { objectId, functionDeclaration, returnByValue: true }
  return (await inspector.send<{ result: { value: unknown } }>('Runtime.callFunctionOn', parameters)).result.value
}
