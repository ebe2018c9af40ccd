import { autoscaleKinds, type WorkflowJob } from '../../api/autoscale.ts';
import { collectionPath, objectPath } from '../../api/paths.ts';
import { isConflict, isNotFound, type KubeClient, KubeError } from '../../kube/client.ts';
import { createObject, getObject, itemsOf, mergePatch, metadataOnly } from '../../kube/objects.ts';
import { sameName } from '../../runner/github-name.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Clock } from '../../time/clock.ts';
import type { JobFacts } from './rules/facts.ts';
import { concernsUs } from './rules/labels.ts';
import { changeOf, leavesTrace, opened, type Source } from './rules/merge.ts';
import { earlierName, recordName } from './rules/name.ts';
import {
	callWithinMs,
	countEveryMs,
	countedAtOnce,
	countPage,
	mostRecords,
	refusalLoggedEveryMs,
	tries,
} from './rules/policy.ts';
import { labelsOfPot, type Pot, potOf, potOfLabels, Tally } from './rules/shares.ts';
import type { SetLabels } from './set-labels.ts';

interface JobRecordsOptions {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	clock: Pick<Clock, 'now' | 'monotonic'>;
}

/**
 * What became of facts. `overflow`: the limit of its owner's records is reached; `no-set`: that of jobs which no set could run.
 * `absent`: records are not installed.
 */
export type Written = 'recorded' | 'unchanged' | 'overflow' | 'no-set' | 'absent';

interface MetadataList {
	metadata?: { continue?: string };
	items: { metadata: { labels?: Record<string, string> } }[] | null;
}

const resource = autoscaleKinds.workflowJob;
const limits = { timeoutMs: callWithinMs };

/**
 * Writes what GitHub says about jobs as WorkflowJobs in the server's namespace. Any replica writes, and the leader reads. Only
 * facts: what follows from them is written by the leader, in their status.
 */
export class JobRecords {
	readonly #options: JobRecordsOptions;
	/** Those that there were when they were last counted, and those that this replica has made since. */
	#counted = new Tally();
	#countedAtMs = Number.NEGATIVE_INFINITY;
	#counting: Promise<void> | undefined;

	constructor(options: JobRecordsOptions) {
		this.#options = options;
	}

