import { claims } from '@repo/common/example/claims'
import sampling from '../examples/sampling.ts'

export default claims(sampling, {
  'no-halves': {
    says: 'No trace is recorded in parts.',
    holds: ({ rows }) => rows.every(({ traces, halves }) => traces > 0 && halves === 0),
    values: ({ rows }) => rows.map(({ halves, traces }) => `${halves} of ${traces}`).join(', '),
  },
  'one-decision': {
    says: 'Where one decision counts for the whole order, an order is recorded from end to end or not at all.',
    holds: ({ rows }) =>
      rows
        .slice(0, 2)
        .every(({ placed, paid, shipped, endToEnd, loose }) =>
          [paid, shipped, endToEnd].every((each) => each === placed && loose === 0),
        ),
    values: ({ rows }) =>
      rows
        .slice(0, 2)
        .map(({ endToEnd, placed }) => `${endToEnd} of ${placed}`)
        .join(', '),
  },
  'loose-links': {
    says: 'Where each trace decides for itself, most of the links lead to nothing, and few orders can be followed.',
    holds: ({ rows }) =>
      rows.slice(2).every(({ links, loose, endToEnd, placed }) => 2 * loose > links && 3 * endToEnd < placed),
    values: ({ rows }) =>
      rows
        .slice(2)
        .map(({ links, loose, endToEnd }) => `${loose} of ${links} links, ${endToEnd} orders from end to end`)
        .join(', '),
  },
})
