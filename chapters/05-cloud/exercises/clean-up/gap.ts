// The checker says: course-alarm stays, although nothing is in its way.
/** A clean-up that can be run at any time, and as often as you like. */
import type { Cloud } from './check.ts'

/**
 * Removes all resources that an owner has created, and no others.
 *
 * @returns the names of the owner's resources that cannot be removed
 */
export async function cleanUp(_cloud: Cloud, _owner: string): Promise<string[]> {
  // Your code: which resources are there, and when is nothing more to be done?
  return []
}
