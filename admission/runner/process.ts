import type { Condition, Container, ContainerState, ContainerStatus, Pod } from '../api/kinds.ts';
import { toMs } from './guarded-pod.ts';
import { cannotStartAfterMs } from './policy.ts';
import { mostWaitingMessage, vainReasons } from './waiting.ts';

/**
 * The process of the runner, as far as its pod tells.
 *
 * - unbound: the pod is on no node. The API server deletes such a version at once and binds no pod that is being deleted, so
 *   it has never started. Nothing else proves that.
 * - starting: on a node, and not seen to run. A kubelet finishes the sync that it has begun, whatever is deleted meanwhile,
 *   and it writes a pod's status at the beginning of a sync: the runner may be running (seen on a real node).
 * - exited: its container has terminated, and nothing starts it again.
 */
export type Process =
	| { state: 'unbound'; sinceMs?: undefined }
	| ({ state: 'starting'; sinceMs?: undefined } & Start)
	| { state: 'running'; sinceMs: number | undefined }
	| { state: 'exited'; sinceMs?: undefined };

/** What is known of a start that has not been seen to end. */
interface Start {
	/** Why the container, or an init container before it, cannot start, in the kubelet's word; undefined: it gives no reason. */
	failing: string | undefined;
	/** When something about the pod's start changed, ms since the epoch, by the clocks of others. */
	changesMs: readonly number[];
	/** The status may be older than the runner's start by as long as another container's image takes. */
	statusLags: boolean;
}

/** The parts of a pod's spec and status from which `readProcess` reads. */
type ProcessFields = Pick<Pod, 'metadata' | 'spec' | 'status'>;

/**
 * Reads the process. A pod phase alone proves nothing: the pod garbage collector writes phase Failed before its DELETE is
 * refused, while the container status still says running (measured). The phase counts only if there is no status for the
 * container at all, since then the kubelet rejected or evicted the pod without starting it; and for a container that has
 * terminated, since a kubelet starts nothing in a pod that has ended.
 */
export function readProcess(pod: ProcessFields): Process {
	const status = pod.status?.containerStatuses?.find(isRunner);
	const phase = pod.status?.phase ?? 'Pending';
	const hasEnded = phase === 'Succeeded' || phase === 'Failed';
	if (status?.state?.running) return { state: 'running', sinceMs: toMs(status.state.running.startedAt) };
	if (!status && hasEnded) return { state: 'exited' };
	if (!status && phase !== 'Pending') return { state: 'running', sinceMs: undefined };
	const { terminated } = status?.state ?? {};
	if (terminated && (hasEnded || !mayStartAgain(pod, terminated.exitCode))) return { state: 'exited' };
	// It waits, or has no state, which the API defines as waiting; or it waits for its next start.
	if (!pod.spec?.nodeName) return { state: 'unbound' };
	return { state: 'starting', ...readStart(pod, status) };
}

/**
 * Whether the container cannot start, as far as is known: the kubelet says why, or nothing has changed for
 * `cannotStartAfterMs`. It is a bound and no proof. Times of the future count as none.
 */
export const cannotStart = (start: Start, nowMs: number): boolean => cannotStartFromMs(start, nowMs) <= nowMs;

/** From when on the container counts as one that cannot start, ms since the epoch, unless something changes before. */
export function cannotStartFromMs({ failing, changesMs }: Start, nowMs: number): number {
	if (failing !== undefined) return 0;
	return Math.max(0, ...changesMs.filter((ms) => ms <= nowMs)) + cannotStartAfterMs;
}

/** More containers or conditions than any pod has that starts a runner tell nothing more. */
const mostRead = 50;

function readStart({ metadata, spec, status }: ProcessFields, runner: ContainerStatus | undefined): Start {
	// Of a pod that has started before, only its runner's statuses say something new.
	const isFirst = (status?.phase ?? 'Pending') === 'Pending';
	const inits = isFirst ? (status?.initContainerStatuses ?? []).slice(0, mostRead) : [];
	const others = isFirst ? (status?.containerStatuses ?? []).slice(0, mostRead) : [runner];
	const failing = [...inits, runner]
		.map((one) => one?.state?.waiting?.reason)
		.find((reason) => reason !== undefined && vainReasons.has(reason));
	const times = [
		metadata.creationTimestamp,
		...(isFirst ? (status?.conditions ?? []) : [])
			.filter(isKubelets)
			.slice(0, mostRead)
			.map((condition) => condition.lastTransitionTime),
		...[...inits, ...others].flatMap(({ state, lastState } = { name: '' }) => [
			state?.running?.startedAt,
			state?.terminated?.finishedAt,
			lastState?.terminated?.finishedAt,
		]),
	];
	const changesMs = times.map(toMs).filter((ms): ms is number => ms !== undefined);
	return { failing, changesMs, statusLags: mayLag(spec?.containers ?? []) };
}

