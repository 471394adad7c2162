/** The object that everyone serves. It says how long a text is, so a call costs what it takes to hand over the text. */
import { fileURLToPath } from 'node:url'
import { loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { RpcTarget } from 'capnweb'

export class Texts extends RpcTarget {
  length(text: string): number {
    return text.length
  }
}

/** The same for gRPC: its client and its service. */
export function grpcTexts(): ServiceClientConstructor {
  const definition = loadSync(fileURLToPath(new URL('./texts.proto', import.meta.url)))
  return loadPackageDefinition(definition).Texts as ServiceClientConstructor
}
