import { once } from 'node:events';
import { createApp } from '../../src/api/app';

const stub = {} as never;
const app = createApp({
  db: stub, log: stub, vault: stub, intake: stub, eventIntake: stub, contactActions: stub, instanceChecks: stub, campaignOrders: stub, client: stub,
  config: { taskQueue: 'test', temporal: { uiUrl: undefined, namespace: 'default' } }, checks: { database: async () => undefined, temporal: async () => undefined },
});

type Layer = { route?: { path: string; methods: Record<string, boolean> }; handle?: { stack?: Layer[] }; match: (path: string) => boolean };
const routesOf = (layers: Layer[]): string[] =>
  layers.flatMap(({ route, handle }) => (route ? Object.keys(route.methods).map((method) => `${method} ${route.path.replace(/:(\w+)/g, '{$1}')}`) : handle?.stack ? routesOf(handle.stack) : []));

const stack = (app as any).router.stack as Layer[];
const open = ['get /', 'get /healthz', 'get /readyz', 'get /openapi.json', 'get /docs', 'get /docs/init.js'];
/** Their addresses hold a secret; docs/WEBHOOKS.md describes them. */
const secret = /^\w+ \/webhooks\//;
const served = [...new Set(routesOf(stack))].map((route) => route.replace('/api/v1', '')).filter((route) => !open.includes(route) && !(secret.test(route) && route.includes('{key}')));

async function readDocument(): Promise<any> {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${(server.address() as { port: number }).port}/openapi.json`);
  server.close();
  return answer.json();
}

test('the document names every route that is served, and no other', async () => {
  const { paths } = await readDocument();
  const named = Object.entries<object>(paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method} ${path.replace('/api/v1', '')}`));
  expect(served.length).toBeGreaterThan(20);
  expect(named.toSorted()).toEqual(served.toSorted());
});

test('whoever reads how contacts are delivered finds the fields of a contact, the source of a stream and the headers', async () => {
  const { paths, components } = await readDocument();
  const { parameters, requestBody } = paths['/api/v1/contacts/ingest'].post;
  expect(parameters.map(({ name, in: place }: any) => [name, place])).toEqual([['source_id', 'query'], ['Idempotency-Key', 'header'], ['Prefer', 'header']]);
  expect(requestBody.content['application/json'].schema.properties.contacts.items).toEqual({ $ref: '#/components/schemas/ContactRow' });
  expect(Object.keys(requestBody.content)).toContain('application/x-ndjson');
  expect(components.schemas.ContactRow.required).toEqual(['email']);
  expect(Object.keys(components.schemas.ContactRow.properties)).toEqual(expect.arrayContaining(['email', 'first_name', 'category', 'tags', 'raw_data', 'social_links']));
});
