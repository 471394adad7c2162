/** What the function of the map step may do at Amazon. Its queue's permissions come with the event source mapping. */
import type { Permission } from '../machines/roles.ts'

/**
 * The function reads texts and writes counts. It also reads counts: where a key is taken, it looks whose they are.
 *
 * @param bucket the bucket's Amazon resource name
 */
export function functionPermissions(bucket: string): Permission[] {
  return [
    { actions: ['s3:GetObject'], resources: [`${bucket}/texts/*`] },
    { actions: ['s3:GetObject', 's3:PutObject'], resources: [`${bucket}/counts/texts/*`] },
  ]
}
