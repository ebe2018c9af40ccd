import type { WaitReason } from '../../api/autoscale.ts';
import { counted } from '../../api/printable.ts';
import type { Routed } from './routing.ts';
import type { SetKey } from './set-key.ts';
import type { JobStatus, Places } from './types.ts';

/** What is known of the set that a job waits for. */
export interface WaitedFor {
	key: SetKey;
	/** QuotaExceeded: those that it has may run jobs, but it gets no further ones. */
	blocked: Places['blocked'] | 'QuotaExceeded';
	/** What the set itself says of that, for people. */
	blockedMessage: string | undefined;
	/** An autoscaler that counts jobs scales it. */
	autoscaled: boolean;
	/** The most runners it may have. */
	max: number;
	/** Runners that have not ended. */
	living: number;
	idle: number;
	/** When the oldest runner that is starting was created, ms since the epoch; undefined: none is starting. */
	startingSinceMs: number | undefined;
}

export interface Why {
	reason: WaitReason;
	/** For people. It has no ages in it: it is written once, and stays while it is true. */
	message: string;
}

/**
 * Why a job waits; undefined: it does not. Pure.
 *
 * @param labels that it asks for
 */
export function whyWaits(
	status: JobStatus,
	routed: Routed,
	set: WaitedFor | undefined,
	labels: readonly string[],
): Why | undefined {
	switch (status) {
		case 'gated':
			return { reason: 'Approval', message: 'waits for an approval' };
		case 'unconfirmed':
			return {
				reason: 'Unconfirmed',
				message:
					'reported long after it was queued: it counts once GitHub confirms it, or a runner takes a job with the same labels',
			};
		case 'suspect':
			return {
				reason: 'Suspect',
				message:
					'no idle runner has taken it for minutes: it counts again once GitHub confirms it, or a runner takes a job with the same labels',
			};
		case 'withheld':
			return {
				reason: 'NotGivenToRunners',
				message: `GitHub does not give it to runners of ${set?.key ?? 'its set'}, though idle ones have its labels: see whether their runner group admits the repository and the workflow. One runner tries again from time to time`,
			};
		case 'waiting':
			if ('none' in routed) return { reason: 'NoMatchingSet', message: routed.why };
			return set && withGroup(forRunner(set), set.key, labels);
		default:
			return undefined;
	}
}

/** Which set a job counts for that names none is a guess, which people see. */
const withGroup = ({ reason, message }: Why, set: SetKey, labels: readonly string[]): Why =>
	labels.length > 0
		? { reason, message }
		: {
				reason,
				message: `${message}; the job asks for a runner group and no labels, and GitHub does not say which: it counts for ${set}, which fits best`,
			};

function forRunner(set: WaitedFor): Why {
	const { key, blocked, blockedMessage, max, living, idle, startingSinceMs } = set;
	if (idle > 0)
		return {
			reason: 'RunnerIdle',
			message: `${key} has idle runners, but GitHub has not assigned the job to one yet`,
		};
	if (blocked === 'QuotaExceeded' && startingSinceMs === undefined)
		return {
			reason: blocked,
			message: `${key} gets no further runners: a ResourceQuota of its namespace refuses them; see its condition QuotaExceeded`,
		};
	// An unconfirmed scope only says which set comes first: its runners are made, and start when GitHub has answered.
	if (blocked && blocked !== 'QuotaExceeded' && blocked !== 'ScopeUnconfirmed')
		return {
			reason: blocked === 'CredentialsMissing' || blocked === 'RunnerOutdated' ? blocked : 'StartsFailing',
			message: `${key} cannot start runners: ${blockedMessage ?? texts[blocked]}`,
		};
	if (startingSinceMs !== undefined)
		return {
			reason: 'RunnerStarting',
			message: `a runner of ${key} has been starting since ${timeOf(startingSinceMs)}`,
		};
	if (!set.autoscaled)
		return {
			reason: 'NotAutoscaled',
			message: `no autoscaler counts jobs for ${key}, which has ${living === 0 ? 'no runners' : `${counted(living, 'runner')}, none of them idle`}`,
		};
	if (living >= max)
		return { reason: 'AtMaximum', message: `${key} is at its maximum of ${counted(max, 'runner')}` };
	return { reason: 'RunnerStarting', message: `a runner of ${key} is being created` };
}

const texts: Record<Exclude<Places['blocked'], 'ScopeUnconfirmed' | undefined>, string> = {
	RunnerOutdated: 'GitHub refuses the version of its runners; see its condition RunnerOutdated',
	StartsFailing: 'its runners end before they register',
	CredentialsMissing: 'it has no GitHub credentials',
	SpecInvalid: 'its spec is invalid',
	Deleting: 'it is being deleted',
};

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
