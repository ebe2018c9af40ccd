import { humanSpan } from '../../../../admission/api/duration.ts';
import {
	busy,
	deletionPendingCondition,
	guardWebhook,
	names,
	record,
} from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { printable } from '../../../../admission/api/printable.ts';
import { podKey } from '../../../../admission/runner/runner-pod.ts';
import { readPod } from '../../../runners/read.ts';
import { deletionRecord, isBusy, isTerminating } from '../../../runners/state.ts';
import { type Budget, type Check, type Facts, notMade } from '../facts.ts';
import { count } from '../finding.ts';
import { layoutOf } from '../layouts.ts';
import { selects, watches } from '../selector.ts';
import { evictionsWebhook } from '../shipped.ts';

/** Runner pods that the guard is not asked about, or whose runner it cannot ask GitHub about (I5). */
export const guardedPods: Check = (facts) => {
	const check = 'runner-pods';
	const { pods, validating, namespaces } = facts;
	if (pods.kind !== 'found') return notMade(check, pods);
	const guard =
		validating.kind === 'found'
			? validating.value.webhooks?.find(({ name }) => name === guardWebhook)
			: undefined;
	const live = pods.value.filter((pod) => !isTerminating(pod));
	const leaving = pods.value.length - live.length;
	const details = live.flatMap((pod) => {
		const layout = layoutOf(pod, facts.ephemeralRunners);
		const key = podKey(pod);
		if (layout?.kind === 'unknown')
			return [`${key}: not recognised as a runner, and unguarded: ${layout.why}`];
		if (guard && !watches(guard, pod.metadata.namespace ?? '', namespaces))
			return [`${key}: unguarded: the webhook leaves out namespace ${pod.metadata.namespace}`];
		if (layout?.kind === 'no-scope')
			return [
				`${key}: which runner it is cannot be told (${layout.why}), so that its deletion is denied until its container stops`,
			];
		return [];
	});
	const where = placeOf(facts);
	const besides = leaving > 0 ? `; ${leaving} ${leaving === 1 ? 'is' : 'are'} being deleted` : '';
	if (live.length === 0) return { check, level: 'ok', message: `no runner pods${where}${besides}` };
	if (details.length === 0)
		return {
			check,
			level: 'ok',
			message: `${count(live.length, 'runner pod')}${where}, all guarded${besides}`,
		};
	return {
		check,
		level: 'warning',
		message: `${details.length} of ${count(live.length, 'runner pod')}${where} not guarded as they should be${besides}`,
		details,
		advice: [
			'a runner is recognised by a container "runner" with RUNNER_REPO, RUNNER_ORG, RUNNER_ENTERPRISE or ACTIONS_RUNNER_INPUT_JITCONFIG as plain values: docs/concepts.md',
		],
	};
};

/** What keeps busy runners from being evicted: the webhook, and the back-stop while no replica answers. */
export const evictions: Check = (facts) => {
	const check = 'evictions';
	const { pods, budgets, validating } = facts;
	if (pods.kind !== 'found') return undefined; // told by "runner-pods"
	if (budgets.kind !== 'found') return notMade(check, budgets);
	const used = new Set(
		pods.value
			.filter((pod) => layoutOf(pod)?.kind !== 'unknown' && !isTerminating(pod))
			.map(({ metadata }) => metadata.namespace ?? ''),
	);
	const lacks = Object.entries(names.backstops).flatMap(([value, name]) => {
		const covered = new Set(
			budgets.value.filter((budget) => covers(budget, value)).map(({ metadata }) => metadata.namespace),
		);
		return [...used].filter((namespace) => !covered.has(namespace)).map((namespace) => ({ namespace, name }));
	});
	const bare = [...new Set(lacks.map(({ namespace }) => namespace))];
	const webhook =
		validating.kind !== 'found' || validating.value.webhooks?.some(({ name }) => name === evictionsWebhook);
	if (bare.length === 0 && webhook) {
		const message = `${count(used.size, 'namespace')} with runner pods, each with the back-stop PodDisruptionBudget`;
		return { check, level: 'ok', message: used.size === 0 ? 'no runner pods, no back-stop needed' : message };
	}
	return {
		check,
		level: 'warning',
		message:
			bare.length > 0
				? `${count(bare.length, 'namespace')} without the back-stop: while no replica answers, busy runners can be evicted`
				: `the webhook ${evictionsWebhook} is missing: evictions of idle runners are not asked about`,
		details: bare.map((namespace) => {
			const missing = lacks.filter((one) => one.namespace === namespace).map(({ name }) => name);
			return `namespace ${namespace} has no PodDisruptionBudget ${missing.join(' and ')}, or one that somebody has changed`;
		}),
		advice: [
			'the leader makes it with the first runner pod, and again within 5 minutes: is there a leader? Delete one that was changed',
		],
	};
};

/** A runner that no list has shown for so long after its start is not just registering. */
const unseenMs = 10 * 60_000;

