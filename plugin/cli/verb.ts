import { cli, type Flags, type TypeFlag } from 'cleye';
import { exitCode } from '../errors.ts';
import { print } from '../print/out.ts';
import { type FlagShape, normaliseArgv } from './argv.ts';
import { renderHelp } from './help.ts';
import { kebab } from './kebab.ts';
import type { VerbDescription } from './verb-description.ts';

export interface Verb extends VerbDescription {
	flags: Flags;
	/** Runs with the arguments after the verb; its result is the exit code. */
	run: (argv: readonly string[]) => Promise<number>;
}

interface VerbSpec<F extends Flags> extends VerbDescription {
	flags: F;
	run: (words: string[], flags: TypeFlag<F>['flags']) => Promise<number>;
}

const helpFlag = { type: Boolean, alias: 'h', description: 'Show this help' } as const;

/** A verb out of its parts: parsing and `--help` are the same for all of them. */
export function defineVerb<F extends Flags>(spec: VerbSpec<F>): Verb {
	const flags: Flags = { ...spec.flags, help: helpFlag };
	return {
		...spec,
		flags,
		run: async (argv) => {
			const { words, values } = parseArgv(argv, flags, `kubectl runners ${spec.name}`);
			if (values.help) {
				print(renderHelp({ ...spec, flags }));
				return exitCode.done;
			}
			return spec.run(words, values as TypeFlag<F>['flags']);
		},
	};
}

/** Splits arguments into words and the flags' values. Throws on what a verb with these flags does not know. */
export function parseArgv(
	argv: readonly string[],
	flags: Flags,
	command: string,
): { words: string[]; values: Record<string, unknown> } {
	const { flagArgs, words } = normaliseArgv(argv, flagShapes(flags), command);
	const parsed = cli({ flags, help: false }, undefined, flagArgs) as { flags: Record<string, unknown> };
	return { words, values: parsed.flags };
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
