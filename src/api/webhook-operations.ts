import { z } from 'zod';
import { webhookBody, webhookEvents } from '../schemas/webhooks';
import type { Operation } from './operations';

const answer = { status: 202, text: 'Committed. `quarantined` counts what could not be read and was kept.', schema: z.object({ accepted: z.int(), passed_over: z.int().optional(), quarantined: z.int().optional() }) };
const common = { method: 'post', tag: 'webhooks', who: 'webhook', rawBody: true, answer, errors: [413, 429] } as const satisfies Partial<Operation>;

/** For the document only: the door serves them. */
export const webhookOperations: Operation[] = [
  ...Object.entries(webhookEvents).map(([event, type]): Operation => ({
    ...common,
    path: `/webhooks/mailwizz/${event}`,
    summary: `Report that a mail was ${type.replace('_', ' ')}`,
    description: 'One report or a list of them, JSON or form, up to 64 KB. The same report sent again counts once.',
    body: webhookBody,
  })),
  {
    ...common,
    path: '/webhooks/pmta',
    summary: 'Take over accounting records of PowerMTA',
    description: 'A list of records as its accounting webhook sends them, up to 4 MB. Types d, b, rb and f are events; t, tq, r and rs are passed over.',
    body: z.array(z.looseObject({ type: z.string() })),
  },
];
