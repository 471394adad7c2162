/** Packs programs into the zip that Elastic Beanstalk expects. */
import { bundleProgram } from '@repo/common/process/bundle'
import { strToU8, zipSync } from 'fflate'
import { oldestNode } from '../machines/user-data.ts'
import { largestText } from './text-parts.ts'

/** The tiers of the application. Each has its own bundle. */
export type Tier = 'web' | 'worker'

/**
 * A tier as a source bundle: the program, a Procfile that says how to start it, and a package.json without
 * dependencies. Nothing is installed on the instance.
 *
 * @param version the version that the tier reports
 */
export async function bundleTier(tier: Tier, version: string): Promise<Uint8Array> {
  const program = await bundleProgram(new URL(`./${tier}-tier.program.ts`, import.meta.url), {
    constants: { VERSION: version },
    target: oldestNode,
  })
  const manifest = { name: `words-${tier}`, version: '1.0.0', private: true, type: 'module', engines: { node: '>=22' } }
  return zipSync(
    {
      // Beanstalk calls the process that gets PORT `web`, even in a worker tier, where the daemon is its client.
      Procfile: strToU8('web: node server.mjs\n'),
      'package.json': strToU8(`${JSON.stringify(manifest, undefined, 2)}\n`),
      'server.mjs': program,
      // The server in front of the program would refuse more than 1 MB.
      ...(tier === 'web' && {
        '.platform/nginx/conf.d/texts.conf': strToU8(`client_max_body_size ${largestText};\n`),
      }),
    },
    // A constant time, so that the same content gives the same checksum.
    { mtime: new Date(2026, 0, 1), level: 6 },
  )
}
