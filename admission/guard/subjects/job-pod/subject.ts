import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import { type JobPod, readJobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Sign, Verify } from '../../../runner/statements.ts';
import type { Clock } from '../../../time/clock.ts';
import { denyAndRecord, recordPorts } from '../../record-denial.ts';
import type { JobPodReason } from '../../rules/denials.ts';
import type { Subject } from '../../subject.ts';
import { judgeJobPod } from './judge.ts';
import { decideJobPod } from './rules/decide.ts';
import { isOver, jobPodEdits } from './rules/edits.ts';
import { deletedText, jobPodEditTexts, jobPodTexts } from './rules/message.ts';

interface Dependencies {
	pods: Pick<RunnerPods, 'get' | 'from' | 'beginningWith' | 'patch' | 'annotateWhile'>;
	/** What the log of the runner says now; never fails. */
	readLog(runner: RunnerPod): Promise<LogReading>;
	sign: Sign;
	verify: Verify;
	clock: Pick<Clock, 'now'>;
}

/**
 * The pods of runners' jobs and their container actions (containerMode kubernetes): the job runs there, so such a pod is kept while its runner works.
 * GitHub is never asked about one.
 *
 * Compatibility (actions/runner-container-hooks 0.8): the runner deletes its job's pods itself, before and after each job,
 * with its pod's own token. The webhook's conditions let that pass by, so it needs none of our replicas. ARC deletes them
 * after the runner's pod.
 */
export function jobPodSubject(dependencies: Dependencies): Subject<JobPod, JobPodReason> {
	const { pods, verify, clock } = dependencies;
	const read: Subject<JobPod>['read'] = (object) => readJobPod(object, verify);
	const ports = recordPorts<JobPod>(read, pods, { sign: dependencies.sign, now: clock.now });
	return {
		read,
		outline: (object) => readJobPod(object),

		/** Allows where nothing runs in the pod: then the answer is all that happens, as for a runner. */
		async shortcut(shown, _reviewed, { caller }) {
			const verdict = decideJobPod(shown, undefined, caller, clock.now());
			if (verdict.kind !== 'allow') return undefined;
			const isOver = verdict.reason === 'job-pod-ended' || verdict.reason === 'already-terminating';
			return isOver ? { verdict, recorded: false, pod: shown } : undefined;
		},

		async judge({ caller, deletion }, shown, current) {
			// Both at once, since the reviewed object mostly names the same runner.
			const reading = shown && !shown.cut ? pods.get(shown.namespace, shown.runner) : undefined;
			reading?.catch(() => {}); // handled where it is awaited; where the pod cannot be read, that is the error
			const object = await current();
			const pod = object && read(object);
			if (!pod) return undefined;
			const sameRunner = pod.runner === shown?.runner && !pod.cut ? reading : undefined;
			const { verdict, runnerPod } = await judgeJobPod(pod, caller, dependencies, sameRunner);
			if (verdict.kind === 'allow') return { verdict, recorded: false, pod: { ...pod, runnerPod } };
			const denied = await denyAndRecord(pod, verdict, deletion, ports);
			return { ...denied, pod: { ...denied.pod, runnerPod } };
		},

		/** Its runner's own clean-up passes, as it does in the webhook's conditions. */
		endsNothing: ({ ended, namespace, runner, cut }, { caller }) =>
			ended || (caller?.namespace === namespace && caller.name === runner && !cut),
		isOver,
		edits: jobPodEdits,
		texts: {
			denial: jobPodTexts,
			refusedEdits: jobPodEditTexts,
			deleted: deletedText,
			facts: ({ runner, runnerPod }) => ({ runner: runnerPod?.runnerName ?? runner }),
		},
	};
}
