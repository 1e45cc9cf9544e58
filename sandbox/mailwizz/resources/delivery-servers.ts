import { error, page, pageOf, success } from '../answers';
import type { Context } from '../context';
import type { Answer, Call, Route } from '../router';
import { select } from '../sql';

export const deliveryServerRoutes: Route[] = [
  { method: 'GET', path: '/delivery-servers', name: 'delivery-servers', handle: all },
  { method: 'GET', path: '/delivery-servers/{server_id}', name: 'delivery-server', handle: one },
];

type Server = { server_id: number; type: string; name: string; hostname: string; status: string };
const columns = 'server_id, type, name, hostname, status';
const toRecord = ({ server_id, ...server }: Server) => ({ server_id: String(server_id), ...server });

async function all({ pool }: Context, { query }: Call): Promise<Answer> {
  const [counted] = await select<{ count: number }>(pool, 'SELECT COUNT(*) count FROM mw_delivery_server');
  const { perPage, offset } = pageOf(query);
  const rows = await select<Server>(pool, `SELECT ${columns} FROM mw_delivery_server ORDER BY server_id LIMIT ? OFFSET ?`, [perPage, offset]);
  return page(query, counted?.count ?? 0, rows.map(toRecord));
}

async function one({ pool }: Context, { params }: Call): Promise<Answer> {
  const [row] = await select<Server>(pool, `SELECT ${columns} FROM mw_delivery_server WHERE server_id = ?`, [params['server_id']]);
  return row ? success({ data: { record: toRecord(row) } }) : error(404, 'The server does not exist.');
}
