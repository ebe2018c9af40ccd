import { endReasons } from '../../../admission/api/ended-runners.ts';
import { printable } from '../../../admission/api/printable.ts';
import { type EndedThere, listEnded } from '../../ended/api.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isNotFound } from '../../kube/failure.ts';
import { ageSince } from '../../print/age.ts';

/**
 * Why the runner of a pod that is gone ended, the newest where several of this name did. undefined: `error` is about
 * something else, nothing is known of such a pod, or the asker may not list ConfigMaps.
 */
export async function explainGone(
	client: KubeClient,
	name: string,
	error: unknown,
	nowMs: number,
): Promise<EndedThere | undefined> {
	if (!isNotFound(error)) return undefined;
	try {
		const ended = await listEnded(client, client.namespace, nowMs);
		return ended.find(({ pod }) => pod === name);
	} catch (other) {
		if (other instanceof ApiError) return undefined; // what was asked for is not there: that is the answer
		throw other;
	}
}

export function endedData(one: EndedThere): object {
	const { namespace, pod, uid, node, ...rest } = one;
	return { pod: { namespace, name: pod, uid, node }, verdict: 'gone', ...rest };
}

export function endedText(one: EndedThere, nowMs: number): string {
	const { container, exitCode, limits, job, log } = one;
	const code = exitCode === undefined ? undefined : `exit code ${exitCode}`;
	const set = Object.entries(limits ?? {}).map(([resource, amount]) => `${resource} ${amount}`);
	const lines: [string, string | undefined][] = [
		['Pod', `${one.namespace}/${one.pod} is gone${one.node ? `; it was on node ${one.node}` : ''}`],
		['Ended', `${one.reason}: ${endReasons[one.reason]}`],
		['When', `${ageSince(one.endedAt, nowMs)} ago, at ${one.endedAt}`],
		['Because', one.detail],
		['By', one.by],
		['Container', [container, code].filter(Boolean).join(', ') || undefined],
		['Limits', set.join(', ') || undefined],
		['Used', one.usage],
		['Runner', [one.runner, one.set && `set ${one.set}`].filter(Boolean).join(', ')],
		['Job', job && [job.name, job.url].filter(Boolean).join(', ')],
		...(log ?? []).map((line, index): [string, string] => [index === 0 ? 'Log' : '', line || ' ']),
	];
	return lines
		.filter((line): line is [string, string] => Boolean(line[1]))
		.map(([label, text]) => `${(label && `${label}:`).padEnd(13)}${printable(text)}\n`)
		.join('');
}
