/** Durations as flags and annotations give them, and as people read them. */

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The duration in ms of a text such as `90s`, `10m`, `1h` or `90d`; undefined if it is not a duration. */
export function durationMs(text: string | undefined): number | undefined {
	const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text ?? '');
	return found ? Number(found[1]) * unitMs[found[2] as keyof typeof unitMs] : undefined;
}

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
	if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
	if (minutes < 180) return `${minutes}m`;

	const hours = Math.trunc(minutes / 60);
	if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
	if (hours < 48) return `${hours}h`;

	const days = Math.trunc(hours / 24);
	if (days < 8) return twoUnits(days, 'd', hours % 24, 'h');
	if (days < 365 * 2) return `${days}d`;
	if (days < 365 * 8) return twoUnits(Math.trunc(days / 365), 'y', days % 365, 'd');
	return `${Math.trunc(days / 365)}y`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
	return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
