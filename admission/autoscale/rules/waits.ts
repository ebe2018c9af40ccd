import type { WaitReason } from '../../api/autoscale.ts';
import type { Routed } from './routing.ts';
import type { Candidate, Standing } from './types.ts';

/** What is known of the set that a job waits for. */
export interface WaitedFor {
	/** `RunnerSet ci/linux`. */
	key: string;
	blocked: Candidate['blocked'];
	/** What the set itself says of that, for people. */
	blockedMessage: string | undefined;
	/** An autoscaler that counts jobs scales it. */
	autoscaled: boolean;
	/** The most runners it may have. */
	max: number;
	/** Runners that have not ended. */
	living: number;
	idle: number;
	/** When the oldest runner that starts was created, ms since the epoch; undefined: none starts. */
	startingSinceMs: number | undefined;
}

export interface Why {
	reason: WaitReason;
	/** For people. It holds no ages: it is written down, and not written again while it stays true. */
	message: string;
}

/** Why a job waits; undefined: it does not. Pure. */
export function whyWaits(standing: Standing, routed: Routed, set: WaitedFor | undefined): Why | undefined {
	switch (standing) {
		case 'gated':
			return { reason: 'Approval', message: 'it waits for an approval' };
		case 'unconfirmed':
			return {
				reason: 'Unconfirmed',
				message:
					'first heard of long after it was queued: it counts when GitHub confirms it, or a runner gets one like it',
			};
		case 'suspect':
			return {
				reason: 'Suspect',
				message:
					'idle runners have left it for minutes: it counts again when GitHub confirms it, or a runner gets one like it',
			};
		case 'waiting':
			if ('none' in routed) return { reason: 'NoMatchingSet', message: routed.why };
			return set && forRunner(set);
		default:
			return undefined;
	}
}

function forRunner(set: WaitedFor): Why {
	const { key, blocked, blockedMessage, max, living, idle, startingSinceMs } = set;
	if (idle > 0)
		return { reason: 'RunnerIdle', message: `${key} has idle runners, and GitHub has not assigned it yet` };
	if (blocked)
		return {
			reason: blocked === 'CredentialsMissing' ? blocked : 'StartsFailing',
			message: `${key} starts no runners: ${blockedMessage ?? inWords[blocked]}`,
		};
	if (startingSinceMs !== undefined)
		return {
			reason: 'RunnerStarting',
			message: `a runner of ${key} starts since ${timeOf(startingSinceMs)}`,
		};
	if (!set.autoscaled)
		return {
			reason: 'NotAutoscaled',
			message: `no autoscaler counts jobs for ${key}${living === 0 ? ', and it has no runners' : `: none of its ${living} runners is idle`}`,
		};
	if (living >= max) return { reason: 'AtMaximum', message: `${key} is at its maximum of ${max} runners` };
	return { reason: 'RunnerStarting', message: `a runner of ${key} is created` };
}

const inWords: Record<NonNullable<Candidate['blocked']>, string> = {
	StartsFailing: 'its runners end before they register',
	CredentialsMissing: 'it has no GitHub credentials',
	SpecInvalid: 'its spec can not be used',
	Deleting: 'it is being deleted',
};

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
