import { nearest } from '../../admission/cli/nearest.ts';
import { renderOverview } from '../cli/help.ts';
import type { Verb } from '../cli/verb.ts';
import { exitCode, usageError } from '../errors.ts';
import { print } from '../print/out.ts';
import { runToExitCode } from '../run.ts';
import { verbs } from './index.ts';

/** The second bundle: every verb, the overview, and the error for an unknown verb. */
export function main(argv: readonly string[]): Promise<number> {
	return runToExitCode(() => dispatch(argv));
}

async function dispatch([name, ...rest]: readonly string[]): Promise<number> {
	if (name === undefined || name === '--help' || name === '-h') return overview();
	if (name === 'help') return rest[0] === undefined ? overview() : find(rest[0]).run(['--help']);
	if (name === '--version') return find('version').run(rest);
	if (name.startsWith('-')) throw usageError(`flags come after the command: kubectl runners COMMAND ${name}`);
	return find(name).run(rest);
}

function overview(): number {
	print(renderOverview(verbs.filter(({ hidden }) => !hidden)));
	return exitCode.done;
}

function find(name: string): Verb {
	const verb = verbs.find((candidate) => candidate.name === name || candidate.aliases?.includes(name));
	if (verb) return verb;
	const names = verbs
		.filter(({ hidden }) => !hidden)
		.flatMap((known) => [known.name, ...(known.aliases ?? [])]);
	const hint = nearest(name, names);
	throw usageError(
		`unknown command "${name}" for "kubectl runners"${hint ? ` (did you mean "${hint}"?)` : ''}`,
	);
}
