import type { FailedDelivery, Hook } from '../../../github/deliveries.ts';
import { scopeFromPath } from '../../../runner/scope.ts';
import { reportsState } from '../../records/rules/facts.ts';
import { gitHubKeepsMs, leastWaitingRead, mostReadOfARound, readBackMs } from './policy.ts';

/**
 * The webhook that a verified delivery came from; undefined where it has no list of deliveries that could be read (an
 * enterprise's). Its headers are not signed: they can lead to another webhook of the owner that the payload names.
 */
export function hookOf(header: (name: string) => string | undefined, payload: unknown): Hook | undefined {
	const id = Number(header('x-github-hook-id'));
	if (!Number.isSafeInteger(id) || id <= 0) return undefined;
	const { organization, repository } = fieldsOf(payload);
	const names = {
		organization: fieldsOf(organization).login,
		repository: fieldsOf(repository).full_name,
	};
	const kind = header('x-github-hook-installation-target-type');
	if (kind === 'integration') return { id, owner: { kind: 'app' } };
	if (kind !== 'organization' && kind !== 'repository') return undefined;
	const name = names[kind];
	const scope = typeof name === 'string' ? scopeFromPath(name) : undefined;
	return scope?.kind === kind ? { id, owner: scope } : undefined;
}

/**
 * From when on failed deliveries are read, ms since the epoch: from before an outage on, if no replica ran.
 *
 * @param readUpToMs all that failed before were read; undefined: that is not known, or no job is recorded
 */
export const readFromMs = (nowMs: number, readUpToMs: number | undefined): number =>
	Math.max(nowMs - gitHubKeepsMs, Math.min(nowMs - readBackMs, readUpToMs ?? nowMs));

/**
 * Which of the failed deliveries are read now, the newest first. One that was sent again is in the list once for each time,
 * by the same guid; one that was sent again and then received is still in the list, and to read it twice has no effect.
 *
 * First those that report what a runner does, for the guard; those of jobs that wait for one never take their place. Those that could
 * not be written come last, by how often that was tried.
 *
 * @param done guids of those that were read
 * @param tried how often one could not be written, by guid
 * @param withWaiting whether it is recorded that a job waits
 */
export function toRead(
	failed: readonly FailedDelivery[],
	{ done, tried }: { done: { has(guid: string): boolean }; tried: { get(guid: string): number | undefined } },
	withWaiting: boolean,
): FailedDelivery[] {
	const newest = new Map<string, FailedDelivery>();
	for (const delivery of failed) {
		const { guid, event, action, atMs } = delivery;
		const isRead =
			event === 'workflow_job' && (reportsRunner(action) || (withWaiting && reportsState(action)));
		if (!isRead || done.has(guid)) continue;
		const known = newest.get(guid);
		if (!known || known.atMs < atMs) newest.set(guid, delivery);
	}
	const triedOf = ({ guid }: FailedDelivery) => tried.get(guid) ?? 0;
	const sorted = [...newest.values()].toSorted(
		(one, other) => triedOf(one) - triedOf(other) || other.atMs - one.atMs,
	);
	const ofRunners = sorted.filter(({ action }) => reportsRunner(action));
	const waiting = sorted.filter(({ action }) => !reportsRunner(action));
	const first = ofRunners.slice(0, mostReadOfARound - leastWaitingRead);
	const chosen = [...first, ...waiting.slice(0, mostReadOfARound - first.length)];
	return chosen.toSorted((one, other) => triedOf(one) - triedOf(other));
}

/** Whether an event of this action reports what a runner does. */
export const reportsRunner = (action: string | undefined): boolean =>
	action === 'in_progress' || action === 'completed';

const fieldsOf = (value: unknown): Record<string, unknown> =>
	typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
