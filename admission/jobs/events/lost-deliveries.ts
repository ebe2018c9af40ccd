import {
	deliveredPayload,
	type FailedDelivery,
	failedDeliveries,
	type Hook,
	ownerOf,
} from '../../github/deliveries.ts';
import { hookSettings } from '../../github/hook-settings.ts';
import { notVisible } from '../../github/policy.ts';
import type { CredentialsMissing, Read } from '../../github/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { EventResult, Metrics } from '../../telemetry/metrics.ts';
import { Refused } from '../body.ts';
import { deliveredMs } from '../records/rules/delivered.ts';
import { tellsOfRunner, toRead } from './rules/lost.ts';
import {
	hookForgottenMs,
	looksBackMs,
	lostEveryMs,
	mostFailuresOfARound,
	mostHooks,
	settingsEveryMs,
} from './rules/policy.ts';
import { mayTell, type WebhookSecret } from './rules/secrets.ts';
import { Overflow } from './take-event.ts';

export interface LostDeliveriesOptions {
	/** The server's own account at GitHub. */
	account: () => Promise<{ read: Read } | CredentialsMissing>;
	/** As the port takes a delivery. @throws if it could not be written */
	take: (event: string, payload: unknown, sentMs: number) => Promise<EventResult>;
	/** Whether it is recorded that a job waits. */
	recordsJobs: () => boolean;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

interface Known {
	hook: Hook;
	/** What its last delivery was signed with: whose events it may tell. */
	by: readonly Pick<WebhookSecret, 'scopes'>[];
	/** When it was last heard of, ms since the epoch. */
	heardMs: number;
	/** Not asked about before: GitHub does not show its deliveries. */
	notBeforeMs: number;
	/** How it is configured is not asked before. */
	settingsNotBeforeMs: number;
	/** Guids of deliveries that were read, and when they were delivered, ms since the epoch: those of `looksBackMs`. */
	done: Map<string, number>;
	/** Guids of those that could not be written, and how often that was tried. */
	tried: Map<string, number>;
}

/**
 * Finds deliveries that no replica could be reached for, or could write down: GitHub sends nothing again by itself, but
 * keeps a list. Each replica looks through the lists of the webhooks that it has heard of itself. It has no need to know
 * what others know, and a hook whose deliveries all come to one replica is not forgotten.
 */
export class LostDeliveries {
	readonly #options: LostDeliveriesOptions;
	/** By id and owner, the longest unheard first: at most `mostHooks`, for `hookForgottenMs` each. */
	readonly #hooks = new Map<string, Known>();

	constructor(options: LostDeliveriesOptions) {
		this.#options = options;
	}

