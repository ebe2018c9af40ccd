import { createHash } from 'node:crypto';
import { type EndedRunner, endedLimits, endedRunners, isRecent } from '../../api/ended-runners.ts';
import type { SetOfRunners } from './entry.ts';

/** `runnerset.example.ended-runners`; with a hash in place of its end where that is longer than a name may be. */
export function configMapName(set: SetOfRunners | undefined): string {
	if (!set) return endedRunners.withoutSet;
	const name = `${set.kind.toLowerCase()}.${set.name}.${endedRunners.withoutSet}`;
	if (name.length <= 253) return name;
	const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
	return `${name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${hash}`;
}

/** The run of a container: a pod whose runner is restarted in place ends several times. */
export const runKey = ({ uid, restarts }: Pick<EndedRunner, 'uid' | 'restarts'>): string =>
	`${uid}/${restarts}`;

/** Of these, what the list does not have yet. */
export function newIn(list: readonly EndedRunner[], ended: readonly EndedRunner[]): EndedRunner[] {
	const known = new Set(list.map(runKey));
	return ended.filter((one) => !known.has(runKey(one)));
}

/** Both lists, newest first, within the bounds, and as JSON. */
export function mergedList(
	list: readonly EndedRunner[],
	added: readonly EndedRunner[],
	nowMs: number,
): { kept: readonly EndedRunner[]; text: string } {
	const kept = [...added, ...list]
		.filter((one) => isRecent(one, nowMs))
		.toSorted((one, other) => Date.parse(other.endedAt) - Date.parse(one.endedAt))
		.slice(0, endedLimits.entries);
	const sizes = kept.map(bytesOf);
	let size = sizes.reduce((sum, one) => sum + one, 2);
	for (let at = kept.length - 1; at >= 0 && size > endedLimits.bytes; at--) {
		const one = kept[at];
		if (!one?.log) continue;
		const { log: _, ...rest } = one;
		kept[at] = rest;
		size += bytesOf(rest) - (sizes[at] ?? 0);
		sizes[at] = bytesOf(rest);
	}
	while (size > endedLimits.bytes && kept.length > 0) {
		kept.pop();
		size -= sizes.pop() ?? 0;
	}
	return { kept, text: JSON.stringify(kept) };
}

/** With the comma after it. */
const bytesOf = (one: EndedRunner): number => Buffer.byteLength(JSON.stringify(one)) + 1;

/** When the oldest is too old to be kept, in ms from now; undefined: there is none. */
export function expiresInMs(kept: readonly EndedRunner[], nowMs: number): number | undefined {
	const oldest = kept.at(-1);
	return oldest && Math.max(0, Date.parse(oldest.endedAt) + endedLimits.keptMs - nowMs);
}
