import type { ObjectMeta } from '../api/kinds.ts';
import type { Log } from '../telemetry/log.ts';
import { isConflict, isNotFound, type KubeClient } from './client.ts';
import type { Clock } from './clock.ts';

/** client-go's own defaults for leader election: lease 15 s, renew deadline 10 s, retry 2 s. */
const leaseMs = 15_000;
const renewDeadlineMs = 10_000;
const retryMs = 2_000;

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
	/** Runs while this process leads; its signal ends with the leadership. */
	lead(signal: AbortSignal): Promise<void>;
	clock: Clock;
	log: Log;
}

/**
 * Runs `lead` in at most one process at a time, by a Lease, until `signal` ends; an error of `lead` is thrown. Whether the lease has expired is
 * measured on our own clock, from when its record last changed (clocks of machines differ). There is no fencing: a
 * paused leader can act late, so whatever `lead` does must be idempotent and carry UID preconditions.
 */
export async function runAsLeader(options: LeaderOptions, signal: AbortSignal): Promise<void> {
	const { client, namespace, name, identity, clock, log } = options;
	const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
	let observed = { record: '', atMs: 0 };

	/** True when this process holds the lease afterwards. */
	async function tryAcquire(): Promise<boolean> {
		const now = new Date(clock.now());
		let lease: Lease;
		try {
			lease = await client.request<Lease>('GET', `${path}/${name}`, { timeoutMs: 5_000 });
		} catch (error) {
			if (!isNotFound(error)) throw error;
			const spec = specOf(identity, now, now.toISOString(), 0);
			const body = {
				apiVersion: 'coordination.k8s.io/v1',
				kind: 'Lease',
				metadata: { name, namespace },
				spec,
			};
			await client.request('POST', path, { body, timeoutMs: 5_000 });
			return true;
		}
		const record = JSON.stringify(lease.spec ?? {});
		if (record !== observed.record) observed = { record, atMs: clock.now() };
		const holder = lease.spec?.holderIdentity;
		const expired = clock.now() - observed.atMs >= (lease.spec?.leaseDurationSeconds ?? 15) * 1000;
		if (holder && holder !== identity && !expired) return false;
		const ours = holder === identity;
		const acquired = ours ? (lease.spec?.acquireTime ?? micro(now)) : micro(now);
		const transitions = (lease.spec?.leaseTransitions ?? 0) + (ours ? 0 : 1);
		const body = { ...lease, spec: specOf(identity, now, acquired, transitions) };
		await client.request('PUT', `${path}/${name}`, { body, timeoutMs: 5_000 });
		return true;
	}

	async function attempt(): Promise<boolean> {
		try {
			return await tryAcquire();
		} catch (error) {
			if (!isConflict(error)) log.debug({ error: String(error) }, 'lease: no answer');
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
		const ended = options.lead(AbortSignal.any([signal, lost.signal])).catch((error: unknown) => {
			failure = { error };
			lost.abort();
		});
		let renewedMs = clock.now();
		while (!signal.aborted && !lost.signal.aborted && clock.now() - renewedMs < renewDeadlineMs) {
			await clock.sleep(retryMs, AbortSignal.any([signal, lost.signal]));
			if (!signal.aborted && (await attempt())) renewedMs = clock.now();
		}
		lost.abort();
		await ended;
		if (signal.aborted || failure) await release();
		if (failure) throw failure.error; // a leader that leads nothing would keep others from it
		if (!signal.aborted) log.warn({ identity }, 'no longer leading: the lease could not be renewed');
	}

	/** So that the next leader need not wait for the lease to expire. */
	async function release(): Promise<void> {
		try {
			const lease = await client.request<Lease>('GET', `${path}/${name}`, { timeoutMs: 2_000 });
			if (lease.spec?.holderIdentity !== identity) return;
			const body = { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } };
			await client.request('PUT', `${path}/${name}`, { body, timeoutMs: 2_000 });
		} catch (error) {
			log.debug({ error: String(error) }, 'lease: not released');
		}
	}
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

/** MicroTime: six digits of a second. */
const micro = (time: Date) => time.toISOString().replace('Z', '000Z');
