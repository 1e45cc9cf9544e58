import { z } from 'zod';
import { problem } from '../schemas/answers';
import { contactRow } from '../schemas/contact-row';
import { deliveredRow } from '../schemas/requests';
import type { Operation } from './operations';

const rowReference = { $ref: '#/components/schemas/ContactRow' };

const toSchema = (schema: z.ZodType, io: 'input' | 'output') =>
  z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    target: 'draft-2020-12',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === deliveredRow) Object.assign(jsonSchema, rowReference);
    },
  });

/** The OpenAPI 3.1 document of exactly what is served: made from the schemas that judge the requests. */
export function createOpenApi(operations: Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = (paths[`/api/v1${operation.path}`] ??= {});
    path[operation.method] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Email Engine', version: '1', description: 'Contacts in, subscribers in the right list of the right MailWizz, and what became of each.' },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A key: ee_src_… of a data source, ee_adm_… or ee_ops_… of an operator, ee_whk_… of who reports events.' } },
      schemas: { Problem: toSchema(problem, 'output'), ContactRow: describeRow() },
    },
    paths,
  };
}

const readers: Record<Operation['who'], string> = { operator: 'operators', source: 'operators and the source itself', webhook: 'holders of a webhook key' };

/** An address is judged by more than a schema can say. */
function describeRow(): object {
  const { properties, ...row } = toSchema(contactRow, 'input');
  const email = { type: 'string', maxLength: 254, description: 'The address as it is known; case, Unicode and blanks around it do not make another contact.' };
  return { ...row, description: 'One contact, at most 64 KB. Other keys are kept with the row and ignored.', required: ['email'], properties: { ...properties, email } };
}

function describe(operation: Operation): object {
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: ['contact_id', 'alert_id', 'template_id', 'quarantine_id'].includes(name ?? '') ? 'integer' : 'string' } }));
  const errors = [401, 403, ...(operation.body || operation.query ? [422] : []), ...(operation.body ? [429] : []), ...(operation.errors ?? []), 500, 503];
  const isIngest = operation.path === '/contacts/ingest';
  return {
    tags: [operation.tag],
    summary: operation.summary,
    description: `${operation.description ?? ''}${operation.description ? '\n\n' : ''}For: ${readers[operation.who]}.`,
    parameters: [...inPath, ...describeParameters('query', operation.query), ...describeParameters('header', operation.headers)],
    ...(operation.body && {
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: toSchema(operation.body, 'input') },
          ...(isIngest && { 'application/x-ndjson': { schema: { type: 'string', description: 'One contact (ContactRow) a line' } } }),
        },
      },
    }),
    responses: {
      [operation.answer.status]: {
        description: operation.answer.text,
        ...(operation.answer.schema && { content: { 'application/json': { schema: toSchema(operation.answer.schema, 'output') } } }),
      },
      ...Object.fromEntries(
        [...new Set(errors)].sort((a, b) => a - b).map((status) => [status, { description: 'A problem (RFC 9457)', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }]),
      ),
    },
  };
}

/** zod's types of shapes are looser than its schemas. */
const describeParameters = (place: 'query' | 'header', parameters: z.ZodObject | undefined) =>
  Object.entries(parameters?.shape ?? {}).map(([name, schema]) => {
    const { description, ...rest } = schema instanceof z.ZodType ? toSchema(schema, 'input') : {};
    return { name, in: place, ...(description !== undefined && { description }), schema: rest };
  });
