import { type Hook, ownerOf } from '../../github/deliveries.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { type HookNote, readNote, writeNote } from './rules/hook-note.ts';
import { hookForgottenMs, mostHooks } from './rules/policy.ts';
import type { WebhookSecret } from './rules/secrets.ts';

/** A webhook, and how far its lost deliveries were looked for. */
export interface KnownHook {
	readonly hook: Hook;
	/** What its last delivery was signed with: whose events it may tell. */
	by: readonly Pick<WebhookSecret, 'scopes'>[];
	/** When it was last heard of, ms since the epoch. */
	heardMs: number;
	/** All of its deliveries that failed before were read, ms since the epoch; undefined: that is not known. */
	lookedMs: number | undefined;
	/** GitHub has shown its deliveries. */
	shown: boolean;
	/** Not asked about before: GitHub does not show its deliveries. */
	notBeforeMs: number;
	/** How it is configured is not asked before. */
	settingsNotBeforeMs: number;
	/** Guids of deliveries that were read, of those that GitHub lists. */
	readonly done: Set<string>;
	/** Guids of those that could not be written, and how often that was tried. */
	readonly tried: Map<string, number>;
}

export interface KnownHooksOptions {
	clock: Pick<Clock, 'now'>;
	metrics: Metrics;
}

/**
 * The webhooks that this replica has heard of, or another one before it: at most `mostHooks`, for `hookForgottenMs` each.
 * Replicas tell each other in notes on the status ConfigMap, so that one that starts looks at once for what was lost while
 * none ran. Only of those whose deliveries GitHub has shown: whatever else a delivery's headers say is nobody's knowledge.
 */
export class KnownHooks {
	readonly #options: KnownHooksOptions;
	/** By id and owner. */
	readonly #hooks = new Map<string, KnownHook>();

	constructor(options: KnownHooksOptions) {
		this.#options = options;
	}

	/** A verified delivery came from this webhook. */
	heard(hook: Hook, by: KnownHook['by']): void {
		const nowMs = this.#options.clock.now();
		const known = this.#hooks.get(keyOf(hook)) ?? this.#add(hook, by, nowMs);
		known.by = by;
		known.heardMs = nowMs;
		this.#options.metrics.sightings.received(nameOf(hook), nowMs);
	}

	/** Those that are not forgotten, as they are now. */
	all(): KnownHook[] {
		const nowMs = this.#options.clock.now();
		for (const [key, { heardMs }] of this.#hooks)
			if (nowMs - heardMs > hookForgottenMs) this.#hooks.delete(key);
		return [...this.#hooks.values()];
	}

	/** What other replicas are to know, by the webhook's id. */
	notes(): Record<string, string> {
		const notes: Record<string, string> = {};
		for (const { hook, by, heardMs, lookedMs, shown } of this.all()) {
			const anybody = by.some(({ scopes }) => scopes === undefined);
			const scopes = anybody ? undefined : by.flatMap((one) => one.scopes ?? []);
			const text = shown ? writeNote({ hook, scopes, heardMs, lookedMs }) : undefined;
			if (text !== undefined) notes[hook.id] = text;
		}
		return notes;
	}

	/**
	 * What all replicas have noted.
	 *
	 * @returns the ids of notes that nobody needs: they can't be read, are forgotten, or are more than may be
	 */
	told(notes: Readonly<Record<string, string>>): string[] {
		const nowMs = this.#options.clock.now();
		const read = Object.entries(notes)
			.map(([id, text]) => ({ id, note: readNote(id, text, nowMs) }))
			.toSorted((one, other) => (other.note?.heardMs ?? 0) - (one.note?.heardMs ?? 0));
		const needless: string[] = [];
		let kept = 0;
		for (const { id, note } of read) {
			if (!note || nowMs - note.heardMs > hookForgottenMs || kept >= mostHooks) {
				needless.push(id);
				continue;
			}
			kept += 1;
			this.#learn(note);
		}
		return needless;
	}

	#learn({ hook, scopes, heardMs, lookedMs }: HookNote): void {
		const before = this.#hooks.get(keyOf(hook));
		if (!before && this.#hooks.size >= mostHooks) return; // those that it hears of itself come first
		const known = before ?? this.#add(hook, [{ scopes }], heardMs);
		if (!before) this.#options.metrics.sightings.received(nameOf(hook), heardMs);
		known.shown = true;
		known.heardMs = Math.max(known.heardMs, heardMs);
		if (lookedMs !== undefined) known.lookedMs = Math.max(known.lookedMs ?? 0, lookedMs);
	}

	#add(hook: Hook, by: KnownHook['by'], heardMs: number): KnownHook {
		const [oldest] = [...this.#hooks].toSorted(([, one], [, other]) => one.heardMs - other.heardMs);
		if (oldest && this.#hooks.size >= mostHooks) this.#hooks.delete(oldest[0]);
		const known: KnownHook = {
			hook,
			by,
			heardMs,
			lookedMs: undefined,
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

const keyOf = (hook: Hook): string => `${hook.id} ${ownerOf(hook)}`.toLowerCase();

/** For people. */
export const nameOf = (hook: Hook): string => `${ownerOf(hook)}, webhook ${hook.id}`;
