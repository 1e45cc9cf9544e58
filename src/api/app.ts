import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import express, { type Express, Router } from 'express';
import helmet from 'helmet';
import type { Db } from '../../db/client';
import type { Vault } from '../adapters/vault';
import type { Log } from '../log';
import { createAlertRoutes } from './alerts';
import { createAuthentication } from './auth';
import { createBatchRoutes } from './batches';
import { createBodyRoom } from './body-room';
import type { CampaignOrders } from './campaign-orders';
import { createCampaignRoutes } from './campaigns';
import type { ContactActions } from './contact-actions';
import { createContactRoutes } from './contacts';
import { createIngestRoute, ingestOperation } from './contacts-ingest';
import { createSourceRoutes } from './data-sources';
import { createDocs } from './docs';
import { createTemplateRoutes } from './email-templates';
import { answerErrors, noRoute } from './errors';
import { createInstanceCheckRoutes, type InstanceChecks } from './instance-checks';
import { createInstanceRoutes } from './instances';
import type { Intake } from './intake-types';
import { createOpenApi } from './openapi';
import { toRouter } from './operations';
import type { EventIntake } from './event-intake';
import { createPrincipals } from './principals';
import { createPreviewRoutes } from './template-previews';
import { createWebhookDoor } from './webhook-door';
import { createWebhookKeyRoutes } from './webhook-keys';
import { webhookOperations } from './webhook-operations';
import { createQuarantineRoutes } from './webhook-quarantine';

export type ApiDeps = {
  db: Db;
  config: { taskQueue: string; temporal: { uiUrl: string | undefined; namespace: string } };
  log: Log;
  vault: Pick<Vault, 'seal'>;
  intake: Intake;
  eventIntake: EventIntake;
  contactActions: ContactActions;
  campaignOrders: CampaignOrders;
  instanceChecks: InstanceChecks;
  client: Client;
  checks: { database: () => Promise<void>; temporal: () => Promise<void> };
};

/** The HTTP face: health and docs open, everything under /api/v1 behind a key, errors in one shape. */
export function createApp(deps: ApiDeps): Express {
  const { db, log } = deps;
  const served = [
    ...createSourceRoutes({ db }),
    ...createContactRoutes({ db, actions: deps.contactActions }),
    ...createBatchRoutes({ db, temporalUi: { url: deps.config.temporal.uiUrl, namespace: deps.config.temporal.namespace } }),
    ...createInstanceRoutes({ db, vault: deps.vault }),
    ...createInstanceCheckRoutes({ db, checks: deps.instanceChecks, client: deps.client, taskQueue: deps.config.taskQueue }),
    ...createAlertRoutes({ db }),
    ...createCampaignRoutes({ db, orders: deps.campaignOrders }),
    ...createTemplateRoutes({ db }),
    ...createPreviewRoutes({ db }),
    ...createWebhookKeyRoutes({ db }),
    ...createQuarantineRoutes({ db, intake: deps.eventIntake, now: Date.now }),
  ];
  const app = express();
  app.disable('x-powered-by').set('etag', false).set('query parser', 'simple');
  app.use((_req, res, next) => {
    const requestId = randomUUID();
    res.locals['requestId'] = requestId;
    res.set('X-Request-Id', requestId);
    // Ended by a newline: in a terminal the next prompt begins on a line of its own.
    res.json = (body) => res.type('json').send(`${JSON.stringify(body)}\n`);
    next();
  });
  const findPrincipal = createPrincipals(db);
  // One for all bodies that are held in memory, whichever door they come by.
  const room = createBodyRoom();
  app.use(createWebhookDoor({ db, intake: deps.eventIntake, findPrincipal, room, now: Date.now }));
  const api = Router();
  api.use((_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  api.use(createAuthentication(findPrincipal), room, createIngestRoute(deps.intake), toRouter(served));
  app.use('/api/v1', api);
  app.use(helmet());
  app.get('/', (_req, res) => res.redirect('/docs'));
  app.get('/healthz', (_req, res) => void res.json({ status: 'alive' }));
  app.get('/readyz', async (_req, res) => {
    const parts = { database: await judge(deps.checks.database), temporal: await judge(deps.checks.temporal) };
    const ready = Object.values(parts).every((part) => part === 'ready');
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', ...parts });
  });
  app.use(createDocs(createOpenApi([ingestOperation, ...webhookOperations, ...served.map(({ operation }) => operation)])));
  app.use(noRoute, answerErrors(log));
  return app;
}

const judge = (check: () => Promise<void>) => check().then(() => 'ready', () => 'not available');
