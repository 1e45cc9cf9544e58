import { cancellationSignal } from '@temporalio/activity';
import { type ClaimedContact, claimInjections, listInstanceLists, parkInstance, recordInjections, recordLists } from '../../db/queries/injections';
import type { PageRange } from '../domain/batch';
import type { InjectionOutcome, Target } from '../domain/injection';
import { beating } from './beating';
import type { Deps } from './deps';

/** A few bulk calls: small enough that a kill leaves little to be looked up. */
const lot = 500;

type Call = (target: Target, contacts: ClaimedContact[], signal: AbortSignal) => Promise<InjectionOutcome[]>;

/** One call per list of the instance, one after the other. */
export async function callByList(contacts: ClaimedContact[], instanceId: string, call: Call, signal: AbortSignal): Promise<InjectionOutcome[]> {
  const outcomes: InjectionOutcome[] = [];
  for (const listId of new Set(contacts.map((contact) => contact.listId))) {
    outcomes.push(...(await call({ instanceId, listId }, contacts.filter((contact) => contact.listId === listId), signal)));
  }
  return outcomes;
}

export const createInjectionActivities = ({ db, mailwizz, settings, now, log }: Deps) => {
  async function injectLots({ instanceId, ...range }: PageRange & { instanceId: string }): Promise<void> {
    for (let afterId = range.afterContactId; ; ) {
      const page = { ...range, instanceId, waitsMs: settings.injectionWaitsMs, now: now() };
      const { fresh, unsettled, throughContactId } = await claimInjections(db, { ...page, limit: lot, afterId });
      if (throughContactId === undefined) return;
      const found = await callByList(unsettled, instanceId, mailwizz.lookUpSubscribers, cancellationSignal());
      await recordInjections(db, page, unsettled, found, true);
      const outcomes = await callByList(fresh, instanceId, mailwizz.addSubscribers, cancellationSignal());
      await recordInjections(db, page, fresh, outcomes, false);
      if ([...found, ...outcomes].some((outcome) => 'reason' in outcome && outcome.reason === 'refused')) {
        if (await parkInstance(db, { instanceId, reason: 'refused' })) log.warn({ instanceId }, 'instance refuses our key and is parked');
        return;
      }
      afterId = throughContactId;
    }
  }

  return {
    /** Safe to repeat: what an earlier attempt left open comes back as `unsettled` and is looked up, never sent again blindly. */
    async injectPage(page: PageRange & { instanceId: string }): Promise<void> {
      await beating(() => injectLots(page));
    },

    /** Brings the map of list numbers and uids up to date, when nothing is known of the instance's lists yet. Safe to repeat. */
    async syncLists({ instanceId }: { instanceId: string }): Promise<void> {
      if ((await listInstanceLists(db, instanceId)).length > 0) return;
      await recordLists(db, instanceId, await mailwizz.readLists(instanceId));
    },
  };
};
