import type { Flags, TypeFlag } from 'cleye';
import { parseArgv } from '../../admission/cli/parse-argv.ts';
import { exitCode } from '../errors.ts';
import { print } from '../print/out.ts';
import { renderHelp } from './help.ts';
import type { VerbDescription } from './verb-description.ts';

export interface Verb extends VerbDescription {
	flags: Flags;
	/** Runs with the arguments after the verb; its result is the exit code. */
	run: (argv: readonly string[]) => Promise<number>;
}

interface VerbSpec<F extends Flags> extends VerbDescription {
	flags: F;
	run: (positionals: string[], flags: TypeFlag<F>['flags']) => Promise<number>;
}

const helpFlag = { type: Boolean, alias: 'h', description: 'Show this help' } as const;

/** A verb out of its parts: parsing and `--help` are the same for all of them. */
export function defineVerb<F extends Flags>(spec: VerbSpec<F>): Verb {
	const flags: Flags = { ...spec.flags, help: helpFlag };
	return {
		...spec,
		flags,
		run: async (argv) => {
			const { positionals, values } = parseArgv(argv, flags, `; see 'kubectl runners ${spec.name} --help'`);
			if (values.help) {
				print(renderHelp({ ...spec, flags }));
				return exitCode.done;
			}
			return spec.run(positionals, values as TypeFlag<F>['flags']);
		},
	};
}
