// The checker says: It refuses a list that a scheduler writes.
/** Takes the limit on how many there are for one on the numbers. */
import type { Row } from '../check.ts'

export const most = 100_000

export function readTasks(text: string): Row | undefined {
  const [, job, task, list = task] = /^(\d+)(?:_(\d+)|_\[([^\]%]*)(?:%\d+)?\])?$/.exec(text) ?? []
  if (job === undefined) return undefined
  const tasks = list === undefined ? [] : readNumbers(list)?.map(Number)
  return tasks && { job, tasks }
}

export function readHosts(text: string): string[] | undefined {
  const hosts: string[] = []
  for (const part of text.split(/,(?![^[]*\])/)) {
    const [, name, list] = /^([\w.-]+)(?:\[([^\]]*)\])?$/.exec(part) ?? []
    const numbers = list === undefined ? [''] : readNumbers(list)
    if (name === undefined || numbers === undefined || hosts.length + numbers.length > most) return undefined
    for (const number of numbers) hosts.push(name + number)
  }
  return hosts
}

function readNumbers(list: string): string[] | undefined {
  const numbers: string[] = []
  for (const part of list.split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? []
    if (first === undefined || last === undefined) return undefined
    const [from, to, by] = [Number(first), Number(last), Number(step)]
    if (to > most || to < from || by === 0 || numbers.length + (to - from) / by >= most) return undefined
    for (let number = from; number <= to; number += by) numbers.push(String(number).padStart(first.length, '0'))
  }
  return numbers
}
