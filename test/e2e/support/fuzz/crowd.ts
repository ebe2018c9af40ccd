import type { Pod } from '../../../../admission/api/kinds.ts';
import { plainPod } from '../../../rig/spaces.ts';
import { runnerDeploymentPod, runnerSetPod, staticRunnerPod } from '../../../sim/pods.ts';
import type { Space } from '../space.ts';

/** Pods of a space that is attacked, as the API server had them before. */
export interface Crowd {
	namespace: string;
	/** Runners of every kind, each with a job. */
	busy: Pod[];
	/** Idle runners that may be asked for by their name. */
	idle: Pod[];
	/** Idle runners that nobody asks for: others only use what is theirs. */
	bystanders: Pod[];
	/** Pods that are no runners. */
	plain: Pod[];
}

interface CrowdSize {
	busy: number;
	idle?: number;
	bystanders?: number;
	plain?: number;
}

/** Runners of the four kinds, one after the other, and other pods. */
export async function makeCrowd(space: Space, size: CrowdSize): Promise<Crowd> {
	const namesOf = (what: string, count = 0) =>
		Array.from({ length: count }, (_, index) => `${what}-${index}`);
	const names = {
		busy: namesOf('busy', size.busy),
		idle: namesOf('idle', size.idle),
		bystanders: namesOf('bystander', size.bystanders),
		plain: namesOf('plain', size.plain),
	};
	const runners = [...names.busy, ...names.idle, ...names.bystanders];
	const legacy = [
		(name: string) => runnerSetPod(space.options(name, { dockerSidecar: true })),
		(name: string) => runnerDeploymentPod(space.options(name)),
		(name: string) => staticRunnerPod(space.options(name)),
	];
	const kindOf = (index: number) => legacy[index % 4];
	await space.rig.apply(
		...runners.flatMap((name, index) => kindOf(index)?.(name) ?? []),
		...names.plain.map((name) => plainPod(name, space.name)),
	);
	const ofLegacy = runners.filter((_, index) => kindOf(index));
	await space.scaleSetRunners(runners.filter((_, index) => !kindOf(index)));
	await space.registered(ofLegacy);
	await space.listed(ofLegacy);
	for (const name of names.busy) await space.runJob(name);
	const listed = (await space.rig.pods(space.name)) as (Pod & { metadata: { managedFields?: unknown } })[];
	// Half of each pod's text, and nothing reads it.
	for (const { metadata } of listed) delete metadata.managedFields;
	const pods = new Map(listed.map((pod) => [pod.metadata.name, pod]));
	const found = (wanted: string[]) => wanted.flatMap((name) => pods.get(name) ?? []);
	return {
		namespace: space.name,
		busy: found(names.busy),
		idle: found(names.idle),
		bystanders: found(names.bystanders),
		plain: found(names.plain),
	};
}
