import { heartbeatSeconds } from '../../../admission/api/report.ts';
import type { Facts } from './facts.ts';

/** After three missed heartbeats the report counts as abandoned. */
export function heartbeatIsFresh(facts: Facts): boolean {
	const age = heartbeatAge(facts);
	return age !== undefined && age <= 3 * heartbeatSeconds;
}

/** Seconds since the leader's last report. */
export function heartbeatAge({ report, nowMs }: Facts): number | undefined {
	if (report.kind !== 'found') return undefined;
	return Math.max(0, Math.round((nowMs - Date.parse(report.value.updatedAt)) / 1000));
}
