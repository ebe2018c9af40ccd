import type { Verb } from '../cli/verb.ts';
import { autoscale } from './autoscale/autoscale.ts';
import { cancel } from './cancel/cancel.ts';
import { completeVerb, completion } from './completion/completion.ts';
import { deleteVerb } from './delete/delete.ts';
import { doctor } from './doctor/doctor.ts';
import { drain } from './drain/drain.ts';
import { install } from './install/install.ts';
import { jobs } from './jobs/jobs.ts';
import { listEndedRunners } from './list/ended.ts';
import { defineList } from './list/list.ts';
import { listObjects } from './list/objects.ts';
import { listSets } from './list/sets.ts';
import { protect } from './protect/protect.ts';
import { scale } from './scale/scale.ts';
import { status } from './status/status.ts';
import { uninstall } from './uninstall/uninstall.ts';
import { version } from './version/version.ts';
import { wait } from './wait/wait.ts';
import { why } from './why/why.ts';

/** Every verb, in the order of `kubectl runners --help`. */
export const verbs: readonly Verb[] = [
	defineList({ listSets, listEndedRunners, listObjects }),
	status,
	jobs,
	why,
	deleteVerb,
	wait,
	cancel,
	drain,
	scale,
	autoscale,
	protect,
	doctor,
	install,
	uninstall,
	version,
	completion,
	completeVerb(() => verbs),
];
