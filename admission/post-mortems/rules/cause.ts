import type { EndReason } from '../../api/ended-runners.ts';
import type { ContainerState, ContainerStatus, Pod } from '../../api/kinds.ts';
import { disruption } from '../../runner/end-fields.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';

/** What was seen of a pod, as plain data. */
interface Seen {
	/** As it is, or was last. */
	pod: Pod;
	runner: RunnerPod;
	/** The change before: its runner may still have been running. */
	before: RunnerPod | undefined;
	/** The pod object is gone. */
	gone: boolean;
	/** The pod's node is among the nodes. */
	nodeExists: boolean;
}

/** Why a run of the runner's container ended. */
export interface Cause {
	reason: EndReason;
	detail?: string | undefined;
	container?: string | undefined;
	exitCode?: number | undefined;
	startedAt?: string | undefined;
	endedAt?: string | undefined;
	usage?: string | undefined;
	/** Whether the runner's log may name another reason; `decides`: without it, nothing is known. */
	log?: 'may-tell' | 'decides';
}

type Terminated = NonNullable<ContainerState['terminated']>;

/**
 * Why the runner ended. 'as-it-should': by the end of its job, or removed while it had none. undefined: it has not ended, as
 * far as is known. The pod's own word comes first, then that of whoever has it deleted, then its containers'.
 */
export function causeOfEnd(seen: Seen): Cause | 'as-it-should' | undefined {
	const { pod, runner, gone } = seen;
	const state = runnerStatus(pod)?.state;
	const failed = pod.status?.phase === 'Failed' && state?.running === undefined;
	if (!gone && !failed && runner.process.state !== 'exited') return undefined;
	const ended = endOf(state?.terminated);
	if (!pod.spec?.nodeName && !state?.terminated) return 'as-it-should'; // it has never started
	if (byBreakGlass(seen)) return { reason: 'break-glass', detail: runner.breakGlass, ...ended };
	const byPod = failed || gone ? podReason(pod) : undefined;
	if (byPod) return { ...ended, ...byPod };
	const byContainer = state?.terminated && terminatedReason(state.terminated);
	if (byContainer) return { ...ended, ...byContainer };
	const unstarted = state?.terminated ? undefined : startFailure(pod, runner);
	if (unstarted) return unstarted;
	if (letGo(runner)) return 'as-it-should';
	if (state?.terminated?.exitCode === 0) return afterSuccess(seen, ended);
	return disrupted(seen, ended) ?? killed(seen, ended);
}

/** Why the run before a restart in place ended; undefined: it ended without an error, or nothing was restarted. */
export function causeOfRestart(pod: Pod, restartsBefore: number): Cause | undefined {
	const status = runnerStatus(pod);
	const last = status?.lastState?.terminated;
	if (!last || (status.restartCount ?? 0) <= restartsBefore || last.exitCode === 0) return undefined;
	return byExit(last);
}

const runnerStatus = ({ status }: Pod): ContainerStatus | undefined =>
	status?.containerStatuses?.find(({ name }) => name === 'runner');

const endOf = (terminated: Terminated | undefined): Partial<Cause> =>
	terminated
		? {
				container: 'runner',
				exitCode: terminated.exitCode,
				startedAt: terminated.startedAt,
				endedAt: terminated.finishedAt,
			}
		: {};

/** Its deletion was allowed by break-glass while it ran; a runner that had ended before was not killed by it. */
function byBreakGlass({ pod, runner, before, gone }: Seen): boolean {
	if (!runner.breakGlass || !(gone || runner.terminating)) return false;
	const { terminated } = runnerStatus(pod)?.state ?? {};
	if (!terminated) return runner.process.state === 'running';
	return terminated.exitCode !== 0 || (before?.terminating === true && before.process.state === 'running');
}

/** It had no job: GitHub has unregistered it, or this is said by ARC or GitHub's lists. */
const letGo = ({ unregistered, saidToBeGone, absentSinceMs, terminating }: RunnerPod): boolean =>
	unregistered !== undefined || (terminating && (saidToBeGone !== undefined || absentSinceMs !== undefined));

