import { error } from './answers';
import type { Context } from './context';
import type { Answer, Call } from './router';
import { select } from './sql';

export type List = { list_id: number; list_uid: string; name: string; display_name: string; opt_in: 'single' | 'double'; subscriber_require_approval: 'yes' | 'no'; removable: 'yes' | 'no' };

export async function findList({ pool, customer }: Context, listUid: string): Promise<List | undefined> {
  const [list] = await select<List>(
    pool,
    "SELECT list_id, list_uid, name, display_name, opt_in, subscriber_require_approval, removable FROM mw_list WHERE list_uid = ? AND customer_id = ? AND status = 'active'",
    [listUid, customer.customer_id],
  );
  return list;
}

/** A handler for what lies below one list; without the list it is never asked. */
export const inList =
  (work: (context: Context, call: Call, list: List) => Promise<Answer>, missing = 'The list does not exist.') =>
  async (context: Context, call: Call): Promise<Answer> => {
    const list = await findList(context, call.params['list_uid'] ?? '');
    return list ? work(context, call, list) : error(404, missing);
  };
