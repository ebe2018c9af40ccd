import { eventsPrefix, names, replicaPrefix, webhookPrefix } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { objectPath, resources } from '../api/paths.ts';
import type { EventsReport } from '../api/report.ts';
import { replicas, share } from '../github/policy.ts';
import { type Beat, Share } from '../github/rules/share.ts';
import type { KubeClient } from '../kube/client.ts';
import { type CallLimits, mergePatch, unlessGone } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';

interface ReplicasOptions {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	/** Unique per process, and part of an annotation's key: at most 50 letters, digits and dashes. */
	name: string;
	/** Which part of the calls that all replicas together may make in a minute this one has made in the last one: 0 to 1. */
	used: () => number;
	/** What this replica has received of GitHub's events, for people. */
	events: () => EventsReport;
	/** What all replicas, and those to come, are to know of GitHub's webhooks. */
	webhooks: SharedNotes;
	clock: Clock;
	log: Log;
}

/** Texts by a name each, which outlive the replica that wrote them. */
export interface SharedNotes {
	notes(): Readonly<Record<string, string>>;
	/** Receives all of them at each beat. @returns the names of those that are to be removed */
	receive(notes: Readonly<Record<string, string>>): readonly string[];
}

/**
 * The server's replicas, as they know of each other: each writes every 5 s an annotation of its own on the status
 * ConfigMap, sooner where it has made many calls, and the answer shows those of the others. A patch of one key never
 * conflicts, unlike an update of the Lease, whose renewals must not fail. What follows from it is in github/rules/share.ts.
 */
export class Replicas {
	/** Whether this replica is the leader. */
	leads = false;
	readonly #options: ReplicasOptions;
	readonly #share = new Share();
	#beat = 0;
	#failing = false;
	/** What it last said it had used. */
	#saidUsed = 0;
	/** What the record says of the events that it has received. */
	#saidEvents: string | undefined;
	/** Keys of what replicas have received that are not there any more. */
	#leftOver: string[] = [];
	/** What is noted of webhooks, as the record has it, and the names of what is to be removed from it. */
	#notes: Readonly<Record<string, string>> = {};
	#needless: readonly string[] = [];
	readonly #leaving = new AbortController();
	#running: Promise<void> | undefined;

	constructor(options: ReplicasOptions) {
		this.#options = options;
	}

	/** Which part of the calls to GitHub this replica may make now: more than 0, at most 1. */
	readonly share = (): number => this.#share.of(this.leads, this.#options.clock.monotonic());

	/** Says that this replica is alive, until it leaves. */
	run(): Promise<void> {
		this.#running ??= this.#run(this.#leaving.signal);
		return this.#running;
	}

