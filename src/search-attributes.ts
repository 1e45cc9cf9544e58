import { type Connection, isGrpcServiceError } from '@temporalio/client';

/** By their numbers in Temporal's protocol. */
const keyword = 2;
const int = 3;
/** What runs are found by in Temporal's web UI. A start that names one which does not exist is refused. */
const searchAttributes: Record<string, number> = { SourceId: keyword, BatchState: keyword, Received: int, Injected: int };
/** gRPC: another process was faster. */
const alreadyThere = new Set<number>([6]);
/** gRPC: we may not, or the server does not offer it (Temporal Cloud). */
const notOurs = new Set<number>([7, 12, 16]);

/** Makes those that are missing. Answers the names of those that are missing still, because we may not make them. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const names = Object.keys(searchAttributes);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = names.filter((name) => !Object.hasOwn(customAttributes, name));
    if (missing.length > 0) await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing.map((name) => [name, searchAttributes[name] ?? keyword])) });
    return [];
  } catch (error) {
    if (isGrpcServiceError(error) && alreadyThere.has(error.code)) return [];
    if (isGrpcServiceError(error) && notOurs.has(error.code)) return names;
    throw error;
  }
}
