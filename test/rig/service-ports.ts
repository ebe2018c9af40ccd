import { type Balancer, startBalancer } from './balancer.ts';
import type { ServerProcess } from './server-process.ts';

/** What the Services before the replicas do, for each of the server's ports. */
export class ServicePorts {
	readonly #balancers: Record<'webhooks' | 'events' | 'jobs', Balancer>;

	private constructor(webhooks: Balancer, events: Balancer, jobs: Balancer) {
		this.#balancers = { webhooks, events, jobs };
	}

	static async open(): Promise<ServicePorts> {
		const [webhooks, events, jobs] = await Promise.all([0, 1, 2].map(() => startBalancer([])));
		return new ServicePorts(webhooks!, events!, jobs!);
	}

	/** Where the API server calls. */
	get webhooks(): number {
		return this.#balancers.webhooks.port;
	}

	/** Where GitHub delivers its events. */
	get eventsUrl(): string {
		return `http://127.0.0.1:${this.#balancers.events.port}`;
	}

	/** Where the job hooks in the pods call. */
	get jobsUrl(): string {
		return `https://localhost:${this.#balancers.jobs.port}`;
	}

	/** These replicas, and no others, are ready. */
	lead(servers: readonly ServerProcess[]): void {
		const { webhooks, events, jobs } = this.#balancers;
		webhooks.targets = servers.map(({ port }) => port);
		events.targets = servers.map(({ eventsPort }) => eventsPort);
		jobs.targets = servers.map(({ jobsPort }) => jobsPort);
	}

	async stop(): Promise<void> {
		await Promise.all(Object.values(this.#balancers).map((balancer) => balancer.stop()));
	}
}
