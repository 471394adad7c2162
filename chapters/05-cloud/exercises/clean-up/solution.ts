/** A clean-up that can be run at any time, and as often as you like. */
import type { Cloud, CloudError } from './check.ts'

/**
 * Removes all resources that an owner has created, and no others.
 *
 * @returns the names of the owner's resources that cannot be removed
 */
export async function cleanUp(cloud: Cloud, owner: string): Promise<string[]> {
  for (;;) {
    const own = await namesOf(cloud, owner)
    let gone = 0
    for (const name of own) if (await isGone(cloud, name)) gone++
    // What was in use may be free now. If nothing has changed, the list is true: that is left.
    if (gone === 0) return own
  }
}

/** The names of all resources with the owner's tag. Names of this form may be anybody's. */
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

/** Removes a resource if that is possible. Returns whether it is gone now. */
async function isGone(cloud: Cloud, name: string): Promise<boolean> {
  try {
    await cloud.remove(name)
    return true
  } catch (error) {
    // Perhaps another clean-up was faster.
    return (error as CloudError).code === 'NotFound'
  }
}
