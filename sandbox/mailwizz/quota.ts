import type { Context } from './context';
import type { List } from './list-store';
import { select } from './sql';
import { countSubscribers } from './subscriber-read';

/** The text when `count` more would be over a quota. */
export async function quotaProblem(context: Context, { list_id }: List, count: number): Promise<string | undefined> {
  const { max_subscribers, max_subscribers_per_list } = context.switches;
  if (max_subscribers_per_list > 0 && (await countSubscribers(context, list_id, { where: '1 = 1', values: [] })) + count > max_subscribers_per_list)
    return 'The maximum number of allowed subscribers for this list has been reached.';
  if (max_subscribers === 0) return undefined;
  const [all] = await select<{ count: number }>(context.pool, 'SELECT COUNT(*) count FROM mw_list_subscriber JOIN mw_list USING (list_id) WHERE customer_id = ?', [context.customer.customer_id]);
  return (all?.count ?? 0) + count > max_subscribers ? 'The maximum number of allowed subscribers has been reached.' : undefined;
}
