/**
 * A span as kubectl prints it in AGE columns: the larger the span, the coarser ("119s", "9m59s", "2h59m", "3d4h").
 * Same thresholds as k8s.io/apimachinery/pkg/util/duration.HumanDuration.
 */
export function humanSpan(ms: number): string {
	const seconds = Math.trunc(ms / 1000);
	if (Number.isNaN(seconds)) return '<unknown>';
	if (seconds < -1) return '<invalid>';
	if (seconds < 0) return '0s';
	if (seconds < 120) return `${seconds}s`;

	const minutes = Math.trunc(seconds / 60);
	if (minutes < 10) return join(minutes, 'm', seconds % 60, 's');
	if (minutes < 180) return `${minutes}m`;

	const hours = Math.trunc(minutes / 60);
	if (hours < 8) return join(hours, 'h', minutes % 60, 'm');
	if (hours < 48) return `${hours}h`;

	const days = Math.trunc(hours / 24);
	if (days < 8) return join(days, 'd', hours % 24, 'h');
	if (days < 365 * 2) return `${days}d`;
	if (days < 365 * 8) return join(Math.trunc(days / 365), 'y', days % 365, 'd');
	return `${Math.trunc(days / 365)}y`;
}

/** Time since an RFC 3339 timestamp, as `humanSpan`; `<unknown>` without one. */
export function ageSince(timestamp: string | undefined, nowMs: number): string {
	return timestamp === undefined ? '<unknown>' : humanSpan(nowMs - Date.parse(timestamp));
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
	return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
