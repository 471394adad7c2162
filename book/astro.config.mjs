/** The site: `npm run book:build` builds it into dist. What its pages are made of: src/site/book.ts. */
import { readdirSync } from 'node:fs'
import starlight from '@astrojs/starlight'
import { defineConfig } from 'astro/config'
import { finish } from './src/site/finish.ts'

const chapters = readdirSync('../chapters').sort()

export default defineConfig({
  // A file for each page, so that the pages' addresses also work from the file system.
  build: { format: 'file', inlineStylesheets: 'never' },
  vite: {
    // Short scripts stand in the page: browsers load no modules from the file system.
    build: { assetsInlineLimit: 20_000 },
    // Workers load from where the script is, wherever the site is.
    experimental: { renderBuiltUrl: (_, { hostType }) => (hostType === 'js' ? { relative: true } : undefined) },
  },
  integrations: [
    starlight({
      title: 'Distributed Computing with TypeScript',
      description: 'A hands-on book on parallel and distributed computing in which every idea is a program that runs',
      favicon: '/favicon.svg',
      customCss: ['./src/site/book.css'],
      components: {
        MarkdownContent: './src/site/MarkdownContent.astro',
        Search: './src/site/Search.astro',
      },
      // The pages come with coloured code: src/site/code.ts.
      expressiveCode: false,
      sidebar: [
        { label: 'Getting started', link: '/start' },
        { label: 'Chapters', items: chapters.map((slug) => ({ slug })) },
        {
          label: 'Look up',
          items: ['which-tool', 'examples', 'exercises', 'glossary', 'bench', 'sources'].map((slug) => ({ slug })),
        },
        {
          label: 'Behind the chapters',
          collapsed: true,
          items: [
            ...readdirSync('../packages')
              .sort()
              .map((name) => ({ slug: `packages/${name}` })),
            { slug: 'contributing' },
          ],
        },
      ],
    }),
    finish(),
  ],
})