/** Live runners whose evictions the API server holds up or fails, whatever the guard says. */
export const heldUp: Check = ({ pods, budgets, nowMs }) => {
	const check = 'budgets';
	if (pods.kind !== 'found' || budgets.kind !== 'found') return undefined;
	const details = pods.value.flatMap((pod) => {
		const runner = isTerminating(pod) ? undefined : readPod(pod);
		if (runner?.process.state !== 'running') return [];
		const { namespace, labels = {} } = pod.metadata;
		const over = budgets.value
			.filter(({ metadata, spec }) => metadata.namespace === namespace && selects(spec?.selector, labels))
			.map(({ metadata }) => metadata.name);
		const runsMs = nowMs - (runner.process.sinceMs ?? nowMs);
		if (over.length > 1)
			return [
				`${podKey(pod)}: under ${over.length} PodDisruptionBudgets (${over.join(', ')}), so that the API server answers 500 to its eviction and kubectl drain gives up`,
			];
		if (labels[busy.label] === 'unknown' && runsMs >= unseenMs)
			return [
				`${podKey(pod)}: GitHub's lists have not shown it idle for ${humanSpan(runsMs)}, so that ${names.backstops.unknown} holds up its eviction`,
			];
		return [];
	});
	if (details.length === 0)
		return { check, level: 'ok', message: 'no runner is under two PodDisruptionBudgets, or unseen for long' };
	return {
		check,
		level: 'warning',
		message: `${count(details.length, 'runner')} can not be evicted as ${details.length === 1 ? 'it' : 'they'} should`,
		details,
		advice: [
			'leave runner pods out of your own PodDisruptionBudgets: the guard keeps them; kubectl runners why POD says what GitHub answers',
		],
	};
};

/** Above any number of busy runners. An integer, because a percentage needs pods whose owner has a scale subresource. */
const neverMet = 100_000;

/** Whether it still keeps runners of this label: the leader does not repair one that somebody has edited. */
function covers({ spec }: Budget, label: string): boolean {
	const { minAvailable, selector } = spec ?? {};
	if (typeof minAvailable !== 'number' || minAvailable < neverMet) return false;
	return selects(selector, { [busy.label]: label });
}

/** A job may take long; anything else that a deletion waits for should be over after this time. */
const oldMs = 10 * 60_000;
/** Longer than nearly every job: GitHub's own runners end them after 6 hours. */
const oldBusyMs = 6 * 60 * 60_000;

/** Recorded deletions that wait too long, and pods that do not end, each with why. */
export const stuckPods: Check = (facts) => {
	const check = 'deletions';
	const { pods, nowMs } = facts;
	if (pods.kind !== 'found') return undefined;
	const recorded = pods.value.filter((pod) => deletionRecord(pod) && !isTerminating(pod));
	const details = pods.value.flatMap((pod) => stuck(pod, nowMs) ?? []);
	if (details.length === 0) {
		const message =
			recorded.length === 0
				? 'none is recorded'
				: `${count(recorded.length, 'recorded deletion waits', 'recorded deletions wait')}, none for long`;
		return { check, level: 'ok', message };
	}
	return {
		check,
		level: 'warning',
		message: `${count(details.length, 'pod is stuck', 'pods are stuck')}`,
		details,
		advice: ['kubectl runners why POD -n NAMESPACE says more; docs/runbook.md has every reason'],
	};
};

function stuck(pod: Pod, nowMs: number): string | undefined {
	const { deletionTimestamp } = pod.metadata;
	if (deletionTimestamp !== undefined) {
		const forMs = nowMs - Date.parse(deletionTimestamp);
		if (forMs < oldMs) return undefined;
		return `${podKey(pod)}: terminating, ${humanSpan(forMs)} past its time: a finalizer, or a node that is gone`;
	}
	const { [record.requestedBy]: claimed, [record.proof]: proof } = pod.metadata.annotations ?? {};
	if (claimed && !proof)
		return printable(
			`${podKey(pod)}: says that ${claimed} asked for its deletion, which the guard has not recorded: delete it again`,
		);
	const asked = deletionRecord(pod);
	const waitsMs = nowMs - Date.parse(asked?.requestedAt ?? '');
	if (!asked || !(waitsMs >= (isBusy(pod) ? oldBusyMs : oldMs))) return undefined;
	const pending = pod.status?.conditions?.find(
		({ type, status }) => type === deletionPendingCondition && status === 'True',
	);
	const why = [pending?.reason, pending?.message].filter(Boolean).join(': ') || 'nobody has said why';
	return printable(
		`${podKey(pod)}: deletion asked for by ${asked.requestedBy} ${humanSpan(waitsMs)} ago: ${why}`,
	);
}

const placeOf = ({ podsOf }: Facts) =>
	podsOf === undefined ? '' : ` in namespace ${podsOf} (you may not list those of others)`;
