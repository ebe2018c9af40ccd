import type { Verb } from '../cli/verb.ts';
import { cancel } from './cancel.ts';
import { completeVerb, completion } from './completion.ts';
import { deleteVerb } from './delete.ts';
import { doctor } from './doctor.ts';
import { drain } from './drain.ts';
import { install } from './install.ts';
import { defineList } from './list.ts';
import { listSets } from './list-sets.ts';
import { scale } from './scale.ts';
import { status } from './status.ts';
import { uninstall } from './uninstall.ts';
import { version } from './version.ts';
import { wait } from './wait.ts';
import { why } from './why.ts';

/** Every verb, in the order of `kubectl runners --help`. */
export const verbs: readonly Verb[] = [
	defineList(listSets),
	status,
	why,
	deleteVerb,
	wait,
	cancel,
	drain,
	scale,
	doctor,
	install,
	uninstall,
	version,
	completion,
	completeVerb(() => verbs),
];
