import { claims } from '@repo/common/example/claims'
import levels from '../examples/levels.ts'

type Result = Awaited<ReturnType<typeof levels.run>>

const caught = ({ levels }: Result, name: string) => levels.find(({ level }) => level === name)?.caught.length
const counts = ({ levels }: Result) => levels.map(({ level, caught }) => `${level}: ${caught.length}`).join(', ')

export default claims(levels, {
  'dying-levels-catch-all': {
    says: 'Two of them, the properties and the simulation, need no server.',
    // The quick form runs the levels that need none.
    holds: (result) => caught(result, 'properties') === 5 && caught(result, 'simulation') === 5,
    values: counts,
  },
  'contract-catches-none': {
    says: 'The contract catches none of the five.',
    holds: (result) => caught(result, 'contract') === 0,
    values: counts,
  },
})
