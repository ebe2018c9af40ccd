/**
 * Pods as they are when their runner has died, as a real cluster shows them. `source`: where Kubernetes, or the runner, writes
 * this (Kubernetes 1.36). Unit tests read them, and the end-to-end test
 * puts them on a real API server.
 */
import type { EndReason } from '../../../admission/api/ended-runners.ts';
import type { Condition, ContainerState, Pod } from '../../../admission/api/kinds.ts';

export interface Shape {
	name: string;
	reason: EndReason;
	source: string;
	/** The status in which it ends. */
	status: NonNullable<Pod['status']>;
	/** The pod is deleted in this status: its end is the only moment. */
	deleted?: boolean;
	/** Annotation of break-glass. */
	breakGlass?: string;
	/** Its log. */
	log?: string;
	/** What the entry says in addition. */
	says?: RegExp;
}

const startedAt = '2026-11-23T12:00:00Z';
const finishedAt = '2026-11-23T12:00:50Z';

const runner = (state: ContainerState, more: { lastState?: ContainerState; restartCount?: number } = {}) => [
	{ name: 'runner', restartCount: 0, state, ...more },
];
const terminated = (exitCode: number, reason = 'Error', message?: string): ContainerState => ({
	terminated: { exitCode, reason, startedAt, finishedAt, ...(message === undefined ? {} : { message }) },
});
const running: ContainerState = { running: { startedAt } };
const waiting = (reason: string, message?: string): ContainerState => ({
	waiting: { reason, ...(message === undefined ? {} : { message }) },
});
const disrupted = (reason: string, message: string): Condition => ({
	type: 'DisruptionTarget',
	status: 'True',
	reason,
	message,
	lastTransitionTime: finishedAt,
});
const ended = (state: ContainerState) => ({ phase: 'Failed', containerStatuses: runner(state) });

