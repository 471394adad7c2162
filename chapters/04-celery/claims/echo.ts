import { claims } from '@repo/common/example/claims'
import echo from '../examples/echo.ts'

export default claims(echo, {
  'there-and-back': {
    says: 'Even on a busy machine, there and back takes more than 0.1 ms and less than 50 ms.',
    holds: ({ roundTripMs }) => roundTripMs > 0.1 && roundTripMs < 50,
    values: ({ roundTripMs }) => `${roundTripMs.toFixed(2)} ms`,
  },
})
