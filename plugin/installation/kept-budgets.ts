import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../admission/api/keys.ts';
import { ApiError, isForbidden } from '../kube/failure.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';

/** An API server enforces a policy for up to a second after its binding is gone (policyRefreshInterval of Kubernetes). */
const enforcedForMs = 15_000;
const againMs = 300;

/**
 * Deletes a back-stop budget when the binding of the policy that keeps it has been deleted. False: it was not there. A dry
 * run of the server's leaves the binding, so that the policy's refusal is what it has to answer.
 *
 * @throws ApiError where the policy is still enforced after 15 s, and for any other refusal
 */
export async function removeBudget(
	api: Objects,
	budget: Manifest,
	nowMs: () => number = Date.now,
	wait: (ms: number) => Promise<unknown> = sleep,
): Promise<boolean> {
	const untilMs = nowMs() + enforcedForMs;
	for (;;) {
		try {
			return await api.remove(budget);
		} catch (error) {
			if (!isKept(error)) throw error;
			if (api.dryRun === 'server') return true;
			if (nowMs() > untilMs) throw error;
			await wait(againMs);
		}
	}
}

const isKept = (error: unknown): boolean =>
	isForbidden(error) && error instanceof ApiError && error.message.includes(`'${names.budgetPolicy}'`);
