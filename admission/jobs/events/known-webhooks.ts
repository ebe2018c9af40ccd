import { type Hook, ownerOf } from '../../github/deliveries.ts';
import { foldedScope, foldName } from '../../runner/github-name.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import { hookForgottenMs, mostHooks, mostSecrets } from './rules/policy.ts';
import type { Signers } from './rules/secrets.ts';
import { readNote, type WebhookNote, writeNote } from './rules/webhook-note.ts';

/** A webhook, and up to when its failed deliveries were read. */
export interface KnownWebhook {
	readonly hook: Hook;
	/** What its deliveries were signed with: whose events it may report. Nobody takes that from the others. */
	by: Signers;
	/** When its last delivery came, or was to come, ms since the epoch. */
	seenMs: number;
	/** All of its deliveries that failed before were read, ms since the epoch; undefined: that is not known. */
	readUpToMs: number | undefined;
	/** GitHub has shown its deliveries. */
	shown: boolean;
	/** Its deliveries are not listed before: GitHub did not show them. */
	notBeforeMs: number;
	/** Its configuration is not read before. */
	settingsNotBeforeMs: number;
	/** Guids of deliveries that were read, of those that GitHub lists. */
	readonly done: Set<string>;
	/** Guids of those that could not be written, and how often that was tried. */
	readonly tried: Map<string, number>;
}

interface KnownWebhooksOptions {
	clock: Pick<Clock, 'now'>;
	metrics: Metrics;
}

/**
 * The webhooks that have sent deliveries to this replica, or to another one before it: at most `mostHooks`, for
 * `hookForgottenMs` each. Replicas share them by notes on the status ConfigMap, so that one that starts reads at once what was
 * lost while none ran. Only webhooks whose deliveries GitHub has shown are noted: a delivery's headers are not signed.
 */
export class KnownWebhooks {
	readonly #options: KnownWebhooksOptions;
	/**
	 * By id and owner. Ids are not signed, so whoever may send deliveries can name any: of the owner with the most webhooks one goes
	 * first that GitHub has not shown, then the one whose last delivery is the oldest.
	 */
	readonly #hooks = new BoundedMap<string, KnownWebhook>({
		most: mostHooks,
		ownerOf: ({ hook: { owner } }) =>
			owner.kind === 'app' ? '' : foldName(owner.kind === 'repository' ? owner.owner : owner.name),
		rank: ({ seenMs, shown }) => (shown ? seenMs : seenMs / 1_000),
	});

	constructor(options: KnownWebhooksOptions) {
		this.#options = options;
	}

	/** A verified delivery came from this webhook. */
	deliveryReceived(hook: Hook, by: Signers): void {
		const nowMs = this.#options.clock.now();
		const known = this.#hooks.get(keyOf(hook)) ?? this.#add(hook, by, nowMs);
		known.by = joined(known.by, by);
		known.seenMs = nowMs;
		this.#options.metrics.sightings.received(nameOf(hook), nowMs);
	}

	/** Those that are not forgotten. */
	all(): KnownWebhook[] {
		const nowMs = this.#options.clock.now();
		for (const [key, { seenMs }] of this.#hooks)
			if (nowMs - seenMs > hookForgottenMs) this.#hooks.delete(key);
		return [...this.#hooks.values()];
	}

	/** The notes for other replicas, by the webhook's id. */
	notes(): Record<string, string> {
		const notes: Record<string, string> = {};
		for (const { hook, by, seenMs, readUpToMs, shown } of this.all()) {
			const anybody = by.some(({ scopes }) => scopes === undefined);
			const scopes = anybody ? undefined : by.flatMap((one) => one.scopes ?? []);
			const text = shown ? writeNote({ hook, scopes, seenMs, readUpToMs }) : undefined;
			if (text !== undefined) notes[hook.id] = text;
		}
		return notes;
	}

	/**
	 * What all replicas have noted.
	 *
	 * @returns the ids of notes that nobody needs: they cannot be read, are too old, or are too many
	 */
	receiveNotes(notes: Readonly<Record<string, string>>): string[] {
		const nowMs = this.#options.clock.now();
		const read = Object.entries(notes)
			.map(([id, text]) => ({ id, note: readNote(id, text, nowMs) }))
			.toSorted((one, other) => (other.note?.seenMs ?? 0) - (one.note?.seenMs ?? 0));
		const needless: string[] = [];
		let kept = 0;
		for (const { id, note } of read) {
			if (!note || nowMs - note.seenMs > hookForgottenMs || kept >= mostHooks) {
				needless.push(id);
				continue;
			}
			kept += 1;
			this.#merge(note);
		}
		return needless;
	}

	#merge({ hook, scopes, seenMs, readUpToMs }: WebhookNote): void {
		const before = this.#hooks.get(keyOf(hook));
		if (!before && this.#hooks.size >= mostHooks) return; // those that send deliveries to this replica come first
		const known = before ?? this.#add(hook, [{ scopes }], seenMs);
		if (!before) this.#options.metrics.sightings.received(nameOf(hook), seenMs);
		known.shown = true;
		known.seenMs = Math.max(known.seenMs, seenMs);
		if (readUpToMs !== undefined) known.readUpToMs = Math.max(known.readUpToMs ?? 0, readUpToMs);
	}

	#add(hook: Hook, by: Signers, seenMs: number): KnownWebhook {
		const known: KnownWebhook = {
			hook,
			by,
			seenMs,
			readUpToMs: undefined,
			shown: false,
			notBeforeMs: 0,
			settingsNotBeforeMs: 0,
			done: new Set(),
			tried: new Map(),
		};
		this.#hooks.set(keyOf(hook), known);
		return known;
	}
}

/** An App has one webhook, which is asked for without its id. */
const keyOf = (hook: Hook): string =>
	foldName(hook.owner.kind === 'app' ? 'app' : `${hook.id} ${ownerOf(hook)}`);

/** The signers of both, each once. There are as many as secrets. */
function joined(before: Signers, by: Signers): Signers {
	const all = new Map([...before, ...by].map((one) => [one.scopes?.map(foldedScope).join() ?? '*', one]));
	return [...all.values()].slice(-mostSecrets);
}

/** For people. */
export const nameOf = (hook: Hook): string => `${ownerOf(hook)}, webhook ${hook.id}`;
