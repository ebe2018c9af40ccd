import { breakGlass, busy, jobPods } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type DeletionRecord, readRecord } from './runner-pod.ts';
import type { Verify } from './statements.ts';

/** A pod in which a runner runs its job (containerMode kubernetes), as plain data. */
export interface JobPod {
	namespace: string;
	name: string;
	uid: string;
	resourceVersion: string | undefined;
	/** creationTimestamp, ms since the epoch; 0 if it is not known. */
	createdMs: number;
	/** Name of the runner's pod, in the same namespace. */
	runner: string;
	/** It carries the label by which the back-stop budgets hold up its eviction. */
	backstopped: boolean;
	terminating: boolean;
	/** Empty: nobody has used it. */
	breakGlass: string;
	/** All its containers have stopped, or none was ever started and none will be. */
	ended: boolean;
	/** The deletion that this server recorded, if there is one. */
	record: DeletionRecord | undefined;
}

/**
 * Whether this is the pod of a runner's job: it has the label of actions/runner-container-hooks, and a container `job`.
 * The webhook configurations' matchConditions say the same in CEL: change both together.
 */
export const isJobPod = ({ metadata, spec }: Pod): boolean =>
	Boolean(metadata.labels?.[jobPods.label]) &&
	(spec?.containers ?? []).some(({ name }) => name === jobPods.container);

/**
 * The pod as a JobPod; undefined if it is none.
 *
 * @param holds checks this server's signatures; without it no record counts
 */
export function readJobPod(pod: Pod, verify: Verify = () => false): JobPod | undefined {
	if (!isJobPod(pod)) return undefined;
	const { name, namespace = '', uid = '', resourceVersion, labels = {}, annotations = {} } = pod.metadata;
	const createdMs = Date.parse(pod.metadata.creationTimestamp ?? '');
	return {
		namespace,
		name,
		uid,
		resourceVersion,
		createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
		runner: labels[jobPods.label] ?? '',
		backstopped: labels[busy.label] !== undefined,
		terminating: pod.metadata.deletionTimestamp !== undefined,
		breakGlass: annotations[breakGlass] ?? '',
		ended: hasEnded(pod),
		record: readRecord(uid, annotations, verify),
	};
}

/** As for a runner, the phase alone proves nothing: the pod garbage collector writes Failed before its DELETE is refused. */
function hasEnded({ status = {} }: Pod): boolean {
	if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return false;
	return (status.containerStatuses ?? []).every(({ state }) => state?.terminated !== undefined);
}
