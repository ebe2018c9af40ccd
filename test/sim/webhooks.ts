/**
 * GitHub's webhooks: what happens to jobs, posted to an address and signed. Each delivery is tried once, as GitHub
 * does; a lost one is in the list of deliveries. Tests inject faults.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultHandle } from './faults.ts';
import { eventBody, numberOf } from './job-bodies.ts';
import type { JobAction, WorkflowJob } from './jobs.ts';
import { type Scope, scopeKey, scopeKind } from './scope.ts';

export interface WebhookOptions {
	url: string;
	secret: string;
	/** The owner of the hook: it receives the jobs of that organization or repository. */
	scope: Scope;
	/** The delay of each event, apart from faults; default: none. */
	course?: (job: WorkflowJob, action: JobAction) => Course;
}

interface Course {
	delayMs: number;
	/** 'failed': nobody is reached, and the list of deliveries says so. 'silent': GitHub makes no event at all. */
	lost?: 'failed' | 'silent' | undefined;
	/** The same delivery comes again, this long after the first. */
	againAfterMs?: number | undefined;
}

interface DeliveryFault {
	/**
	 * 'lost': nobody is reached, and the list of deliveries says so. 'never': GitHub makes no event at all. 'late': by
	 * `delayMs`. 'doubled': the same delivery comes twice. 'after-completed': an in_progress that comes when its job's
	 * completed has been delivered.
	 */
	kind: 'lost' | 'never' | 'late' | 'doubled' | 'after-completed';
	delayMs?: number;
	action?: JobAction;
	/** The name of the job's runner; default any. */
	runnerName?: string;
	/** Matching events to hit; without it, until cleared. */
	times?: number;
	/** It affects every nth of the matching events; default every one. */
	every?: number;
}

export interface Delivery {
	id: number;
	guid: string;
	deliveredAtMs: number;
	redelivery: boolean;
	durationMs: number;
	status: string;
	statusCode: number;
	action: JobAction;
	repository: string;
	request: { headers: Record<string, string>; body: string };
	response: { headers: Record<string, unknown> | null; body: string | null };
}

export interface Webhook {
	readonly id: number;
	/** Oldest first. */
	readonly deliveries: readonly Delivery[];
	fault(rule: DeliveryFault): FaultHandle;
	/** The same delivery, posted again now: as a person or an app asks for it. */
	redeliver(deliveryId: number): Promise<void>;
	/** Resolves when no delivery is on its way any longer. */
	idle(): Promise<void>;
	stop(): void;
}

/** How long GitHub.com waits for an answer. */
const answerWithinMs = 10_000;
/** GitHub keeps deliveries for three days; here the newest. */
const keptDeliveries = 2_000;
const answerKeptBytes = 4_096;

interface Armed {
	rule: DeliveryFault;
	/** Events that matched. */
	seen: number;
	hits: number;
}

let nextDelivery = 190_000_000_001;

export class Hook implements Webhook {
	readonly id: number;
	readonly scope: Scope;
	readonly deliveries: Delivery[] = [];
	readonly #options: WebhookOptions;
	readonly #baseUrl: () => string;
	readonly #underway = new Set<Promise<void>>();
	readonly #completed = new Map<number, PromiseWithResolvers<void>>();
	readonly #stopped = new AbortController();
	#armed: Armed[] = [];

	constructor(id: number, options: WebhookOptions, baseUrl: () => string) {
		this.id = id;
		this.scope = options.scope;
		this.#options = options;
		this.#baseUrl = baseUrl;
	}

	/** Something has happened to a job. */
	tell(job: WorkflowJob, action: JobAction): void {
		if (this.#stopped.signal.aborted || !this.#isSubscribed(job)) return;
		const fault = this.#take(job, action);
		const course = this.#options.course?.(job, action);
		if (fault?.kind === 'never' || course?.lost === 'silent') return;
		const nowMs = Date.now();
		const body = JSON.stringify(eventBody(job, action, this.#baseUrl()));
		const headers = this.#headers(uuidV1(nowMs), body);
		const delivery = { headers, body, action, repository: job.repository };
		this.#do(async () => {
			if (course) await this.#wait(course.delayMs);
			if (fault?.kind === 'late') await this.#wait(fault.delayMs ?? 0);
			if (fault?.kind === 'after-completed') await this.#completion(job.id).promise;
			await this.#deliver(delivery, fault?.kind === 'lost' || course?.lost === 'failed');
			if (fault?.kind === 'doubled') await this.#deliver(delivery, false);
			if (course?.againAfterMs !== undefined) {
				await this.#wait(course.againAfterMs);
				await this.#deliver(delivery, false);
			}
			if (action === 'completed') this.#completion(job.id).resolve();
		});
		if (action === 'completed' && this.#completed.size > keptDeliveries) this.#completed.clear();
	}

	fault(rule: DeliveryFault): FaultHandle {
		const armed: Armed = { rule, seen: 0, hits: 0 };
		this.#armed.push(armed);
		return {
			hits: () => armed.hits,
			clear: () => {
				this.#armed = this.#armed.filter((other) => other !== armed);
			},
		};
	}

	async redeliver(deliveryId: number): Promise<void> {
		const old = this.deliveries.find(({ id }) => id === deliveryId);
		if (old === undefined) throw new Error(`hook ${this.id} has no delivery ${deliveryId}`);
		const { action, repository, request } = old;
		await this.#do(() => this.#deliver({ ...request, action, repository }, false, true));
	}

	async idle(): Promise<void> {
		while (this.#underway.size > 0) await Promise.all(this.#underway);
	}

	stop(): void {
		this.#stopped.abort();
		for (const { resolve } of this.#completed.values()) resolve();
	}

	#isSubscribed(job: WorkflowJob): boolean {
		const repository: Scope = `repos/${job.repository as `${string}/${string}`}`;
		const organization: Scope = `orgs/${job.repository.split('/')[0]}`;
		return [repository, organization].some((scope) => scopeKey(scope) === scopeKey(this.scope));
	}

	#take(job: WorkflowJob, action: JobAction): DeliveryFault | undefined {
		const matching = this.#armed.filter(
			({ rule, hits }) =>
				(rule.action === undefined || rule.action === action) &&
				(rule.kind !== 'after-completed' || action === 'in_progress') &&
				(rule.runnerName === undefined || rule.runnerName === job.runnerName) &&
				(rule.times === undefined || hits < rule.times),
		);
		for (const one of matching) one.seen++;
		const armed = matching.find(({ rule, seen }) => seen % (rule.every ?? 1) === 0);
		if (armed === undefined) return undefined;
		armed.hits++;
		return armed.rule;
	}

	#completion(job: number): PromiseWithResolvers<void> {
		const known = this.#completed.get(job) ?? Promise.withResolvers<void>();
		this.#completed.set(job, known);
		return known;
	}

