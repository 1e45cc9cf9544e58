import { asc, sql } from 'drizzle-orm';
import type { CategoryRule } from '../../src/domain/enrichment';
import type { RoutingRule, RoutingTables } from '../../src/domain/routing';
import type { DbHandle } from '../client';
import { categoryRules, routingRules } from '../schema';
import type { InstanceState } from './instances';

export const listRoutingRules = (db: DbHandle) => db.select().from(routingRules).orderBy(asc(routingRules.position), asc(routingRules.id)).limit(10_000);
export const listAllCategoryRules = (db: DbHandle) => db.select().from(categoryRules).orderBy(asc(categoryRules.position), asc(categoryRules.id)).limit(10_000);

/** Those in force, in their order. */
export async function listCategoryRules(db: DbHandle): Promise<CategoryRule[]> {
  const found = await db.execute<CategoryRule>(
    sql`select id, position, category, words, unless from category_rules where is_active order by position, id limit 10000`,
  );
  return found.rows;
}

type SourceRow = { source_id: string; default_mailwizz_instance: string | null; default_list_mapping: Record<string, number> };

/** All that routing decides by: the sources asked for, every instance, the active rules in order. */
export async function loadRoutingTables(db: DbHandle, known: { sourceIds: (string | null)[]; instances: InstanceState[] }): Promise<(sourceId: string | null) => RoutingTables> {
  const sourceIds = [...new Set(known.sourceIds.filter((id) => id !== null))];
  const sources = await db.execute<SourceRow>(
    sql`select source_id, default_mailwizz_instance, default_list_mapping from data_sources where source_id = any(${sql.param(sourceIds)})`,
  );
  const instances = known.instances.map((row) => ({ instanceId: row.instance_id, listMapping: row.list_mapping }));
  const sourceOf = new Map(sources.rows.map((row) => [row.source_id, { instanceId: row.default_mailwizz_instance, listMapping: row.default_list_mapping }]));
  const rules = await db.execute<RoutingRule>(sql`
    select id, position, category, instance_id "instanceId", list_id "listId" from routing_rules where is_active order by position, id limit 10000`);
  const noSource = { instanceId: null, listMapping: {} };
  return (sourceId) => ({ source: sourceOf.get(sourceId ?? '') ?? noSource, instances, rules: rules.rows });
}
