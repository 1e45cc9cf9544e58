import { page, pageOf } from '../answers';
import type { Context } from '../context';
import type { Answer, Call, Route } from '../router';
import { select } from '../sql';

export const countryRoutes: Route[] = [
  { method: 'GET', path: '/countries', name: 'countries', handle: countries },
  { method: 'GET', path: '/countries/{country_id}/zones', name: 'zones', handle: zones },
];

async function countries({ pool }: Context, { query }: Call): Promise<Answer> {
  const [counted] = await select<{ count: number }>(pool, 'SELECT COUNT(*) count FROM mw_country');
  const { perPage, offset } = pageOf(query);
  const rows = await select<{ country_id: number; name: string; code: string }>(pool, 'SELECT country_id, name, code FROM mw_country ORDER BY country_id LIMIT ? OFFSET ?', [perPage, offset]);
  return page(query, counted?.count ?? 0, rows.map(({ country_id, ...country }) => ({ country_id: String(country_id), ...country })));
}

async function zones({ pool }: Context, { query, params }: Call): Promise<Answer> {
  const [counted] = await select<{ count: number }>(pool, 'SELECT COUNT(*) count FROM mw_zone WHERE country_id = ?', [params['country_id']]);
  const { perPage, offset } = pageOf(query);
  const rows = await select<{ zone_id: number; name: string; code: string }>(pool, 'SELECT zone_id, name, code FROM mw_zone WHERE country_id = ? ORDER BY zone_id LIMIT ? OFFSET ?', [params['country_id'], perPage, offset]);
  return page(query, counted?.count ?? 0, rows.map(({ zone_id, ...zone }) => ({ zone_id: String(zone_id), ...zone })));
}