export const shapes: readonly Shape[] = [
	{
		name: 'out of memory',
		reason: 'out-of-memory',
		source: 'containerd: TaskOOM event, pkg/kubelet/kuberuntime: reason OOMKilled, exit code 137',
		status: ended(terminated(137, 'OOMKilled')),
	},
	{
		name: 'evicted, the node is short of memory',
		reason: 'evicted',
		source: 'pkg/kubelet/eviction/helpers.go: nodeLowMessageFmt, containerMessageFmt',
		status: {
			...ended(terminated(137)),
			reason: 'Evicted',
			message:
				'The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi. Container runner was using 900Mi, request is 0, has larger consumption of memory. ',
			conditions: [disrupted('TerminationByKubelet', 'The node was low on resource: memory.')],
		},
		says: /memory 900Mi/,
	},
	{
		name: 'evicted, its disk usage exceeds its limit',
		reason: 'evicted',
		source: 'pkg/kubelet/eviction/helpers.go: containerEphemeralStorageMessageFmt',
		status: {
			phase: 'Failed',
			reason: 'Evicted',
			message: 'Container runner exceeded its local ephemeral storage limit "2Gi". ',
		},
		says: /local ephemeral storage limit "2Gi"/,
	},
	{
		name: 'activeDeadlineSeconds is over',
		reason: 'deadline-exceeded',
		source: 'pkg/kubelet/active_deadline.go',
		status: {
			...ended(terminated(143)),
			reason: 'DeadlineExceeded',
			message: 'Pod was active on the node longer than the specified deadline',
		},
	},
	{
		name: 'preempted by the scheduler',
		reason: 'preempted',
		source: 'seen on a real control plane; pkg/scheduler/framework/preemption',
		status: {
			...ended(terminated(143)),
			conditions: [
				disrupted(
					'PreemptionByScheduler',
					'default-scheduler: preempting to accommodate a higher priority pod',
				),
			],
		},
		deleted: true,
	},
	{
		name: 'preempted by the kubelet, for a critical pod',
		reason: 'preempted',
		source: 'pkg/kubelet/preemption/preemption.go',
		status: {
			...ended(terminated(143)),
			reason: 'Preempting',
			message: 'Preempted in order to admit critical pod',
		},
	},
	{
		name: 'its Node object is gone',
		reason: 'node-lost',
		source:
			'seen on a real control plane: phase Failed is written while the container is still shown as running',
		status: {
			phase: 'Failed',
			containerStatuses: runner(running),
			conditions: [disrupted('DeletionByPodGC', 'PodGC: node no longer exists')],
		},
		deleted: true,
	},
	{
		name: 'its node does not answer',
		reason: 'node-lost',
		source: 'seen on a real control plane: the taint manager deletes it, and no kubelet reports its end',
		status: {
			phase: 'Running',
			containerStatuses: runner(running),
			conditions: [disrupted('DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint')],
		},
		deleted: true,
	},
	{
		name: 'a NoExecute taint',
		reason: 'node-tainted',
		source: 'seen on a real control plane',
		status: {
			...ended(terminated(143)),
			conditions: [disrupted('DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint')],
		},
		deleted: true,
	},
	{
		name: 'the node is shut down',
		reason: 'node-shutdown',
		source: 'pkg/kubelet/nodeshutdown/nodeshutdown_manager.go: nodeShutdownReason, nodeShutdownMessage',
		status: {
			...ended(terminated(137)),
			reason: 'Terminated',
			message: 'Pod was terminated in response to imminent node shutdown.',
			conditions: [
				disrupted('TerminationByKubelet', 'Pod was terminated in response to imminent node shutdown.'),
			],
		},
	},
	{
		name: 'the kubelet refuses it',
		reason: 'node-refused',
		source: 'pkg/kubelet/lifecycle/predicate.go: InsufficientResourceError',
		status: {
			phase: 'Failed',
			reason: 'OutOfcpu',
			message:
				"Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 1500, capacity: 2000",
		},
		says: /OutOfcpu/,
	},
	{
		name: 'break-glass',
		reason: 'break-glass',
		source: 'the guard allows it; SIGKILL after the grace period',
		status: ended(terminated(137)),
		deleted: true,
		breakGlass: 'INC-42',
		says: /INC-42/,
	},
	{
		name: 'deleted while it ran, with no guard',
		reason: 'deleted',
		source: 'kubectl delete --force: the pod object goes while the container is shown as running',
		status: { phase: 'Running', containerStatuses: runner(running) },
		deleted: true,
	},
	{
		name: 'its image cannot be pulled',
		reason: 'image-unavailable',
		source: 'pkg/kubelet/images/types.go',
		status: {
			phase: 'Pending',
			containerStatuses: runner(
				waiting('ImagePullBackOff', 'Back-off pulling image "example.com/runner:1": not found'),
			),
		},
		deleted: true,
		says: /example\.com\/runner:1/,
	},
	{
		name: 'a Secret is missing',
		reason: 'config-error',
		source: 'pkg/kubelet/kuberuntime/kuberuntime_container.go: ErrCreateContainerConfig',
		status: {
			phase: 'Pending',
			containerStatuses: runner(waiting('CreateContainerConfigError', 'secret "runner-token" not found')),
		},
		deleted: true,
		says: /runner-token/,
	},
	{
		name: 'its container cannot be started',
		reason: 'start-failed',
		source: 'containerd, pkg/kubelet/kuberuntime: reason StartError, exit code 128',
		status: ended(
			terminated(
				128,
				'StartError',
				'failed to create containerd task: exec: "/entrypoint.sh": no such file or directory',
			),
		),
		says: /entrypoint\.sh/,
	},
	{
		name: 'an init container fails',
		reason: 'init-failed',
		source: 'pkg/kubelet/kubelet_pods.go: getPhase; the runner waits with PodInitializing for ever',
		status: {
			phase: 'Failed',
			initContainerStatuses: [{ name: 'fetch-tools', restartCount: 0, state: terminated(3) }],
			containerStatuses: runner(waiting('PodInitializing')),
		},
		says: /fetch-tools/,
	},
	{
		name: 'an init container that is restarted fails each time',
		reason: 'init-failed',
		source: 'pkg/kubelet/kuberuntime: CrashLoopBackOff with lastState.terminated',
		status: {
			phase: 'Pending',
			initContainerStatuses: [
				{
					name: 'fetch-tools',
					restartCount: 4,
					state: waiting('CrashLoopBackOff'),
					lastState: terminated(1),
				},
			],
			containerStatuses: runner(waiting('PodInitializing')),
		},
		deleted: true,
	},
	{
		name: 'GitHub refuses the registration',
		reason: 'registration-refused',
		source: "startup.sh of ARC's runner image (exit code 2), ConfigurationManager.cs of actions/runner",
		status: ended(terminated(2)),
		log: "Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration'\nConfiguration failed!\n",
	},
	{
		name: 'its registration is gone; the exit code is 0',
		reason: 'registration-refused',
		source: 'MessageListener.cs; run-helper.sh ends with 0 where the listener ends with 1',
		status: { phase: 'Succeeded', containerStatuses: runner(terminated(0, 'Completed')) },
		log: 'Failed to create a session. The runner registration has been deleted from the server, please re-configure.\n',
	},
	{
		name: 'its version is deprecated; the exit code is 0',
		reason: 'runner-outdated',
		source: 'BrokerHttpClient.cs; run-helper.sh',
		status: { phase: 'Succeeded', containerStatuses: runner(terminated(0, 'Completed')) },
		log: '√ Connected to GitHub\n2026-08-22 13:46:17Z: Listening for Jobs\nAn error occured: Runner version v2.330.0 is deprecated and cannot receive messages.\nRunner listener exit with terminated error, stop the service, no retry needed.\n',
		says: /v2\.330\.0/,
	},
	{
		name: 'its version is deprecated; exit code 7',
		reason: 'runner-outdated',
		source: 'Constants.cs of actions/runner: RunnerVersionDeprecated, where the variable asks for it',
		status: ended(terminated(7)),
	},
	{
		name: 'another process has its session; the exit code is 0',
		reason: 'session-conflict',
		source: 'MessageListener.cs: TaskAgentSessionConflictException; run-helper.sh',
		status: { phase: 'Succeeded', containerStatuses: runner(terminated(0, 'Completed')) },
		log: 'A session for this runner already exists.\n',
	},
	{
		name: 'SIGKILL, and nobody says why',
		reason: 'sigkill',
		source: 'exit code 128 + 9',
		status: ended(terminated(137)),
	},
	{
		name: 'SIGTERM, and nobody says why',
		reason: 'sigterm',
		source: 'exit code 128 + 15',
		status: ended(terminated(143)),
	},
	{
		name: 'the kubelet no longer finds its container',
		reason: 'container-lost',
		source: 'pkg/kubelet/status/status_manager.go: TerminatePod',
		status: ended(
			terminated(
				137,
				'ContainerStatusUnknown',
				'The container could not be located when the pod was terminated',
			),
		),
	},
	{
		name: 'it crashes',
		reason: 'failed',
		source: 'any other exit code: 134 is .NET that aborts',
		status: ended(terminated(134)),
	},
	{
		name: 'it ends without an error and without a job',
		reason: 'no-job',
		source: 'run-helper.sh ends with 0 whatever went wrong',
		status: { phase: 'Succeeded', containerStatuses: runner(terminated(0, 'Completed')) },
		log: '√ Connected to GitHub\nExiting runner...\n',
	},
];
