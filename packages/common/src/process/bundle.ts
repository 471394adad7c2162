/** Bundles programs into files that need no node_modules: for machines that have only Node. */
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

export interface BundleOptions {
  /** Values that replace `process.env.NAME`. */
  constants?: Record<string, string>
  /** The oldest Node it runs on, such as `node22`. */
  target: string
}

/**
 * Returns a TypeScript program and everything it imports as one JavaScript module. The same sources give the same
 * bytes.
 */
export async function bundleProgram(file: URL, options: BundleOptions): Promise<Uint8Array> {
  return await bundle(fileURLToPath(file), options)
}

/**
 * Bundles programs and the files that they name by `new URL('./…', import.meta.url)`: workers, programs, and scripts in
 * other languages, which are copied. They keep their places in `sourceFolder`, so that each finds the others.
 *
 * @param programs absolute paths of TypeScript files inside `sourceFolder`
 * @returns contents by path relative to `sourceFolder`, in which `.ts` has become `.mjs`
 */
export async function bundleTogether(
  sourceFolder: string,
  programs: readonly string[],
  options: BundleOptions,
): Promise<Map<string, Uint8Array>> {
  const bundles = new Map<string, Uint8Array>()
  // A file outside, such as a package's script, gets its path from the folder that contains both.
  const outputOf = (file: string) =>
    relative(sourceFolder, file)
      .replace(/^(\.\.[\\/])+/, '')
      .replace(/\.ts$/, '.mjs')
  const waiting = [...programs]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const output = outputOf(file)
    if (bundles.has(output)) continue
    const fileUrls: Plugin = {
      name: 'files-named-by-url',
      setup: ({ onLoad }) =>
        onLoad({ filter: /\.ts$/ }, async ({ path }) => {
          const source = await readFile(path, 'utf8')
          const contents = source.replaceAll(besideThisModule, (_, quote: string, beside: string) => {
            const target = join(dirname(path), beside)
            waiting.push(target)
            // In a bundle, import.meta.url is the bundle's own address.
            const named = relative(dirname(output), outputOf(target)).replaceAll('\\', '/')
            return `new URL(${quote}./${named}${quote}, import.meta.url)`
          })
          return { contents, loader: 'ts' }
        }),
    }
    bundles.set(output, file.endsWith('.ts') ? await bundle(file, options, [fileUrls]) : await readFile(file))
  }
  return bundles
}

const besideThisModule = /new URL\(\s*(['"`])(\.{1,2}\/[\w./-]+\.\w+)\1,\s*import\.meta\.url,?\s*\)/g

async function bundle(file: string, { constants = {}, target }: BundleOptions, plugins: Plugin[] = []) {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: 'node',
    target,
    format: 'esm',
    minify: true,
    keepNames: true,
    logLevel: 'silent',
    plugins,
    define: Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [`process.env.${name}`, JSON.stringify(value)]),
    ),
    // CommonJS packages call require for Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  })
  const [output] = outputFiles
  if (!output) throw new Error(`esbuild made nothing of ${file}`)
  return output.contents
}
