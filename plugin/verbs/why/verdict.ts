import { breakGlass, progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/failure.ts';
import { podPath } from '../../kube/pods.ts';
import { guardDenial, isGuardUnreachable, splitReason } from '../../runners/denial.ts';
import { type GuardPresence, guardPresence } from '../../runners/guard.ts';
import { isTerminating, runnerState } from '../../runners/state.ts';

/** What would become of a deletion of this pod now. */
export interface Verdict {
	verdict: 'allowed' | 'denied' | 'unguarded';
	/** One of admission/api/reasons.ts where the guard answered; else who answered in its place. */
	reason: string;
	message: string;
}

/** Asks by a dry-run DELETE, which changes nothing. Throws what concerns the asker: no such pod, no permission. */
export async function askVerdict(client: KubeClient, pod: Pod): Promise<Verdict> {
	const { namespace = '', name } = pod.metadata;
	client.onWarning = () => undefined; // they are the answer, not a side note
	try {
		const { warnings } = await client.call('DELETE', podPath(namespace, name), {
			query: { dryRun: 'All' },
			body: { apiVersion: 'v1', kind: 'DeleteOptions', dryRun: ['All'] },
		});
		return allowed(pod, warnings, await guardPresence(client));
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		return refused(error);
	}
}

function refused(error: ApiError): Verdict {
	const denial = guardDenial(error);
	if (denial) return { verdict: 'denied', reason: denial.reason, message: denial.message };
	if (isGuardUnreachable(error)) {
		return {
			verdict: 'denied',
			reason: 'guard-unreachable',
			message: `the guard is installed but does not answer, and so nothing is deleted: ${error.message}`,
		};
	}
	const other = /^admission webhook "([^"]*)" denied the request: ([\s\S]*)$/.exec(error.message);
	if (!other) throw error;
	return { verdict: 'denied', reason: `webhook ${other[1]}`, message: other[2] ?? '' };
}

function allowed(pod: Pod, warnings: readonly string[], presence: GuardPresence): Verdict {
	for (const warning of warnings) {
		const { reason, text } = splitReason(warning);
		if (reason) return { verdict: 'allowed', reason, message: text };
	}
	if (presence === 'not-installed') {
		return {
			verdict: 'unguarded',
			reason: 'guard-not-installed',
			message: 'no guard is installed in this cluster: a deletion would stop the runner whatever it runs',
		};
	}
	const seen = reasonOnPod(pod);
	if (presence === 'installed') return { verdict: 'allowed', ...seen };
	return {
		...seen,
		verdict: 'allowed',
		message: `${seen.message} (whether a guard was asked cannot be told: you may not read webhook configurations)`,
	};
}

/** Why the guard most likely allowed it, from what is on the pod. */
function reasonOnPod(pod: Pod): { reason: string; message: string } {
	const annotations = pod.metadata.annotations ?? {};
	const state = runnerState(pod);
	if (isTerminating(pod)) return { reason: 'already-terminating', message: 'it is terminating already' };
	if (annotations[breakGlass] !== undefined) {
		return { reason: 'break-glass', message: `somebody broke the glass: ${annotations[breakGlass]}` };
	}
	if (state?.terminated) return { reason: 'runner-exited', message: 'its runner has ended' };
	if (annotations[progress.completedAt] !== undefined) {
		return {
			reason: 'unregistered',
			message: 'its runner is no longer registered on GitHub: no job can arrive',
		};
	}
	if (!state?.running) return { reason: 'never-started', message: 'its runner has not started' };
	return { reason: 'unknown', message: 'the guard has no objection' };
}
