import { createHash } from 'node:crypto';
import type { Connection } from 'mysql2/promise';

export type SandboxList = { list_id: number; list_uid: string; name: string };

/** The fields every list of the sandbox has; EMAIL first, as MailWizz makes it. */
export const fieldTags = ['EMAIL', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET'];

/** A uid in the shape of all public samples; the same for the same seed, so that addresses survive a restart. */
export function stableUid(seed: string): string {
  const hash = createHash('sha256').update(seed).digest('hex');
  const letter = (at: number) => String.fromCharCode(97 + (Number.parseInt(hash.slice(at, at + 2), 16) % 26));
  const digits = String(Number.parseInt(hash.slice(8, 14), 16) % 1000).padStart(3, '0');
  return `${letter(0)}${letter(2)}${digits}${hash.slice(20, 28)}`;
}

const known: Record<string, SandboxList[]> = {
  'client-1': [
    { list_id: 12, list_uid: stableUid('client-1/12'), name: 'Avocats' },
    { list_id: 13, list_uid: stableUid('client-1/13'), name: 'Assureurs' },
    { list_id: 14, list_uid: stableUid('client-1/14'), name: 'Notaires' },
  ],
  'client-2': [
    { list_id: 45, list_uid: stableUid('client-2/45'), name: 'Blogueurs' },
    { list_id: 46, list_uid: stableUid('client-2/46'), name: 'Influenceurs' },
    { list_id: 47, list_uid: stableUid('client-2/47'), name: 'Admins Facebook' },
  ],
};

export function listsOf(instance: number): SandboxList[] {
  const id = `client-${instance}`;
  return known[id] ?? [1, 2, 3].map((number) => ({ list_id: 100 * instance + number, list_uid: stableUid(`${id}/${number}`), name: `List ${number}` }));
}

/** Names, types, lengths and keys as mailwizz.md 5.2 gives them; no unique key on (list_id, email), as in the real thing. */
const tables = [
  `CREATE TABLE IF NOT EXISTS mw_list (list_id int AUTO_INCREMENT PRIMARY KEY, list_uid char(13) NOT NULL UNIQUE, customer_id int NOT NULL DEFAULT 1, name varchar(255) NOT NULL,
    display_name varchar(255) NOT NULL, description varchar(255) NOT NULL DEFAULT '', visibility char(15) NOT NULL DEFAULT 'public', opt_in enum('double','single') NOT NULL DEFAULT 'double',
    opt_out enum('double','single') NOT NULL DEFAULT 'single', merged enum('yes','no') NOT NULL DEFAULT 'no', welcome_email enum('yes','no') NOT NULL DEFAULT 'no',
    subscriber_require_approval enum('yes','no') NOT NULL DEFAULT 'no', meta_data longblob, status char(15) NOT NULL DEFAULT 'active', date_added datetime NOT NULL, last_updated datetime NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS mw_list_field_type (type_id int AUTO_INCREMENT PRIMARY KEY, name varchar(50) NOT NULL, identifier varchar(50) NOT NULL, class_alias varchar(255) NOT NULL DEFAULT '',
    description varchar(255) NOT NULL DEFAULT '', date_added datetime NOT NULL, last_updated datetime NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS mw_list_field (field_id int AUTO_INCREMENT PRIMARY KEY, type_id int NOT NULL, list_id int NOT NULL, label varchar(255) NOT NULL, tag varchar(50) NOT NULL,
    default_value varchar(255), help_text varchar(255), description varchar(255), required enum('yes','no') NOT NULL DEFAULT 'no', visibility enum('visible','hidden','none') NOT NULL DEFAULT 'visible',
    meta_data blob, sort_order int NOT NULL DEFAULT 0, date_added datetime NOT NULL, last_updated datetime NOT NULL, KEY list_tag (list_id, tag),
    FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE, FOREIGN KEY (type_id) REFERENCES mw_list_field_type (type_id))`,
  `CREATE TABLE IF NOT EXISTS mw_list_subscriber (subscriber_id int AUTO_INCREMENT PRIMARY KEY, subscriber_uid char(13) NOT NULL UNIQUE, list_id int NOT NULL, email varchar(100) NOT NULL,
    ip_address char(15), source enum('web','api','import') NOT NULL DEFAULT 'web', status char(15) NOT NULL DEFAULT 'unconfirmed', date_added datetime NOT NULL, last_updated datetime NOT NULL,
    KEY list_email (list_id, email), KEY status_last_updated (status, last_updated), KEY list_id_status (list_id, status), FOREIGN KEY (list_id) REFERENCES mw_list (list_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_list_field_value (value_id int AUTO_INCREMENT PRIMARY KEY, field_id int NOT NULL, subscriber_id int NOT NULL, value varchar(255) NOT NULL, date_added datetime NOT NULL,
    last_updated datetime NOT NULL, KEY field_subscriber (field_id, subscriber_id), KEY field_id_value (field_id, value), FOREIGN KEY (field_id) REFERENCES mw_list_field (field_id) ON DELETE CASCADE,
    FOREIGN KEY (subscriber_id) REFERENCES mw_list_subscriber (subscriber_id) ON DELETE CASCADE)`,
  `CREATE TABLE IF NOT EXISTS mw_email_blacklist (email_id bigint AUTO_INCREMENT PRIMARY KEY, subscriber_id int, email varchar(150) NOT NULL UNIQUE, reason text, date_added datetime NOT NULL, last_updated datetime NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS mw_customer_email_blacklist (email_id bigint AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, email varchar(150) NOT NULL, reason text, date_added datetime NOT NULL, last_updated datetime NOT NULL, KEY customer_email (customer_id, email))`,
];

/** One database per instance, its lists and fields, and a user with no more rights than the fallback needs. Safe to repeat. */
export async function prepareDatabase(root: Connection, { database, user, password, lists }: { database: string; user: string; password: string; lists: SandboxList[] }): Promise<void> {
  await root.query(`CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`);
  await root.query(`USE ${database}`);
  for (const table of tables) await root.query(`${table} ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`);
  await root.query(`CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}'`);
  await root.query(`GRANT SELECT, INSERT, UPDATE ON ${database}.* TO '${user}'@'%'`);
  const [types] = await root.query('SELECT type_id FROM mw_list_field_type LIMIT 1');
  if (Array.isArray(types) && types.length === 0) {
    await root.query("INSERT INTO mw_list_field_type (name, identifier, date_added, last_updated) VALUES ('Dropdown', 'dropdown', NOW(), NOW()), ('Text', 'text', NOW(), NOW())");
  }
  for (const list of lists) {
    const [found] = await root.query('SELECT 1 FROM mw_list WHERE list_id = ?', [list.list_id]);
    if (Array.isArray(found) && found.length > 0) continue;
    await root.query("INSERT INTO mw_list (list_id, list_uid, name, display_name, opt_in, date_added, last_updated) VALUES (?, ?, ?, ?, 'single', NOW(), NOW())", [list.list_id, list.list_uid, list.name, list.name]);
    for (const [order, tag] of fieldTags.entries()) {
      await root.query(
        "INSERT INTO mw_list_field (type_id, list_id, label, tag, required, sort_order, date_added, last_updated) SELECT type_id, ?, ?, ?, ?, ?, NOW(), NOW() FROM mw_list_field_type WHERE identifier = 'text'",
        [list.list_id, tag, tag, tag === 'EMAIL' ? 'yes' : 'no', order],
      );
    }
  }
}
