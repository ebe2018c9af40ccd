import type { RunnerPod } from './runner-pod.ts';
import { scopeKey } from './scope.ts';

/**
 * Whether the runner of this name at GitHub belongs to `other` rather than to `pod`, which claims the same name. A
 * pod's env can claim any name: without this check, whoever may create pods could have another namespace's runner
 * unregistered by deleting a pod of their own.
 *
 * A pod whose own name is the runner's name, as ARC names them, wins over one that only claims the name in its env.
 * Otherwise the older pod wins, since a name can be copied only once it is known. Names are compared as GitHub does.
 */
export function ownsNameOf(other: RunnerPod, pod: RunnerPod): boolean {
	if (other.uid === pod.uid) return false;
	if (other.terminating || other.process.state !== 'running' || other.unregistered) return false;
	if (!sameRunner(other, pod)) return false;
	const named = ({ name, runnerName }: RunnerPod) => name === runnerName.toLowerCase();
	if (named(other) !== named(pod)) return named(other);
	return other.createdMs <= pod.createdMs; // times are to the second: of two created in the same second, neither is believed
}

/** Whether both pods claim to be the same runner at GitHub. */
export function sameRunner(a: RunnerPod, b: RunnerPod): boolean {
	const key = ({ scope, runnerName }: RunnerPod) => scope && `${scopeKey(scope)} ${runnerName}`.toLowerCase();
	return key(a) !== undefined && key(a) === key(b);
}
