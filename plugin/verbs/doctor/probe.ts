import { breakGlass, guardWebhook } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { podPath } from '../../../admission/api/paths.ts';
import { podKey } from '../../../admission/runner/runner-pod.ts';
import { guardDenial, isGuardUnreachable } from '../../guard/denial.ts';
import { guardAnswers } from '../../guard/probe.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isConflict, isForbidden, isNotFound } from '../../kube/failure.ts';
import { isBusy, isTerminating } from '../../runners/state.ts';
import type { Facts, Reach, Webhook } from './facts.ts';
import { layoutOf } from './layouts.ts';
import { watches } from './selector.ts';

/** A pod may disappear during the test; then the next one is tried. */
const mostTries = 3;

/**
 * Whether the API server reaches the guard. Proven by a dry-run DELETE of a runner pod, which the API server sends to
 * the guard and then discards; without a runner pod, by a dry-run eviction of a pod that does not exist.
 */
export async function probe(
	client: KubeClient,
	facts: Omit<Facts, 'reach'>,
	signal: AbortSignal,
): Promise<Reach> {
	client.onWarning = () => undefined; // warnings about one pod are not what the check is about
	const guard = seenGuard(facts.validating);
	if (!guard) return unproven(`the webhook ${guardWebhook} is missing`);
	for (const pod of candidates(facts, guard).slice(0, mostTries)) {
		const reach = await byDeletion(client, pod, guard, signal);
		if (reach) return reach;
	}
	return byEviction(client, signal);
}

/**
 * Live runner pods that the webhook reviews; busy ones first, because the guard answers for them without asking GitHub.
 */
function candidates(facts: Omit<Facts, 'reach'>, guard: Webhook): Pod[] {
	if (facts.pods.kind !== 'found') return [];
	return facts.pods.value
		.filter((pod) => layoutOf(pod)?.kind !== 'unknown' && !isTerminating(pod))
		.filter((pod) => !pod.metadata.annotations?.[breakGlass])
		.filter((pod) => watches(guard, pod.metadata.namespace ?? '', facts.namespaces))
		.sort((a, b) => Number(isBusy(b)) - Number(isBusy(a)));
}

async function byDeletion(
	client: KubeClient,
	pod: Pod,
	guard: Webhook,
	signal: AbortSignal,
): Promise<Reach | undefined> {
	const { namespace = '', name, uid } = pod.metadata;
	const by = `a dry-run delete of pod ${podKey(pod)}`;
	try {
		await client.call('DELETE', podPath(namespace, name), {
			query: { dryRun: 'All' },
			body: { apiVersion: 'v1', kind: 'DeleteOptions', dryRun: ['All'], preconditions: { uid } },
			signal,
		});
		// If failures are ignored, the API server allows the request whether the webhook answered or not.
		if (guard.failurePolicy !== 'Ignore') return { kind: 'answered', by: `${by}: allowed` };
		return unproven(`${by} was allowed, which proves nothing because the webhook ignores failures`);
	} catch (error) {
		const failed = unreached(error, signal, by);
		if (failed) return failed;
		if (!(error instanceof ApiError)) throw error;
		const denial = guardDenial(error);
		if (denial?.reason === 'unknown-caller')
			return {
				kind: 'unreachable',
				message: `${by}: the guard does not recognise the API server by its path`,
			};
		if (denial) return { kind: 'answered', by: `${by}: refused, ${denial.reason}` };
		if (isNotFound(error) || isConflict(error)) return undefined; // it has gone
		if (isForbidden(error) && error.message.includes('cannot delete'))
			return unproven(`you may not delete pods in namespace ${namespace}`);
		return unproven(`${by} was refused before it reached the guard: ${error.message}`);
	}
}

async function byEviction(client: KubeClient, signal: AbortSignal): Promise<Reach> {
	const by = 'a dry-run eviction of a pod that does not exist';
	try {
		if (await guardAnswers(client, signal)) return { kind: 'answered', by };
		return { kind: 'unreachable', message: `${by} was not answered by the guard` };
	} catch (error) {
		const failed = unreached(error, signal, by);
		if (failed) return failed;
		if (isForbidden(error))
			return unproven(
				'there is no live runner pod to test with, and you may not evict pods in namespace default',
			);
		throw error;
	}
}

function unreached(error: unknown, signal: AbortSignal, by: string): Reach | undefined {
	if (signal.aborted) return unproven(`${by} had no answer in time`);
	if (error instanceof ApiError && isGuardUnreachable(error))
		return { kind: 'unreachable', message: error.message };
	return undefined;
}

/** The guard's webhook. If its configuration cannot be read, it might ignore failures; then only a refusal is proof. */
function seenGuard(validating: Facts['validating']): Webhook | undefined {
	const known = validating.kind === 'found' || validating.kind === 'not-found';
	return known ? entry(validating, guardWebhook) : { name: guardWebhook, failurePolicy: 'Ignore' };
}

const entry = (configuration: Facts['validating'], name: string): Webhook | undefined =>
	configuration.kind === 'found'
		? configuration.value.webhooks?.find((webhook) => webhook.name === name)
		: undefined;

const unproven = (why: string): Reach => ({ kind: 'unproven', why });
