import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Reason } from '../api/reasons.ts';
import type { Clock } from '../time/clock.ts';
import { AutoscaleMetrics } from './autoscale-metrics.ts';
import { EventSightings } from './event-sightings.ts';
import { GitHubMetrics } from './github-metrics.ts';
import { GuardMetrics } from './guard-metrics.ts';
import { LargeObjects } from './large-objects.ts';
import { LogReads } from './log-reads.ts';
import { PostMortemMetrics } from './post-mortem-metrics.ts';
import { VersionMetrics } from './version-metrics.ts';

/**
 * How GitHub was wrong: it had removed a runner that then had a job, or its list showed one as idle, or none, that worked.
 */
export type Contradiction = 'removed-while-busy' | 'idle-while-busy' | 'absent-while-busy';

/**
 * What became of a delivery to the event receiver. Of one that names a runner: on the runner's pod. Of one that names none,
 * since the job waits: in the job's record.
 */
export type EventResult =
	| 'written'
	| 'unchanged'
	| 'no-pod'
	| 'several-pods'
	| 'recorded'
	| 'hosted'
	| 'overflow'
	| 'ignored'
	| 'bad-signature'
	| 'out-of-scope'
	| 'unreadable'
	| 'too-large'
	| 'failed'
	| 'overloaded';

/** What became of an event in the record of its job. */
export type JobRecordResult =
	| 'recorded'
	| 'unchanged'
	| 'hosted'
	| 'overflow'
	| 'no-set'
	| 'absent'
	| 'failed';

/** What became of a job hook's report. */
export type HookResult =
	| 'written'
	| 'unchanged'
	| 'gone'
	| 'unknown-caller'
	| 'unreadable'
	| 'too-large'
	| 'failed'
	| 'overloaded';

