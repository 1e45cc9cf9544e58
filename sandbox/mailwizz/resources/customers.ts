import { createHash } from 'node:crypto';
import { error, success } from '../answers';
import { companyColumns, readCompany } from '../company';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import type { Answer, Call, Route } from '../router';
import { change, inTransaction, select } from '../sql';
import { newUid } from '../uid';

export const customerRoutes: Route[] = [{ method: 'POST', path: '/customers', name: 'create-customer', handle: create }];

async function create(context: Context, { form }: Call): Promise<Answer> {
  const { switches, pool } = context;
  if (!switches.customer_creation) return error(switches.permission_code, 'Customer creation is disabled.');
  const customer = mapAt(form, 'customer');
  const problems = await judge(context, customer);
  if (Object.keys(problems).length > 0) return error(422, problems);
  const given = mapAt(form, 'company');
  if (!given && switches.company_required) return error(422, { company: 'Company cannot be blank.' });
  const company = given && (await readCompany(context, given));
  if (company && 'problem' in company) return error(422, company.problem);

  const uid = newUid();
  const now = storedDate(context, context.now());
  await inTransaction(pool, async (db) => {
    const { insertId } = await change(
      db,
      'INSERT INTO mw_customer (customer_uid, first_name, last_name, email, password, timezone, birth_date, newsletter_consent, date_added, last_updated) VALUES (?)',
      [[uid, textAt(customer, 'first_name'), textAt(customer, 'last_name'), textAt(customer, 'email'), digest(customer), textAt(customer, 'timezone') ?? 'UTC', textAt(customer, 'birthDate') ?? null, textAt(customer, 'newsletter_consent') ?? null, now, now]],
    );
    if (company) await change(db, `INSERT INTO mw_customer_company (customer_id, ${companyColumns.join(', ')}, date_added, last_updated) VALUES (?)`, [[insertId, ...companyColumns.map((column) => company[column]), now, now]]);
  });
  return success({ customer_uid: uid }, switches.create_code);
}

/** Stand-ins hold no real secrets, and still no password in clear. */
const digest = (customer: PhpMap | undefined) => createHash('sha256').update(textAt(customer, 'password') ?? '').digest('hex');

async function judge({ pool }: Context, customer: PhpMap | undefined): Promise<Record<string, string>> {
  const labels = { first_name: 'First name', last_name: 'Last name', email: 'Email', confirm_email: 'Confirm email', password: 'Password', confirm_password: 'Confirm password' };
  const blank = Object.entries(labels).flatMap(([key, label]) => (textAt(customer, key) === undefined ? [[key, `${label} cannot be blank.`] as const] : []));
  if (blank.length > 0) return Object.fromEntries(blank);
  const email = textAt(customer, 'email') ?? '';
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) return { email: 'Email is not a valid email address.' };
  if (email !== textAt(customer, 'confirm_email')) return { confirm_email: 'Confirm email must be repeated exactly.' };
  if (textAt(customer, 'password') !== textAt(customer, 'confirm_password')) return { confirm_password: 'Confirm password must be repeated exactly.' };
  if (!/^(\d{4}-\d\d-\d\d)?$/.test(textAt(customer, 'birthDate') ?? '')) return { birthDate: 'The format of birth date is invalid.' };
  const [taken] = await select(pool, 'SELECT 1 FROM mw_customer WHERE email = ?', [email]);
  return taken ? { email: `Email "${email}" has already been taken.` } : {};
}
