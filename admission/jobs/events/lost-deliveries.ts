import { deliveredPayload, type FailedDelivery, failedDeliveries, ownerOf } from '../../github/deliveries.ts';
import { hookSettings } from '../../github/hook-settings.ts';
import { notVisible } from '../../github/policy.ts';
import type { CredentialsMissing, Read } from '../../github/types.ts';
import type { Log } from '../../telemetry/log.ts';
import type { EventResult, Metrics } from '../../telemetry/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { Refusal } from '../endpoint/answer.ts';
import { deliveredMs } from '../records/rules/delivered.ts';
import { type KnownWebhook, type KnownWebhooks, nameOf } from './known-webhooks.ts';
import type { HandleEvent } from './receiver.ts';
import { readFromMs, reportsRunner, toRead } from './rules/lost.ts';
import { lostEveryMs, mostFailuresOfARound, readBackMs, settingsEveryMs } from './rules/policy.ts';
import { mayReport, withCoveredEnterprise } from './rules/secrets.ts';

export interface LostDeliveriesOptions {
	hooks: Pick<KnownWebhooks, 'all'>;
	/** The server's own account at GitHub. */
	account: () => Promise<{ read: Read } | CredentialsMissing>;
	/** As if it had been delivered. @throws if it could not be written */
	handle: HandleEvent;
	/** Whether waiting jobs are recorded. */
	recordsJobs: () => boolean;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/**
 * Finds deliveries that reached no replica, or that no replica could write: GitHub sends nothing again by itself, but keeps a
 * list of failed deliveries. Each replica reads the lists of all known webhooks by itself, so that one that cannot reach GitHub
 * or the API server holds up no other.
 */
export class LostDeliveries {
	readonly #options: LostDeliveriesOptions;

	constructor(options: LostDeliveriesOptions) {
		this.#options = options;
	}

	/** Reads the lists once a minute, until `signal`. */
	async run(signal: AbortSignal): Promise<void> {
		const { hooks, clock, log } = this.#options;
		while (!signal.aborted) {
			// Not all replicas at the same moment.
			await clock.sleep(lostEveryMs * (0.9 + 0.2 * clock.random()), signal);
			for (const known of hooks.all()) {
				if (signal.aborted) return;
				if (clock.now() >= known.notBeforeMs)
					await this.#readLost(known, signal).catch((error: unknown) =>
						log.warn(
							{ error: String(error), hook: known.hook.id },
							'lost events could not be written, retrying',
						),
					);
			}
		}
	}

	/**
	 * What cannot be written is tried again in the next round, after all others, so that one that can never be written holds up
	 * no other.
	 *
	 * @throws why the last of them could not be written
	 */
	async #readLost(known: KnownWebhook, signal: AbortSignal): Promise<void> {
		const { clock, metrics, log } = this.#options;
		const account = await this.#options.account();
		if ('kind' in account) return; // logged by what looks after the server's credentials
		const nowMs = clock.now();
		const recordsJobs = this.#options.recordsJobs();
		const sinceMs = readFromMs(nowMs, recordsJobs ? known.readUpToMs : undefined);
		const { hook, done, tried } = known;
		const failed = await failedDeliveries(account.read, hook, sinceMs, { signal });
		if (!Array.isArray(failed)) {
			if (failed.kind === 'not-visible') this.#hide(known);
			return; // a failure is logged by what looks after the budget
		}
		known.shown = true;
		// A failed delivery shows that the webhook exists, as a received one does.
		known.seenMs = Math.max(known.seenMs, ...failed.map(({ atMs }) => Math.min(atMs, nowMs)));
		const latest = failed.filter(({ atMs }) => atMs >= nowMs - readBackMs);
		metrics.sightings.failuresListed(nameOf(hook), latest.length);
		await this.#noteSettings(account.read, known, signal);
		const listed = new Set(failed.map(({ guid }) => guid));
		for (const guids of [done, tried])
			for (const guid of guids.keys()) if (!listed.has(guid)) guids.delete(guid);
		const failures: unknown[] = [];
		let overflow: string | undefined;
		/** Of whom there is no room for another job that waits. */
		const full = new Set<number | undefined>();
		const countTry = (guid: string) => tried.set(guid, (tried.get(guid) ?? 0) + 1);
		for (const delivery of toRead(failed, known, recordsJobs)) {
			const { guid, action, installationId } = delivery;
			if (full.has(installationId) && !reportsRunner(action)) continue;
			try {
				const result = await this.#read(account.read, known, delivery, signal);
				if (result === 'failure') break;
				if (result instanceof Refusal) {
					metrics.event(result.result === 'overflow' ? 'overflow' : 'failed');
					if (result.result === 'overflow') {
						full.add(installationId);
						overflow = result.why;
					} else {
						failures.push(result.why);
						countTry(guid);
					}
				} else {
					done.add(guid);
					tried.delete(guid);
					metrics.event(result);
					log.info({ hook: hook.id, delivery: guid, result }, 'a lost event was found');
				}
			} catch (error) {
				metrics.event('failed');
				failures.push(error);
				countTry(guid);
			}
			if (failures.length >= mostFailuresOfARound) break;
		}
		if (recordsJobs && toRead(failed, known, true).length === 0) known.readUpToMs = nowMs;
		if (overflow !== undefined || failures.length > 0) throw failures.at(-1) ?? overflow;
	}

	/** Reads how the webhook is configured, so that people can see why no event comes. */
	async #noteSettings(read: Read, known: KnownWebhook, signal: AbortSignal): Promise<void> {
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
		{ hook, by }: KnownWebhook,
		{ id, event, guid, atMs }: FailedDelivery,
		signal: AbortSignal,
	): Promise<EventResult | Refusal<EventResult> | 'failure'> {
		const answer = await deliveredPayload(read, hook, id, { signal });
		if (!('payload' in answer)) return answer.kind === 'not-visible' ? 'unreadable' : 'failure';
		if (mayReport(by, answer.payload) !== true) return 'out-of-scope';
		const of = atMs < this.#options.clock.now() - readBackMs ? 'jobs' : 'jobs and runners';
		const payload = withCoveredEnterprise(by, answer.payload);
		const result = await this.#options.handle(event, payload, deliveredMs(guid, atMs), of);
		return result instanceof Refusal && result.result === 'unreadable' ? result.result : result;
	}

	#hide(known: KnownWebhook): void {
		const { clock, metrics, log } = this.#options;
		if (known.notBeforeMs === 0)
			log.warn(
				{ hook: known.hook.id, of: ownerOf(known.hook) },
				'lost events cannot be found: the credential may not list the deliveries of this webhook. It needs "Webhooks" read (classic token: admin:org_hook or admin:repo_hook), or has to be the credential of the App itself',
			);
		known.notBeforeMs = clock.now() + notVisible.againMs;
		metrics.sightings.failuresListed(nameOf(known.hook), 'hidden');
	}
}
