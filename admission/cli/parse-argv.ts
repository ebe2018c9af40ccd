import { cli, type Flags } from 'cleye';
import { type FlagShape, normaliseArgv } from './argv.ts';
import { kebab } from './kebab.ts';

/** Splits arguments into positional ones and the flags' values, by these flags' names in code. @throws UsageError on any other flag */
export function parseArgv(
	argv: readonly string[],
	flags: Flags,
	seeHelp?: string,
): { positionals: string[]; values: Record<string, unknown> } {
	const { flagArgs, positionals } = normaliseArgv(argv, flagShapes(flags), seeHelp);
	const parsed = cli({ flags, help: false }, undefined, flagArgs) as { flags: Record<string, unknown> };
	return { positionals, values: parsed.flags };
}

/** The flags as they are typed. */
export function flagShapes(flags: Flags): FlagShape[] {
	return Object.entries(flags).map(([key, flag]) => {
		const schema = flag as { type?: unknown; alias?: string; bareValue?: string };
		return {
			name: kebab(key),
			short: schema.alias,
			boolean: schema.type === Boolean,
			bareValue: schema.bareValue,
		};
	});
}
