import { readFileSync } from 'node:fs';
import { faultMeanings } from '../../sandbox/mailwizz/faults';
import { defaultSwitches, describeSwitches } from '../../sandbox/mailwizz/switches';

const docs = readFileSync('docs/SANDBOX.md', 'utf8');
const rows = docs.split('\n').filter((line) => line.startsWith('| `'));

test.each(Object.entries(faultMeanings))('docs/SANDBOX.md names the fault %s with its meaning', (name, meaning) => {
  expect(rows).toContain(`| \`${name}\` | ${meaning} |`);
});

test.each(Object.entries(describeSwitches()))('docs/SANDBOX.md names the switch %s with default and meaning', (name, meaning) => {
  const value = Object.entries(defaultSwitches()).find(([key]) => key === name)?.[1];
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  expect(rows.some((row) => row.startsWith(`| \`${name}\` | \`${shown}\` |`) && row.endsWith(`| ${meaning} |`))).toBe(true);
});
