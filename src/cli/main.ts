import { parseArgs, type ParseArgsConfig } from 'node:util';
import { commands } from './commands';

const usage = () =>
  ['Usage: email-engine <command> [options]', '', ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(16)} ${summary}`), '', 'email-engine <command> --help tells more. Settings come from the environment; .env.example lists them.'].join('\n');

async function main(argv: string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  if (name === '' || name === '--help' || name === 'help') {
    console.log(usage());
    return name === '' ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    console.error(`There is no command '${name}'.\n\n${usage()}`);
    return 2;
  }
  if (rest.includes('--help')) {
    console.log(command.help);
    return 0;
  }
  const parsed = read(rest, command.options);
  if ('problem' in parsed) {
    console.error(`${parsed.problem}\n\n${command.help}`);
    return 2;
  }
  return command.run(parsed.values, parsed.positionals);
}

function read(args: string[], options: ParseArgsConfig) {
  try {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, ...options });
    const pairs: [string, string | boolean | (string | boolean)[] | undefined][] = Object.entries(values);
    return { values: new Map(pairs), positionals };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'the arguments could not be read' };
  }
}

void main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : 'email-engine stopped for an unknown reason');
    process.exit(1);
  },
);
