import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Keys } from '../auth';
import { countries, zones } from '../seed/countries';
import { deliveryServers, fieldTypes, pageTypes, segmentOperators } from '../seed/fixed-rows';
import { fieldTags, type SandboxList } from '../seed/lists';
import { stableUid } from '../uid';
import { campaignTables } from './campaigns';
import { customerTables } from './customers';
import { listTables } from './lists';
import { segmentTables } from './segments';
import { subscriberTables } from './subscribers';

/** In the order of their foreign keys. */
const tables = [...customerTables, ...listTables, ...subscriberTables, ...segmentTables, ...campaignTables];
/** What a database of an earlier sandbox lacks. */
const additions = [
  "ALTER TABLE mw_list ADD COLUMN IF NOT EXISTS removable enum('yes','no') NOT NULL DEFAULT 'yes', ADD COLUMN IF NOT EXISTS subscriber_404_redirect varchar(255), ADD COLUMN IF NOT EXISTS subscriber_exists_redirect varchar(255)",
];

type Wanted = { instanceId: string; database: string; user: string; password: string; lists: SandboxList[]; keys: Keys };

/** One database per instance with what an install of MailWizz begins with, and a user with no more rights than a fallback needs. Safe to repeat. */
export async function prepareDatabase(root: Connection, { instanceId, database, user, password, lists, keys }: Wanted): Promise<void> {
  await root.query(`CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`);
  await root.query(`USE ${database}`);
  await root.query("SET time_zone = '+00:00'");
  await root.query('SET GLOBAL local_infile = 1');
  for (const table of tables) await root.query(`${table} ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`);
  for (const addition of additions) await root.query(addition);
  await root.query(`CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}'`);
  await root.query(`GRANT SELECT, INSERT, UPDATE ON ${database}.* TO '${user}'@'%'`);
  await root.query(`ALTER USER '${user}'@'%' ACCOUNT UNLOCK`);
  await seedFixedRows(root);
  await seedCustomer(root, instanceId, keys);
  for (const list of lists) await seedList(root, list);
}

async function seedFixedRows(root: Connection): Promise<void> {
  await fill(root, 'mw_country', ['name', 'code'], countries().map(({ name, code }) => [name, code]));
  const [known] = await root.query<RowDataPacket[]>('SELECT country_id, code FROM mw_country');
  const idOf = new Map(known.map((row) => [String(row['code']), Number(row['country_id'])]));
  const zoneRows = Object.entries(zones).flatMap(([country, text]) => text.split(',').map((zone) => [idOf.get(country), zone.replace(/^\S+ /, ''), zone.replace(/ .*$/, '')]));
  await fill(root, 'mw_zone', ['country_id', 'name', 'code'], zoneRows);
  // An earlier sandbox knew two types; those that are missing come behind them.
  const [present] = await root.query<RowDataPacket[]>('SELECT identifier FROM mw_list_field_type');
  const missing = fieldTypes.filter(([identifier]) => !present.some((row) => row['identifier'] === identifier));
  await insert(root, 'mw_list_field_type', ['identifier', 'name', 'description'], missing);
  await fill(root, 'mw_list_segment_operator', ['slug', 'name'], segmentOperators);
  await fill(root, 'mw_list_page_type', ['slug', 'name'], pageTypes);
  await fill(root, 'mw_delivery_server', ['type', 'name', 'hostname', 'from_email'], deliveryServers.map((server) => [...server, 'sender@sandbox.test']));
}

async function seedCustomer(root: Connection, instanceId: string, keys: Keys): Promise<void> {
  const customer = ['customer_uid', 'first_name', 'last_name', 'email', 'password'];
  await fill(root, 'mw_customer', customer, [[stableUid(`${instanceId}/customer`), 'Sandbox', 'Customer', `customer@${instanceId}.sandbox.test`, '*']]);
  const company = ['customer_id', 'country_id', 'name', 'address_1', 'city', 'zip_code'];
  await fill(root, 'mw_customer_company', company, [[1, 1, 'Sandbox Ltd', 'Loopback Street 1', 'Localhost', '12701']]);
  await root.query('INSERT IGNORE INTO mw_customer_api_key (customer_id, name, `key`, public, private, date_added) VALUES (1, ?, ?, ?, ?, NOW())', ['sandbox', keys.apiKey, keys.publicKey, keys.privateKey]);
}

async function seedList(root: Connection, { list_id, list_uid, name }: SandboxList): Promise<void> {
  const [made] = await root.query("INSERT IGNORE INTO mw_list (list_id, list_uid, name, display_name, description, opt_in, date_added, last_updated) VALUES (?, ?, ?, ?, ?, 'single', NOW(), NOW())", [list_id, list_uid, name, name, name]);
  await root.query("INSERT IGNORE INTO mw_list_default (list_id, from_name, from_email, reply_to, subject) VALUES (?, 'Sandbox', 'sender@sandbox.test', 'reply@sandbox.test', '')", [list_id]);
  await root.query("INSERT IGNORE INTO mw_list_company (list_id, country_id, name, address_1, city, zip_code, address_format) SELECT ?, country_id, name, address_1, city, zip_code, ? FROM mw_customer_company WHERE customer_id = 1", [list_id, addressFormat]);
  await root.query('INSERT IGNORE INTO mw_list_customer_notification (list_id) VALUES (?)', [list_id]);
  if (!('affectedRows' in made) || made.affectedRows === 0) return;
  for (const [order, tag] of fieldTags.entries()) {
    await root.query(
      "INSERT INTO mw_list_field (type_id, list_id, label, tag, required, sort_order, date_added, last_updated) SELECT type_id, ?, ?, ?, ?, ?, NOW(), NOW() FROM mw_list_field_type WHERE identifier = 'text'",
      [list_id, tag, tag, tag === 'EMAIL' ? 'yes' : 'no', order],
    );
  }
}

export const addressFormat = '[COMPANY_NAME]\n[COMPANY_ADDRESS_1] [COMPANY_ADDRESS_2]\n[COMPANY_CITY] [COMPANY_ZONE] [COMPANY_ZIP]\n[COMPANY_COUNTRY]\n[COMPANY_WEBSITE]';

/** Rows of a table that is empty; tables with rows are left alone. */
async function fill(root: Connection, table: string, columns: string[], rows: unknown[][]): Promise<void> {
  const [found] = await root.query<RowDataPacket[]>(`SELECT 1 FROM ${table} LIMIT 1`);
  if (found.length === 0) await insert(root, table, columns, rows);
}

async function insert(root: Connection, table: string, columns: string[], rows: unknown[][]): Promise<void> {
  if (rows.length === 0) return;
  const one = `(${columns.map(() => '?').join(',')},NOW(),NOW())`;
  await root.query(`INSERT INTO ${table} (${columns.join(',')}, date_added, last_updated) VALUES ${rows.map(() => one).join(',')}`, rows.flat());
}
