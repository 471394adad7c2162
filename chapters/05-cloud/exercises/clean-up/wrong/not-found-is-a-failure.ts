// The checker says: It reports course-alarm as left, but it is gone.
/** Counts every error as a failure, also that somebody else has removed the resource first. */
import type { Cloud } from '../check.ts'

export async function cleanUp(cloud: Cloud, owner: string): Promise<string[]> {
  for (;;) {
    const failed: string[] = []
    const own = await namesOf(cloud, owner)
    for (const name of own) await cloud.remove(name).catch(() => failed.push(name))
    if (failed.length === own.length) return failed
  }
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
