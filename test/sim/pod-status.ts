/** A pod's status, as a kubelet writes it from the states of the containers. */
import type { ContainerState } from './pod-worker.ts';
import type { PodItem } from './runner-pod.ts';

/** A strategic merge patch of the status. */
export function podStatus(
	pod: PodItem,
	states: ReadonlyMap<string, ContainerState>,
	nowMs: number,
): Record<string, unknown> {
	const { containers, initContainers = [] } = pod.spec;
	const of = (named: readonly { name: string; image?: string }[]) =>
		named.map(({ name, image = '' }) => containerStatus(name, image, states.get(name)));
	const main = containers.map(({ name }) => states.get(name));
	const ready = main.every((state) => state?.state === 'running');
	const initialized = initContainers.every(({ name }) => states.get(name)?.state !== 'waiting');
	const condition = (type: string, met: boolean) => {
		const status = met ? 'True' : 'False';
		const before = pod.status?.conditions?.find((one) => one.type === type);
		const same = before?.status === status ? before.lastTransitionTime : undefined;
		return { type, status, lastTransitionTime: same ?? rfc3339(nowMs) };
	};
	return {
		phase: phaseOf(main),
		startTime: pod.status?.startTime ?? rfc3339(nowMs),
		hostIP: '127.0.0.1',
		conditions: [
			condition('PodReadyToStartContainers', true),
			condition('Initialized', initialized),
			condition('ContainersReady', ready),
			condition('Ready', ready),
		],
		...(initContainers.length > 0 ? { initContainerStatuses: of(initContainers) } : {}),
		containerStatuses: of(containers),
	};
}

/** getPhase of pkg/kubelet/kubelet_pods.go: Pending until every container has been started. */
function phaseOf(states: readonly (ContainerState | undefined)[]): string {
	const all = states.map((state) => state?.state ?? 'waiting');
	if (all.includes('waiting')) return 'Pending';
	if (all.includes('running')) return 'Running';
	return states.every((state) => state?.state === 'terminated' && state.exitCode === 0)
		? 'Succeeded'
		: 'Failed';
}

function containerStatus(name: string, image: string, state: ContainerState | undefined): object {
	const common = { name, image, imageID: image };
	const waiting = { restartCount: 0, ready: false, started: false };
	switch (state?.state) {
		case undefined:
			return { ...common, ...waiting, state: { waiting: { reason: 'ContainerCreating' } } };
		case 'waiting':
			return { ...common, ...waiting, state: { waiting: { reason: state.reason } } };
		case 'running':
			return {
				...common,
				restartCount: state.restarts,
				ready: true,
				started: true,
				state: { running: { startedAt: rfc3339(state.sinceMs) } },
				...(state.restarts > 0 ? { lastState: { terminated: { exitCode: 0, reason: 'Completed' } } } : {}),
			};
		case 'terminated':
			return {
				...common,
				restartCount: state.restarts,
				ready: false,
				started: false,
				state: {
					terminated: {
						exitCode: state.exitCode,
						reason: state.exitCode === 0 ? 'Completed' : 'Error',
						startedAt: rfc3339(state.sinceMs),
						finishedAt: rfc3339(state.atMs),
						containerID: `simulated://${name}`,
					},
				},
			};
	}
}

const rfc3339 = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
