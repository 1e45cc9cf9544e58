import type { Context } from './context';
import { type PhpMap, textAt } from './form';
import { select } from './sql';

/** The columns that list companies and customer companies share. */
export type Company = {
  country_id: number;
  zone_id: number | null;
  name: string;
  address_1: string;
  address_2: string | null;
  zone_name: string | null;
  city: string;
  zip_code: string;
  phone: string | null;
};
export const companyColumns = ['country_id', 'zone_id', 'name', 'address_1', 'address_2', 'zone_name', 'city', 'zip_code', 'phone'] as const;

/** Names country and zone as people do; a name that is not known is a problem. */
export async function readCompany({ pool }: Context, given: PhpMap): Promise<Company | { problem: Record<string, string> }> {
  const required = { name: 'Name', country: 'Country', address_1: 'Address 1', city: 'City', zip_code: 'Zip code' };
  const blank = Object.entries(required).filter(([key]) => textAt(given, key) === undefined);
  if (blank.length > 0) return { problem: Object.fromEntries(blank.map(([key, label]) => [key, `${label} cannot be blank.`])) };
  const [country] = await select<{ country_id: number }>(pool, 'SELECT country_id FROM mw_country WHERE name = ? OR code = ? LIMIT 1', [textAt(given, 'country'), textAt(given, 'country')]);
  if (!country) return { problem: { country: 'Unable to find the specified country, please double check the spelling!' } };
  const named = textAt(given, 'zone');
  const [zone] = named === undefined ? [] : await select<{ zone_id: number }>(pool, 'SELECT zone_id FROM mw_zone WHERE country_id = ? AND (name = ? OR code = ?) LIMIT 1', [country.country_id, named, named]);
  if (named !== undefined && !zone) return { problem: { zone: 'Unable to find the specified zone, please double check the spelling!' } };
  return {
    country_id: country.country_id,
    zone_id: zone?.zone_id ?? null,
    name: textAt(given, 'name') ?? '',
    address_1: textAt(given, 'address_1') ?? '',
    address_2: textAt(given, 'address_2') ?? null,
    zone_name: textAt(given, 'zone_name') ?? null,
    city: textAt(given, 'city') ?? '',
    zip_code: (textAt(given, 'zip_code') ?? '').slice(0, 10),
    phone: textAt(given, 'phone') ?? null,
  };
}
