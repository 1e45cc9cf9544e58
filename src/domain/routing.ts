/** A routing rule as data; the first active one in order of position wins. A null category matches every contact that has one. */
export type RoutingRule = { id: number; position: number; category: string; instanceId: string; listId: number | null };

export type RoutingTables = {
  source: { instanceId: string | null; listMapping: Record<string, number> };
  instances: { instanceId: string; listMapping: Record<string, number> }[];
  rules: RoutingRule[];
};

export type Route = {
  instanceId: string;
  listId: number;
  /** Which rule decided: `source_default`, `instance_mapping` or `rule:<id>`. */
  rule: string;
  /** True when the source has a default instance and the contact still goes to another client (specification 12.2, 23). */
  crossed: boolean;
};

/** Specification 7.2 in the reading of 12.2, 23-24: default of the source, then that instance's own mapping, then the business rules. */
export function routeContact(category: string | null, tables: RoutingTables): Route | undefined {
  if (category === null) return undefined;
  const home = tables.source.instanceId;
  if (home !== null) {
    const listId = own(tables.source.listMapping, category);
    if (listId !== undefined) return { instanceId: home, listId, rule: 'source_default', crossed: false };
    const mapped = own(mappingOf(tables, home), category);
    if (mapped !== undefined) return { instanceId: home, listId: mapped, rule: 'instance_mapping', crossed: false };
  }
  for (const rule of tables.rules) {
    if (rule.category !== category) continue;
    const listId = own(mappingOf(tables, rule.instanceId), category) ?? rule.listId ?? undefined;
    if (listId !== undefined) return { instanceId: rule.instanceId, listId, rule: `rule:${rule.id}`, crossed: home !== null && home !== rule.instanceId };
  }
  return undefined;
}

const mappingOf = (tables: RoutingTables, instanceId: string) =>
  tables.instances.find((instance) => instance.instanceId === instanceId)?.listMapping ?? {};

const own = (mapping: Record<string, number>, key: string) => (Object.hasOwn(mapping, key) ? mapping[key] : undefined);
