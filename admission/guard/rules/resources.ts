import type { Resources } from '../../api/kinds.ts';

/** What can be changed of a running container without a restart. */
const resizable = ['cpu', 'memory'] as const;

/**
 * Which of cpu and memory a container has less of afterwards: a lower limit, a limit where there was none, or a lower
 * request. With 1m of cpu a job stands still until GitHub gives it up; with less memory requested its pod is the first to go
 * when the node runs out of it. A quantity that cannot be compared counts as lower.
 */
export function lessened(before: Resources = {}, after: Resources = {}): string[] {
	return resizable.filter((name) => {
		const limits = [before.limits?.[name], after.limits?.[name]] as const;
		const requests = [before.requests?.[name], after.requests?.[name]] as const;
		return (
			isLower(limits, Number.POSITIVE_INFINITY) || // no limit: as much as there is
			isLower(requests, 0)
		);
	});
}

function isLower([before, after]: readonly [string?, string?], none: number): boolean {
	if (before === after) return false;
	const amount = (text: string | undefined) => (text === undefined ? none : amountOf(text));
	return !(amount(after) >= amount(before)); // NaN is lower
}

const divisors: Record<string, number> = { n: 1e9, u: 1e6, m: 1e3 };
const factors: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** A quantity of Kubernetes (apimachinery pkg/api/resource, quantity.go) as a number; NaN for any other text. */
function amountOf(text: string): number {
	const [, digits = '', suffix = ''] =
		/^\+?(\d+\.?\d*|\.\d+)([a-zA-Z]{0,2}|[eE][+-]?\d{1,3})$/.exec(text) ?? [];
	if (digits === '') return Number.NaN;
	if (/^[eE][+-]?\d/.test(suffix)) return Number(`${digits}${suffix}`);
	const divisor = divisors[suffix];
	if (divisor !== undefined) return Number(digits) / divisor;
	const power = binary.indexOf(suffix) + 1;
	return Number(digits) * (power > 0 ? 1024 ** power : (factors[suffix] ?? Number.NaN));
}
