import { arc } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { isRunner, jitVariable, scopeOf, scopeVariables } from '../../runners/recognise.ts';

/** What the guard makes of a pod that has something of a runner. */
export type Layout =
	| { kind: 'guarded' }
	/** Recognised, and held for ever: where its runner is registered can't be told. */
	| { kind: 'no-scope' }
	/** Not recognised: reported, never guessed (I5). */
	| { kind: 'unknown'; why: string };

/** undefined for a pod that has nothing of a runner. */
export function layoutOf(pod: Pod): Layout | undefined {
	if (isRunner(pod)) return hasScope(pod) ? { kind: 'guarded' } : { kind: 'no-scope' };
	const like = pod.spec?.containers?.find(({ env = [] }) =>
		env.some(({ name }) => name === jitVariable || scopeVariables.some((scope) => scope === name)),
	);
	if (like) return { kind: 'unknown', why: `its container with a runner's env is named "${like.name}"` };
	const label = [arc.runner, arc.runnerSet, arc.runnerDeployment].find(
		(key) => pod.metadata.labels?.[key] !== undefined,
	);
	const scaleSet = pod.metadata.labels?.[arc.ephemeralRunner] === 'True' ? arc.ephemeralRunner : undefined;
	if (!label && !scaleSet) return undefined;
	return { kind: 'unknown', why: `it has the label ${label ?? scaleSet}, and no container named "runner"` };
}

/** A scale set's scope is on its EphemeralRunner, which the server reads. */
function hasScope(pod: Pod): boolean {
	const owned = pod.metadata.ownerReferences?.some(({ kind }) => kind === 'EphemeralRunner');
	return owned === true || scopeOf(pod) !== undefined;
}
