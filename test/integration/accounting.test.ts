import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { until } from '../support/engine';

let database: FreshDatabase;
let folder: string;
const query = async (text: string) => (await database.pool.query(text)).rows;
const header = 'type,timeLogged,rcpt,bounceCat,dsnDiag,jobId\r\n';
const line = (n: number, type = 'd') => `${type},2026-11-24 10:00:${String(n % 60).padStart(2, '0')}+0000,reader${n}@gmail.com,${type === 'b' ? 'bad-mailbox' : ''},"smtp;550 ""no"", at\nall",mailwizz-camp00000000a\r\n`;
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => line(from + index)).join('');

function start(...args: string[]) {
  const child = spawn(process.execPath, ['bin/email-engine.cjs', 'pmta', ...args], { env: { ...process.env, DATABASE_URL: database.url, DATA_DIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => (out += String(part)));
  child.stderr.on('data', (part) => (err += String(part)));
  return { child, ended: new Promise<{ code: number | null; out: string; err: string }>((resolve) => child.once('close', (code) => resolve({ code, out, err }))) };
}
const run = (...args: string[]) => start(...args).ended;
const sumsOf = (out: string) => JSON.parse(out) as Record<string, number>;

beforeAll(async () => {
  database = await freshDatabase();
  folder = mkdtempSync(join(tmpdir(), 'email-engine-pmta-'));
  await query(`insert into mailwizz_instances (instance_id, name, api_url, api_key) values ('client-1', 'c', 'http://c.example', 'sealed')`);
  await query(`insert into contacts (email, email_hash, status) select 'reader' || n || '@gmail.com', encode(sha256(('reader' || n || '@gmail.com')::bytea), 'hex'), 'injected' from generate_series(1, 30000) n`);
  await query(`with made as (insert into campaigns (name, mailwizz_instance, mailwizz_list_id) values ('c', 'client-1', 12) returning id)
    insert into campaign_legs (campaign_id, bucket_from, bucket_to, marker, mailwizz_campaign_uid, state) select id, 0, 9999, 'm', 'camp00000000a', 'finished' from made`);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await database.drop();
});

test('a file is taken up where it was left, also after it was renamed, and again from the beginning it changes nothing', async () => {
  const file = join(folder, 'acct.csv');
  writeFileSync(file, header + lines(1, 100) + 'zz,,,,,\r\n' + 't,,reader1@gmail.com,,,\r\n');
  expect(sumsOf((await run(file, '--json')).out)).toMatchObject({ records: 102, stored: 100, copies: 0, passed: 1, unreadable: 1 });
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, lines(101, 150) + line(1, 'b'));
  expect(sumsOf((await run(`${file}.1`, '--json')).out)).toMatchObject({ records: 51, stored: 51, copies: 0 });
  expect(sumsOf((await run(`${file}.1`, '--json')).out)).toMatchObject({ records: 0 });
  expect(sumsOf((await run(`${file}.1`, '--json', '--again')).out)).toMatchObject({ records: 153, stored: 0, copies: 151 });
  expect(await query(`select event_data ->> 'dsnDiag' text from contact_events where event_type = 'bounced'`)).toEqual([{ text: 'smtp;550 "no", at\nall' }]);
});

test('a line that is still being written is left for the next time, and read whole then', async () => {
  const file = join(folder, 'grows.csv');
  const next = line(211);
  for (const [cut, name] of [[30, 'between quotes'], [next.length - 20, 'within quotes']] as const) {
    await query('truncate contact_events, campaign_activity, event_counts, accounting_files');
    writeFileSync(file, header + lines(201, 210) + next.slice(0, cut));
    expect([name, sumsOf((await run(file, '--json')).out)]).toMatchObject([name, { records: 10, stored: 10, unreadable: 0 }]);
    appendFileSync(file, next.slice(cut));
    expect([name, sumsOf((await run(file, '--json')).out)]).toMatchObject([name, { records: 1, stored: 1, unreadable: 0 }]);
  }
  expect(await query(`select email, event_data ->> 'dsnDiag' text from contact_events where contact_id = 211`)).toEqual([{ email: 'reader211@gmail.com', text: 'smtp;550 "no", at\nall' }]);
});

test('an import killed in the middle is finished by the next one, each record once', async () => {
  const file = join(folder, 'large.csv');
  writeFileSync(file, header + lines(1_001, 30_000));
  const first = start(file);
  await until(async () => (await query(`select count(*)::int n from contact_events where contact_id > 1000`))[0].n > 0, 'the first commit');
  first.child.kill('SIGKILL');
  await first.ended;
  expect((await run(file)).code).toBe(0);
  expect(await query(`select count(*)::int n, count(distinct contact_id)::int contacts from contact_events where contact_id > 1000`)).toEqual([{ n: 29_000, contacts: 29_000 }]);
});

test('no file, a missing one, a folder and a file of something else are told apart in words', async () => {
  writeFileSync(join(folder, 'other.csv'), 'email,name\na,b\n');
  expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining('Name at least one FILE') });
  expect(await run(join(folder, 'absent.csv'))).toMatchObject({ code: 1, err: expect.stringContaining('no such file') });
  expect(await run(folder)).toMatchObject({ code: 1, err: expect.stringContaining('directory') });
  expect(await run(join(folder, 'other.csv'))).toMatchObject({ code: 1, err: expect.stringContaining('is no accounting file') });
});
