import type { DenyReason } from '../../api/reasons.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { scopeKey } from '../../runner/scope.ts';
import type { Deny } from './decide.ts';

/**
 * What a person reads in kubectl: which runner, which job, since when, what happens next, how to follow, cancel and
 * override. One line, since kubectl prints it as one.
 *
 * `recorded` is false for a dry run and where the record could not be written.
 */
export function denyMessage(
	pod: RunnerPod,
	verdict: Deny,
	recorded: boolean | 'dry-run',
	nowMs: number,
): string {
	const at = `-n ${pod.namespace}`;
	const next =
		recorded === 'dry-run'
			? 'This is a dry run: nothing was recorded.'
			: recorded
				? `The deletion is recorded and will be ${afterwards[verdict.reason]}: nobody has to ask again. ` +
					`Follow it: kubectl runners wait ${pod.name} ${at}. Take it back: kubectl runners cancel ${pod.name} ${at}.`
				: 'The deletion could NOT be recorded: ask again.';
	return `${subject(pod)} ${state(pod, verdict, nowMs)}. ${next} Override, which kills its job: kubectl runners delete ${pod.name} ${at} --now --reason TEXT`;
}

/** An exited runner has no job to wait for and needs no record: what is in its way goes by itself. */
export function ownerLeavingMessage(pod: RunnerPod, statefulSet: string): string {
	return `runner ${pod.runnerName} has ended, and its StatefulSet ${statefulSet} is being deleted: the pod goes with it, and no other of this name is to be made. Nobody has to ask again.`;
}

/** One clause: what is the case. Also the text of Events and of the DeletionPending condition. */
export function state(pod: RunnerPod, verdict: Deny, nowMs: number): string {
	const detail = verdict.detail ? ` (${verdict.detail})` : '';
	switch (verdict.reason) {
		case 'busy': {
			const hint = pod.busyHint;
			const job = hint?.job ? `: ${hint.job}` : '';
			if (hint?.sinceMs === undefined) return `is running a job${job}`;
			return `has been running a job for ${duration(nowMs - hint.sinceMs)}${job}`;
		}
		case 'registering':
			return 'is still registering at GitHub and may get a job at any moment';
		case 'unregistering':
			return `is being unregistered from GitHub${detail}`;
		case 'scope-unknown':
			return pod.kind === 'scale-set'
				? 'has no readable scope: neither its EphemeralRunner nor its labels tell the organization or repository, so GitHub can not be asked whether it is busy'
				: 'has no scope: its container has none of RUNNER_REPO (owner/name), RUNNER_ORG, RUNNER_ENTERPRISE with a plain value, so GitHub can not be asked whether it is busy';
		case 'name-taken':
			return 'is not this pod as far as can be seen: another pod of the cluster is registered under that name, and would be unregistered in its place';
		case 'credentials-missing':
			return `may be busy: there are no GitHub credentials to ask with${detail}`;
		case 'credentials-invalid':
			return `may be busy: GitHub does not accept the credentials${detail}`;
		case 'forbidden':
			return `may be busy: the GitHub credentials may not manage this runner${detail}`;
		case 'rate-limited':
			return `may be busy: GitHub's rate limit is reached${detail}`;
		case 'budget-spent':
			return `may be busy: this minute's GitHub calls are spent${detail}`;
		case 'github-unavailable':
			return `may be busy: GitHub can not be asked${detail}`;
		case 'github-slow':
			return `may be busy: GitHub has not answered yet${detail}`;
		case 'internal-error':
			return `may be busy: the guard failed${detail}`;
		case 'owner-leaving':
			return 'has ended, and its StatefulSet is being deleted';
	}
}

const afterwards: Record<DenyReason, string> = {
	busy: 'carried out when the job ends',
	registering: 'carried out once it is registered and unregistered again',
	unregistering: 'carried out as soon as GitHub confirms',
	'scope-unknown': 'carried out when the container has stopped',
	'name-taken': 'carried out when the container has stopped or the other pod is gone',
	'credentials-missing': 'carried out once there are credentials or the container has stopped',
	'credentials-invalid': 'carried out once the credentials are mended or the container has stopped',
	forbidden: 'carried out once the permission is given or the container has stopped',
	'rate-limited': 'carried out after that',
	'budget-spent': 'carried out in a moment',
	'github-unavailable': 'carried out when GitHub is back',
	'github-slow': 'carried out when GitHub answers',
	'internal-error': 'tried again',
	'owner-leaving': 'carried out with the deletion of its StatefulSet',
};

function subject(pod: RunnerPod): string {
	const facts = [pod.runnerId !== undefined && `id ${pod.runnerId}`, pod.scope && scopeKey(pod.scope)].filter(
		Boolean,
	);
	return `runner ${pod.runnerName}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`;
}

/** As kubectl prints ages: 45s, 12m, 3h5m. */
export function duration(ms: number): string {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	if (seconds < 120) return `${seconds}s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 180) return `${minutes}m`;
	return `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
