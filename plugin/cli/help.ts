import type { Flags } from 'cleye';
import { connectionFlags } from './connection-flags.ts';
import { kebab } from './kebab.ts';
import type { VerbDescription } from './verb-description.ts';

export const program = 'kubectl runners';

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
		'Look after GitHub Actions runner pods: see what they do, and delete them without killing a job.',
		section('Commands', verbs.map((verb) => verb.name.padEnd(width) + verb.summary).join('\n')),
		section('Usage', `${program} COMMAND [flags]`),
		`Use "${program} COMMAND --help" for more about a command.\n`,
	].join('\n\n');
}

function section(title: string, body: string | undefined): string {
	if (!body) return '';
	return `${title}:\n${body.replace(/^(?=.)/gm, '  ')}`;
}

function flagLines(flags: [string, Flags[string]][]): string {
	const rows = flags.map(([key, flag]) => {
		const {
			alias,
			placeholder,
			description = '',
		} = flag as {
			alias?: string;
			placeholder?: string;
			description?: string;
		};
		const long = `--${kebab(key)}${placeholder ? ` ${placeholder}` : ''}`;
		return [`${alias ? `-${alias}, ` : '    '}${long}`, description] as const;
	});
	const width = Math.max(0, ...rows.map(([left]) => left.length)) + 3;
	return rows.map(([left, description]) => left.padEnd(width) + description).join('\n');
}
