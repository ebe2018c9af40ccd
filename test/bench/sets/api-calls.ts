import { type AuditEvent, readAudit } from '../../cluster/audit.ts';
import type { Stage } from './stage.ts';

/** Whose calls are counted. */
export const serverUser = 'system:serviceaccount:runners-system:runners-admission';

/** Calls of the server while `work` is done: `create pods`, `patch pods/status` and how often, the most frequent first. */
export async function callsDuring<T>(
	{ rig }: Stage,
	work: () => Promise<T>,
): Promise<{ value: T; calls: [string, number][] }> {
	const { folder } = rig.cluster;
	const before = (await readAudit(folder)).length;
	const value = await work();
	return { value, calls: callsBy((await readAudit(folder)).slice(before)) };
}

function callsBy(events: readonly AuditEvent[]): [string, number][] {
	const counts = new Map<string, number>();
	for (const { verb, objectRef, stage } of events) {
		if (stage === 'ResponseStarted') continue; // a log or a watch, which is reported once more at its end
		const { resource = 'no resource', subresource } = objectRef ?? {};
		const what = `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
		counts.set(what, (counts.get(what) ?? 0) + 1);
	}
	return [...counts].sort(([, a], [, b]) => b - a);
}
