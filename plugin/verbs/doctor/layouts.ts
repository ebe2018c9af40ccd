import { arc } from '../../../admission/api/keys.ts';
import type { EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { runnerVariables } from '../../../admission/runner/identity/identity.ts';
import { ephemeralRunnerOf, type RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { readPod } from '../../runners/read.ts';
import type { Fetched } from './facts.ts';

/** How the guard treats a pod that looks like a runner. */
type Layout =
	| { kind: 'guarded' }
	/** Recognised, but GitHub cannot be asked about it: its deletion is denied until its container stops. */
	| { kind: 'no-scope'; why: string }
	/** Not recognised, and so not guarded: the doctor reports it instead of guessing (I5). */
	| { kind: 'unknown'; why: string };

/** undefined for a pod that does not look like a runner. */
export function layoutOf(pod: Pod, ephemeralRunners?: Fetched<EphemeralRunner[]>): Layout | undefined {
	const runner = readPod(pod, { ephemeralRunner: ownerAmong(ephemeralRunners, pod) });
	if (runner)
		return runner.scope || mayHaveScope(runner, ephemeralRunners)
			? { kind: 'guarded' }
			: { kind: 'no-scope', why: runner.uncertain ?? '' };
	const like = pod.spec?.containers?.find(({ env = [] }) =>
		env.some(({ name }) => runnerVariables.includes(name)),
	);
	if (like) return { kind: 'unknown', why: `its container with a runner's env is named "${like.name}"` };
	const label = [arc.runner, arc.runnerSet, arc.runnerDeployment].find(
		(key) => pod.metadata.labels?.[key] !== undefined,
	);
	const scaleSet = pod.metadata.labels?.[arc.ephemeralRunner] === 'True' ? arc.ephemeralRunner : undefined;
	if (!label && !scaleSet) return undefined;
	return { kind: 'unknown', why: `it has the label ${label ?? scaleSet}, and no container named "runner"` };
}

function ownerAmong(fetched: Fetched<EphemeralRunner[]> | undefined, pod: Pod): EphemeralRunner | undefined {
	const owner = ephemeralRunnerOf(pod);
	if (!owner || fetched?.kind !== 'found') return undefined;
	const { namespace } = pod.metadata;
	return fetched.value.find(({ metadata }) => metadata.name === owner && metadata.namespace === namespace);
}

/** A scale set's scope is in its EphemeralRunner: if we cannot read that, the server may still be able to. */
function mayHaveScope(runner: RunnerPod, fetched: Fetched<EphemeralRunner[]> | undefined): boolean {
	const wasRead = fetched?.kind === 'found' || fetched?.kind === 'not-found';
	return !wasRead && runner.owner !== undefined;
}
