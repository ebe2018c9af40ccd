import type { ObjectMeta } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { isConflict, type KubeClient, KubeError } from './client.ts';
import { createObject, getObject, replaceObject } from './objects.ts';

/** client-go's own defaults for leader election: lease 15 s, renew deadline 10 s, retry 2 s. */
const leaseMs = 15_000;
const renewDeadlineMs = 10_000;
const retryMs = 2_000;

/** Well below the renew deadline, so that a call that hangs is tried again in time. */
const callLimits = { timeoutMs: 5_000 };
/** At shutdown: nothing is lost if it fails, the Lease only expires later. */
const releaseLimits = { timeoutMs: 2_000 };

interface Lease {
	metadata: ObjectMeta;
	spec?: {
		holderIdentity?: string;
		leaseDurationSeconds?: number;
		acquireTime?: string;
		renewTime?: string;
		leaseTransitions?: number;
	};
}

export interface LeaderOptions {
	client: KubeClient;
	namespace: string;
	name: string;
	/** Unique per process. */
	identity: string;
	/**
	 * Runs while this process leads; its signal ends with the leadership. All that it writes must go through the client that
	 * it is given, which sends nothing once the Lease has not been renewed in time.
	 */
	lead(signal: AbortSignal, client: KubeClient): Promise<void>;
	clock: Clock;
	log: Log;
}

/**
 * Runs `lead` in at most one process at a time, by means of a Lease, until `signal` ends. Rejects with the error of `lead`.
 * Clocks of machines differ and are set, so whether the Lease has expired is measured by monotonic time, from the last
 * change of its record. A process that was paused (SIGSTOP, a machine with too much to do) finds out before its next
 * write; what was on its way already may still arrive, so everything that `lead` does must be idempotent and must carry
 * UID preconditions.
 */
export async function runAsLeader(options: LeaderOptions, signal: AbortSignal): Promise<void> {
	const { client, namespace, name, identity, clock, log } = options;
	const path = objectPath(resources.leases, { namespace, name });
	let observed = { record: '', atMs: 0 };
	/** When the attempt began that renewed the Lease last, by monotonic time: whoever sees that renewal sees it later. */
	let renewedMs = Number.NEGATIVE_INFINITY;
	const inTime = () => clock.monotonic() - renewedMs < renewDeadlineMs;

	/** Acquires or renews the Lease. Returns whether this process holds it now. */
	async function tryAcquire(): Promise<boolean> {
		const now = new Date(clock.now());
		const lease = await getObject<Lease>(client, path, callLimits);
		if (!lease) {
			const created = {
				apiVersion: 'coordination.k8s.io/v1',
				kind: 'Lease',
				metadata: { name, namespace },
				spec: specOf(identity, now, now.toISOString(), 0),
			};
			await createObject(client, collectionPath(resources.leases, namespace), created, callLimits);
			return true;
		}
		const record = JSON.stringify(lease.spec ?? {});
		if (record !== observed.record) observed = { record, atMs: clock.monotonic() };
		const holder = lease.spec?.holderIdentity;
		const expired = clock.monotonic() - observed.atMs >= (lease.spec?.leaseDurationSeconds ?? 15) * 1000;
		if (holder && holder !== identity && !expired) return false;
		const ours = holder === identity;
		const acquired = ours ? (lease.spec?.acquireTime ?? micro(now)) : micro(now);
		const transitions = (lease.spec?.leaseTransitions ?? 0) + (ours ? 0 : 1);
		const renewed = { ...lease, spec: specOf(identity, now, acquired, transitions) };
		await replaceObject(client, path, renewed, callLimits);
		return true;
	}

	async function attempt(): Promise<boolean> {
		const begunMs = clock.monotonic();
		try {
			const held = await tryAcquire();
			if (held) renewedMs = begunMs;
			return held;
		} catch (error) {
			if (!isConflict(error))
				log.debug({ error: String(error) }, 'the Lease could not be read or written, retrying');
			return false;
		}
	}

	while (!signal.aborted) {
		if (!(await attempt())) {
			await clock.sleep(retryMs * (0.8 + clock.random() * 0.4), signal);
			continue;
		}
		log.info({ identity }, 'leading');
		const lost = new AbortController();
		let failure: { error: unknown } | undefined;
		const leading = AbortSignal.any([signal, lost.signal]);
		const fenced = writesOnlyWhile(client, inTime);
		const ended = options.lead(leading, fenced).catch((error: unknown) => {
			failure = { error };
			lost.abort();
		});
		while (!leading.aborted && inTime()) {
			await clock.sleep(retryMs, leading);
			if (!signal.aborted) await attempt();
		}
		lost.abort();
		await ended;
		if (signal.aborted || failure) await release();
		if (failure) throw failure.error; // a leader whose work has failed must not keep the Lease from others
		if (!signal.aborted) log.warn({ identity }, 'no longer leading: the Lease could not be renewed');
	}

	/** Gives up the Lease, so that the next leader need not wait until it expires. */
	async function release(): Promise<void> {
		try {
			const lease = await getObject<Lease>(client, path, releaseLimits);
			if (lease?.spec?.holderIdentity !== identity) return;
			const released = { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } };
			await replaceObject(client, path, released, releaseLimits);
		} catch (error) {
			log.debug({ error: String(error) }, 'the Lease could not be released; it expires in 15 s');
		}
	}
}

/** A client that reads as ever, and sends a write only while `allowed` says so: else it rejects with KubeError NotLeading. */
export function writesOnlyWhile(client: KubeClient, allowed: () => boolean): KubeClient {
	const beforeSend = () => {
		if (!allowed())
			throw new KubeError(0, 'NotLeading', 'the Lease was not renewed in time: nothing is written');
	};
	return {
		server: client.server,
		text: (path, options) => client.text(path, options),
		stream: (path, options) => client.stream(path, options),
		async request(method, path, options) {
			if (method === 'GET') return client.request(method, path, options);
			beforeSend();
			return client.request(method, path, { ...options, beforeSend });
		},
	};
}

function specOf(
	holderIdentity: string,
	now: Date,
	acquireTime: string,
	leaseTransitions: number,
): Lease['spec'] {
	return {
		holderIdentity,
		leaseDurationSeconds: leaseMs / 1000,
		acquireTime: acquireTime.length > 24 ? acquireTime : micro(new Date(acquireTime)),
		renewTime: micro(now),
		leaseTransitions,
	};
}

/** A time in the API's MicroTime format, which has six digits after the second. */
const micro = (time: Date) => time.toISOString().replace('Z', '000Z');
