import { cancellationSignal } from '@temporalio/activity';
import { type ClaimedContact, claimInjections, recordInjections, renewClaims } from '../../db/queries/injections';
import { listInstanceLists, parkInstance, recordLists } from '../../db/queries/instances';
import { raiseAlert, resolveAlert } from '../../db/queries/alerts';
import { deferContacts, findTargets } from '../../db/queries/pages';
import type { PageRange } from '../domain/batch';
import type { InjectionOutcome, Target } from '../domain/injection';
import { beating } from './beating';
import type { Deps } from './deps';

/** A few bulk calls: small enough that a kill leaves little to be looked up. */
const claimedAtOnce = 512;
/** About two bulk calls side by side: the part of a claim that goes out together. */
const sentAtOnce = 128;
/** With a call of at most 30 s behind it, an older claim would outlive the quiet period. */
const freshForMs = 5_000;

type Call = (target: Target, contacts: ClaimedContact[], signal: AbortSignal) => Promise<InjectionOutcome[]>;
type Claims = {
  instanceId: string;
  fresh: ClaimedContact[];
  unsettled: ClaimedContact[];
  record: (claimed: ClaimedContact[], outcomes: InjectionOutcome[], lookedUp: boolean) => Promise<void>;
};

const isRefusal = (outcome: InjectionOutcome) => 'reason' in outcome && outcome.reason === 'refused';

export const createInjectionActivities = (deps: Deps) => {
  const { db, mailwizz, settings, now } = deps;

  async function injectLots({ instanceId, ...range }: PageRange & { instanceId: string }): Promise<void> {
    for (let afterId = range.afterContactId; ; ) {
      const page = { ...range, instanceId, waitsMs: settings.injectionWaitsMs, now: now() };
      const { fresh, unsettled, throughContactId } = await claimInjections(db, { ...page, limit: claimedAtOnce, afterId });
      if (throughContactId === undefined) return;
      const record: Claims['record'] = (claimed, outcomes, lookedUp) => recordInjections(db, { ...page, now: now() }, claimed, outcomes, lookedUp);
      if (!(await settleClaims(deps, { instanceId, fresh, unsettled, record }))) return;
      afterId = throughContactId;
    }
  }

  return {
    /** Safe to repeat: what an earlier attempt left open comes back as `unsettled` and is looked up, never sent again blindly. */
    async injectPage(page: PageRange & { instanceId: string }): Promise<void> {
      await beating(() => injectLots(page));
    },

    /** Puts the contacts of a page off for an instance that is in trouble, so that it holds nobody else. Safe to repeat. */
    async deferInstance({ instanceId, ...range }: PageRange & { instanceId: string }): Promise<void> {
      const page = { ...range, now: now() };
      const target = (await findTargets(db, page)).find((candidate) => candidate.instance_id === instanceId);
      if (target) await deferContacts(db, page, { contactIds: target.contact_ids, waitsMs: settings.injectionWaitsMs, reason: 'instance_in_trouble' });
    },

    /** Brings the map of list numbers and uids up to date, when nothing is known of the instance's lists yet. Safe to repeat. */
    async syncLists({ instanceId }: { instanceId: string }): Promise<void> {
      if ((await listInstanceLists(db, instanceId)).length > 0) return;
      await recordLists(db, instanceId, await mailwizz.readLists(instanceId));
    },
  };
};

/** Sends what is fresh, looks up what was left open, records both. False when the instance denies us: it is parked, and nobody should go on. */
export async function settleClaims(deps: Deps, { instanceId, fresh, unsettled, record }: Claims): Promise<boolean> {
  const { ours, outcomes } = await sendFresh(deps, instanceId, fresh);
  await record(ours, outcomes, false);
  const found = await callByList(unsettled, instanceId, deps.mailwizz.lookUpSubscribers);
  await record(unsettled, found, true);
  await tellOfTables(deps, instanceId, [...outcomes, ...found]);
  if (![...outcomes, ...found].some(isRefusal)) return true;
  if (await parkInstance(deps.db, { instanceId, reason: 'refused' })) deps.log.warn({ instanceId }, 'instance refuses our key and is parked');
  return false;
}

/** The tables are not as we know them, or a right is missing: nothing heals that but a person. Told once, and over when MySQL takes contacts again. */
async function tellOfTables({ db }: Deps, instanceId: string, outcomes: InjectionOutcome[]): Promise<void> {
  const about = { kind: 'mysql_refused', subject: instanceId } as const;
  const problem = outcomes.flatMap((outcome) => ('reason' in outcome ? (/\b(schema_|right_missing_)\w+$/.exec(outcome.reason ?? '') ?? []) : []))[0];
  if (problem !== undefined)
    await raiseAlert(db, { ...about, message: `MySQL of ${instanceId} is not used (${problem}): its contacts wait for the API. check-mailwizz says what is missing.` });
  else if (outcomes.some((outcome) => outcome.outcome === 'injected' && outcome.method === 'mysql')) await resolveAlert(db, about);
}

/** Piece by piece. Before a piece that has waited for the others, the claim is renewed; what is no longer ours is left alone. */
async function sendFresh({ db, mailwizz, now }: Deps, instanceId: string, fresh: ClaimedContact[]): Promise<{ ours: ClaimedContact[]; outcomes: InjectionOutcome[] }> {
  const ours: ClaimedContact[] = [];
  const outcomes: InjectionOutcome[] = [];
  for (let from = 0; from < fresh.length; from += sentAtOnce) {
    const piece = fresh.slice(from, from + sentAtOnce);
    const stale = piece.some((contact) => contact.claimedAtMs + freshForMs < now().getTime());
    const due = stale ? await renewClaims(db, { instanceId, contacts: piece, now: now() }) : piece;
    ours.push(...due);
    if (outcomes.some(isRefusal)) outcomes.push(...due.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'pending', reason: 'refused' })));
    else outcomes.push(...(await callByList(due, instanceId, mailwizz.addSubscribers)));
  }
  return { ours, outcomes };
}

/** One call per list of the instance, one after the other. */
async function callByList(contacts: ClaimedContact[], instanceId: string, call: Call): Promise<InjectionOutcome[]> {
  const outcomes: InjectionOutcome[] = [];
  for (const listId of new Set(contacts.map((contact) => contact.listId))) {
    outcomes.push(...(await call({ instanceId, listId }, contacts.filter((contact) => contact.listId === listId), cancellationSignal())));
  }
  return outcomes;
}
