import type { RunnerPod } from './runner-pod.ts';
import { scopeKey } from './scope.ts';

/**
 * Does the runner of this name at GitHub belong to `other` rather than to `pod`, which claims it too? A runner is
 * removed by its name, and a pod's env says any name: without this, whoever may create pods could have another
 * namespace's runner removed by deleting a pod of their own.
 *
 * The pod that is called like its runner, as ARC calls them, comes before one that only says so in its env; of two of
 * the same kind the older one, since a name can be spoofed only once it is known. Names are compared as GitHub does.
 */
export function holdsNameOf(other: RunnerPod, pod: RunnerPod): boolean {
	if (other.uid === pod.uid || !other.scope || !pod.scope) return false;
	if (other.terminating || other.process.state !== 'running' || other.unregistered?.proven) return false;
	if (!sameRunner(other, pod)) return false;
	const named = ({ name, runnerName }: RunnerPod) => name === runnerName.toLowerCase();
	if (named(other) !== named(pod)) return named(other);
	return other.createdMs <= pod.createdMs; // to the second: of two that came together none is believed
}

/** Do both pods say that they are the same runner at GitHub? */
export function sameRunner(a: RunnerPod, b: RunnerPod): boolean {
	const key = ({ scope, runnerName }: RunnerPod) => scope && `${scopeKey(scope)} ${runnerName}`.toLowerCase();
	return key(a) !== undefined && key(a) === key(b);
}