	/**
	 * What is said is written when this resolves. Whatever was written before, in any order and by whichever replica, the
	 * record is the same in the end; facts that change nothing write nothing.
	 *
	 * @param fits whether some set could run the job; decides where it counts while there is no record of it
	 * @throws KubeError if it could not be read or written, code 409 if others changed it at every try
	 */
	async write(facts: JobFacts, source: Source, fits = true): Promise<Written> {
		const name = recordName(facts);
		// A job that is queued is mostly new.
		const opens = facts.state === 'waiting' || facts.state === 'queued';
		let found = (opens ? undefined : await this.#read(name)) ?? (await this.#ofEarlierVersion(facts));
		for (let attempt = 0; attempt < tries; attempt++) {
			if (!found) {
				if (!leavesTrace(facts)) return 'unchanged';
				const created = await this.#create(name, facts, potOf(facts, fits));
				if (created !== 'exists') return created;
				found = await this.#read(name);
			} else {
				const change = changeOf(found.spec, facts, source, this.#options.clock.now());
				if (!change) return 'unchanged';
				if (await this.#change(found, change)) return 'recorded';
				found = await this.#read(found.metadata.name);
			}
		}
		throw new KubeError(409, 'Conflict', `workflowjob ${name} changed at every try to write on it`);
	}

	#read(name: string): Promise<WorkflowJob | undefined> {
		const { client, namespace } = this.#options;
		return getObject<WorkflowJob>(client, objectPath(resource, { namespace, name }), limits);
	}

	/** The record that an earlier version has made of this job: an upgrade loses none. */
	async #ofEarlierVersion(facts: JobFacts): Promise<WorkflowJob | undefined> {
		const found = await this.#read(earlierName(facts));
		return found && sameName(found.spec.repository, facts.repository) ? found : undefined;
	}

	async #create(name: string, facts: JobFacts, pot: Pot): Promise<Written | 'exists'> {
		const { client, namespace, clock } = this.#options;
		if (!(await this.#hasRoom(pot))) return pot.fits ? 'overflow' : 'no-set';
		const { apiVersion, kind } = resource;
		const metadata = { name, namespace, labels: labelsOfPot(pot) };
		const job = { apiVersion, kind, metadata, spec: opened(facts, clock.now()) };
		try {
			await createObject(client, collectionPath(resource, namespace), job, limits);
		} catch (error) {
			if (isConflict(error)) return 'exists';
			if (isNotFound(error)) return 'absent';
			throw error;
		}
		this.#counted.add(pot);
		return 'recorded';
	}

	/** False where it was changed meanwhile, or is gone. */
	async #change({ metadata }: WorkflowJob, change: WorkflowJob['spec'] | object) {
		const { client, namespace } = this.#options;
		const { name, uid, resourceVersion } = metadata;
		const path = objectPath(resource, { namespace, name });
		try {
			const preconditions = { uid, resourceVersion } as { uid: string; resourceVersion: string };
			await mergePatch(client, path, { spec: change }, preconditions, limits);
			return true;
		} catch (error) {
			if (isConflict(error) || isNotFound(error)) return false;
			throw error;
		}
	}

	async #hasRoom(pot: Pot): Promise<boolean> {
		const { monotonic } = this.#options.clock;
		const everyMs = countEveryMs * Math.ceil((this.#counted.size + 1) / countedAtOnce);
		if (monotonic() - this.#countedAtMs >= everyMs)
			this.#counting ??= this.#count().finally(() => {
				this.#counting = undefined;
			});
		await this.#counting;
		return this.#counted.hasRoom(pot);
	}

	/** @throws KubeError */
	async #count(): Promise<void> {
		const { client, namespace, clock } = this.#options;
		const path = collectionPath(resource, namespace);
		const counted = new Tally();
		let next: string | undefined;
		try {
			do {
				const query = { limit: countPage, ...(next === undefined ? {} : { continue: next }) };
				const list: MetadataList = await client.request('GET', path, {
					...limits,
					accept: metadataOnly,
					query,
				});
				for (const { metadata } of itemsOf(list)) counted.add(potOfLabels(metadata.labels));
				next = list.metadata?.continue || undefined;
			} while (next !== undefined && counted.size < 2 * mostRecords);
		} catch (error) {
			if (!isNotFound(error)) throw error; // else they are not installed, which the write reports
		}
		this.#counted = counted;
		this.#countedAtMs = clock.monotonic();
	}
}

interface EventRecorderOptions {
	sets: Pick<SetLabels, 'served' | 'known'>;
	records: Pick<JobRecords, 'write'>;
	clock: Pick<Clock, 'monotonic'>;
	log: Log;
}

/**
 * What records what an event says, if one of our sets could run its job or people should see that none can.
 *
 * Where the server has no right to write records, as after a change to the guard alone that left their kind behind, no
 * further try would help: an event counts as if the kind was not installed, because what it says of a runner must go on.
 *
 * @returns hosted: it is a job of GitHub's own runners, or of runners elsewhere
 * @throws KubeError as JobRecords does, but for 403 and 404
 */
export function eventRecorder({ sets, records, clock, log }: EventRecorderOptions) {
	let loggedMs = Number.NEGATIVE_INFINITY;
	return async (facts: JobFacts): Promise<Written | 'hosted'> => {
		if (!sets.served) return 'absent';
		if (!concernsUs(facts.labelsTruncated ? undefined : facts.labels, sets.known, facts)) return 'hosted';
		try {
			const fits = facts.labelsTruncated ? false : (sets.known?.fits(facts) ?? true);
			return await records.write(facts, 'event', fits);
		} catch (error) {
			if (!isNotFound(error) && !(error instanceof KubeError && error.code === 403)) throw error;
			if (clock.monotonic() - loggedMs >= refusalLoggedEveryMs) {
				loggedMs = clock.monotonic();
				log.warn({ error: String(error) }, 'the server may not record jobs: autoscalers get no events');
			}
			return 'absent';
		}
	};
}
