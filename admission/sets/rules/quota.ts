import { printable } from '../../api/printable.ts';
import { quotaBackoff } from './policy.ts';

/** What a quota has refused. */
export interface QuotaRefusal {
	/** For the set's condition. */
	message: string;
	/**
	 * Others changed the count of the quota at the same moment (see isQuotaConflict): that says nothing about how much room there
	 * is.
	 */
	moving: boolean;
}

/** What waits for a ResourceQuota of the namespace. */
export interface QuotaWait {
	/** What was refused last. */
	refusal: QuotaRefusal;
	/** How often in a row a creation was refused. */
	refusals: number;
	/** Nothing is created before this, by the monotonic clock. */
	nextMs: number;
}

/**
 * What a quota has refused, as the API server says it: which quota, what was asked for, what is used, and how much there is
 * (the admission plugin ResourceQuota of k8s.io/apiserver: `exceeded quota: NAME, requested: pods=1, used: pods=3, limited:
 * pods=3`), or that it could not be counted; undefined: it was refused for another reason. A webhook can say the
 * same: it decides nothing but when to try again.
 */
export function quotaRefusal({ code, message }: { code: number; message: string }): QuotaRefusal | undefined {
	const text = message.slice(0, quotaBackoff.mostRead);
	const counted = code === 409 && /^Operation cannot be fulfilled on resourcequotas "([^"]*)"/.exec(text);
	if (counted) return refused(`quota ${counted[1]} is changed by others at the same moment`, true);
	if (code !== 403) return undefined;
	const found = /exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$/s.exec(text);
	const [, name = '', requested = '', used = '', limited = ''] = found ?? [];
	if (!found) return /exceeded quota: /.test(text) ? refused(text) : undefined;
	return refused(`quota ${name}: ${used} used of ${limited}, a runner needs ${requested}`);
}

const refused = (message: string, moving = false): QuotaRefusal => ({ message: bounded(message), moving });

const bounded = (text: string): string => {
	const safe = printable(text);
	return safe.length > quotaBackoff.mostShown ? `${safe.slice(0, quotaBackoff.mostShown)}...` : safe;
};

/** After a refusal: the next creation is tried after 250 ms, 500 ms ... 30 s. Where the count moves, that begins anew. */
export function afterRefusal(before: QuotaWait | undefined, refusal: QuotaRefusal, nowMs: number): QuotaWait {
	const { firstMs, mostMs } = quotaBackoff;
	const anew = refusal.moving && !before?.refusal.moving;
	const refusals = anew ? 1 : (before?.refusals ?? 0) + 1;
	return { refusal, refusals, nextMs: nowMs + Math.min(mostMs, firstMs * 2 ** Math.min(20, refusals - 1)) };
}

/** A runner of the set has ended, so there is room, or will be as soon as the quota is counted again: tried at once. */
export const afterEnd = (before: QuotaWait): QuotaWait => ({ ...before, refusals: 0, nextMs: 0 });
