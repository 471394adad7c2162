// The checker says: After 400 operations it has still not ended: an endless loop.
/** Tries again for as long as a resource is in use, which may be for ever. */
import type { Cloud, CloudError } from '../check.ts'

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
  let own = await namesOf(cloud, owner)
  const left: string[] = []
  while (own.length > 0) {
    const again: string[] = []
    for (const name of own) {
      try {
        await cloud.remove(name)
      } catch (error) {
        const { code } = error as CloudError
        if (code === 'InUse') again.push(name)
        if (code === 'Locked') left.push(name)
      }
    }
    own = again
  }
  return left
}
