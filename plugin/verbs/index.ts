import type { Verb } from '../cli/verb.ts';
import { cancel } from './cancel.ts';
import { completeVerb, completion } from './completion.ts';
import { deleteVerb } from './delete.ts';
import { drain } from './drain.ts';
import { list } from './list.ts';
import { version } from './version.ts';
import { wait } from './wait.ts';
import { why } from './why.ts';

/** Every verb, in the order of `kubectl runners --help`. */
export const verbs: readonly Verb[] = [
	list,
	why,
	deleteVerb,
	wait,
	cancel,
	drain,
	version,
	completion,
	completeVerb(() => verbs),
];
