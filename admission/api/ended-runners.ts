/**
 * Runners that ended otherwise than by their job's end: why, and how that is kept in a ConfigMap for each set. The reasons are
 * defined only here: log lines, the metric's label, Events, the plugin, the tests and docs/operations.md all use these words.
 */
import { printable } from './printable.ts';

/** Why a runner ended, and what that means for people. */
export const endReasons = {
	'out-of-memory': 'the kernel killed it: it used more memory than it may',
	evicted: 'the kubelet evicted it, because something on its node ran short or it used more than it may',
	'deadline-exceeded': 'it ran longer than activeDeadlineSeconds of its pod',
	preempted: 'a pod of a higher priority took its place',
	'node-lost': 'its node was lost',
	'node-tainted': 'a NoExecute taint was put on its node',
	'node-shutdown': 'its node was shut down',
	'node-refused': 'the kubelet refused to run it',
	'break-glass': 'somebody deleted it by break-glass',
	deleted: 'its pod was deleted while its runner was in use',
	'image-unavailable': 'its image could not be pulled',
	'config-error': 'its configuration is wrong: a ConfigMap, Secret or key that it names is missing',
	'start-failed': 'its container could not be started',
	'init-failed': 'an init container failed before the runner started',
	'registration-refused': 'GitHub did not accept the registration of the runner',
	'session-conflict': 'another process is connected to GitHub as this runner',
	'runner-outdated': "GitHub no longer accepts the runner's version",
	sigkill: 'its process was killed by SIGKILL',
	sigterm: 'its process was stopped by SIGTERM',
	'container-lost': 'its container vanished from its node, which may have been restarted',
	failed: 'its process ended with an error',
	'no-job': 'its process ended without an error, and without having run a job',
} as const;
export type EndReason = keyof typeof endReasons;

/** One such end. All texts are bounded, and safe to print. */
export interface EndedRunner {
	pod: string;
	uid: string;
	/** How often the runner's container had been restarted in place before the run that ended. */
	restarts: number;
	/** Its name at GitHub. */
	runner: string;
	reason: EndReason;
	/** What the kubelet, the scheduler or the runner's log says about it. */
	detail?: string | undefined;
	/** The container that ended, or could not start. */
	container?: string | undefined;
	exitCode?: number | undefined;
	/** Who deleted the pod, where that is known. */
	by?: string | undefined;
	/** RFC 3339. */
	endedAt: string;
	startedAt?: string | undefined;
	node?: string | undefined;
	/** Limits of the runner's container: `{ memory: '4Gi' }`. */
	limits?: Record<string, string> | undefined;
	/** What it last used, where an eviction has said so: `memory 900Mi`. */
	usage?: string | undefined;
	/** What it ran. `url`: its page at GitHub, https. */
	job?: { name: string; url?: string | undefined } | undefined;
	/** The last lines of its log, where --ended-runner-logs keeps them. */
	log?: readonly string[] | undefined;
}

/** The ConfigMaps: found by this label, which has the value "true"; their list is under this key, as JSON. */
export const endedRunners = {
	label: 'actions-runner/ended-runners',
	key: 'ended.json',
	/** Of runners that belong to no set. */
	withoutSet: 'ended-runners',
} as const;

/** A ConfigMap may have 1 MiB; etcd takes 1.5 MiB. */
export const endedLimits = {
	entries: 50,
	/** Of the whole list as JSON, UTF-8. Where it is longer, the oldest logs go first, and then the oldest entries. */
	bytes: 384 * 1_024,
	/** Of one text, in characters. */
	text: 300,
	logLines: 100,
	/** Of the lines of one runner together, in characters. */
	log: 8 * 1_024,
	/** A day, and an hour: what happened at this time yesterday is still there. */
	keptMs: 25 * 3_600_000,
} as const;

export const endedText = (text: string): string =>
	printable(text.slice(0, 4 * endedLimits.text)).slice(0, endedLimits.text);

