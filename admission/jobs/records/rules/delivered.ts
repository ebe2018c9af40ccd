import { mostAheadMs } from './policy.ts';

/** 100 ns steps between 1582-10-15, where such UUIDs begin, and 1970. */
const uuidEpoch = 0x01b21dd213814000n;

const version1 = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * When an event was sent, ms since the epoch. X-GitHub-Delivery is a version-1 UUID, which holds its time; GitHub does not
 * document that, and nobody signs the header, so it decides nothing but the order of two events of the same rank. An event
 * that is sent again has the UUID of the first time.
 *
 * @param arrivedMs counts where the header has no time
 */
export function deliveredMs(guid: string | undefined, arrivedMs: number): number {
	const [, low, middle, high] = version1.exec(guid ?? '') ?? [];
	if (low === undefined || middle === undefined || high === undefined) return arrivedMs;
	const ms = Number((BigInt(`0x${high}${middle}${low}`) - uuidEpoch) / 10_000n);
	return ms > 0 && ms <= arrivedMs + mostAheadMs ? ms : arrivedMs;
}
