import { loadBeside } from './load-beside.ts';
import { runToExitCode } from './run.ts';
import { isPodList } from './verbs/list/is-pod-list.ts';
import type * as bundle from './verbs/main.ts';

/**
 * The entry: it only chooses the bundle that answers. `list` of pods has one of its own, which starts as fast as Node
 * does; everything else, which waits for people and pods anyway, is in another.
 */
async function main(argv: readonly string[]): Promise<number> {
	const name = isPodList(argv) ? 'kubectl-runners-list.cjs' : 'kubectl-runners-verbs.cjs';
	return loadBeside<typeof bundle>(name).main(argv);
}

// Ended here: connections that are kept alive would hold the process for seconds.
void runToExitCode(() => main(process.argv.slice(2))).then((code) => process.exit(code));