	/** The last beat, after the last call to GitHub: the others may take over at once what this replica has not used. */
	async leave(): Promise<void> {
		this.#leaving.abort();
		await this.#running;
		try {
			await this.#say({ left: true, timeoutMs: replicas.leaveWithinMs });
		} catch (error) {
			this.#options.log.warn(
				{ error: String(error) },
				'the other replicas do not know that this one is stopping',
			);
		}
	}

	async #run(signal: AbortSignal): Promise<void> {
		const { log } = this.#options;
		while (!signal.aborted) {
			let known = false;
			try {
				known = await this.#say({ left: false, timeoutMs: replicas.beatEveryMs, signal });
				this.#failing = false;
			} catch (error) {
				if (!this.#failing && !signal.aborted)
					log.warn(
						{ error: String(error) },
						'the other replicas do not know that this one is alive, retrying',
					);
				this.#failing = true;
			}
			await this.#rest(known ? replicas.beatEveryMs : replicas.retryMs, signal);
		}
	}

	/** Ends early where much has been used since the last beat: after a crash the others know only of what was said. */
	async #rest(ms: number, signal: AbortSignal): Promise<void> {
		const { clock, used } = this.#options;
		for (let restedMs = 0; restedMs < ms && !signal.aborted; restedMs += replicas.retryMs) {
			await clock.sleep(replicas.retryMs, signal);
			if (used() - this.#saidUsed >= share.unsaid) return;
		}
	}

	/** False while there is no ConfigMap yet: the first leader makes it. */
	async #say({ left, ...limits }: { left: boolean } & CallLimits): Promise<boolean> {
		const { client, namespace, name, clock, used, webhooks } = this.#options;
		const said = { beat: this.#beat + 1, leads: this.leads && !left, used: used(), left };
		const saidMs = clock.monotonic();
		this.#beat = said.beat;
		const gone = this.#share.gone(saidMs).map((other) => `${replicaPrefix}${other}`);
		const events = left ? undefined : JSON.stringify(this.#options.events());
		const annotations = {
			...Object.fromEntries([...gone, ...this.#leftOver].map((key) => [key, null])),
			...(left ? {} : this.#changedNotes()),
			[`${replicaPrefix}${name}`]: write(said),
			...(events === this.#saidEvents ? {} : { [`${eventsPrefix}${name}`]: events ?? null }),
		};
		const path = objectPath(resources.configMaps, { namespace, name: names.status });
		const configMap = await unlessGone(
			mergePatch<KubeObject>(client, path, { metadata: { annotations } }, {}, limits),
		);
		if (!configMap) return false;
		this.#saidUsed = said.used;
		// As the ConfigMap has it now: somebody may have recreated it.
		this.#saidEvents = configMap.metadata.annotations?.[`${eventsPrefix}${name}`];
		this.#leftOver = leftOverIn(configMap);
		this.#notes = notesIn(configMap);
		this.#needless = webhooks.receive(this.#notes);
		this.#share.said(said.leads, othersIn(configMap, name), saidMs, clock.monotonic());
		return true;
	}

	#changedNotes(): Record<string, string | null> {
		const notes = this.#options.webhooks.notes();
		const changed = Object.entries(notes).filter(([name, text]) => this.#notes[name] !== text);
		const needless = this.#needless.filter((name) => notes[name] === undefined);
		return Object.fromEntries(
			[...changed, ...needless.map((name) => [name, null] as const)].map(([name, text]) => [
				`${webhookPrefix}${name}`,
				text,
			]),
		);
	}
}

/** For example `17 0.25 leads`; hundredths are cut off, so that nobody seems to have used more than it may. */
function write({ beat, leads, used, left }: Beat): string {
	const role = left ? ' left' : leads ? ' leads' : '';
	return `${beat} ${(Math.floor(used * 100) / 100).toFixed(2)}${role}`;
}

function othersIn({ metadata }: KubeObject, self: string): Map<string, Beat> {
	const others = new Map<string, Beat>();
	for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
		if (!key.startsWith(replicaPrefix) || key === `${replicaPrefix}${self}`) continue;
		others.set(key.slice(replicaPrefix.length), read(value));
	}
	return others;
}

function notesIn({ metadata: { annotations = {} } }: KubeObject): Record<string, string> {
	const notes = Object.entries(annotations).filter(([key]) => key.startsWith(webhookPrefix));
	return Object.fromEntries(notes.map(([key, text]) => [key.slice(webhookPrefix.length), text]));
}

function leftOverIn({ metadata: { annotations = {} } }: KubeObject): string[] {
	return Object.keys(annotations).filter(
		(key) =>
			key.startsWith(eventsPrefix) && !(`${replicaPrefix}${key.slice(eventsPrefix.length)}` in annotations),
	);
}

/** One that does not say in numbers what it has used counts as if it had used everything. */
function read(value: string): Beat {
	const [beat, part, role] = value.split(' ');
	const used = Number(part);
	return {
		beat: Number(beat) || 0,
		leads: role === 'leads',
		used: used >= 0 && used <= 1 ? used : 1,
		left: role === 'left',
	};
}
