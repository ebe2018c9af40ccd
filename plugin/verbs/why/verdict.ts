import { progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { podPath } from '../../../admission/api/paths.ts';
import { decide } from '../../../admission/guard/subjects/runner/rules/decide.ts';
import { nodeGoneAfterMs } from '../../../admission/runner/policy.ts';
import { guardDenial, isGuardUnreachable } from '../../guard/denial.ts';
import { type GuardPresence, guardPresence } from '../../guard/presence.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/failure.ts';
import { deniedBy } from '../../kube/webhook-errors.ts';
import { readPod } from '../../runners/read.ts';

/** What would become of a deletion of this pod now. */
export interface Verdict {
	verdict: 'allowed' | 'denied' | 'unguarded';
	/** One of admission/api/reasons.ts where the guard decides by the pod alone; else `idle`, or who answered instead. */
	reason: string;
	/** What is the case. */
	message: string;
	/** What would happen to the pod, or what will happen to one whose deletion is recorded. */
	next: string;
	/** The job that the guard names, and since when it knows of it, RFC 3339. */
	job?: string | undefined;
	since?: string | undefined;
}

/**
 * Asks by a dry-run DELETE, which changes nothing. Throws what concerns the asker: no such pod, no permission.
 *
 * @param explain why the guard has allowed it: it does not say so in its answer
 */
export async function askVerdict(
	client: KubeClient,
	pod: Pod,
	nowMs: number,
	explain = () => whyAllowed(pod, nowMs),
): Promise<Verdict> {
	const { namespace = '', name } = pod.metadata;
	try {
		await client.call('DELETE', podPath(namespace, name), {
			query: { dryRun: 'All' },
			body: { apiVersion: 'v1', kind: 'DeleteOptions', dryRun: ['All'] },
		});
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		return refused(error);
	}
	return allowed(await guardPresence(client), explain);
}

/** The deletion is allowed because no job is known. */
export const isIdleVerdict = ({ verdict, reason }: Verdict): boolean =>
	verdict === 'allowed' && (reason === 'idle' || reason === 'unregistered');

/** The guard allows what the log, as the asker reads it, speaks against: the guard can't read it, or others put lines in it. */
export function againstLog(verdict: Verdict, job: string | undefined): Verdict {
	if (!isIdleVerdict(verdict)) return verdict;
	return {
		...verdict,
		reason: 'log-disagrees',
		message: `the guard knows of no job, but its log says that it runs ${job ?? 'one'}: do not delete it now`,
	};
}

export const notARunner: Verdict = {
	verdict: 'allowed',
	reason: 'not-a-runner',
	message: 'it is not a runner pod, and the guard only affects runner pods',
	next: 'it is deleted at once',
};

function refused(error: ApiError): Verdict {
	const denial = guardDenial(error);
	if (denial) {
		const { reason, state, next, job, since } = denial;
		return { verdict: 'denied', reason, message: `it ${state}`, next, job, since };
	}
	if (isGuardUnreachable(error)) {
		return {
			verdict: 'denied',
			reason: 'guard-unreachable',
			message: `the guard is installed but does not answer: ${error.message}`,
			next: 'the API server refuses every deletion of a runner pod until the guard answers',
		};
	}
	const other = deniedBy(error);
	if (!other) throw error;
	return {
		verdict: 'denied',
		reason: `webhook ${other.webhook}`,
		message: other.text,
		next: 'the pod stays, and nothing is recorded',
	};
}

function allowed(presence: GuardPresence, explain: () => Omit<Verdict, 'verdict'>): Verdict {
	if (presence === 'not-installed') {
		return {
			verdict: 'unguarded',
			reason: 'guard-not-installed',
			message: 'no guard is installed in this cluster',
			next: 'it is deleted at once, and a job that it runs is stopped',
		};
	}
	const { reason, message, next } = explain();
	if (presence === 'installed') return { verdict: 'allowed', reason, message, next };
	const doubt = 'it is unknown whether a guard was asked, because you may not read webhook configurations';
	return { verdict: 'allowed', reason, message: `${message} (${doubt})`, next };
}

/** Why the guard allowed it. It does not say so in its answer: the same rules on the same pod do. */
export function whyAllowed(pod: Pod, nowMs: number): Omit<Verdict, 'verdict'> {
	const annotations = pod.metadata.annotations ?? {};
	const [nodeGoneSince = ''] = (annotations[progress.nodeGoneSince] ?? '').split(' ');
	const nodeGoneMs = nowMs - Date.parse(nodeGoneSince);
	// Only the guard can look for the node. It has allowed the deletion: then they are as the
	// annotations say.
	const runner = readPod(pod, {
		nodeGone: nodeGoneMs >= nodeGoneAfterMs,
	});
	if (!runner) return notARunner;
	const decision = decide(runner, nowMs, 'kubectl-runners');
	const proven = decision.kind === 'settle' ? 'unregistered' : decision.kind;
	const reason = decision.kind === 'allow' ? decision.reason : proven;
	const next = 'it is deleted at once';
	switch (reason) {
		case 'already-terminating':
			return {
				reason,
				message: 'it is already terminating',
				next: 'it disappears when its containers have stopped',
			};
		case 'break-glass':
			return {
				reason,
				message: `somebody allowed it by break-glass: ${runner.breakGlass}`,
				next: 'it is deleted at once, and a job that it runs is stopped',
			};
		case 'never-started':
			return { reason, message: 'it is not on a node yet, so no job can be running', next };
		case 'cannot-start':
			return { reason, message: 'its runner cannot start, and GitHub does not list it', next };
		case 'runner-exited':
			return { reason, message: 'its runner has ended, so no job can be running', next };
		case 'node-gone':
			return { reason, message: 'its node is gone, and its job with it', next };
		case 'unregistered':
			return {
				reason,
				message: 'its runner is no longer registered at GitHub, so no job can arrive, and its log shows none',
				next,
			};
		default:
			return {
				reason: 'idle',
				message: 'its runner runs no job, as its log and GitHub say',
				next: 'GitHub is asked to unregister it first, then it is deleted',
			};
	}
}
