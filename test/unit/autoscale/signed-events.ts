import type { WorkflowJobSpec } from '../../../admission/api/autoscale.ts';
import { JobBook } from '../../../admission/autoscale/job-book.ts';
import { SetIndex } from '../../../admission/autoscale/rules/set-index.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
import { readDelivery } from '../../../admission/jobs/events/rules/delivery.ts';
import { isAbout } from '../../../admission/jobs/events/rules/runner-of.ts';
import {
	mayReport,
	type WebhookSecret,
	withCoveredEnterprise,
} from '../../../admission/jobs/events/rules/secrets.ts';
import { factsOfEvent } from '../../../admission/jobs/records/rules/facts.ts';
import { changeOf, opened } from '../../../admission/jobs/records/rules/merge.ts';
import { recordName } from '../../../admission/jobs/records/rules/name.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import type { Scope } from '../../../admission/runner/scope.ts';

export interface SignedEvent {
	/** The owner whose secret has signed it. */
	by: 'octo' | 'evil';
	action: 'queued' | 'in_progress' | 'completed';
	id: number;
	repository: string;
	/** The organization that it names; absent: the repository's owner. */
	organization?: string;
	enterprise?: string;
	labels?: readonly string[];
	runner?: string | undefined;
	/** By GitHub's clock, ms since the epoch. */
	createdMs: number;
	sentMs: number;
}

const owners: Record<SignedEvent['by'], WebhookSecret> = {
	octo: {
		secret: 'one',
		scopes: [
			{ kind: 'organization', name: 'octo' },
			{ kind: 'enterprise', name: 'octo-corp' },
		],
	},
	evil: { secret: 'other', scopes: [{ kind: 'organization', name: 'evil' }] },
};
const set = 'RunnerSet ci/a';

/** What the server's rules make of GitHub's events: the records of jobs, those that count for a set, and its runners' pods. */
export class SignedEvents {
	readonly #scope: Scope;
	readonly #now: () => number;
	readonly #book: JobBook;
	readonly #specs = new Map<string, WorkflowJobSpec>();
	readonly #index = new SetIndex();

	/** @param now the leader's clock */
	constructor(scope: Scope, now: () => number) {
		this.#scope = scope;
		this.#now = now;
		this.#book = new JobBook(now);
		const none = { group: undefined, labels: [], implicit: [], possible: [] };
		this.#index.set({ key: set, scope, host: 'github.com', ...none });
	}

	/** Those that count for the set. */
	get jobs(): Job[] {
		return this.#book.of(set).map(({ job }) => job);
	}

	/** @returns whether the event says something about the runner of that name that is believed */
	receive(event: SignedEvent): boolean {
		const payload = payloadOf(event);
		const by = [owners[event.by]];
		if (mayReport(by, payload, Object.values(owners)) !== true) return false;
		const covered = withCoveredEnterprise(by, payload);
		this.#write(covered, event.sentMs);
		const delivery = readDelivery('workflow_job', covered);
		if (delivery?.kind !== 'job') return false;
		const process = { state: 'running', sinceMs: 0 };
		const pod = { process, scope: this.#scope, host: 'github.com', runnerName: event.runner };
		return isAbout(delivery, pod as unknown as RunnerPod);
	}

	learn(key: string, more: Partial<Job>): void {
		this.#book.learn(key, more);
	}

	/** GitHub has answered whether the job is queued. */
	answered(key: string, checked: 'queued' | 'in_progress' | 'unknown'): void {
		this.#book.answered(key, checked, this.#now(), this.#now());
	}

	/** Its record is removed. */
	forget(id: number, repository: string): void {
		const key = keyOf(id, repository);
		this.#specs.delete(key);
		this.#book.recordDeleted(key);
	}

	#write(payload: unknown, sentMs: number): void {
		const facts = factsOfEvent(payload, sentMs);
		if (!facts) return;
		const name = recordName(facts);
		const before = this.#specs.get(name);
		const change = before ? changeOf(before, facts, 'event', this.#now()) : opened(facts, this.#now());
		if (!change) return;
		const spec = { ...before, ...change } as WorkflowJobSpec;
		this.#specs.set(name, spec);
		const { job } = this.#book.recordChanged({ metadata: { name, namespace: 'runners-system' }, spec });
		this.#book.assign(name, this.#index.covers(set, job) ? set : undefined);
	}
}

export const keyOf = (id: number, repository: string): string =>
	recordName({ host: 'github.com', repository, id });

function payloadOf(event: SignedEvent): object {
	const {
		action,
		id,
		repository,
		organization,
		enterprise,
		labels = ['self-hosted'],
		runner,
		createdMs,
	} = event;
	const created_at = new Date(createdMs).toISOString();
	return {
		action,
		workflow_job: { id, run_id: id, name: `build ${id}`, labels, created_at, runner_name: runner ?? null },
		repository: { full_name: repository, html_url: `https://github.com/${repository}` },
		organization: { login: organization ?? repository.split('/')[0] },
		...(enterprise === undefined ? {} : { enterprise: { slug: enterprise } }),
	};
}
