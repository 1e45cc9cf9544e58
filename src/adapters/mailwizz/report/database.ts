import { type Connections, createConnections, type Lent } from '../connection';
import { createListTables } from '../list-tables';
import { toReason } from '../reasons';
import { probeSchema, type Schema } from '../schema';
import type { FoundList, MysqlSettings } from '../types';
import { judgeDifference } from './api';
import { type Finding, finding, type Part, withinTime } from './types';
import { toWords } from './words';

/** What the tables show, part by part. Nothing is written: rights are tried on no row at all. */
export async function inspectDatabase(
  settings: MysqlSettings,
  allowPrivate: boolean,
  now: () => number,
): Promise<{ findings: Finding[]; lists: FoundList[] }> {
  const connections = createConnections(settings, allowPrivate);
  try {
    return await inspect(connections, settings, now);
  } finally {
    await connections.close().catch(() => undefined);
  }
}

async function inspect(
  connections: Connections,
  settings: MysqlSettings,
  now: () => number,
): Promise<{ findings: Finding[]; lists: FoundList[] }> {
  const seen: { schema?: Schema; lists: FoundList[] } = { lists: [] };
  const reach = await asking('mysql', async ({ ask }) => {
    const started = performance.now();
    const [row] = await ask('SELECT VERSION() version');
    const latency = Math.round(performance.now() - started);
    return finding('mysql', 'good', 'reachable', `MySQL answers after ${latency} ms.`, {
      version: String(row?.['version']),
      latency_ms: latency,
    });
  });
  if (reach.state !== 'good')
    return { findings: [reach, ...skipAll(['schema', 'rights', 'charset', 'mysql_clock', 'list_numbers'])], lists: [] };

  const probed = await asking('schema', async ({ ask }) => {
    const schema = await probeSchema(ask, settings);
    if ('problem' in schema) return finding('schema', 'bad', schema.problem, toWords(schema.problem));
    seen.schema = schema;
    return finding('schema', 'good', 'understood', 'The tables are those we know.', { customer_blacklist: schema.customerBlacklist });
  });
  const { schema } = seen;
  if (!schema) return { findings: [reach, probed, ...skipAll(['rights', 'charset', 'mysql_clock', 'list_numbers'])], lists: [] };

  const rights =
    schema.cannotWrite === undefined
      ? finding('rights', 'good', 'may_write', 'The user may do what the fallback needs, and no row was touched to find out.')
      : finding('rights', 'bad', schema.cannotWrite, toWords(schema.cannotWrite));
  const clock = await asking('mysql_clock', async ({ ask }) => {
    const [row] = await ask('SELECT UNIX_TIMESTAMP(NOW(3)) * 1000 theirs, TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()) zone');
    return judgeDifference('mysql_clock', Number(row?.['theirs']) - now(), {
      zone_minutes: Number(row?.['zone']),
      rows_are_in: schema.clock === 'NOW()' ? 'the zone of the server' : 'UTC',
    });
  });
  const numbers = await asking('list_numbers', async ({ ask }) => {
    seen.lists = await createListTables(ask, schema).lists();
    return finding('list_numbers', 'good', 'numbers_known', `The numbers of ${seen.lists.length} lists are known.`, {
      lists: seen.lists.length,
    });
  });
  return { findings: [reach, probed, rights, judgeCharset(schema), clock, numbers], lists: seen.lists };

  function asking(part: Part, work: (lent: Lent) => Promise<Finding>): Promise<Finding> {
    return withinTime(part, async () => {
      let lent: Lent | undefined;
      try {
        lent = await connections.lend();
        const found = await work(lent);
        lent.release();
        return found;
      } catch (error) {
        lent?.destroy();
        const code = toReason(error, 'mysql_error');
        return finding(part, 'bad', code, toWords(code));
      }
    });
  }
}

function judgeCharset({ widths }: Schema): Finding {
  const facts = { four_byte: widths.fourByte, email_characters: widths.email, value_characters: widths.value };
  if (widths.fourByte) return finding('charset', 'good', 'utf8mb4', 'Every character can be stored.', facts);
  return finding(
    'charset',
    'warn',
    'three_byte',
    'The tables hold no four-byte characters: contacts with an emoji, for example, are rejected on this way.',
    facts,
  );
}

const skipAll = (names: Part[]) =>
  names.map((part) =>
    finding(part, 'skipped', 'mysql_not_usable', 'Nothing can be asked before MySQL answers and its tables are understood.'),
  );