	#do(work: () => Promise<void>): Promise<void> {
		const doing: Promise<void> = work()
			.catch((error: unknown) => {
				if (!this.#stopped.signal.aborted) console.error('GitHub simulator, webhook:', error);
			})
			.finally(() => this.#underway.delete(doing));
		this.#underway.add(doing);
		return doing;
	}

	#wait(delayMs: number): Promise<void> {
		return sleep(delayMs, undefined, { ref: false, signal: this.#stopped.signal });
	}

	async #deliver(
		event: { headers: Record<string, string>; body: string; action: JobAction; repository: string },
		lost: boolean,
		redelivery = false,
	): Promise<void> {
		const { headers, body, action, repository } = event;
		const startMs = Date.now();
		const answer = lost ? unreachable : await this.#post(headers, body);
		if (this.#stopped.signal.aborted) return;
		this.deliveries.push({
			id: nextDelivery++,
			guid: headers['x-github-delivery'] ?? '',
			deliveredAtMs: startMs,
			redelivery,
			durationMs: Date.now() - startMs,
			status: answer.status,
			statusCode: answer.statusCode,
			action,
			repository,
			request: { headers, body },
			response: { headers: answer.headers, body: answer.body },
		});
		if (this.deliveries.length > keptDeliveries) this.deliveries.shift();
	}

	#headers(guid: string, body: string): Record<string, string> {
		const sign = (hash: string) => createHmac(hash, this.#options.secret).update(body).digest('hex');
		const kind = scopeKind(this.scope) === 'repos' ? 'repository' : 'organization';
		return {
			accept: '*/*',
			'content-type': 'application/json',
			'user-agent': 'GitHub-Hookshot/0123abc',
			'x-github-delivery': guid,
			'x-github-event': 'workflow_job',
			'x-github-hook-id': String(this.id),
			'x-github-hook-installation-target-id': String(numberOf(this.scope)),
			'x-github-hook-installation-target-type': kind,
			'x-hub-signature': `sha1=${sign('sha1')}`,
			'x-hub-signature-256': `sha256=${sign('sha256')}`,
		};
	}

	#post(headers: Record<string, string>, body: string): Promise<Outcome> {
		const send = this.#options.url.startsWith('https:') ? secureRequest : plainRequest;
		return new Promise((resolve) => {
			const sent = send(this.#options.url, {
				method: 'POST',
				headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
				rejectUnauthorized: false, // the hook's setting insecure_ssl
				signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(answerWithinMs)]),
			});
			sent.once('error', (error) => resolve(error.name === 'TimeoutError' ? timedOut : unreachable));
			sent.once('response', (response) => {
				let text = '';
				response.setEncoding('utf8');
				response.on('data', (piece: string) => (text = (text + piece).slice(0, answerKeptBytes)));
				response.once('error', () => resolve(unreachable));
				response.once('end', () => {
					const statusCode = response.statusCode ?? 0;
					const status = statusCode < 400 ? 'OK' : `Invalid HTTP Response: ${statusCode}`;
					resolve({ status, statusCode, headers: response.headers, body: text });
				});
			});
			sent.end(body);
		});
	}
}

type Outcome = {
	status: string;
	statusCode: number;
	headers: Record<string, unknown> | null;
	body: string | null;
};
const unreachable: Outcome = { status: 'failed to connect', statusCode: 502, headers: null, body: null };
const timedOut: Outcome = { status: 'timed out', statusCode: 504, headers: null, body: null };

/** A version-1 UUID, whose first 60 bits are the time: GitHub's delivery ids are such. */
export function uuidV1(nowMs: number): string {
	const ticks = (BigInt(nowMs) + 12_219_292_800_000n) * 10_000n + BigInt(Math.floor(Math.random() * 10_000));
	const hex = ticks.toString(16).padStart(15, '0');
	const [low, middle, high] = [hex.slice(7), hex.slice(3, 7), hex.slice(0, 3)];
	const sequence = (0x8000 | Math.floor(Math.random() * 0x4000)).toString(16);
	return `${low}-${middle}-1${high}-${sequence}-${randomBytes(6).toString('hex')}`;
}
