import { foldName, runnerKey } from './github-name.ts';
import type { RunnerPod } from './runner-pod.ts';

/**
 * Whether `other` is the name owner of the runner, rather than `pod`, which uses the same name. A pod's env can contain any
 * name: without this check, whoever may create pods could have a runner of another namespace unregistered by deleting a
 * pod of their own.
 *
 * A pod whose own name is the runner's name, as ARC names them, is preferred to one that has the name only in its env.
 * Otherwise the older pod is preferred, since a name can be copied only once it is known. Names are compared as GitHub does.
 */
export function ownsNameOf(other: RunnerPod, pod: RunnerPod): boolean {
	if (other.uid === pod.uid) return false;
	if (other.terminating || other.process.state !== 'running' || other.unregistered) return false;
	if (!sameRunner(other, pod)) return false;
	const named = ({ name, runnerName }: RunnerPod) => name === foldName(runnerName);
	if (named(other) !== named(pod)) return named(other);
	return other.createdMs <= pod.createdMs; // times are to the second: of two created in the same second, neither is the owner
}

/** Whether both pods use the name of the same runner at GitHub. */
export function sameRunner(a: RunnerPod, b: RunnerPod): boolean {
	const key = ({ scope, runnerName }: RunnerPod) => scope && runnerKey(scope, runnerName);
	return key(a) !== undefined && key(a) === key(b);
}