/** Containers start one after the other in one sync, each after the hook of the one before it, and its status is written first. */
function mayLag(containers: readonly Container[]): boolean {
	const index = containers.findIndex(isRunner);
	return index !== containers.length - 1 || containers[index]?.lifecycle?.postStart !== undefined;
}

/**
 * Whether a kubelet may start the terminated container again: by the pod's policy, by the container's own policy and rules
 * (ContainerRestartRules), or by a rule of any container that restarts all of them.
 */
function mayStartAgain({ spec }: ProcessFields, exitCode: number | undefined): boolean {
	const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
	const runner = spec?.containers?.find(isRunner);
	if (runner?.restartPolicyRules?.length || containers.some(restartsAll)) return true;
	switch (runner?.restartPolicy ?? spec?.restartPolicy) {
		case 'Never':
			return false;
		case 'OnFailure':
			return exitCode !== 0;
		default:
			return true; // Always is the default
	}
}

const restartsAll = ({ restartPolicyRules = [] }: Container) =>
	restartPolicyRules.some(({ action }) => action === 'RestartAllContainers');

const isRunner = ({ name }: { name: string }) => name === 'runner';

/** Conditions about the start of a pod, which kubelet and scheduler write. Ours change for other reasons. */
const isKubelets = ({ type }: Condition) =>
	['PodScheduled', 'PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'].includes(type);

/**
 * The variable by which actions/runner is asked to end with `refusedExitCode` where GitHub refuses its version
 * (src/Runner.Common/Constants.cs:162 and 313 of v2.336.0; since v2.333.0).
 */
export const exitCodeVariable = 'ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE';
export const refusedExitCode = 7;

/** Longer names of images are cut: they are only shown. */
const longestImage = 300;

/** `kept` with what tells the runner's version: its image, and whether it was asked for the exit code. */
function withVersion(kept: Container, { image, env }: Container): Container {
	const asked = env?.find(({ name }) => name === exitCodeVariable);
	return {
		...kept,
		...(image === undefined ? {} : { image: image.slice(0, longestImage) }),
		...(asked
			? { env: [...(kept.env ?? []), { name: asked.name, value: asked.value?.slice(0, 8) ?? '' }] }
			: {}),
	};
}

/**
 * What `readProcess` needs of a pod, for a cache. Of the containers beside the runner's: their names, and how they restart.
 *
 * @param runner makes what is kept of the runner's container
 */
export function trimProcess(
	{ spec, status }: Pod,
	runner: (container: Container) => Container,
): Required<Pick<Pod, 'spec' | 'status'>> {
	const isStarting = status?.phase === 'Pending' || status?.phase === undefined;
	const rules = ({ restartPolicyRules }: Container) =>
		restartPolicyRules && {
			restartPolicyRules: restartPolicyRules.slice(0, mostRead).map(({ action }) => ({ action })),
		};
	const trim = (container: Container): Container => {
		if (!isRunner(container)) return { name: container.name, ...rules(container) };
		const { restartPolicy, lifecycle } = container;
		return {
			...withVersion(runner(container), container),
			...rules(container),
			...(restartPolicy === undefined ? {} : { restartPolicy }),
			...(lifecycle?.postStart === undefined ? {} : { lifecycle: { postStart: {} } }),
		};
	};
	const last = spec?.containers?.at(-1);
	const isRead = (one: Container) => isRunner(one) || restartsAll(one) || one === last;
	const inits = spec?.initContainers?.filter(restartsAll);
	return {
		spec: {
			nodeName: spec?.nodeName,
			restartPolicy: spec?.restartPolicy,
			containers: spec?.containers?.filter(isRead).map(trim),
			...(inits && inits.length > 0 ? { initContainers: inits.map(trim) } : {}),
		},
		status: {
			phase: status?.phase,
			conditions: status?.conditions
				?.filter((condition) => isStarting && isKubelets(condition))
				.map(trimCondition),
			containerStatuses: status?.containerStatuses
				?.filter((one, index) => (isStarting && index < mostRead) || isRunner(one))
				.map(({ name, restartCount, state, lastState }) => ({
					name,
					restartCount,
					state: trimState(state),
					lastState,
				})),
			...(isStarting && status?.initContainerStatuses
				? {
						initContainerStatuses: status.initContainerStatuses
							.slice(0, mostRead)
							.map(({ name, state, lastState }) => ({
								name,
								state: trimState(state),
								lastState,
							})),
					}
				: {}),
		},
	};
}

/** Of the texts of others, that of the scheduler alone is read. */
function trimCondition({ type, status, reason, message, lastTransitionTime }: Condition): Condition {
	const said = type === 'PodScheduled' && status === 'False';
	return { type, status, ...(said ? { reason, message: bounded(message) } : {}), lastTransitionTime };
}

const trimState = (state: ContainerState | undefined): ContainerState | undefined =>
	state?.waiting?.message === undefined
		? state
		: { ...state, waiting: { ...state.waiting, message: bounded(state.waiting.message) } };

const bounded = (message: string | undefined) => message?.slice(0, 2 * mostWaitingMessage);
