import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Reason } from './api/reasons.ts';

/** What /metrics shows. One object a process, passed to whoever counts. */
export class Metrics {
	readonly registry = new Registry();
	readonly #decisions = new Counter({
		name: 'runners_admission_decisions_total',
		help: 'Verdicts on deletions and evictions of runner pods.',
		labelNames: ['verdict', 'reason'],
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
		help: 'Requests that were no AdmissionReview, and handler errors.',
		labelNames: ['status'],
		registers: [this.registry],
	});
	readonly #github = new Counter({
		name: 'runners_github_calls_total',
		help: 'Calls to the GitHub API.',
		labelNames: ['account', 'endpoint', 'status'],
		registers: [this.registry],
	});
	readonly #recorded = new Gauge({
		name: 'runners_recorded_deletions',
		help: 'Recorded deletions that wait, as the leader sees them.',
		labelNames: ['reason'],
		registers: [this.registry],
	});
	readonly #leader = new Gauge({
		name: 'runners_leader',
		help: '1 while this replica leads.',
		registers: [this.registry],
	});
	readonly #restarts = new Counter({
		name: 'runners_watch_restarts_total',
		help: 'Watches that broke and were taken up again.',
		labelNames: ['watch', 'why'],
		registers: [this.registry],
	});

	constructor() {
		collectDefaultMetrics({ register: this.registry });
	}

	decision(verdict: 'allow' | 'deny', reason: Reason): void {
		this.#decisions.inc({ verdict, reason });
	}

	reviewStarted(): (handler: string, allowed: boolean) => void {
		const startedMs = performance.now();
		this.#inFlight.inc();
		return (handler, allowed) => {
			this.#inFlight.dec();
			this.#reviews.observe({ handler, allowed: String(allowed) }, (performance.now() - startedMs) / 1000);
		};
	}

	badRequest(status: number): void {
		this.#bad.inc({ status });
	}

	githubCall(call: { account: string; endpoint: string; status: number | string }): void {
		this.#github.inc({ account: call.account, endpoint: call.endpoint, status: call.status });
	}

	/** Replaces the whole picture: reason -> count. */
	recordedDeletions(byReason: Map<string, number>): void {
		this.#recorded.reset();
		for (const [reason, count] of byReason) this.#recorded.set({ reason }, count);
	}

	leading(yes: boolean): void {
		this.#leader.set(yes ? 1 : 0);
		if (!yes) this.#recorded.reset();
	}

	watchRestarted(watch: string, why: string): void {
		this.#restarts.inc({ watch, why });
	}
}
