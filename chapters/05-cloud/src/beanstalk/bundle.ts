/** Programs as the zip that Elastic Beanstalk takes. */
import { bundleProgram } from '@repo/common/process/bundle'
import { strToU8, zipSync } from 'fflate'

/** The tiers of the application: each is a bundle of its own. */
export type Tier = 'web' | 'worker'

/** The oldest Node the bundles run on: Elastic Beanstalk's platforms lag behind. */
export const oldestNode = 'node22'

/**
 * A tier as a source bundle: the program, a Procfile that says how to start it, and a package.json without dependencies,
 * so that nothing is installed on the instance.
 *
 * @param version what the tier answers when asked which one it is
 */
export async function bundleTier(tier: Tier, version: string): Promise<Uint8Array> {
  const program = await bundleProgram(new URL(`./${tier}-tier.program.ts`, import.meta.url), {
    constants: { VERSION: version },
    target: oldestNode,
  })
  const manifest = { name: `words-${tier}`, version: '1.0.0', private: true, type: 'module', engines: { node: '>=22' } }
  return zipSync(
    {
      // Beanstalk's name for the process that is given PORT, also in a worker tier: there the daemon is its client.
      Procfile: strToU8('web: node server.mjs\n'),
      'package.json': strToU8(`${JSON.stringify(manifest, undefined, 2)}\n`),
      'server.mjs': program,
    },
    // No time of day in it: what has not changed has the same checksum.
    { mtime: new Date(2026, 0, 1), level: 6 },
  )
}
