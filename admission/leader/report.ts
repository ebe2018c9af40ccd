import { busy, record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type CredentialReport, heartbeatSeconds, type Report } from '../api/report.ts';
import type { GuardState } from '../guard/unguarded-time.ts';
import type { WaitingDeletion } from '../guard/waiting-deletions.ts';
import { podKey } from '../runner/runner-pod.ts';
import type { LogReads } from '../telemetry/log-reads.ts';
import type { Contradiction } from '../telemetry/metrics.ts';
import { versionsReport } from '../versions/rules/report.ts';
import type { SetVersion } from '../versions/rules/said.ts';

/** What the leader's report is made from. */
export interface ReportFacts {
	version: string;
	replica: string;
	leadingSinceMs: number;
	/** When they expire, ms since the epoch. */
	certificates: { serving?: number; ca?: number };
	credentials: CredentialReport[];
	pods: Iterable<Pod>;
	/** By pod key. */
	waiting: ReadonlyMap<string, WaitingDeletion>;
	logs: Pick<LogReads, 'readable' | 'unreadable' | 'lastError'>;
	/** How often GitHub was wrong, by kind. */
	contradictions: Partial<Record<Contradiction, number>>;
	/** What has become of each object that is too large for lists and watches, by `namespace/name`. */
	largeObjects: Iterable<[object: string, state: string]>;
	/** What each set's runners say of their version. */
	versions: Iterable<SetVersion>;
	guard: GuardState;
	/** How long runner pods were unguarded, under this leader and all before it. */
	unguardedMs: number;
}

/** How many objects that cannot be read are named. */
const mostNamed = 5;

const dayMs = 24 * 60 * 60_000;

/** The report at this time. */
export function reportOf(facts: ReportFacts, nowMs: number): Report {
	const runners = { pods: 0, busy: 0 };
	for (const pod of facts.pods) {
		runners.pods += 1;
		if (pod.metadata.labels?.[busy.label] === 'true') runners.busy += 1;
	}
	return {
		version: facts.version,
		replica: facts.replica,
		leadingSince: time(facts.leadingSinceMs),
		updatedAt: time(nowMs),
		certificates: (['serving', 'ca'] as const).flatMap((name) =>
			certificateReport(name, facts.certificates[name], nowMs),
		),
		credentials: facts.credentials,
		runners,
		recordedDeletions: deletionsReport(facts),
		logs: logsReport(facts),
		contradictions: { ...facts.contradictions },
		largeObjects: largeObjectsReport(facts),
		runnerVersions: versionsReport(facts.versions),
		guard: { ...facts.guard, unguardedSeconds: Math.round(facts.unguardedMs / 1000) },
	};
}

/**
 * The part of a report whose change is written soon, as a text to compare. Counts and budgets change with every job, so they
 * wait for the heartbeat.
 */
export function newsIn(report: Report): string {
	const { version, replica, certificates, credentials, recordedDeletions, logs, contradictions } = report;
	const { largeObjects, guard } = report;
	const { count, oldest } = recordedDeletions;
	return JSON.stringify([
		version,
		replica,
		certificates.map(({ notAfter }) => notAfter),
		credentials.map(({ account, state, forbidden }) => [
			account,
			state,
			forbidden?.map(({ scope }) => scope).sort(),
		]),
		count === 0,
		oldest?.pod,
		oldest?.reason,
		logs?.lastError === undefined,
		contradictions,
		largeObjects?.unreadableObjects,
		report.runnerVersions?.map(({ set, image, version, refusedSince }) => [
			set,
			image,
			version,
			refusedSince,
		]),
		guard.state,
		guard.webhooks,
	]);
}

/** A change is written at most this often. */
const newsEveryMs = 10_000;

/** Whether the report is to be written again: after a change, but not too often; else at the heartbeat. */
export function isDue(written: { news: string; atMs: number }, news: string, nowMs: number): boolean {
	return nowMs - written.atMs >= (news === written.news ? heartbeatSeconds * 1000 : newsEveryMs);
}

function certificateReport(
	name: 'serving' | 'ca',
	endsAtMs: number | undefined,
	nowMs: number,
): Report['certificates'] {
	if (endsAtMs === undefined) return [];
	return [{ name, notAfter: time(endsAtMs), daysLeft: Math.floor((endsAtMs - nowMs) / dayMs) }];
}

function deletionsReport({ waiting, pods }: ReportFacts): Report['recordedDeletions'] {
	const byReason: Record<string, number> = {};
	let oldest: [string, WaitingDeletion] | undefined;
	for (const entry of waiting) {
		const [, { reason, askedAtMs }] = entry;
		byReason[reason] = (byReason[reason] ?? 0) + 1;
		if (!oldest || askedAtMs < oldest[1].askedAtMs) oldest = entry;
	}
	const report: Report['recordedDeletions'] = { count: waiting.size, byReason };
	if (!oldest) return report;
	const [key, { reason, askedAtMs }] = oldest;
	report.oldest = { pod: key, requestedAt: time(askedAtMs), reason };
	for (const pod of pods) {
		const requestedBy = podKey(pod) === key ? pod.metadata.annotations?.[record.requestedBy] : undefined;
		if (requestedBy) report.oldest.requestedBy = requestedBy;
	}
	return report;
}

function logsReport({ logs: { readable, unreadable, lastError } }: ReportFacts): Report['logs'] {
	if (!lastError) return { readable, unreadable };
	const { atMs, pod, message } = lastError;
	return { readable, unreadable, lastError: { at: time(atMs), pod, message } };
}

function largeObjectsReport({ largeObjects }: ReportFacts): Report['largeObjects'] {
	const all = [...largeObjects];
	const unreadable = all.flatMap(([object, state]) => (state === 'unreadable' ? [object] : []));
	const unreadableObjects = [...new Set(unreadable)].sort().slice(0, mostNamed);
	return { count: all.length, unreadable: unreadable.length, unreadableObjects };
}

const time = (ms: number) => new Date(ms).toISOString();
