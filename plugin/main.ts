import { loadBeside } from './load-beside.ts';
import { runToExitCode } from './run.ts';
import { list } from './verbs/list.ts';
import type * as verbsBundle from './verbs/main.ts';

/**
 * The entry. `list` is answered from here, as fast as Node starts; the other verbs, which wait for people and pods
 * anyway, are in a second bundle.
 */
async function main(argv: readonly string[]): Promise<number> {
	const [name = '', ...rest] = argv;
	if (name === list.name || list.aliases?.includes(name)) return list.run(rest);
	const verbs = await loadBeside<typeof verbsBundle>('kubectl-runners-verbs.mjs');
	return verbs.main(argv);
}

// Ended by hand: kept-alive connections would hold the process for seconds.
void runToExitCode(() => main(process.argv.slice(2))).then((code) => process.exit(code));
