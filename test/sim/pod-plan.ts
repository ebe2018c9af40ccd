/** How the containers of a pod start and stop, from its spec and from an annotation for tests. */
import type { ContainerPlan, PodPlan } from './pod-worker.ts';
import { type PodItem, runnerContainer } from './runner-pod.ts';

/** JSON: a StartOptions. Only pods on nodes with a kubelet that syncs (kubeletSyncs) have it read. */
export const startAnnotation = 'test.runners/start';

export interface StartOptions {
	/** Until volumes are mounted, ms; default 0. */
	mountMs?: number;
	/** How long the images of these containers are pulled, ms; default 0. */
	pullMs?: Record<string, number>;
	/** Pulling these images fails until so long after the first attempt, ms; 'forever': always. */
	pullFailsForMs?: Record<string, number | 'forever'>;
	/** postStart hooks of these containers, ms. */
	postStartMs?: Record<string, number>;
	/** How long these init containers run, ms; default 0. */
	initMs?: Record<string, number>;
	/**
	 * What PID 1 of the runner's container does about SIGTERM: 'stops' (run.sh with RUNNER_MANUALLY_TRAP_SIG, a shell that
	 * traps it), or 'ignores' it, as the kernel does for a process that has no handler. Default 'stops'.
	 */
	sigterm?: 'stops' | 'ignores';
}

/** Throws where the annotation is not JSON. */
function startOptionsOf({ metadata }: PodItem): StartOptions {
	return JSON.parse(metadata.annotations?.[startAnnotation] ?? '{}') as StartOptions;
}

const defaultGraceSeconds = 30;

export function podPlan(pod: PodItem): PodPlan {
	const options = startOptionsOf(pod);
	const { restartPolicy = 'Always', terminationGracePeriodSeconds = defaultGraceSeconds } = pod.spec;
	const common = (name: string) => {
		const fails = options.pullFailsForMs?.[name] ?? 0;
		return {
			name,
			pullMs: options.pullMs?.[name] ?? 0,
			pullFailsForMs: fails === 'forever' ? Infinity : fails,
			postStartMs: options.postStartMs?.[name] ?? 0,
			restarts: (exitCode: number) =>
				restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0),
		};
	};
	const init = (pod.spec.initContainers ?? []).map(
		({ name, restartPolicy }): ContainerPlan => ({
			...common(name),
			init: restartPolicy === 'Always' ? 'sidecar' : { runsMs: options.initMs?.[name] ?? 0 },
		}),
	);
	return {
		containers: [...init, ...pod.spec.containers.map(({ name }) => common(name))],
		mountMs: options.mountMs ?? 0,
		graceMs: terminationGracePeriodSeconds * 1000,
	};
}

/** Whether its runner's PID 1 has a handler for SIGTERM. Other containers of simulated pods all have one. */
export const stopsBySigterm = (pod: PodItem, container: string): boolean =>
	container !== runnerContainer || startOptionsOf(pod).sigterm !== 'ignores';
