/** The pictures of the texts and the diagrams, under their paths in the repository. */
import type { APIRoute } from 'astro'
import { chapters, readBytes, walk } from '../../site/repository.ts'

export function getStaticPaths() {
  const folders = [...chapters.map((chapter) => `${chapter}/pictures`), 'bench/pictures', 'book/diagrams', 'book/pages']
  return folders
    .flatMap(walk)
    .filter((path) => /\.(svg|png)$/.test(path))
    .map((path) => ({ params: { path } }))
}

export const GET: APIRoute = ({ params: { path = '' } }) =>
  new Response(new Uint8Array(readBytes(path)), {
    headers: { 'content-type': path.endsWith('.svg') ? 'image/svg+xml' : 'image/png' },
  })
