import { claims } from '@repo/common/example/claims'
import celeryInterop from '../examples/celery-interop.ts'

type Result = Awaited<ReturnType<typeof celeryInterop.run>>

const toPython = (result: Result, name: string) => result.toPython.find(({ task }) => task === name)?.error
const fromPython = (result: Result, begin: string) => result.fromPython.find(({ call }) => call.startsWith(begin))

export default claims(celeryInterop, {
  'type-error-is-pythons': {
    says: "Our TypeError becomes Python's own, so its except TypeError catches it.",
    holds: (result) => fromPython(result, "square('two')")?.isTypeError === true,
    values: (result) => {
      const { state, error, isTypeError } = fromPython(result, "square('two')") ?? {}
      return `${state}: ${error}, ${isTypeError ? '' : 'not '}a TypeError`
    },
  },
  'unregistered-names-fail': {
    says: 'On both sides it fails with NotRegistered.',
    holds: (result) =>
      toPython(result, 'os.system')?.type === 'NotRegistered' && fromPython(result, 'eval')?.error === 'NotRegistered',
    values: (result) => `${toPython(result, 'os.system')?.type}, ${fromPython(result, 'eval')?.error}`,
  },
})
