import { printable } from '../../api/printable.ts';
import type { RunnerVersionReport } from '../../api/report.ts';
import { textOf } from './pods.ts';
import { mostReported } from './policy.ts';
import type { SetVersion } from './said.ts';
import { isOlder } from './version-lines.ts';

/**
 * For the leader's report. The newest version counts only within one owner at GitHub: whoever registers a runner can let it
 * say any version.
 */
export function versionsReport(all: Iterable<SetVersion>): RunnerVersionReport[] {
	const sets = [...all];
	const newest = new Map<string, string>();
	for (const { owner, version } of sets) {
		if (owner === undefined || version === undefined) continue;
		const known = newest.get(owner.toLowerCase());
		if (known === undefined || isOlder(known, version)) newest.set(owner.toLowerCase(), version);
	}
	return sets
		.sort((a, b) => (a.refusedSinceMs ?? Infinity) - (b.refusedSinceMs ?? Infinity) || 0)
		.slice(0, mostReported)
		.map((one) => entryOf(one, newest.get(one.owner?.toLowerCase() ?? '')));
}

function entryOf(one: SetVersion, newestOfOwner: string | undefined): RunnerVersionReport {
	const { image, version, owner, readMs, refusedSinceMs } = one;
	const isBehind = version !== undefined && newestOfOwner !== undefined && isOlder(version, newestOfOwner);
	return {
		set: textOf(one),
		image: printable(image),
		...(version === undefined ? {} : { version }),
		...(owner === undefined ? {} : { owner }),
		readAt: new Date(readMs).toISOString(),
		...(refusedSinceMs === undefined ? {} : { refusedSince: new Date(refusedSinceMs).toISOString() }),
		...(isBehind ? { newestOfOwner } : {}),
	};
}
