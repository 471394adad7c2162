/** Programs as one file, without node_modules: for machines that have Node and nothing else of ours. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export interface BundleOptions {
  /** Put in the place of `process.env.NAME`. */
  constants?: Record<string, string>
  /** The oldest Node it runs on, such as `node22`. */
  target: string
}

/** A TypeScript program and all that it imports as one JavaScript module. The same sources give the same bytes. */
export async function bundleProgram(file: URL, { constants = {}, target }: BundleOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(file)],
    bundle: true,
    write: false,
    platform: 'node',
    target,
    format: 'esm',
    minify: true,
    keepNames: true,
    logLevel: 'silent',
    define: Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [`process.env.${name}`, JSON.stringify(value)]),
    ),
    // What is CommonJS among the packages still asks for Node's own modules by require.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  })
  const [output] = outputFiles
  if (!output) throw new Error(`esbuild made nothing of ${file}`)
  return output.contents
}
