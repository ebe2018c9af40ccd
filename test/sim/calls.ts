/** Every request that reached the simulator, for tests that count them. */
import type { Endpoint } from './answer.ts';
import type { Scope } from './scope.ts';

export interface Call {
	/** Unix ms of the request's arrival. */
	atMs: number;
	endpoint: Endpoint;
	method: string;
	template: string;
	query: string;
	scope?: Scope;
	runnerId?: number;
	/** 0 while it has no answer: in flight, hanging, or its connection was cut. */
	status: number;
	/** Ms from arrival to answer. */
	tookMs: number;
	/** The caller's name, never its token; 'none' without a token, 'unknown' for one that GitHub does not know. */
	auth: string;
	/** The fault that shaped the answer. */
	fault?: string;
	userAgent: string;
	requestId: string;
}

export interface CallFilter {
	endpoint?: Endpoint;
	method?: string;
	status?: number;
	runnerId?: number;
	scope?: Scope;
	/** Unix ms. */
	sinceMs?: number;
}

export function countCalls(calls: readonly Call[], filter: CallFilter = {}): number {
	return chooseCalls(calls, filter).length;
}

function chooseCalls(calls: readonly Call[], filter: CallFilter): Call[] {
	return calls.filter(
		(call) =>
			(filter.endpoint === undefined || call.endpoint === filter.endpoint) &&
			(filter.method === undefined || call.method === filter.method) &&
			(filter.status === undefined || call.status === filter.status) &&
			(filter.runnerId === undefined || call.runnerId === filter.runnerId) &&
			(filter.scope === undefined || call.scope?.toLowerCase() === filter.scope.toLowerCase()) &&
			(filter.sinceMs === undefined || call.atMs >= filter.sinceMs),
	);
}

/** One line for each endpoint and status, most calls first: `DELETE /orgs/{org}/actions/runners/{runner_id} 204 50`. */
export function callsTable(all: readonly Call[], filter: CallFilter = {}): string {
	const calls = chooseCalls(all, filter);
	if (calls.length === 0) return '(no calls)';
	const counts = new Map<string, { method: string; template: string; status: number; count: number }>();
	for (const { method, template, status } of calls) {
		const key = `${method} ${template} ${status}`;
		const row = counts.get(key) ?? { method, template, status, count: 0 };
		row.count++;
		counts.set(key, row);
	}
	const rows = [...counts.values()].sort((a, b) => b.count - a.count || a.template.localeCompare(b.template));
	const width = Math.max(...rows.map((row) => row.template.length));
	return rows
		.map(
			({ method, template, status, count }) =>
				`${method.padEnd(6)} ${template.padEnd(width)}  ${status === 0 ? '---' : status}  ${String(count).padStart(5)}`,
		)
		.join('\n');
}
