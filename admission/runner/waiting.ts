import type { ContainerStatus, Pod } from '../api/kinds.ts';
import { printable } from '../api/printable.ts';
import type { WaitingReason } from '../api/reasons.ts';

/** Why a runner has not started, in the words of its pod. */
export interface Waiting {
	reason: WaitingReason;
	/** On one line, bounded: what the scheduler or the kubelet says, and of which container. */
	message: string;
}

/**
 * Reasons by which a kubelet says that it has tried in vain (pkg/kubelet/images/types.go and
 * pkg/kubelet/kuberuntime/kuberuntime_container.go of Kubernetes). It tries again.
 */
export const vainReasons: ReadonlyMap<string, WaitingReason> = new Map([
	['ErrImagePull', 'ImageNotPulled'],
	['ImagePullBackOff', 'ImageNotPulled'],
	['InvalidImageName', 'ImageNotPulled'],
	['ErrImageNeverPull', 'ImageNotPulled'],
	['ImageInspectError', 'ImageNotPulled'],
	['RegistryUnavailable', 'ImageNotPulled'],
	['CreateContainerConfigError', 'ContainerNotCreated'],
	['CreateContainerError', 'ContainerNotCreated'],
	['RunContainerError', 'ContainerNotCreated'],
	['CrashLoopBackOff', 'ContainerCrashes'],
]);

/** A kubelet's message may repeat an answer of the registry of any length; its beginning says what is wrong. */
export const mostWaitingMessage = 300;
/** More containers than any pod has that starts a runner tell nothing more. */
const mostRead = 50;

/**
 * Why the runner in this pod has not started; undefined: it has, it has ended, or nobody has given a reason (an image that is
 * being pulled, a volume that is being mounted).
 */
export function waitingOf({ metadata, status }: Pick<Pod, 'metadata' | 'status'>): Waiting | undefined {
	if (metadata.deletionTimestamp !== undefined) return undefined;
	const phase = status?.phase ?? 'Pending';
	if (phase === 'Succeeded' || phase === 'Failed') return undefined;
	const containers = (status?.containerStatuses ?? []).slice(0, mostRead);
	const runner = containers.find(({ name }) => name === 'runner');
	if (runner?.state?.running) return undefined;
	// Of a pod that has started before, only its runner's status says why the runner does not run.
	if (phase !== 'Pending') return inVain(runner);
	const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
	if (scheduled?.status === 'False') {
		const reason = scheduled.reason === 'SchedulingGated' ? 'SchedulingGated' : 'Unschedulable';
		return { reason, message: said(scheduled.reason ?? reason, scheduled.message) };
	}
	const inits = (status?.initContainerStatuses ?? []).slice(0, mostRead);
	for (const one of [...inits, runner, ...containers]) {
		const waiting = inVain(one);
		if (waiting) return waiting;
	}
	return undefined;
}

function inVain(status: ContainerStatus | undefined): Waiting | undefined {
	const { reason = '', message } = status?.state?.waiting ?? {};
	const kind = vainReasons.get(reason);
	if (!status || !kind) return undefined;
	return { reason: kind, message: said(`container ${status.name}: ${reason}`, message) };
}

function said(what: string, message: string | undefined): string {
	const text = printable(message ? `${what}: ${message.slice(0, 2 * mostWaitingMessage)}` : what);
	return text.length > mostWaitingMessage ? `${text.slice(0, mostWaitingMessage - 1)}…` : text;
}
