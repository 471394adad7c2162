/** The condition of a breakpoint. The debugged process evaluates it, so it must be an expression that only looks. */
import { messageOf } from '@repo/common/output/errors'
import { type AnyNode, type Node, parse } from 'acorn'

/** What changes something, or waits for something, as a reader would say it. */
const changes: Partial<Record<AnyNode['type'], string>> = {
  AssignmentExpression: 'an assignment',
  UpdateExpression: 'an assignment',
  AwaitExpression: 'await',
  YieldExpression: 'yield',
  ImportExpression: 'an import',
  NewExpression: 'new',
}

/** The condition is not what a breakpoint takes, or it throws where it is evaluated. */
export class ConditionError extends Error {
  override name = 'ConditionError'
}

/**
 * Checks a condition before it is sent to a process.
 *
 * @throws a ConditionError of one line when it is not one JavaScript expression, or when it would change something: an
 *   assignment, `++`, `delete`. Of what it calls nothing is known
 */
export function checkCondition(condition: string): void {
  // In parentheses it is an expression, and on a line of its own, a comment at its end does not hide the parenthesis.
  const { body } = parsed(`(${condition}\n)`)
  const [statement] = body
  const isOne =
    body.length === 1 &&
    statement?.type === 'ExpressionStatement' &&
    statement.expression.type === 'ParenthesizedExpression' &&
    statement.expression.expression.type !== 'SequenceExpression'
  if (!isOne) throw new ConditionError('it is not one expression')
  for (const node of nodesOf(statement)) {
    const changed =
      node.type === 'UnaryExpression' && node.operator === 'delete' ? 'delete' : changes[node.type as AnyNode['type']]
    if (changed) throw new ConditionError(`it must only look, and it has ${changed}`)
  }
}

function parsed(code: string) {
  try {
    return parse(code, { ecmaVersion: 'latest', preserveParens: true })
  } catch (error) {
    throw new ConditionError(messageOf(error), { cause: error })
  }
}

/** Yields a node and all below it. */
function* nodesOf(node: Node): Generator<AnyNode> {
  yield node as AnyNode
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && 'type' in child) yield* nodesOf(child as Node)
    }
  }
}