	/** A verified delivery came from this webhook. */
	heard(hook: Hook, by: Known['by']): void {
		const key = `${hook.id} ${ownerOf(hook)}`.toLowerCase();
		const fresh = {
			hook,
			by,
			heardMs: 0,
			notBeforeMs: 0,
			settingsNotBeforeMs: 0,
			done: new Map(),
			tried: new Map(),
		};
		const known: Known = this.#hooks.get(key) ?? fresh;
		known.by = by;
		known.heardMs = this.#options.clock.now();
		this.#options.metrics.sightings.heard(nameOf(hook), known.heardMs);
		this.#hooks.delete(key);
		const [oldest = ''] = this.#hooks.keys();
		if (this.#hooks.size >= mostHooks) this.#hooks.delete(oldest);
		this.#hooks.set(key, known);
	}

	/** Looks for them once a minute, until `signal`. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, log } = this.#options;
		while (!signal.aborted) {
			// Not all replicas at the same moment.
			await clock.sleep(lostEveryMs * (0.9 + 0.2 * clock.random()), signal);
			// Each once: a webhook that is heard of meanwhile goes to the end, and would come again and again.
			for (const [key, known] of [...this.#hooks]) {
				if (signal.aborted) return;
				const nowMs = clock.now();
				if (nowMs - known.heardMs > hookForgottenMs) this.#hooks.delete(key);
				else if (nowMs >= known.notBeforeMs)
					await this.#look(known, signal).catch((error: unknown) =>
						log.warn({ error: String(error), hook: known.hook.id }, 'lost events could not be written'),
					);
			}
		}
	}

	/**
	 * What can't be written is tried again with the next look, after all others: one that nobody can write keeps none of them
	 * waiting.
	 *
	 * @throws why the last of them could not be written
	 */
	async #look(known: Known, signal: AbortSignal): Promise<void> {
		const { clock, metrics, log } = this.#options;
		const account = await this.#options.account();
		if ('kind' in account) return; // told where the server's credentials are looked after
		const sinceMs = clock.now() - looksBackMs;
		const { hook, done, tried } = known;
		const failed = await failedDeliveries(account.read, hook, sinceMs, { signal });
		if (!Array.isArray(failed)) {
			if (failed.kind === 'not-visible') this.#hide(known);
			return; // trouble is told where the budget is looked after
		}
		metrics.sightings.looked(nameOf(hook), failed.length);
		await this.#noteSettings(account.read, known, signal);
		for (const [guid, atMs] of done) if (atMs < sinceMs) done.delete(guid);
		const listed = new Set(failed.map(({ guid }) => guid));
		for (const guid of tried.keys()) if (!listed.has(guid)) tried.delete(guid);
		const failures: unknown[] = [];
		let full = false;
		for (const delivery of toRead(failed, { done, tried }, this.#options.recordsJobs())) {
			const { guid, atMs, action } = delivery;
			if (full && !tellsOfRunner(action)) continue; // there is no room for it either
			try {
				const result = await this.#read(account.read, known, delivery, signal);
				if (result === 'trouble') break;
				done.set(guid, atMs);
				tried.delete(guid);
				metrics.event(result);
				log.info({ hook: hook.id, delivery: guid, result }, 'lost event found');
			} catch (error) {
				metrics.event(error instanceof Overflow ? 'overflow' : 'failed');
				failures.push(error);
				if (error instanceof Overflow) full = true;
				else tried.set(guid, (tried.get(guid) ?? 0) + 1);
				if (failures.length >= mostFailuresOfARound) break;
			}
		}
		if (failures.length > 0) throw failures.at(-1);
	}

	/** For people, who see there why no event comes. */
	async #noteSettings(read: Read, known: Known, signal: AbortSignal): Promise<void> {
		const { clock, metrics } = this.#options;
		if (clock.now() < known.settingsNotBeforeMs) return;
		const answer = await hookSettings(read, known.hook, { signal });
		if (answer.kind === 'settings') metrics.sightings.configured(nameOf(known.hook), answer.settings);
		if (answer.kind === 'settings' || answer.kind === 'not-visible') {
			known.settingsNotBeforeMs = clock.now() + settingsEveryMs;
		}
	}

	async #read(
		read: Read,
		{ hook, by }: Known,
		{ id, event, guid, atMs }: FailedDelivery,
		signal: AbortSignal,
	): Promise<EventResult | 'trouble'> {
		const answer = await deliveredPayload(read, hook, id, { signal });
		if (!('payload' in answer)) return answer.kind === 'not-visible' ? 'unreadable' : 'trouble';
		if (mayTell(by, answer.payload) !== true) return 'out-of-scope';
		try {
			return await this.#options.take(event, answer.payload, deliveredMs(guid, atMs));
		} catch (error) {
			if (error instanceof Refused && error.status === 400) return 'unreadable';
			throw error;
		}
	}

	#hide(known: Known): void {
		const { clock, metrics, log } = this.#options;
		if (known.notBeforeMs === 0)
			log.warn(
				{ hook: known.hook.id, of: ownerOf(known.hook) },
				'lost events are not found: GitHub does not show the deliveries of this webhook to the credential, which needs "Webhooks" read (classic token: admin:org_hook, or admin:repo_hook), or has to be that of the App itself',
			);
		known.notBeforeMs = clock.now() + notVisible.againMs;
		metrics.sightings.looked(nameOf(known.hook), 'hidden');
	}
}

/** For people. */
const nameOf = (hook: Hook): string => `${ownerOf(hook)}, webhook ${hook.id}`;