const hadJob = (runner: RunnerPod | undefined): boolean =>
	runner !== undefined && (runner.busyHint !== undefined || runner.signals.length > 0);

/** Exit code 0: of a runner that no source has seen at work, its log tells whether it ran a job. */
function afterSuccess({ runner, before, gone }: Seen, ended: Partial<Cause>): Cause | 'as-it-should' {
	if (gone || runner.terminating || hadJob(runner) || hadJob(before)) return 'as-it-should';
	return { reason: 'no-job', ...ended, log: 'decides' };
}

/**
 * Reasons in a pod's status, which a kubelet writes (pkg/kubelet: eviction/eviction_manager.go, active_deadline.go,
 * preemption/preemption.go, nodeshutdown/nodeshutdown_manager.go), and the node controller (NodeLost). Those of its admission
 * are in lifecycle/predicate.go: OutOfcpu and its like, NodeAffinity, UnexpectedAdmissionError ...
 */
const podReasons: Readonly<Record<string, EndReason>> = {
	Evicted: 'evicted',
	DeadlineExceeded: 'deadline-exceeded',
	Preempting: 'preempted',
	Terminated: 'node-shutdown',
	NodeShutdown: 'node-shutdown',
	Shutdown: 'node-shutdown',
	NodeLost: 'node-lost',
	NodeAffinity: 'node-refused',
	NodeName: 'node-refused',
	NodePorts: 'node-refused',
	UnexpectedAdmissionError: 'node-refused',
	TopologyAffinityError: 'node-refused',
	PodOSSelectorNodeLabelDoesNotMatch: 'node-refused',
	PodOSNotSupported: 'node-refused',
	PodFeatureUnsupported: 'node-refused',
	TaintToleration: 'node-refused',
	VolumeAttachmentLimitExceeded: 'node-refused',
	SysctlForbidden: 'node-refused',
	AppArmor: 'node-refused',
};

function podReason({ status }: Pod): Cause | undefined {
	const { reason: said = '', message } = status ?? {};
	const reason = Object.hasOwn(podReasons, said)
		? podReasons[said]
		: /^OutOf\w+$/.test(said)
			? 'node-refused'
			: undefined;
	if (reason === undefined) return undefined;
	const detail = reason === 'node-refused' ? `${said}: ${message ?? ''}` : message;
	return { reason, detail, usage: reason === 'evicted' ? usageIn(message ?? '') : undefined };
}

/** `Container runner was using 900Mi, request is 0`: eviction/helpers.go. The resource is named before it. */
function usageIn(message: string): string | undefined {
	const [, resource] = /low on resource: ([\w./-]+?)\.? /.exec(message) ?? [];
	const [, amount] = /Container runner was using (\w+)/.exec(message) ?? [];
	return amount && `${resource ?? ''} ${amount}`.trim();
}

/** What the runtime or the kubelet says of the container itself. */
function terminatedReason({ reason, message }: Terminated): Cause | undefined {
	switch (reason) {
		case 'OOMKilled':
			return { reason: 'out-of-memory', detail: message };
		case 'StartError':
		case 'ContainerCannotRun':
			return { reason: 'start-failed', detail: message };
		case 'DeadlineExceeded':
			return { reason: 'deadline-exceeded', detail: message };
		case 'ContainerStatusUnknown':
			return { reason: 'container-lost', detail: message };
		default:
			return undefined;
	}
}

/**
 * Whoever has a pod deleted says so in a condition (KEP-3329); it stays where the deletion was refused, so it counts only for
 * a pod that goes. Where the kubelet has not reported the runner's end, its node does not answer.
 */
function disrupted({ pod, runner, gone, nodeExists }: Seen, ended: Partial<Cause>): Cause | undefined {
	const condition = pod.status?.conditions?.find(({ type }) => type === disruption);
	const reported = ended.exitCode !== undefined;
	const goes = gone || runner.terminating || pod.status?.phase === 'Failed';
	if (condition && goes) {
		const { reason, message: detail } = condition;
		if (reason === 'PreemptionByScheduler') return { reason: 'preempted', detail, ...ended };
		if (reason === 'DeletionByPodGC') return { reason: 'node-lost', detail, ...ended };
		if (reason === 'DeletionByTaintManager')
			return { reason: reported ? 'node-tainted' : 'node-lost', detail, ...ended };
		if (reason === 'TerminationByKubelet') return { reason: 'evicted', detail, ...ended };
	}
	const running = runner.process.state === 'running' && gone;
	return running && (runner.nodeGone || !nodeExists) ? { reason: 'node-lost' } : undefined;
}

