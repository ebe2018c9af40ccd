import { sameName } from '../../../runner/github-name.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Scope } from '../../../runner/scope.ts';
import type { JobEvent } from './delivery.ts';
import { clockSkewMs } from './policy.ts';

/**
 * Whether an event is about this pod's runner: it has the runner's name, comes from the runner's GitHub and from a
 * repository that the runner serves, and its job is not of a time before the runner's container started (a later pod may
 * have the same name, and events are sent again for days). Names are compared as GitHub does, without regard to case.
 */
export function isAbout(event: JobEvent, pod: RunnerPod): boolean {
	const { process } = pod;
	if (process.state === 'exited' || !pod.scope) return false;
	if (!sameName(pod.runnerName, event.runnerName) || pod.host !== event.host) return false;
	// An unknown time excludes nothing.
	const { atMs = Number.POSITIVE_INFINITY } = event;
	const { sinceMs = 0 } = process;
	return atMs >= sinceMs - clockSkewMs && serves(pod.scope, event);
}

/** Whether runners that are registered there may be given this repository's jobs. */
function serves(scope: Scope, { owner, repository, enterprise }: JobEvent): boolean {
	switch (scope.kind) {
		case 'repository':
			return sameName(scope.owner, owner) && sameName(scope.name, repository);
		case 'organization':
			return sameName(scope.name, owner);
		case 'enterprise':
			// GitHub Enterprise Server has one enterprise, which its events need not name.
			return enterprise === undefined || sameName(scope.name, enterprise);
	}
}
