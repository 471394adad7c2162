/** The pages of the site, from the repository's texts. */

import { defineCollection } from 'astro:content'
import { docsSchema } from '@astrojs/starlight/schema'
import { z } from 'astro/zod'
import { bookLoader } from './site/loader.ts'

export const collections = {
  docs: defineCollection({
    loader: bookLoader(),
    schema: docsSchema({ extend: z.object({ interactive: z.boolean().default(false) }) }),
  }),
}