/** Reasons for waiting (pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime/kuberuntime_container.go). */
const waitingReasons: Readonly<Record<string, EndReason>> = {
	ErrImagePull: 'image-unavailable',
	ImagePullBackOff: 'image-unavailable',
	InvalidImageName: 'image-unavailable',
	ErrImageNeverPull: 'image-unavailable',
	ImageInspectError: 'image-unavailable',
	RegistryUnavailable: 'image-unavailable',
	SignatureValidationFailed: 'image-unavailable',
	CreateContainerConfigError: 'config-error',
	CreateContainerError: 'start-failed',
	RunContainerError: 'start-failed',
	PreCreateHookError: 'start-failed',
	PreStartHookError: 'start-failed',
	PostStartHookError: 'start-failed',
};

/** Why a pod that has not started never will. */
function startFailure({ status }: Pod, { process }: RunnerPod): Cause | undefined {
	if (process.state === 'running') return undefined;
	for (const { name, state, lastState } of status?.initContainerStatuses ?? []) {
		const end = state?.terminated ?? lastState?.terminated;
		if (end && end.exitCode !== 0) {
			const facts = {
				container: name,
				exitCode: end.exitCode,
				startedAt: end.startedAt,
				endedAt: end.finishedAt,
			};
			const known = terminatedReason(end);
			return { ...(known ?? { reason: 'init-failed', detail: end.message }), ...facts };
		}
		const waits = waitingReason(state);
		if (waits) return { ...waits, container: name };
	}
	const runner = status?.containerStatuses?.find(({ name }) => name === 'runner');
	const waits = waitingReason(runner?.state);
	if (waits) return { ...waits, container: 'runner' };
	const last = runner?.state?.waiting ? runner.lastState?.terminated : undefined;
	return last && last.exitCode !== 0 ? byExit(last) : undefined;
}

function waitingReason(state: ContainerState | undefined): Cause | undefined {
	const { reason: said = '', message } = state?.waiting ?? {};
	const reason = Object.hasOwn(waitingReasons, said) ? waitingReasons[said] : undefined;
	return reason && { reason, detail: message ? `${said}: ${message}` : said };
}

/** Nobody says why: by the exit code, and whether the pod is deleted. */
function killed({ pod, runner, gone }: Seen, ended: Partial<Cause>): Cause | 'as-it-should' | undefined {
	const terminated = runnerStatus(pod)?.state?.terminated;
	if (gone || runner.terminating) {
		if (terminated?.exitCode !== undefined && !isSignal(terminated.exitCode)) return byExit(terminated);
		const inUse = terminated !== undefined || runner.process.state === 'running';
		return inUse ? { reason: 'deleted', ...ended } : 'as-it-should';
	}
	if (terminated) return byExit(terminated);
	return pod.status?.phase === 'Failed'
		? { reason: 'failed', detail: pod.status.message ?? pod.status.reason }
		: undefined;
}

const isSignal = (exitCode: number): boolean => exitCode === 137 || exitCode === 143;

/** 7: GitHub takes the runner's version no longer (RunnerVersionDeprecated in actions/runner's Constants.cs). */
function byExit(terminated: Terminated): Cause {
	const known = terminatedReason(terminated);
	const ended = endOf(terminated);
	if (known) return { ...known, ...ended };
	switch (terminated.exitCode) {
		case 137:
			return { reason: 'sigkill', ...ended };
		case 143:
			return { reason: 'sigterm', ...ended };
		case 7:
			return { reason: 'runner-outdated', ...ended, log: 'may-tell' };
		default:
			return { reason: 'failed', detail: terminated.message, ...ended, log: 'may-tell' };
	}
}