/**
 * The list in a ConfigMap, newest first, without what is too old. Whoever may write in the namespace may have written
 * it: what does not have this form is left out, and every text is cut and made safe to print.
 */
export function readEnded(text: string | undefined, nowMs: number): EndedRunner[] {
	if (text === undefined || text.length > 2 * endedLimits.bytes) return [];
	let list: unknown;
	try {
		list = JSON.parse(text);
	} catch {
		return [];
	}
	if (!Array.isArray(list)) return [];
	return list
		.slice(0, endedLimits.entries)
		.map(readOne)
		.filter((one): one is EndedRunner => one !== undefined && isRecent(one, nowMs));
}

/** A time of the future counts as now. */
export const isRecent = ({ endedAt }: EndedRunner, nowMs: number): boolean =>
	nowMs - Date.parse(endedAt) < endedLimits.keptMs;

function readOne(value: unknown): EndedRunner | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const one = value as Partial<Record<keyof EndedRunner, unknown>>;
	const { reason, endedAt, restarts = 0, exitCode } = one;
	const pod = textOf(one.pod);
	if (pod === undefined || typeof reason !== 'string' || !Object.hasOwn(endReasons, reason)) return undefined;
	if (typeof endedAt !== 'string' || Number.isNaN(Date.parse(endedAt))) return undefined;
	return {
		pod,
		uid: textOf(one.uid) ?? '',
		restarts: Number.isSafeInteger(restarts) ? (restarts as number) : 0,
		runner: textOf(one.runner) ?? pod,
		reason: reason as EndReason,
		detail: textOf(one.detail),
		container: textOf(one.container),
		exitCode: Number.isSafeInteger(exitCode) ? (exitCode as number) : undefined,
		by: textOf(one.by),
		endedAt: new Date(Date.parse(endedAt)).toISOString(),
		startedAt: textOf(one.startedAt),
		node: textOf(one.node),
		limits: readLimits(one.limits),
		usage: textOf(one.usage),
		job: readJob(one.job),
		log: readLog(one.log),
	};
}

const textOf = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? endedText(value) : undefined;

function readLimits(value: unknown): Record<string, string> | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const limits = Object.entries(value)
		.slice(0, 8)
		.flatMap(([name, amount]): [string, string][] => {
			const text = textOf(amount);
			return text === undefined ? [] : [[endedText(name), text]];
		});
	return limits.length > 0 ? Object.fromEntries(limits) : undefined;
}

function readJob(value: unknown): EndedRunner['job'] {
	if (typeof value !== 'object' || value === null) return undefined;
	const { name, url } = value as Record<string, unknown>;
	const shown = textOf(name);
	const address = textOf(url);
	return shown === undefined
		? undefined
		: { name: shown, url: address && /^https:\/\/\S+$/.test(address) ? address : undefined };
}

function readLog(value: unknown): readonly string[] | undefined {
	if (!Array.isArray(value) || value.length === 0) return undefined;
	return logLines(value.filter((line) => typeof line === 'string'));
}

/** The last of these lines that may be kept, without control characters. */
export function logLines(lines: readonly string[]): readonly string[] {
	const kept: string[] = [];
	let left: number = endedLimits.log;
	for (const line of lines.slice(-endedLimits.logLines).reverse()) {
		const text = printable(line.slice(0, 1_000)).slice(0, left);
		left -= text.length;
		kept.unshift(text);
		if (left <= 0) break;
	}
	return kept;
}

/** In one sentence, for a message: "out-of-memory: the kernel killed it: ... (exit code 137)". */
export function endText({ reason, exitCode, container, detail, by }: EndedRunner): string {
	const facts = [
		container !== undefined && container !== 'runner' && `container ${container}`,
		exitCode !== undefined && `exit code ${exitCode}`,
		by && `by ${by}`,
	].filter(Boolean);
	const more = facts.length > 0 ? ` (${facts.join(', ')})` : '';
	return `${reason}: ${endReasons[reason]}${more}${detail ? `. ${detail}` : ''}`;
}
