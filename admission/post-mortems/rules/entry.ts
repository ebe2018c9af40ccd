import { type EndedRunner, endedLimits, endedText } from '../../api/ended-runners.ts';
import { arc, breakGlassBy, busy } from '../../api/keys.ts';
import type { EphemeralRunner, Pod } from '../../api/kinds.ts';
import { openSignal } from '../../jobs/rules/job-signals.ts';
import { limitsOf } from '../../runner/end-fields.ts';
import { toMs } from '../../runner/guarded-pod.ts';
import { type JobSignal, jobText } from '../../runner/job-signals.ts';
import { askerOf } from '../../runner/record.ts';
import { jobOf, type RunnerPod } from '../../runner/runner-pod.ts';
import { deletedBy, type Verify } from '../../runner/statements.ts';
import type { Cause } from './cause.ts';

/** A set: what the runners of one ConfigMap have in common. */
export interface SetOfRunners {
	kind: 'RunnerSet' | 'RunnerDeployment' | 'AutoscalingRunnerSet';
	name: string;
}

const objectName = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;

/**
 * The set that the pod's labels name, in the pod's own namespace: whoever makes pods there may write any name, and nobody
 * writes for another namespace. undefined: it belongs to none.
 */
export function setOf({ metadata: { labels = {} } }: Pod): SetOfRunners | undefined {
	const named: [SetOfRunners['kind'], string | undefined][] = [
		['RunnerSet', labels[arc.runnerSet]],
		['RunnerDeployment', labels[arc.runnerDeployment]],
		['AutoscalingRunnerSet', labels[arc.scaleSetName]],
	];
	const [kind, name] = named.find(([, value]) => value !== undefined && objectName.test(value)) ?? [];
	return kind && name ? { kind, name } : undefined;
}

interface Facts {
	pod: Pod;
	runner: RunnerPod;
	/** As it was before the change by which it ended. */
	before: RunnerPod | undefined;
	ephemeralRunner: EphemeralRunner | undefined;
	/** Which run of the container ended. */
	restarts: number;
	verify: Verify;
	nowMs: number;
}

/** What is kept of an end, but for its log. */
export function entryOf(cause: Cause, facts: Facts): EndedRunner {
	const { pod, runner, restarts, nowMs } = facts;
	const { reason, container, exitCode, usage } = cause;
	const finishedMs = toMs(cause.endedAt);
	// The node's clock may be wrong: a time of the future, or one of long ago, counts as now.
	const endedMs =
		finishedMs === undefined || finishedMs > nowMs || nowMs - finishedMs > endedLimits.keptMs
			? nowMs
			: finishedMs;
	const startedMs = toMs(cause.startedAt);
	const { resources } = pod.spec?.containers?.find(({ name }) => name === 'runner') ?? {};
	const limits = limitsOf(resources);
	return {
		pod: pod.metadata.name,
		uid: pod.metadata.uid ?? '',
		restarts,
		runner: endedText(runner.runnerName),
		reason,
		detail: shown(cause.detail),
		container: shown(container),
		exitCode,
		by: byOf(cause, facts),
		endedAt: new Date(endedMs).toISOString(),
		startedAt: startedMs === undefined ? undefined : new Date(startedMs).toISOString(),
		node: shown(pod.spec?.nodeName),
		limits:
			limits &&
			Object.fromEntries(Object.entries(limits).map(([key, value]) => [endedText(key), endedText(value)])),
		usage: shown(usage),
		job: jobOfEnd(facts),
	};
}

const shown = (text: string | undefined): string | undefined =>
	text ? endedText(text.trim()) || undefined : undefined;

/** Who had the pod deleted: by break-glass, as this server has signed it, or by a recorded deletion. */
function byOf({ reason }: Cause, { pod, runner, verify }: Facts): string | undefined {
	if (reason === 'break-glass') {
		const [, signature = '', user = ''] =
			/^(\S+) (.+)$/.exec(pod.metadata.annotations?.[breakGlassBy] ?? '') ?? [];
		return verify(deletedBy(runner.uid, user), signature) ? shown(user) : undefined;
	}
	const { record } = runner;
	if (reason !== 'deleted' || !record) return undefined;
	return shown(askerOf({ user: record.requestedBy, options: record.options }));
}

function jobOfEnd({ pod, runner, before, ephemeralRunner }: Facts): EndedRunner['job'] {
	const signals = [...runner.signals, ...(before?.signals ?? [])];
	const signal = openSignal(runner.signals) ?? openSignal(before?.signals ?? []) ?? signals[0];
	if (signal) return { name: endedText(jobText(signal.job)), url: urlOf(signal, runner.host) };
	const hint = runner.busyHint?.job ?? before?.busyHint?.job ?? pod.metadata.annotations?.[busy.job];
	const name = ephemeralRunner && jobOf(ephemeralRunner);
	const text = name ?? hint;
	if (text === undefined) return undefined;
	const { jobRepositoryName, workflowRunId } = ephemeralRunner?.status ?? {};
	return { name: endedText(text), url: runUrl(runner.host, jobRepositoryName, workflowRunId) };
}

/** Its own address, where it is one of its GitHub's, else that of its run. */
function urlOf({ job: { url, repository, runId } }: JobSignal, host: string | undefined): string | undefined {
	if (url !== undefined && URL.canParse(url)) {
		const { protocol, host: own } = new URL(url);
		if (protocol === 'https:' && own === host) return endedText(url);
	}
	return runUrl(host, repository, runId);
}

const repositoryName = /^[\w.-]{1,100}\/[\w.-]{1,100}$/;

function runUrl(
	host: string | undefined,
	repository: string | undefined,
	runId: number | undefined,
): string | undefined {
	if (host === undefined || repository === undefined || !repositoryName.test(repository)) return undefined;
	if (!Number.isSafeInteger(runId)) return undefined;
	return `https://${host}/${repository}/actions/runs/${runId}`;
}
