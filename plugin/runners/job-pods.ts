import { busy, record } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import type { DeletionRecord } from '../../admission/runner/guarded-pod.ts';
import { isJobPod, readJobPod, runnerOf } from '../../admission/runner/job-pod.ts';
import { isRunnerPod } from '../../admission/runner/runner-pod.ts';

/** The state of a job pod, for people. */
type JobPodState = 'pending' | 'starting' | 'running' | 'draining' | 'stopped';

export function jobPodState({ metadata, spec, status }: Pod): JobPodState {
	if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return 'stopped';
	const asked = metadata.annotations?.[record.requestedAt] !== undefined;
	if (metadata.deletionTimestamp !== undefined || asked) return 'draining';
	if (!spec?.nodeName) return 'pending';
	return status?.phase === 'Pending' ? 'starting' : 'running';
}

/** Its recorded deletion. The plugin has no key to verify signatures: it shows any record that has one. */
export const jobPodRecord = (pod: Pod): DeletionRecord | undefined =>
	readJobPod(pod, (_statement, given) => Boolean(given))?.record;

/** The job, as the server wrote it on the pod; undefined: its runner is not marked as busy, or its job is not known. */
export const jobPodJob = ({ metadata: { labels = {}, annotations = {} } }: Pod): string | undefined =>
	labels[busy.label] === 'true' ? annotations[busy.job] : undefined;

/** These pods, sorted: each runner followed by its job pods; at the end those whose runner is not among them. */
export function withJobPods(pods: readonly Pod[]): Pod[] {
	const ofRunner = new Map<string, Pod[]>();
	for (const pod of pods) {
		if (!isJobPod(pod) || isRunnerPod(pod)) continue;
		const key = keyOf(pod, runnerOf(pod)?.runner);
		ofRunner.set(key, [...(ofRunner.get(key) ?? []), pod]);
	}
	const runners = pods.filter(isRunnerPod);
	if (ofRunner.size === 0) return runners;
	const listed = runners.flatMap((pod) => {
		const key = keyOf(pod, pod.metadata.name);
		const own = ofRunner.get(key) ?? [];
		ofRunner.delete(key);
		return [pod, ...own];
	});
	return [...listed, ...[...ofRunner.values()].flat()];
}

const keyOf = ({ metadata }: Pod, runner = ''): string => `${metadata.namespace}/${runner}`;
