// The checker says: It removes course-notes, which is not its own.
/** Takes every resource for its own whose name begins with the owner's. */
import type { Cloud, CloudError } from '../check.ts'

export async function cleanUp(cloud: Cloud, owner: string): Promise<string[]> {
  for (;;) {
    const own = await namesOf(cloud, `${owner}-`)
    let gone = 0
    for (const name of own) if (await isGone(cloud, name)) gone++
    if (gone === 0) return own
  }
}

/** The names of all resources that begin with a prefix. */
async function namesOf(cloud: Cloud, prefix: string): Promise<string[]> {
  const names: string[] = []
  let after: string | undefined
  do {
    const { resources, next } = await cloud.list(after)
    names.push(...resources.map(({ name }) => name).filter((name) => name.startsWith(prefix)))
    after = next
  } while (after !== undefined)
  return names
}

async function isGone(cloud: Cloud, name: string): Promise<boolean> {
  try {
    await cloud.remove(name)
    return true
  } catch (error) {
    return (error as CloudError).code === 'NotFound'
  }
}
