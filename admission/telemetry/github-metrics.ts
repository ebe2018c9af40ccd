import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CredentialReport } from '../api/report.ts';

/** One HTTP call to GitHub: account, endpoint, HTTP status or what went wrong, duration. */
interface GitHubCall {
	account: string;
	endpoint: string;
	status: number | string;
	ms: number;
}

/** The metrics about GitHub. Accounts are named by their id, never by anything of their credential. */
export class GitHubMetrics {
	/** Called at each scrape. The server sets it when the accounts exist. */
	credentials: () => CredentialReport[] = () => [];
	readonly #calls: Counter;
	readonly #durations: Histogram;

	constructor(registry: Registry) {
		const registers = [registry];
		this.#calls = new Counter({
			name: 'runners_github_calls_total',
			help: 'Calls to the GitHub API.',
			labelNames: ['account', 'endpoint', 'status'],
			registers,
		});
		this.#durations = new Histogram({
			name: 'runners_github_call_duration_seconds',
			help: 'Duration of a call to the GitHub API, answered or not.',
			labelNames: ['endpoint'],
			buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
			registers,
		});
		this.#gauge(
			registry,
			'runners_github_credential_state',
			'1 for the state that the credential is in.',
			['account', 'state'],
			({ account, state }) => ({ labels: { account, state }, value: 1 }),
		);
		this.#gauge(
			registry,
			'runners_github_rate_limit_remaining',
			"Calls left of GitHub's primary rate limit, from its last answer.",
			['account'],
			({ account, budget }) => budget && { labels: { account }, value: budget.left },
		);
		this.#gauge(
			registry,
			'runners_github_rate_limit_limit',
			'Calls an hour that the primary rate limit allows.',
			['account'],
			({ account, budget }) =>
				budget?.limit === undefined ? undefined : { labels: { account }, value: budget.limit },
		);
		this.#gauge(
			registry,
			'runners_github_rate_limit_reset_timestamp_seconds',
			'When the primary rate limit is reset, Unix time.',
			['account'],
			({ account, budget }) => budget && { labels: { account }, value: Date.parse(budget.resetAt) / 1000 },
		);
	}

	call({ account, endpoint, status, ms }: GitHubCall): void {
		this.#calls.inc({ account, endpoint, status });
		this.#durations.observe({ endpoint }, ms / 1000);
	}

	/** Registers a gauge that is read from all credentials at each scrape. */
	#gauge<Label extends string>(
		registry: Registry,
		name: string,
		help: string,
		labelNames: Label[],
		read: (credential: CredentialReport) => { labels: Record<Label, string>; value: number } | undefined,
	): void {
		const credentials = () => this.credentials();
		new Gauge<Label>({
			name,
			help,
			labelNames,
			registers: [registry],
			collect() {
				this.reset();
				for (const credential of credentials()) {
					const seen = read(credential);
					if (seen) this.set(seen.labels, seen.value);
				}
			},
		});
	}
}
