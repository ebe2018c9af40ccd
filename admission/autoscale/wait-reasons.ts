import { autoscaleKinds } from '../api/autoscale.ts';
import type { Events } from '../kube/events.ts';
import type { Log } from '../telemetry/log.ts';
import type { Entry, JobBook } from './job-book.ts';
import type { KnownSets } from './known-sets.ts';
import { waitsForRunner } from './rules/job-status.ts';
import type { Routed } from './rules/routing.ts';
import type { SetKey } from './rules/set-key.ts';
import type { Demand } from './rules/types.ts';
import { whyWaits } from './rules/waits.ts';

/** Finds out why jobs wait, for the status of their records. */
export class WaitReasons {
	readonly #dependencies: { book: JobBook; sets: KnownSets; events: Events; log: Log };

	constructor(dependencies: { book: JobBook; sets: KnownSets; events: Events; log: Log }) {
		this.#dependencies = dependencies;
		dependencies.book.changes.subscribe((change) => {
			if (change.kind === 'set-reconciled' && change.findings.scaled)
				this.#explainAll(change.set, change.findings.scaled.demand.statuses);
		});
	}

	/** No set can run the job: that is reported at once, people would wait for it in vain. */
	noSetFits({ job, why: before, record }: Entry, routed: Routed): void {
		if (!waitsForRunner(job)) return;
		const { book, events, log } = this.#dependencies;
		const why = whyWaits('waiting', routed, undefined, job.labels);
		if (!why || (before?.reason === why.reason && before.message === why.message)) return;
		book.explain(job.key, why);
		if (before?.reason === why.reason) return;
		const { kind, apiVersion } = autoscaleKinds.workflowJob;
		events.send(
			{ apiVersion, kind, metadata: record.metadata },
			'Warning',
			'NoMatchingSet',
			'Route',
			`job ${job.name} of ${job.repository} waits for a runner with the labels ${job.labels.join(', ') || '(none)'}: ${why.message}`,
			'NoMatchingSet', // once for each job, though what the nearest set lacks may change
		);
		log.warn({ job: job.id, repository: job.repository, labels: job.labels }, 'no set can run this job');
	}

	/** The oldest jobs have the idle runners, the next ones those that are starting. */
	#explainAll(set: SetKey, statuses: Demand['statuses']): void {
		const { book, sets } = this.#dependencies;
		const facts = sets.get(set);
		const oldestFirst = book.of(set).toSorted((one, other) => one.job.openedMs - other.job.openedMs);
		// Under a quota, only what has its pod is on its way.
		const onTheirWay =
			facts && (facts.blocked === 'QuotaExceeded' ? facts.placesUnderQuota - facts.idle : facts.starting);
		let [idle, starting] = [facts?.idle ?? 0, onTheirWay ?? 0];
		for (const { job, why: before } of oldestFirst) {
			const status = statuses.get(job.key);
			if (status === undefined) continue;
			const own = {
				idle: idle > 0 ? 1 : 0,
				startingSinceMs: starting > 0 ? facts?.startingSinceMs : undefined,
			};
			if (status === 'waiting' && idle-- <= 0) starting -= 1;
			const waitedFor = facts && { ...facts, ...own, key: set, blockedMessage: undefined };
			const why = whyWaits(status, { set }, waitedFor, job.labels);
			if (before?.reason !== why?.reason) book.explain(job.key, why);
		}
	}
}
