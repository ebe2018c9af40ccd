import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { humanSpan } from '../../../admission/api/duration.ts';
import { arc, busy } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import {
	autoscalerName,
	autoscalersForTarget,
	isWithoutAutoscalers,
	listAutoscalers,
} from '../../autoscalers/api.ts';
import { isTrue } from '../../autoscalers/state.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { SetRef } from '../../sets/names.ts';

/** As the server has it where the spec says nothing. */
const defaultDelaySeconds = 600;

/** An idle runner of a set that is autoscaled. */
export interface Idle {
	sinceMs: number | undefined;
	/** For people. */
	autoscaler: string;
	/** The number of surplus runners of the set. */
	surplus: number;
	delayMs: number;
	/** When it goes at the earliest; undefined: it is not too many, or that is not known. */
	goesNotBeforeMs: number | undefined;
	/** What GitHub has queued is not known yet, so that none is removed. */
	starting: boolean;
}

/** The autoscaler of the pod's set, as far as the asker may read it. */
export async function readAutoscaler(
	client: KubeClient,
	{ metadata: { namespace, labels = {} } }: Pod,
): Promise<HorizontalRunnerAutoscaler | undefined> {
	const { [arc.runnerSet]: ofSet, [arc.runnerDeployment]: ofDeployment } = labels;
	const name = ofSet || ofDeployment;
	if (!name) return undefined;
	const target: SetRef = { kind: ofSet ? 'RunnerSet' : 'RunnerDeployment', name };
	try {
		return autoscalersForTarget(target, namespace, await listAutoscalers(client, namespace))[0];
	} catch (error) {
		if (isWithoutAutoscalers(error)) return undefined;
		throw error;
	}
}

/** When a runner that is idle goes. Which of several goes first is the server's to say: the one that is idle longest. */
export function idleOf(pod: Pod, { process }: RunnerPod, autoscaler: HorizontalRunnerAutoscaler): Idle {
	const started = 'sinceMs' in process ? process.sinceMs : undefined;
	const times = [started, lastJobMs(pod)].filter((ms) => ms !== undefined);
	const sinceMs = times.length > 0 ? Math.max(...times) : undefined;
	const delayMs = (autoscaler.spec.scaleDownDelaySecondsAfterScaleOut ?? defaultDelaySeconds) * 1000;
	const { livingReplicas = 0, desiredReplicas = livingReplicas } = autoscaler.status ?? {};
	const surplus = Math.max(0, livingReplicas - desiredReplicas);
	const starting = isTrue(autoscaler, 'Starting');
	const goes = surplus > 0 && !starting && sinceMs !== undefined;
	return {
		sinceMs,
		autoscaler: autoscalerName(autoscaler),
		surplus,
		delayMs,
		goesNotBeforeMs: goes ? sinceMs + delayMs : undefined,
		starting,
	};
}

/** When a static runner's last job ended. */
function lastJobMs({ status }: Pod): number | undefined {
	const condition = status?.conditions?.find(({ type }) => type === busy.condition);
	const ms = condition?.status === 'False' ? Date.parse(condition.lastTransitionTime ?? '') : Number.NaN;
	return Number.isNaN(ms) ? undefined : ms;
}

/** "for 4m; 2 runners are surplus: ... this one in 6m at the earliest (horizontalrunnerautoscaler/linux)" */
export function idleText(idle: Idle, nowMs: number): string {
	const { sinceMs, autoscaler, surplus, delayMs, goesNotBeforeMs, starting } = idle;
	const age =
		sinceMs === undefined ? 'for an unknown time' : `for ${humanSpan(Math.max(0, nowMs - sinceMs))}`;
	return `${age}; ${next()} (${autoscaler})`;

	function next(): string {
		if (starting) return "no runner is removed before GitHub's queued jobs are known";
		if (surplus === 0) return 'it is needed: the set has no surplus runners';
		const many = surplus === 1 ? '1 runner is surplus' : `${surplus} runners are surplus`;
		const rule = `those idle for longest are removed first, after ${humanSpan(delayMs)}`;
		if (goesNotBeforeMs === undefined) return `${many}: ${rule}`;
		const leftMs = goesNotBeforeMs - nowMs;
		return `${many}: ${rule}, this one ${leftMs > 0 ? `in ${humanSpan(leftMs)} at the earliest` : 'from now on'}`;
	}
}
