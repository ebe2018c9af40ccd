import { arc } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import { exitCodeVariable, refusedExitCode } from '../../runner/process.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';

/** The kinds of sets whose runners have one image, and the label on their pods that holds the set's name. */
const setLabels = {
	RunnerSet: arc.runnerSet,
	RunnerDeployment: arc.runnerDeployment,
	AutoscalingRunnerSet: arc.scaleSetName,
} as const;
export type SetKindName = keyof typeof setLabels;

/** The set that a pod's labels name. A set counts only for pods of its own namespace, so nobody speaks for another's. */
export interface VersionedSet {
	kind: SetKindName;
	namespace: string;
	name: string;
}

export function setOf({ metadata }: Pod): VersionedSet | undefined {
	for (const kind of Object.keys(setLabels) as SetKindName[]) {
		const name = metadata.labels?.[setLabels[kind]];
		if (name) return { kind, namespace: metadata.namespace ?? '', name };
	}
	return undefined;
}

export const textOf = ({ kind, namespace, name }: VersionedSet): string => `${kind} ${namespace}/${name}`;

export const runnerOf = (pod: Pod) => pod.spec?.containers?.find(({ name }) => name === 'runner');

const stateOf = (pod: Pod) => pod.status?.containerStatuses?.find(({ name }) => name === 'runner')?.state;

/** When the runner's container started, ms since the epoch; undefined: it does not run now. */
export function runningSinceMs(pod: Pod): number | undefined {
	const ms = Date.parse(stateOf(pod)?.running?.startedAt ?? '');
	return Number.isNaN(ms) ? undefined : ms;
}

/**
 * Whether the log of a runner that has ended may say that GitHub refuses its version: it never showed a job and nobody asked
 * it to end, or its exit code says so. (GitHub can refuse a runner after its job as well, actions/runner #3366: its next one
 * tells.)
 */
export function mayTell(pod: Pod, runner: RunnerPod): boolean {
	const exitCode = stateOf(pod)?.terminated?.exitCode;
	if (exitCode === undefined || runner.terminating) return false;
	if (exitCode === refusedExitCode) return true;
	return (
		runner.unregistered === undefined &&
		runner.busyHint === undefined &&
		runner.busyAnswer === undefined &&
		runner.signals.length === 0
	);
}

/**
 * Whether the pod's end alone says that GitHub refuses the version: it was asked to end with 7 then. It counts only where the
 * log cannot be read, for a script in the image may end with 7 as well (curl does where it cannot connect).
 */
export function endedAsRefused(pod: Pod): boolean {
	const asked = runnerOf(pod)?.env?.find(({ name }) => name === exitCodeVariable)?.value;
	return stateOf(pod)?.terminated?.exitCode === refusedExitCode && /^(?:1|true)$/i.test(asked ?? '');
}
