import { kebab } from './kebab.ts';

/** What the help shows of a flag. */
interface FlagText {
	/** One letter, without the dash. */
	alias?: string;
	placeholder?: string;
	/** May have several lines. */
	description?: string;
}

/** A part of a help text under its title, indented as kubectl's; empty without a body. */
export function section(title: string, body: string | undefined): string {
	return body ? `${title}:\n${indented(body, 2)}` : '';
}

type FlagEntry = readonly [name: string, flag: object];

/** The flags, by their names in code, in two columns: what to type, and what it does. `width` is that of the first. */
export function flagLines(flags: readonly FlagEntry[], width: number = leftWidth(flags)): string {
	return flags
		.map((entry) => {
			const { description = '' } = entry[1] as FlagText;
			return leftColumn(entry).padEnd(width) + indented(description, width).trimStart();
		})
		.join('\n');
}

/** The width of the first column that these flags need. */
export function leftWidth(flags: readonly FlagEntry[]): number {
	return Math.max(0, ...flags.map((entry) => leftColumn(entry).length)) + 3;
}

function leftColumn([name, flag]: FlagEntry): string {
	const { alias, placeholder } = flag as FlagText;
	return `${alias ? `-${alias}, ` : '    '}--${kebab(name)}${placeholder ? ` ${placeholder}` : ''}`;
}

const indented = (text: string, width: number): string => text.replace(/^(?=.)/gm, ' '.repeat(width));
