import { loadBeside } from './load-beside.ts';
import { runToExitCode } from './run.ts';
import { defineList, needsSecondBundle } from './verbs/list/list.ts';
import type * as verbsBundle from './verbs/main.ts';

const list = defineList();

/**
 * The entry. It answers `list` of pods itself, as fast as Node starts; everything else, which waits for people and pods
 * anyway, is in a second bundle.
 */
async function main(argv: readonly string[]): Promise<number> {
	const [name = '', ...rest] = argv;
	const isList = name === list.name || list.aliases?.includes(name);
	if (isList && !rest.some(needsSecondBundle)) return list.run(rest);
	const verbs = await loadBeside<typeof verbsBundle>('kubectl-runners-verbs.mjs');
	return verbs.main(argv);
}

// Ended here: connections that are kept alive would hold the process for seconds.
void runToExitCode(() => main(process.argv.slice(2))).then((code) => process.exit(code));
