import { parseArgs, type ParseArgsConfig } from 'node:util';
import { type Command, createCommands, type RunParts } from './commands';

const usage = (commands: Record<string, Command>) =>
  ['Usage: email-engine <command> [options]', '', ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(16)} ${summary}`), '', 'email-engine <command> --help tells more. Settings come from the environment or .env; .env.example lists them.'].join('\n');

async function run(argv: string[], commands: Record<string, Command>): Promise<number> {
  const [name = '', ...rest] = argv;
  if (name === '' || name === '--help' || name === 'help') {
    console.log(usage(commands));
    return name === '' ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    console.error(`There is no command '${name}'.\n\n${usage(commands)}`);
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

export async function main(argv: string[], runParts: RunParts): Promise<void> {
  try {
    process.exitCode = await run(argv, createCommands(runParts));
  } catch (error) {
    console.error(toMessage(error));
    process.exit(1);
  }
}

/** What a failed query says of itself names its values; its cause tells what happened. */
function toMessage(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(toMessage).join('\n');
  if (!(error instanceof Error)) return 'email-engine stopped for an unknown reason';
  return error.cause instanceof Error ? toMessage(error.cause) : error.message;
}
