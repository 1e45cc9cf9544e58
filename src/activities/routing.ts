import { listInstanceStates } from '../../db/queries/instances';
import { closeSuppressed, deferContacts, findContactsToRoute, findOpenContacts, findTargets, recordRoutes, type RoutedContact } from '../../db/queries/pages';
import { loadRoutingTables } from '../../db/queries/rules';
import type { PageRange } from '../domain/batch';
import { routeContact } from '../domain/routing';
import type { Deps } from './deps';

export const createRoutingActivities = ({ db, settings, now, log }: Deps) => ({
  /**
   * Gives every validated contact its destination and answers the instances that wait for this page. Contacts of a parked or inactive instance are
   * put off. Safe to repeat: a destination once set stays.
   */
  async routePage(range: PageRange): Promise<{ instanceIds: string[] }> {
    const page = { ...range, now: now() };
    await closeSuppressed(db, page, await findOpenContacts(db, page));
    const contacts = await findContactsToRoute(db, page);
    const instances = await listInstanceStates(db);
    const tablesOf = await loadRoutingTables(db, { sourceIds: contacts.map((contact) => contact.source_id), instances });
    const known = new Set(instances.map((instance) => instance.instance_id));
    const routed = contacts.map((contact): RoutedContact => {
      const route = routeContact(contact.category, tablesOf(contact.source_id));
      if (route?.crossed) log.info({ contactId: contact.id, rule: route.rule, instanceId: route.instanceId }, 'contact crossed over to another client');
      if (!route) return { contact_id: contact.id, instance_id: null, list_id: null, rule: null, reason: contact.category === null ? 'no_category' : 'no_routing_rule' };
      if (!known.has(route.instanceId)) return { contact_id: contact.id, instance_id: null, list_id: null, rule: null, reason: 'instance_not_configured' };
      return { contact_id: contact.id, instance_id: route.instanceId, list_id: route.listId, rule: route.rule, reason: null };
    });
    await recordRoutes(db, page, routed);
    const ready = new Set(instances.filter((instance) => instance.ready).map((instance) => instance.instance_id));
    const targets = await findTargets(db, page);
    for (const target of targets.filter(({ instance_id }) => !ready.has(instance_id))) {
      await deferContacts(db, page, { contactIds: target.contact_ids, waitsMs: settings.injectionWaitsMs, reason: 'instance_not_ready' });
    }
    return { instanceIds: targets.map((target) => target.instance_id).filter((id) => ready.has(id)) };
  },
});
