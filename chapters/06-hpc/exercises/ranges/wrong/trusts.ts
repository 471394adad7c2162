// The checker says: It accepts what no scheduler writes.
/** Reads what is right, and does not ask whether it is. */
import type { Row } from '../check.ts'

export const most = 100_000

export function readTasks(text: string): Row | undefined {
  const [, job = '', task, list = task] = /^(\d+)(?:_(\d+)|_\[([^\]%]*)(?:%\d+)?\])?/.exec(text) ?? []
  return { job, tasks: list === undefined ? [] : readNumbers(list).map(Number) }
}

export function readHosts(text: string): string[] | undefined {
  return text.split(/,(?![^[]*\])/).flatMap((part) => {
    const [name = '', list] = part.split(/[[\]]/)
    return list === undefined ? [name] : readNumbers(list).map((number) => name + number)
  })
}

function readNumbers(list: string): string[] {
  return list.split(',').flatMap((part) => {
    const [first = '', last = first, step = '1'] = part.split(/[-:]/)
    const numbers: string[] = []
    for (let number = Number(first); number <= Number(last); number += Number(step)) {
      numbers.push(String(number).padStart(first.length, '0'))
    }
    return numbers
  })
}
