import type { Client } from '@temporalio/client';
import type { Db } from '../../db/client';
import { findStanding, reopenForInjection, reopenForVerification } from '../../db/queries/contact-actions';
import type { PageRange } from '../domain/batch';
import { EngineError } from '../domain/errors';
import type * as workflows from '../workflows';
import { withinLimit } from './time-limit';

export type ContactActions = {
  validate: (contactId: number) => Promise<{ workflowId: string }>;
  inject: (contactId: number) => Promise<{ workflowId: string }>;
};

/** "Force" skips the wait, not the rules (specification 12.2, 35): 409 for a suppressed, deleted or, at injection, invalid contact. */
export function createContactActions({ db, client, taskQueue }: { db: Db; client: Client; taskQueue: string }): ContactActions {
  return { validate: (contactId) => order(contactId, 'validate'), inject: (contactId) => order(contactId, 'inject') };

  async function order(contactId: number, action: 'validate' | 'inject') {
    const found = await findStanding(db, contactId);
    if (found === undefined) throw new EngineError('notFound', `contact ${contactId} not found`, { publicMessage: `There is no contact ${contactId}.` });
    const refusal = refusalOf(found, action);
    if (refusal !== undefined) throw new EngineError('conflict', refusal, { publicMessage: refusal });
    await (action === 'validate' ? reopenForVerification(db, contactId) : reopenForInjection(db, contactId));
    const page: PageRange = { batchIds: found.batchId === null ? [] : [found.batchId], afterContactId: contactId - 1, throughContactId: contactId };
    const workflowId = `contact:${contactId}:${action}`;
    await withinLimit(client, () =>
      client.workflow.start<typeof workflows.contactPage>('contactPage' satisfies keyof typeof workflows, {
        workflowId,
        workflowIdConflictPolicy: 'USE_EXISTING',
        taskQueue,
        args: [{ page, force: action === 'validate' }],
      }),
    );
    return { workflowId };
  }
}

function refusalOf(contact: { status: string; deleted: boolean; suppressed: boolean; batchId: number | null }, action: string): string | undefined {
  if (contact.deleted) return 'The contact is deleted.';
  if (contact.suppressed) return 'The contact is suppressed.';
  if (contact.batchId === null) return 'The rows this contact came with are past their retention.';
  if (action === 'inject' && contact.status === 'invalid') return 'The address of this contact is invalid.';
  return undefined;
}