/** The metrics of /metrics. There is one object for the process; it is passed to all code that counts. */
export class Metrics {
	readonly registry = new Registry();
	readonly github = new GitHubMetrics(this.registry);
	readonly guard = new GuardMetrics(this.registry);
	readonly logReads = new LogReads(this.registry);
	readonly postMortems = new PostMortemMetrics(this.registry);
	readonly largeObjects = new LargeObjects(this.registry);
	readonly versions = new VersionMetrics(this.registry);
	readonly autoscale: AutoscaleMetrics;
	/** What of GitHub's events has come, for the report. */
	readonly sightings: EventSightings;
	readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
	readonly #decisions = new Counter({
		name: 'runners_admission_decisions_total',
		help: 'Verdicts on deletions and evictions of runner pods.',
		labelNames: ['verdict', 'reason'],
		registers: [this.registry],
	});
	readonly #contradictions = new Counter({
		name: 'runners_github_contradictions_total',
		help: 'Answers of GitHub about a runner that its job signals (log, job hooks, events) contradicted.',
		labelNames: ['kind'],
		registers: [this.registry],
	});
	readonly #events = new Counter({
		name: 'runners_events_total',
		help: "Deliveries of GitHub's webhook, by result.",
		labelNames: ['result'],
		registers: [this.registry],
	});
	readonly #jobRecords = new Counter({
		name: 'runners_job_records_total',
		help: "Events of workflow jobs, by what they changed in the job's record.",
		labelNames: ['result'],
		registers: [this.registry],
	});
	readonly #hooks = new Counter({
		name: 'runners_job_hooks_total',
		help: 'Reports of job hooks in runner pods, by result.',
		labelNames: ['result'],
		registers: [this.registry],
	});
	readonly #reviews = new Histogram({
		name: 'runners_admission_review_duration_seconds',
		help: 'Time to answer an AdmissionReview.',
		labelNames: ['handler', 'allowed'],
		buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5],
		registers: [this.registry],
	});
	readonly #inFlight = new Gauge({
		name: 'runners_admission_reviews_in_flight',
		help: 'AdmissionReviews being answered.',
		registers: [this.registry],
	});
	readonly #bad = new Counter({
		name: 'runners_admission_bad_requests_total',
		help: 'Requests that were not answered with a verdict, by HTTP status; failed: a handler failed (answered with 503).',
		labelNames: ['status'],
		registers: [this.registry],
	});
	readonly #recorded = new Gauge({
		name: 'runners_recorded_deletions',
		help: 'Recorded deletions that wait, as the leader sees them.',
		labelNames: ['reason'],
		registers: [this.registry],
	});
	#oldestMs: number | undefined;
	readonly #reconciles = new Histogram({
		name: 'runners_reconcile_duration_seconds',
		help: 'Time of one pass of a controller over one object.',
		labelNames: ['controller'],
		buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30],
		registers: [this.registry],
	});
	readonly #reconcileErrors = new Counter({
		name: 'runners_reconcile_errors_total',
		help: 'Passes of a controller that failed and are tried again.',
		labelNames: ['controller'],
		registers: [this.registry],
	});
	readonly #leader = new Gauge({
		name: 'runners_leader',
		help: '1 while this replica leads.',
		registers: [this.registry],
	});
	readonly #restarts = new Counter({
		name: 'runners_watch_restarts_total',
		help: 'Watches that broke and were started again.',
		labelNames: ['watch', 'why'],
		registers: [this.registry],
	});
	readonly #certificate = new Gauge({
		name: 'runners_certificate_not_after_seconds',
		help: 'When the certificate that this replica serves expires, and the CA that issued it; seconds since 1970.',
		labelNames: ['certificate'],
		registers: [this.registry],
	});
	/** The same times in ms since the epoch, for the report. */
	readonly certificateEnds: { serving?: number; ca?: number } = {};
	/** How often GitHub was wrong, for the report. */
	readonly contradictions: Partial<Record<Contradiction, number>> = {};

	constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
		this.#clock = clock;
		this.autoscale = new AutoscaleMetrics(this.registry, clock.now);
		this.sightings = new EventSightings(clock.now());
		collectDefaultMetrics({ register: this.registry });
		const oldestMs = () => this.#oldestMs;
		new Gauge({
			name: 'runners_recorded_deletion_oldest_age_seconds',
			help: 'Age of the oldest recorded deletion that waits, as the leader sees it; 0 if there is none.',
			registers: [this.registry],
			collect() {
				const sinceMs = oldestMs();
				this.set(sinceMs === undefined ? 0 : Math.max(0, (clock.now() - sinceMs) / 1000));
			},
		});
	}

	decision(verdict: 'allow' | 'deny', reason: Reason): void {
		this.#decisions.inc({ verdict, reason });
	}

	/** GitHub was wrong about a runner. */
	contradiction(kind: Contradiction): void {
		this.#contradictions.inc({ kind });
		this.contradictions[kind] = (this.contradictions[kind] ?? 0) + 1;
	}

	event(result: EventResult): void {
		this.#events.inc({ result });
		this.sightings.counted(result, this.#clock.now());
	}

	jobRecord(result: JobRecordResult): void {
		this.#jobRecords.inc({ result });
	}

	hook(result: HookResult): void {
		this.#hooks.inc({ result });
	}

	/** Counts a review as in flight, until the returned function is called with its result. */
	reviewStarted(): (handler: string, allowed: boolean) => void {
		const startedMs = this.#clock.monotonic();
		this.#inFlight.inc();
		return (handler, allowed) => {
			this.#inFlight.dec();
			this.#reviews.observe(
				{ handler, allowed: String(allowed) },
				(this.#clock.monotonic() - startedMs) / 1000,
			);
		};
	}

	/** A request got no verdict. @param status of the answer; failed: a handler failed */
	badRequest(status: string): void {
		this.#bad.inc({ status });
	}

	certificate(certificate: 'serving' | 'ca', notAfterMs: number): void {
		this.#certificate.set({ certificate }, notAfterMs / 1000);
		this.certificateEnds[certificate] = notAfterMs;
	}

	/** Sets the numbers of waiting deletions by reason, and when the oldest was asked for (ms since the epoch). */
	recordedDeletions(byReason: Map<string, number>, oldestMs: number | undefined): void {
		this.#recorded.reset();
		for (const [reason, count] of byReason) this.#recorded.set({ reason }, count);
		this.#oldestMs = oldestMs;
	}

	reconciled(controller: string, tookMs: number, failed: boolean): void {
		this.#reconciles.observe({ controller }, tookMs / 1000);
		// Adding 0 makes the counter exist from the first reconcile on, so that an increase can be seen.
		this.#reconcileErrors.inc({ controller }, failed ? 1 : 0);
	}

	leading(yes: boolean): void {
		this.#leader.set(yes ? 1 : 0);
		if (yes) return;
		this.recordedDeletions(new Map(), undefined);
		this.autoscale.stopped();
		this.largeObjects.stopped();
	}

	watchRestarted(watch: string, why: string): void {
		this.#restarts.inc({ watch, why });
	}
}
