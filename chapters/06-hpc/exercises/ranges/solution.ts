/** The lists of tasks and hosts that schedulers write. */
import type { Row } from './check.ts'

/** No list of more tasks or hosts is read. */
export const most = 100_000

/** Reads `123`, `123_4` or `123_[0-3,7%2]`. Returns undefined for anything else. */
export function readTasks(text: string): Row | undefined {
  const [, job, task, list = task] = /^(\d+)(?:_(\d+)|_\[([^\]%]*)(?:%\d+)?\])?$/.exec(text) ?? []
  if (job === undefined) return undefined
  const tasks = list === undefined ? [] : readNumbers(list)?.map(Number)
  return tasks && { job, tasks }
}

/** Reads a list of hosts, such as `login,n[08-10,12]`. Returns their names in order, or undefined for anything else. */
export function readHosts(text: string): string[] | undefined {
  const hosts: string[] = []
  // A comma that is followed by a closing bracket, and by no opening one before it, is within brackets.
  for (const part of text.split(/,(?![^[]*\])/)) {
    const [, name, list] = /^([\w.-]+)(?:\[([^\]]*)\])?$/.exec(part) ?? []
    const numbers = list === undefined ? [''] : readNumbers(list)
    if (name === undefined || numbers === undefined || hosts.length + numbers.length > most) return undefined
    for (const number of numbers) hosts.push(name + number)
  }
  return hosts
}

/** Reads numbers and ranges. Returns them as they are written, because `08` is not `8` in the name of a host. */
function readNumbers(list: string): string[] | undefined {
  const numbers: string[] = []
  for (const part of list.split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? []
    if (first === undefined || last === undefined) return undefined
    const [from, to, by] = [Number(first), Number(last), Number(step)]
    // Before the loop: a step of 0 would never end, and a few digits can fill the memory.
    if (to < from || by === 0 || numbers.length + (to - from) / by >= most) return undefined
    for (let number = from; number <= to; number += by) numbers.push(String(number).padStart(first.length, '0'))
  }
  return numbers
}
