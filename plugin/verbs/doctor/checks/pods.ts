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
import { waitingOf } from '../../../../admission/runner/waiting.ts';
import { readPod } from '../../../runners/read.ts';
import { deletionRecord, isBusy, isTerminating } from '../../../runners/state.ts';
import { type Budget, type Check, type Facts, notMade } from '../facts.ts';
import { count } from '../finding.ts';
import { layoutOf } from '../layouts.ts';
import { selects, watches } from '../selector.ts';
import { evictionsWebhook } from '../shipped.ts';

/** Runner pods that the guard does not review, or about whose runner it cannot ask GitHub (I5). */
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
			return [`${key}: unguarded: the webhook excludes namespace ${pod.metadata.namespace}`];
		if (layout?.kind === 'no-scope')
			return [
				`${key}: its runner cannot be identified (${layout.why}), so its deletion is denied until its container stops`,
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
		message: `${details.length} of ${count(live.length, 'runner pod')}${where} not fully guarded${besides}`,
		details,
		advice: [
			'a runner is recognised by a container "runner" with RUNNER_REPO, RUNNER_ORG, RUNNER_ENTERPRISE or ACTIONS_RUNNER_INPUT_JITCONFIG as plain values: see docs/concepts.md',
		],
	};
};

/** What prevents evictions of busy runners: the webhook, and the back-stop while no replica answers. */
export const evictions: Check = (facts) => {
	const check = 'evictions';
	const { pods, budgets, validating } = facts;
	if (pods.kind !== 'found') return undefined; // the check "runner-pods" says so
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
				: `the webhook ${evictionsWebhook} is missing: evictions of idle runners are not reviewed`,
		details: bare.map((namespace) => {
			const missing = lacks.filter((one) => one.namespace === namespace).map(({ name }) => name);
			return `namespace ${namespace} has no PodDisruptionBudget ${missing.join(' and ')}, or a changed one`;
		}),
		advice: [
			'the leader creates it with the first runner pod, and again within 5 minutes: check that there is a leader, and delete one that was changed',
		],
	};
};

/** A runner that no list has shown for this time after its start is no longer just registering. */
const unseenMs = 10 * 60_000;

/** Live runners whose evictions the API server blocks or fails, whatever the guard says. */
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
				`${podKey(pod)}: under ${over.length} PodDisruptionBudgets (${over.join(', ')}), so the API server fails its eviction with error 500 and kubectl drain gives up`,
			];
		if (labels[busy.label] === 'unknown' && runsMs >= unseenMs)
			return [
				`${podKey(pod)}: GitHub's lists have not shown it idle for ${humanSpan(runsMs)}, so ${names.backstops.unknown} blocks its eviction`,
			];
		return [];
	});
	if (details.length === 0)
		return {
			check,
			level: 'ok',
			message: 'no runner is under two PodDisruptionBudgets, or unseen for a long time',
		};
	return {
		check,
		level: 'warning',
		message: `${count(details.length, 'runner')} cannot be evicted as ${details.length === 1 ? 'it' : 'they'} should`,
		details,
		advice: [
			"exclude runner pods from your own PodDisruptionBudgets, since the guard protects them; kubectl runners why POD shows GitHub's answers",
		],
	};
};

/**
 * More than any number of busy runners. An integer, because a percentage needs pods whose owner has a scale
 * subresource.
 */
const neverMet = 100_000;

/** Whether it still protects runners with this label: the leader does not repair one that somebody has edited. */
function covers({ spec }: Budget, label: string): boolean {
	const { minAvailable, selector } = spec ?? {};
	if (typeof minAvailable !== 'number' || minAvailable < neverMet) return false;
	return selects(selector, { [busy.label]: label });
}

/** Runners that have not started, each with the reason that its pod gives. */
export const notStarted: Check = ({ pods }) => {
	const check = 'starts';
	if (pods.kind !== 'found') return undefined;
	const details = pods.value.flatMap((pod) => {
		const waiting = waitingOf(pod);
		return waiting ? [`${podKey(pod)}: ${waiting.message}`] : [];
	});
	if (details.length === 0) return { check, level: 'ok', message: 'no runner pod says that it cannot start' };
	return {
		check,
		level: 'warning',
		message: `${count(details.length, 'runner pod says', 'runner pods say')} why ${details.length === 1 ? 'it has' : 'they have'} not started`,
		details,
		advice: [
			'check image, node selector, tolerations, resource requests, and the Secrets and ConfigMaps of the template; a cluster autoscaler may still add a node',
		],
	};
};

/** A job may take long; anything else that a deletion waits for should be over after this time. */
const oldMs = 10 * 60_000;
/** Longer than nearly every job: GitHub-hosted runners stop jobs after 6 hours. */
const oldBusyMs = 6 * 60 * 60_000;

/** Recorded deletions that wait too long, and pods that do not terminate, each with the reason. */
export const stuckPods: Check = (facts) => {
	const check = 'deletions';
	const { pods, nowMs } = facts;
	if (pods.kind !== 'found') return undefined;
	const recorded = pods.value.filter((pod) => deletionRecord(pod) && !isTerminating(pod));
	const details = pods.value.flatMap((pod) => stuck(pod, nowMs) ?? []);
	if (details.length === 0) {
		const message =
			recorded.length === 0
				? 'none recorded'
				: `${count(recorded.length, 'recorded deletion waits', 'recorded deletions wait')}, none for too long`;
		return { check, level: 'ok', message };
	}
	return {
		check,
		level: 'warning',
		message: `${count(details.length, 'pod is stuck', 'pods are stuck')}`,
		details,
		advice: ['kubectl runners why POD -n NAMESPACE shows more; docs/runbook.md lists every reason'],
	};
};

function stuck(pod: Pod, nowMs: number): string | undefined {
	const { deletionTimestamp } = pod.metadata;
	if (deletionTimestamp !== undefined) {
		const forMs = nowMs - Date.parse(deletionTimestamp);
		if (forMs < oldMs) return undefined;
		return `${podKey(pod)}: terminating, ${humanSpan(forMs)} past its grace period: it has a finalizer, or its node is gone`;
	}
	const { [record.requestedBy]: asker, [record.proof]: proof } = pod.metadata.annotations ?? {};
	if (asker && !proof)
		return printable(
			`${podKey(pod)}: its annotation says that ${asker} requested its deletion, but the guard has not recorded that: delete it again`,
		);
	const asked = deletionRecord(pod);
	const waitsMs = nowMs - Date.parse(asked?.requestedAt ?? '');
	if (!asked || !(waitsMs >= (isBusy(pod) ? oldBusyMs : oldMs))) return undefined;
	const pending = pod.status?.conditions?.find(
		({ type, status }) => type === deletionPendingCondition && status === 'True',
	);
	const why = [pending?.reason, pending?.message].filter(Boolean).join(': ') || 'no reason is known';
	return printable(
		`${podKey(pod)}: deletion requested by ${asked.requestedBy} ${humanSpan(waitsMs)} ago: ${why}`,
	);
}

const placeOf = ({ podsOf }: Facts) =>
	podsOf === undefined ? '' : ` in namespace ${podsOf} (you may not list pods of other namespaces)`;
