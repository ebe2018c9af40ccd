import type { Route } from '../../api/webhooks.ts';
import {
	clockSkewMs,
	epochLastsAtLeastMs,
	epochLastsMs,
	epochOverlapMs,
	oldestUnseenEpochMs,
} from './policy.ts';

/**
 * The first segment of a webhook's path: `EPOCH.SIGNATURE`. Who knows it has read it in our webhook configurations, as
 * the API server does. It tells the API server from others who reach the port, also where the API server shows no
 * client certificate. It is no proof: an administrator can read it, and the API server reports it with errors.
 *
 * Each replica checks the signature with the key that all share, so no replica has to announce a new epoch.
 */
interface Segment {
	/** When it was made, seconds since 1970. */
	epoch: number;
	/** The HMAC over the epoch, in hexadecimal: the API server takes only lower-case names in a path. */
	signature: string;
}

const pattern = /^\/(\d{10})\.([0-9a-f]{64})(\/.*)$/;

/** The path of a webhook. */
export const pathOf = ({ epoch, signature }: Segment, route: Route): string =>
	`/${epoch}.${signature}${route}`;

/** The segment of a path and what follows it; undefined where there is none. */
export function readPath(path: string): { segment: Segment; route: string } | undefined {
	const [, epoch = '', signature = '', route = ''] = pattern.exec(path) ?? [];
	return epoch ? { segment: { epoch: Number(epoch), signature }, route } : undefined;
}

/** The newest epoch that this replica has seen in the webhook configurations, and since when, ms since 1970. */
export interface Newest {
	epoch: number;
	sinceMs: number;
}

/** Whether a path with this epoch, whose signature is right, is known only to who may know it now. */
export function isCurrent(epoch: number, newest: Newest | undefined, nowMs: number): boolean {
	if (epoch === newest?.epoch) return true; // however old it is: nobody has replaced it
	const ageMs = nowMs - epoch * 1000;
	if (ageMs > oldestUnseenEpochMs || ageMs < -clockSkewMs) return false;
	return newest === undefined || epoch > newest.epoch || nowMs - newest.sinceMs < epochOverlapMs;
}

/**
 * When the newest epoch is to be replaced, ms since 1970.
 *
 * @param spoiled epochs up to this one may be known to others; undefined: none is
 */
export function dueAtMs(newest: number, spoiled: number | undefined): number {
	const madeMs = newest * 1000;
	return madeMs + (newest <= (spoiled ?? 0) ? epochLastsAtLeastMs : epochLastsMs);
}

/** The epoch after this one. Another replica's clock may have been ahead of ours. */
export const nextEpoch = (newest: number | undefined, nowMs: number): number =>
	Math.max(Math.floor(nowMs / 1000), (newest ?? 0) + 1);
