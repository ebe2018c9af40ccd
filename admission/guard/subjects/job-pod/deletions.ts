import type { Pod } from '../../../api/kinds.ts';
import type { ObjectKey } from '../../../api/object-key.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import type { LogReading } from '../../../jobs/rules/runner-log.ts';
import { readJobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Verify } from '../../../runner/statements.ts';
import type { Clock } from '../../../time/clock.ts';
import type { LeaderSubject, Step } from '../../leader-subject.ts';
import { jobPodDenial } from '../../rules/denials.ts';
import type { JobPods } from './job-pods.ts';
import { judgeJobPod } from './judge.ts';
import { completionMessage, state } from './rules/message.ts';

export interface JobPodDeletionDependencies {
	jobPods: JobPods;
	pods: Pick<RunnerPods, 'get' | 'from' | 'beginningWith'>;
	/** What the log of the runner says now; never fails. */
	readLog(runner: RunnerPod): Promise<LogReading>;
	verify: Verify;
	clock: Clock;
}

/** The recorded deletions of job pods: they wait until their runner works no longer. */
export class JobPodDeletions implements LeaderSubject {
	readonly controller: LeaderSubject['controller'];
	readonly watched: LeaderSubject['watched'];
	readonly #dependencies: JobPodDeletionDependencies;

	/** @param name of its controller */
	constructor(name: string, dependencies: JobPodDeletionDependencies) {
		this.controller = { name, concurrency: 8, isCounted: false };
		this.#dependencies = dependencies;
		this.watched = dependencies.jobPods.watched;
	}

	run(signal: AbortSignal): Promise<void> {
		return this.watched.informer.run(signal);
	}

	connect(enqueue: (key: ObjectKey) => void): void {
		const { jobPods } = this.#dependencies;
		jobPods.onRunner((_change, runner) => {
			for (const key of jobPods.of(runner)) enqueue(key);
		});
	}

	/** GitHub is never asked about a job pod. */
	waitsForGitHub(): boolean {
		return false;
	}

	async next(object: Pod, namespaceTerminating: boolean): Promise<Step | undefined> {
		const { verify, clock } = this.#dependencies;
		const jobPod = readJobPod(object, verify);
		if (!jobPod || !(jobPod.record || namespaceTerminating)) return undefined;
		// Break-glass is meant for the DELETE of a person, whom the Event then names.
		const asked = { ...jobPod, breakGlass: undefined };
		const { verdict, runnerPod } = await judgeJobPod(asked, undefined, this.#dependencies);
		const pod = { ...jobPod, runnerPod };
		const { runner } = pod;
		if (verdict.kind === 'allow')
			return { kind: 'delete', pod, runner, reason: verdict.reason, message: completionMessage(verdict) };
		const denial = jobPodDenial(verdict.reason);
		return {
			kind: 'wait',
			pod,
			runner,
			reason: verdict.reason,
			denial,
			message: `pod ${pod.name} ${state(pod, verdict, clock.now())}`,
			afterMs: denial.retry(pod, clock.now(), clock.random),
		};
	}
}
