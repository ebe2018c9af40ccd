import type { Flags } from 'cleye';
import { flagLines, section } from '../../admission/cli/help-text.ts';
import { connectionFlags } from './connection-flags.ts';
import type { VerbDescription } from './verb-description.ts';

const program = 'kubectl runners';

/** The text of `kubectl runners VERB --help`, laid out as kubectl's. */
export function renderHelp(verb: VerbDescription & { flags: Flags }): string {
	const own = Object.entries(verb.flags).filter(([key]) => !(key in connectionFlags));
	const shared = Object.entries(verb.flags).filter(([key]) => key in connectionFlags);
	const sections = [
		[verb.summary, verb.description].filter(Boolean).join('\n\n'),
		section('Aliases', verb.aliases?.join(', ')),
		section('Examples', verb.examples.map(([what, typed]) => `# ${what}\n${program} ${typed}`).join('\n\n')),
		section('Flags', flagLines(own)),
		section('Flags for the connection, as in kubectl', flagLines(shared)),
		section('Usage', `${program} ${verb.usage}`),
	];
	return `${sections.filter(Boolean).join('\n\n')}\n`;
}

/** The text of `kubectl runners --help`. */
export function renderOverview(verbs: readonly VerbDescription[]): string {
	const width = Math.max(...verbs.map((verb) => verb.name.length)) + 3;
	return [
		'Manage GitHub Actions runner pods: see what they do, and delete them without killing a job.',
		section('Commands', verbs.map((verb) => verb.name.padEnd(width) + verb.summary).join('\n')),
		section('Usage', `${program} COMMAND [flags]`),
		`Use "${program} COMMAND --help" for more about a command.\n`,
	].join('\n\n');
}
