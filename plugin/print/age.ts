import { humanSpan } from '../../admission/api/duration.ts';

/** Time since an RFC 3339 timestamp, as `humanSpan`; `<unknown>` without one. */
export function ageSince(timestamp: string | undefined, nowMs: number): string {
	return timestamp === undefined ? '<unknown>' : humanSpan(nowMs - Date.parse(timestamp));
}
